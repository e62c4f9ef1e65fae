"""Labelling through a real server on loopback: what is asked, what goes wrong, and what becomes of it."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from chat_server import KEY, serving
from online import impatient, options, rows

from distill.errors import CallError, TeacherError
from distill.jsonl import read_jsonl
from teachers.labelling import label


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def test_documents_come_back_labelled_in_order_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    with serving() as server:
        report = label(options(tmp_path, server))
        first = (tmp_path / "L.jsonl").read_bytes()
        again = label(options(tmp_path, server))
        assert [document.id for document in read_jsonl(tmp_path / "L.jsonl")] == [f"d{n}" for n in range(20)]
        assert (report.documents, report.asked, report.exact, report.exit_code) == (20, 20, 60, 0)
        assert (again.asked, again.from_store, again.tokens_saved) == (0, 20, 20 * 110)
        assert (tmp_path / "L.jsonl").read_bytes() == first
        assert len(server.bodies) == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["L.jsonl", "answers.sqlite", "in.jsonl"]


def test_only_what_was_asked_for_is_sent(tmp_path: Path) -> None:
    with serving() as server:
        label(options(tmp_path, server, 1, param=("temperature=0", "reasoning_effort=low", 'stop=["\\n\\n"]')))
        (body,) = server.bodies
        assert {key: body[key] for key in body if key != "messages"} == {
            "model": "loopback", "temperature": 0, "reasoning_effort": "low", "stop": ["\n\n"],
        }  # fmt: skip
        label(options(tmp_path, server, 1))
        assert set(server.bodies[-1]) == {"model", "messages"}


def test_equal_texts_are_paid_for_once(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": "{n}", "text": "Anna sang."}}\n' for n in range(30)))
    with serving(delay=0.05) as server:
        report = label(options(tmp_path, server))
        assert len(server.bodies) == report.asked == 1
        assert (report.documents, report.from_store) == (30, 29)


def test_every_fault_at_once_leaves_every_document_labelled_or_rejected(tmp_path: Path) -> None:
    faults = ["429"] * 20 + ["500"] * 10 + ["503"] * 3 + ["drop"] * 5 + ["half"] * 3 + ["cut"] * 5
    faults += ["html", "list", "choiceless", "number", "refusal", "empty", "length", "garbage"]
    chance = random.Random(5)
    lottery: list[str | None] = [*faults, *[None] * (100 - len(faults))]
    with serving(fault=lambda number, text: chance.choice(lottery)) as server:
        report = label(options(tmp_path, server, 200), impatient(tmp_path, server, 16))
        assert report.documents + report.rejected.total() == 200
        assert report.documents > 190
        assert report.asked == len(server.bodies)
        assert server.busiest <= 16
        kept = [document.id for document in read_jsonl(tmp_path / "L.jsonl")]
        refused = rows(tmp_path / "L.rejected.jsonl") if report.rejected else []
        assert sorted([*kept, *(row["id"] for row in refused)]) == sorted(f"d{n}" for n in range(200))
        assert kept == sorted(kept, key=lambda name: int(name[1:]))
        assert all(row["reason"] and row["kind"] and row["number"] == int(row["id"][1:]) + 1 for row in refused)
        assert max(server.answered.values()) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("garbage", "unparsed", "no dictionary in the answer"),
        ("empty", "unparsed", "the answer is empty"),
        ("tools", "unparsed", "the answer is empty (finish_reason tool_calls)"),
        ("length", "truncated", "cut off"),
        ("refusal", "refused", "refused"),
        ("html", "no answer", "text/html"),
        ("choiceless", "no answer", "without choices"),
        ("number", "no answer", "content is a int"),
        ("400 too long", "no answer", "HTTP 400: too long"),
    ],
)
def test_a_bad_answer_is_rejected_with_its_reason_and_never_read_as_no_entities(
    tmp_path: Path, fault: str, kind: str, reason: str
) -> None:
    with serving(fault=lambda number, text: fault if " 3 " in text else None) as server:
        report = label(options(tmp_path, server, 6))
        (row,) = rows(tmp_path / "L.rejected.jsonl")
        assert (row["id"], row["kind"], row["number"]) == ("d3", kind, 4)
        assert reason in row["reason"]
        assert (report.documents, dict(report.rejected), report.exit_code) == (5, {kind: 1}, 1)
        assert ("response" in row) == (kind != "no answer")


def test_an_answer_that_cannot_be_used_is_asked_for_again_and_both_are_stored(tmp_path: Path) -> None:
    with serving(fault=lambda number, text: "garbage" if number == 1 else None) as server:
        report = label(options(tmp_path, server, 1))
        assert (report.documents, report.asked, len(server.bodies)) == (1, 2, 2)
        with sqlite3.connect(tmp_path / "answers.sqlite") as store:
            stored = store.execute("SELECT attempt, because FROM answers ORDER BY attempt").fetchall()
        store.close()
        assert stored == [(0, ""), (1, "no dictionary in the answer, which begins 'I see nobody here.'")]
        assert label(options(tmp_path, server, 1)).from_store == 2
        assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("fault", "says", "at_most"),
    [
        ("401", "the key was refused", 4),
        ("404 the model is not here", "no model 'loopback'", 4),
        ("404 not here", "no /chat/completions there; check --base-url, which mostly ends in /v1", 4),
        ("moved", "the server is to be found at http://127.0.0.1:[0-9]+/v2; give that as --base-url", 4),
        ("tomorrow", r"asks to wait 86400 seconds \(HTTP 429: enough for today\)", 4),
        ("page", "HTTP 413: Request Entity Too Large", 12),
        ("429 insufficient_quota", "quota is exhausted", 4),
        ("400 unknown field", "5 times in a row: HTTP 400: unknown field", 12),
    ],
)
def test_an_error_that_concerns_all_documents_stops_the_run_at_once(
    tmp_path: Path, fault: str, says: str, at_most: int
) -> None:
    with serving(fault=lambda number, text: fault if number > 2 else None) as server:
        with pytest.raises(TeacherError, match=says) as caught:
            label(options(tmp_path, server, 60, concurrency=4))
        assert len(server.bodies) <= 2 + at_most + 4
        assert KEY not in str(caught.value)
        server.fault = lambda number, text: None
        report = label(options(tmp_path, server, 60, concurrency=4))
        assert report.documents == 60
        assert max(server.answered.values()) == 1


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with serving() as server:
        gone = options(tmp_path, server)
    with pytest.raises(TeacherError, match=r"no connection .* check --base-url"):
        label(gone)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8000/v1", "begins with http:// or https://"),
        ("http://[::1/v1", "is no address"),
        ("http:///v1", "is no address"),
        ("http://a b/v1", "is no address"),
        ("http://me:secret@127.0.0.1:99999/v1", "is no address: '127.0.0.1:99999/v1'"),
        ("http://127.0.0.1:8000/v1/chat/completions/", "ends before /chat/completions: http://127.0.0.1:8000/v1"),
    ],
)
def test_an_address_that_cannot_be_right_is_said_before_anything_is_made(tmp_path: Path, url: str, says: str) -> None:
    with serving() as server, pytest.raises(CallError) as caught:
        label(options(tmp_path, server, base_url=url))
    assert says in str(caught.value) and "secret" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_the_query_of_an_address_follows_every_path_and_is_not_kept(tmp_path: Path) -> None:
    with serving() as server:
        label(options(tmp_path, server, 2, base_url=server.url + "/?api-version=7&code=hidden-code"))
        assert set(server.paths) == {"/v1/chat/completions?api-version=7&code=hidden-code"}
    assert all(b"hidden-code" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_server_that_trickles_is_not_waited_for(tmp_path: Path) -> None:
    with serving(fault=lambda number, text: "slow" if number == 2 else None) as server:
        report = label(options(tmp_path, server, 3, timeout=0.5, concurrency=1))
        assert (report.documents, report.asked) == (3, 4)


def test_a_text_that_no_request_can_carry_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "Ann \\ud83d sang."}\n{"id": "b", "text": "Bo sang."}\n')
    with serving() as server:
        report = label(options(tmp_path, server))
    assert (report.documents, dict(report.rejected)) == (1, {"no answer": 1})


def test_the_key_is_in_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(fault=lambda number, text: "400" if number % 2 else None) as server:
        label(options(tmp_path, server, 8))
        assert set(server.keys) == {f"Bearer {KEY}"}
        with pytest.raises(TeacherError):
            server.fault = lambda number, text: "401"
            label(options(tmp_path, server, out=tmp_path / "M.jsonl", param=("seed=1",)))
    for path in tmp_path.iterdir():
        assert KEY.encode() not in path.read_bytes(), path.name
    assert "your header was Bearer ***" in (tmp_path / "L.rejected.jsonl").read_text()
    assert KEY not in "".join(capfd.readouterr())


def test_a_key_for_openai_is_not_sent_to_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as server:
        label(options(tmp_path, server, 1, api_key_env=None))
        assert set(server.keys) == {"Bearer none"}
    with pytest.raises(CallError, match="NOT_SET_ANYWHERE holds no key"):
        label(options(tmp_path, server, 1, api_key_env="NOT_SET_ANYWHERE"))


def test_the_limit_of_requests_is_a_stop_from_which_a_run_goes_on(tmp_path: Path) -> None:
    with serving() as server:
        with pytest.raises(TeacherError, match="--max-requests 7 is reached"):
            label(options(tmp_path, server, max_requests=7))
        assert len(server.bodies) == 7
        report = label(options(tmp_path, server, max_requests=13))
        assert (report.documents, len(server.bodies)) == (20, 20)


def test_a_store_that_cannot_be_written_is_an_error_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"this is no database, whatever its name says" * 100)
    with serving() as server:
        with pytest.raises(CallError, match="cannot be used as a store"):
            label(options(tmp_path, server))
        assert not server.bodies
