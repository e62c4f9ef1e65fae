"""What labelling makes of bad inputs: each bad row is rejected with its place, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recorded import options, replay, rows, written

from distill.errors import CallError, InputError, TeacherError
from distill.jsonl import read_jsonl
from teachers.labelling import label
from teachers.ledger import Ledger
from teachers.options import LabelOptions
from teachers.report import LabelReport
from teachers.roster import lesson_for
from teachers.teacher import Conversation, ScriptedTeacher


def test_bad_rows_are_rejected_with_their_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    documents: list[dict[str, Any] | str] = [
        {"id": "a", "text": "Ann sang."}, "{broken", {"id": "c", "text": 5}, {"id": "d", "text": "Bo sang."},
        {"id": "e", "text": "Cy sang."}, {"id": "f", "text": " \n"}, {"id": "g", "text": "Di sang."},
    ]  # fmt: skip
    source = written(tmp_path / "in.jsonl", *documents)
    answers = written(
        tmp_path / "answers.jsonl", {"id": "a", "response": "{}"}, {"id": "d", "response": ["no"]},
        {"id": "g", "response": "{}"}, {"id": "g", "response": '{"PER": ["Di"]}'}, {"id": "a", "response": "{}"},
    )  # fmt: skip
    report = label(options(tmp_path, source, responses=answers))
    assert [document.id for document in read_jsonl(tmp_path / "L.jsonl")] == ["a", "f"]
    refused = rows(tmp_path / "L.rejected.jsonl")
    assert [(row["number"], row["kind"]) for row in refused] == [
        (2, "bad input"), (3, "bad input"), (4, "no answer"), (5, "no answer"), (7, "no answer"),
    ]  # fmt: skip
    assert refused[0]["line"] == "{broken"
    assert f"{source}:2: not a JSON object" in refused[0]["reason"]
    assert [row["reason"] for row in refused[2:]] == [
        "line 2: the response is no string", "no recorded answer for this id in answers.jsonl",
        "line 4: a second response for this id, and a different one",
    ]  # fmt: skip
    assert report.exit_code == 1
    assert (report.documents, report.empty, report.rejected.total()) == (2, 2, 5)


def test_a_line_that_is_not_utf8_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"id": "a", "text": "An"}\n{"id": "b", "text": "Zo\xeb"}\n{"id": "c", "text": "Zo\xc3\xab"}\n')
    answers = written(tmp_path / "answers.jsonl", *({"id": each, "response": "{}"} for each in "abc"))
    label(options(tmp_path, source, responses=answers))
    assert [document.text for document in read_jsonl(tmp_path / "L.jsonl")] == ["An", "Zo\xeb"]
    (refused,) = rows(tmp_path / "L.rejected.jsonl")
    assert (refused["number"], refused["kind"]) == (2, "bad input")
    assert "in.jsonl:2: not UTF-8" in refused["reason"]


@pytest.mark.parametrize("stop", ["in-1", "in-3", "nowhere"])
@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("in.conll", b"Ann O\nsang O\n\nBo O\nCy\nslept O\n\nDi O\nran O\n", 5),
        ("in.txt", b"Ann sang\nZo\xeb slept\nDi ran\n", 2),
    ],
)
def test_a_bad_line_of_conll_or_text_is_rejected_and_a_stopped_run_goes_on_behind_it(
    tmp_path: Path, name: str, content: bytes, line: int, stop: str
) -> None:
    def answer(conversation: Conversation) -> str:
        if conversation.id == stop:
            raise TeacherError("the key was revoked")
        return "{}"

    (tmp_path / name).write_bytes(content)
    given = options(tmp_path, tmp_path / name)
    if stop != "nowhere":
        with pytest.raises(TeacherError, match=f"{2 if stop == 'in-3' else 0} documents done"):
            label(given, ScriptedTeacher(answer))
    report = label(given, ScriptedTeacher(lambda _: "{}"))
    assert [document.text for document in read_jsonl(tmp_path / "L.jsonl")] == ["Ann sang", "Di ran"]
    (refused,) = rows(tmp_path / "L.rejected.jsonl")
    assert (refused["number"], refused["kind"], refused["id"]) == (2, "bad input", "in-2")
    assert f"{name}:{line}: " in refused["reason"]
    assert (report.documents, report.exit_code) == (2, 1)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_recorded_answer_is_not_given_to_two_texts_of_one_id(tmp_path: Path, done: int) -> None:
    documents = [{"id": "a", "text": "Ann sang."}, {"id": "a", "text": "Ann sang."}, {"id": "a", "text": "Ann slept."}]
    source = written(tmp_path / "in.jsonl", *documents)
    given = options(tmp_path, source, responses=written(tmp_path / "r.jsonl", {"id": "a", "response": "{}"}))
    label(given)
    whole = (tmp_path / "L.jsonl").read_bytes(), (tmp_path / "L.rejected.jsonl").read_bytes()
    assert len(rows(tmp_path / "L.jsonl")) == 2
    (refused,) = rows(tmp_path / "L.rejected.jsonl")
    assert (refused["kind"], refused["reason"]) == ("bad input", "id 'a' stood before with another text")
    ledger = Ledger(given.out, lesson_for(given).call)
    ledger.begin(LabelReport(given.out, tmp_path / "L.rejected.jsonl"))
    for line in whole[0].splitlines()[:done]:
        ledger.add(json.loads(line))
    ledger.close()
    label(given)
    assert ((tmp_path / "L.jsonl").read_bytes(), (tmp_path / "L.rejected.jsonl").read_bytes()) == whole


def test_recorded_answers_of_no_document_are_counted_also_by_a_run_that_goes_on(tmp_path: Path) -> None:
    given = dict.fromkeys(("a", "b", "b#2", "x", "y", "y#1"), "{}")
    report = replay(tmp_path, [{"id": "a", "text": "Ann sang."}, {"id": "b", "text": "Bo sang."}], given)
    assert "unused     3 recorded answers are of no document (x, y, y#1)" in report.lines()
    assert report.to_json()["answers_of_no_document"] == 3
    assert report.exit_code == 0
    for path in (tmp_path / "L.jsonl", tmp_path / "L.jsonl.partial"):
        path.unlink(missing_ok=True)
    call = options(tmp_path, tmp_path / "in.jsonl", responses=tmp_path / "answers.jsonl")
    ledger = Ledger(call.out, lesson_for(call).call)
    ledger.begin(LabelReport(call.out, tmp_path / "L.rejected.jsonl"))
    ledger.add({"id": "a", "text": "Ann sang.", "entities": [], "meta": {"alignment": {"exact": 0, "repaired": {}}}})
    ledger.close()
    again = label(call)
    assert (again.resumed, again.unused) == (1, report.unused)


def test_an_input_without_documents_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay(tmp_path, [], {})
    assert "the input holds no documents" in capsys.readouterr().err
    assert (tmp_path / "L.jsonl").read_bytes() == b""


@pytest.mark.parametrize("option", ["inputs", "shots_from", "responses"])
def test_a_missing_file_is_one_line(tmp_path: Path, option: str) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "text": "Ann sang."})
    missing: Any = tmp_path / "nowhere.jsonl"
    teacher: dict[str, Any] = {"teacher": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    if option == "responses":
        teacher = {"teacher": "replay"}
    given: dict[str, Any] = {"inputs": (source,), **teacher, option: (missing,) if option == "inputs" else missing}
    with pytest.raises(InputError, match=r"nowhere\.jsonl: no such"):
        label(LabelOptions(out=tmp_path / "L.jsonl", shots_by="nearest", **given))


@pytest.mark.parametrize("name", ["L.conll", "L.parquet", "L.jsonl.gz", "L.jsonl.zst"])
def test_an_output_that_could_not_be_read_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "text": "Ann sang.", "response": "{}"})
    with pytest.raises(CallError, match=name):
        label(LabelOptions(inputs=(source,), out=tmp_path / name, teacher="replay", responses=source))
    assert not (tmp_path / name).exists()
