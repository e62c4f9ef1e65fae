"""Answers in a JSON schema: servers that follow it, refuse it or ignore it, and that nothing is paid for twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, REFUSED, ChatServer, serving
from online import options, rows

from distill.errors import CallError, TeacherError
from distill.jsonl import read_jsonl
from distill.labels import Label, LabelSet
from teachers.batch import submit
from teachers.batch_options import BatchSubmitOptions
from teachers.estimate import estimate
from teachers.forms import form_of, opened, refuses
from teachers.labelling import label
from teachers.rows import OURS
from teachers.teacher import Reply


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def formal(server: ChatServer) -> int:
    return sum("response_format" in body for body in server.bodies)


def found(path: Path) -> list[list[tuple[str, str]]]:
    return [[(document.mention(e), e.label) for e in document.entities] for document in read_jsonl(path)]


PEOPLE = [[("Anna", "PER"), ("Bert", "PER")], [("Anna", "PER"), ("Bert", "PER")]]


@pytest.mark.parametrize(
    ("prompt", "structured", "label_name"),
    [("standard", "auto", "PER"), ("cot", "on", "PER"), ("open", "auto", "person"), ("definition", "on", "person")],
)
def test_an_answer_in_a_form_is_read_as_one_in_plain_text(
    tmp_path: Path, prompt: str, structured: str, label_name: str
) -> None:
    with serving() as server:
        server.forms = "follows"
        report = label(options(tmp_path, server, 2, prompt=prompt, structured=structured))
        assert formal(server) == 2 and report.asked == 2
    entities = found(tmp_path / "L.jsonl")
    assert [[each for each in one if each[0] != "In"] for one in entities] == [
        [(text, label_name) for text, _ in one] for one in PEOPLE
    ]
    (first, _) = read_jsonl(tmp_path / "L.jsonl")
    assert first.meta.get("reasoning") == ("Capitals are people." if prompt == "cot" else None)
    assert "notes" not in first.meta and "notes" in OURS


def test_a_server_that_refuses_is_asked_in_plain_text_and_remembered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as server:
        server.forms = "refuses"
        report = label(options(tmp_path, server, 12, prompt="standard", concurrency=4))
        refused = formal(server)
        assert 1 <= refused <= 4 and len(server.bodies) == 12 + refused == report.asked
        assert report.documents == 12 and not report.rejected
        said = capsys.readouterr().err
        assert said.count("takes no response_format") == 1 and REFUSED in said
        label(options(tmp_path, server, 12, prompt="standard", out=tmp_path / "M.jsonl", param=("seed=1",)))
        assert formal(server) == refused and "response_format" not in capsys.readouterr().err
        with pytest.raises(TeacherError, match=r"refuses the form .*--structured auto or off"):
            label(options(tmp_path, server, 12, prompt="standard", out=tmp_path / "N.jsonl", structured="on"))


def test_a_server_that_ignores_the_form_is_read_all_the_same(tmp_path: Path) -> None:
    with serving() as server:
        label(options(tmp_path, server, 2, prompt="standard"))
        assert formal(server) == 2
    assert [[each for each in one if each[0] != "In"] for one in found(tmp_path / "L.jsonl")] == PEOPLE


def test_a_form_does_not_make_an_answer_true(tmp_path: Path) -> None:
    answers = iter(['{"LOC": [], "MISC": [], "ORG": [], "PER": [5]', "[5]", '{"LOC": [], "PER": ["Anna"]}'])
    with serving(answer=lambda text: next(answers)) as server:
        report = label(options(tmp_path, server, 1, prompt="standard", attempts=3))
        assert report.asked == 3 and formal(server) == 3
    assert found(tmp_path / "L.jsonl") == [[("Anna", "PER")]]


def test_answers_in_either_way_are_paid_for_once_and_are_not_taken_for_each_other(tmp_path: Path) -> None:
    def call(name: str, **more: Any) -> Any:
        return options(tmp_path, server, 5, prompt="standard", out=tmp_path / name, **more)

    with serving() as server:
        server.forms = "follows"
        label(call("plain.jsonl", structured="off"))
        assert (formal(server), len(server.bodies)) == (0, 5)
        assert label(call("auto.jsonl")).from_store == 5
        assert estimate(call("estimate.jsonl", dry_run=True)).stored == 5
        assert label(call("on.jsonl", structured="on")).asked == 5
        assert (formal(server), len(server.bodies)) == (5, 10)
        assert label(call("again.jsonl", structured="on")).from_store == 5


def test_thoughts_and_own_forms_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    with serving() as server:
        label(options(tmp_path, server, 1))  # cot
        label(options(tmp_path, server, 1, out=tmp_path / "M.jsonl", prompt="standard",
                      param=('response_format={"type": "text"}',)))  # fmt: skip
        assert [body.get("response_format") for body in server.bodies] == [None, {"type": "text"}]
        with pytest.raises(CallError, match="--param response_format says otherwise"):
            label(options(tmp_path, server, 1, structured="on", param=("response_format=x",)))
        with pytest.raises(CallError, match="--teacher replay knows no forms"):
            label(options(tmp_path, server, 1, structured="on", teacher="replay", responses=tmp_path / "in.jsonl"))


def test_other_errors_of_a_request_with_a_form_are_not_taken_for_a_refusal(tmp_path: Path) -> None:
    def fault(number: int, text: str) -> str | None:
        return "400 maximum context length is 10 tokens" if " 1 " in text else None

    with serving(fault=fault) as server:
        report = label(options(tmp_path, server, 4, prompt="standard"))
        assert dict(report.rejected) == {"no answer": 1} and formal(server) == len(server.bodies) == 4
    (row,) = rows(tmp_path / "L.rejected.jsonl")
    assert "maximum context length" in row["reason"]


@pytest.mark.parametrize(
    ("status", "said", "refused"),
    [
        (400, REFUSED, True), (400, "This response_format type is unavailable now", True),
        (422, "[{'loc': ['body', 'response_format'], 'msg': 'Extra inputs are not permitted'}]", True),
        (400, 'Either "json_schema" or "grammar" can be specified, but not both', True),
        (400, "The provided JSON schema contains features not supported by xgrammar.", True),
        (400, "invalid value: `json_schema`, supported values are: `json_object` and `text`", True),
        (400, "max_tokens is too large", False), (429, "response_format", False), (500, "", False),
        (400, "This model's maximum context length is 8192 tokens, response_format included", False),
    ],
)  # fmt: skip
def test_refusals_are_known_by_their_words(status: int, said: str, refused: bool) -> None:
    assert refuses(status, said) is refused


def test_a_form_is_made_of_the_label_set_and_of_what_the_prompt_asks_for() -> None:
    labels = LabelSet((Label("WINE"), Label("DISH")))
    standard = json.loads(form_of("standard", "dictionary", labels))["json_schema"]["schema"]
    assert standard["required"] == list(standard["properties"]) == ["WINE", "DISH"]
    assert list(json.loads(form_of("own.jinja", "dictionary", labels))["json_schema"]["schema"]["properties"]) == [
        "reasoning", "result",
    ]  # fmt: skip
    assert list(json.loads(form_of("conversation", "names", labels))["json_schema"]["schema"]["properties"]) == [
        "mentions"
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('{"entities": []}', "[]"), ('{"entities": [{"mention": "Oslo", "type": "city"}]}', '[{"Oslo": "city"}]'),
        ('{"mentions": ["Oslo"]}', '["Oslo"]'), ('{"reasoning": "x", "result": {"PER": []}}', '{"PER": []}'),
        ('{"PER": ["Oslo"]}', '{"PER": ["Oslo"]}'), ('{"reasoning": "x", "result": ', '{"reasoning": "x", "result": '),
    ],
)  # fmt: skip
def test_a_form_is_opened_only_where_it_is_one(text: str, plain: str) -> None:
    assert opened(Reply(text)).text == plain


def test_a_batch_asks_in_a_form_only_where_it_is_told_to(tmp_path: Path) -> None:
    with serving() as server:
        given = {each: getattr(options(tmp_path, server, 1, prompt="standard"), each) for each in (
            "inputs", "out", "model", "base_url", "api_key_env", "prompt",
        )}  # fmt: skip
    submit(BatchSubmitOptions(**given, files_only=True))
    assert "response_format" not in (tmp_path / "L.batch-001.jsonl").read_text()
    submit(BatchSubmitOptions(**{**given, "out": tmp_path / "M.jsonl"}, files_only=True, structured="on"))
    assert "response_format" in (tmp_path / "M.batch-001.jsonl").read_text()
