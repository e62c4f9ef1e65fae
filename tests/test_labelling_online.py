"""Labelling through a real server on loopback: faults, stops, restarts, and that nothing is paid for twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, ChatServer, serving

from distill.errors import CallError, TeacherError
from distill.jsonl import read_jsonl
from teachers.chat import ChatTeacher, Clock, Endpoint
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.remembering import Remembering
from teachers.store import Store
from teachers.teacher import Teacher

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def options(folder: Path, server: ChatServer, count: int = 20, **more: Any) -> LabelOptions:
    source = folder / "in.jsonl"
    if not source.exists():
        rows = [{"id": f"d{n}", "text": f"In row {n} Anna met Bert the {n}th."} for n in range(count)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {
        "inputs": (source,), "out": folder / "L.jsonl", "model": "loopback", "base_url": server.url,
        "api_key_env": "LOOPBACK_KEY", "timeout": 5.0,
    }  # fmt: skip
    return LabelOptions(**{**given, **more})


def impatient(folder: Path, server: ChatServer, concurrency: int) -> Teacher:
    """The teacher that the options would build, with a clock on which waits are short."""
    endpoint = Endpoint("loopback", server.url, concurrency=concurrency, timeout=5.0)
    clock = Clock(sleep=lambda seconds: asyncio.sleep(seconds / 100), random=random.Random(1))
    return Remembering(ChatTeacher(endpoint, KEY, clock), Store(folder / "answers.sqlite"), endpoint.request)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


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
        ("404", "no model 'loopback'", 4),
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


def started(folder: Path, server: ChatServer) -> subprocess.Popen[str]:
    given = options(folder, server, 120, concurrency=8)
    code = (
        "import sys; from pathlib import Path\n"
        "from distill.command import reported\n"
        "from teachers.labelling import label\n"
        "from teachers.options import LabelOptions\n"
        f"made = LabelOptions(inputs=(Path({str(given.inputs[0])!r}),), out=Path({str(given.out)!r}),\n"
        f"    model='loopback', base_url={server.url!r}, api_key_env='LOOPBACK_KEY', concurrency=8)\n"
        "def call():\n    report = label(made)\n    print('\\n'.join(report.lines()))\n    return report.exit_code\n"
        "sys.exit(reported(call))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def test_killed_runs_ask_nothing_twice_that_was_stored_and_end_with_the_same_file(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()

    def fault(number: int, text: str) -> str | None:
        return "400 not this one" if " 33 " in text or " 77 " in text else None

    with serving(fault=fault) as server:
        label(options(whole, server, 120))
    stored: set[str] = set()
    with serving(fault=fault, delay=0.02) as server:
        for kill_after in (15, 50, 85):
            process = started(broken, server)
            wait_for(lambda after=kill_after: len(server.answered) >= after)  # type: ignore[misc]
            process.kill()
            process.communicate()
            stored_now = stored_texts(broken / "answers.sqlite")
            assert stored <= stored_now
            stored, before = stored_now, server.answered.copy()
        process = started(broken, server)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert all(server.answered[text] == before[text] for text in stored), "a stored answer was asked for again"
        assert all(count <= 4 for count in server.answered.values())
    assert (broken / "L.jsonl").read_bytes() == (whole / "L.jsonl").read_bytes()
    assert (broken / "L.rejected.jsonl").read_bytes() == (whole / "L.rejected.jsonl").read_bytes()
    assert "118 documents labelled" in out


@pytest.mark.slow
def test_every_fault_and_five_kills_lose_nothing_and_ask_nothing_twice(tmp_path: Path) -> None:
    faults = ["429"] * 20 + ["500"] * 10 + ["drop"] * 5 + ["cut"] * 5 + ["half", "html", "list", "choiceless", "number"]
    faults += ["refusal", "empty", "length", "garbage"]
    chance = random.Random(11)
    lottery: list[str | None] = [*faults, *[None] * (100 - len(faults))]
    with serving(fault=lambda number, text: chance.choice(lottery), delay=0.02) as server:
        before: dict[str, int] = {}
        for kill_after in (10, 30, 50, 70, 90):
            process = started(tmp_path, server)
            wait_for(lambda after=kill_after: len(server.answered) >= after)  # type: ignore[misc]
            process.kill()
            process.communicate()
            stored = stored_texts(tmp_path / "answers.sqlite", good=True)
            assert all(server.answered[text] == count for text, count in before.items() if text in stored)
            before = {text: server.answered[text] for text in stored}
        process = started(tmp_path, server)
        _, err = process.communicate(timeout=240)
        assert process.returncode in (0, 1), err
        assert all(server.answered[text] == count for text, count in before.items())
    kept = [document.id for document in read_jsonl(tmp_path / "L.jsonl")]
    refused = [row["id"] for row in rows(tmp_path / "L.rejected.jsonl")] if process.returncode else []
    assert sorted([*kept, *refused]) == sorted(f"d{n}" for n in range(120))
    assert kept == sorted(kept, key=lambda name: int(name[1:]))


def stored_texts(path: Path, good: bool = False) -> set[str]:
    """The texts of all stored answers, or of those that label something."""
    query = "SELECT messages FROM answers JOIN requests USING (key)" + (" WHERE text LIKE '%Result:%'" if good else "")
    store = sqlite3.connect(path)
    try:
        found = store.execute(query).fetchall()
    finally:
        store.close()
    return {json.loads(messages)[-1][1].split("\n")[1] for (messages,) in found}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_under_way_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    with serving(delay=0.1) as server:
        process = started(tmp_path, server)
        wait_for(lambda: len(server.answered) >= 20)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the same command goes on" in err
        assert "Traceback" not in err
        assert len(stored_texts(tmp_path / "answers.sqlite")) == len(server.bodies), "an answer was paid for and lost"
        process = started(tmp_path, server)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert len(server.bodies) == 120


def test_a_run_goes_on_only_with_the_call_that_began_it(tmp_path: Path) -> None:
    with serving() as server:
        begun = options(tmp_path, server, max_requests=5)
        with pytest.raises(TeacherError):
            label(begun)
        with pytest.raises(CallError, match=r"L\.jsonl\.partial was begun with another prompt, prompt text"):
            label(replace(begun, prompt="standard"))
        with pytest.raises(CallError, match="another model"):
            label(replace(begun, model="other"))
        (tmp_path / "in.jsonl").write_text('{"id": "new", "text": "Anna"}\n')
        with pytest.raises(CallError, match="another input"):
            label(begun)
