"""Labelling from recorded and scripted answers: what stands in the output, the rejects and the report."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import options, replay, rows, written

from distill.errors import CallError, InputError, TeacherError
from distill.jsonl import read_jsonl
from distill.scores import score_documents
from teachers.labelling import label
from teachers.ledger import Ledger
from teachers.options import LabelOptions
from teachers.report import LabelReport
from teachers.teacher import Conversation, Reply, ScriptedTeacher

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


def numbered(folder: Path, count: int) -> Path:
    return written(folder / "in.jsonl", *({"id": f"d{n}", "text": f"Ann met Bo {n} times."} for n in range(count)))


def test_a_recorded_answer_becomes_entities_and_a_record_of_how_it_went(tmp_path: Path) -> None:
    text = "Ann and BO saw Ann 's Rome ."
    answer = (
        'Step 1. A visit.\nResult: {"PER": ["Ann", "Bo", "Ann"], "City": ["Rome"], "Wine": ["x"], "LOC": ["Oslo",]}'
    )
    report = replay(tmp_path, [{"id": "a", "text": text, "entities": [[0, 3, "PER"]], "topic": "trips"}], {"a": answer})
    (document,) = read_jsonl(tmp_path / "L.jsonl")
    found = [(document.mention(entity), entity.label, entity.how) for entity in document.entities]
    assert found == [("Ann", "PER", None), ("BO", "PER", "case"), ("Ann", "PER", None), ("Rome", "LOC", None)]
    lost = document.meta["lost"]
    assert [(each["mention"], each["label"]) for each in lost] == [("x", "Wine"), ("Oslo", "LOC")]
    assert lost[0]["why"] == "unknown label 'Wine'"
    assert lost[1]["why"]
    assert document.meta["alignment"] == {"exact": 3, "repaired": {"case": 1}, "lost": 2}
    assert document.meta["reasoning"] == "Step 1. A visit."
    assert document.meta["notes"] == ["a trailing comma"]
    assert (document.meta["teacher"], document.meta["prompt"]) == ("replay:answers.jsonl", "cot")
    assert document.meta["topic"] == "trips"
    assert (report.mentions, report.exact, report.repaired.total(), report.lost.total()) == (6, 3, 1, 2)
    assert report.unknown_labels == {"Wine": 1}
    assert "Wine 1" in "\n".join(report.lines())
    assert report.to_json()["mentions"] == {"exact": 3, "repaired": {"case": 1}, "lost": dict(report.lost)}


def test_a_truncated_answer_is_rejected_with_what_it_had_said(tmp_path: Path) -> None:
    replay(tmp_path, [{"id": "a", "text": "Ann met Bo."}], {"a": '{"PER": ["Ann", "B'})
    (row,) = rows(tmp_path / "L.rejected.jsonl")
    assert (row["kind"], row["reason"]) == ("truncated", "the answer was cut off")
    assert row["response"] == '{"PER": ["Ann", "B'
    assert row["entities"] == [{"start": 0, "end": 3, "label": "PER"}]
    assert rows(tmp_path / "L.jsonl") == []


def test_a_responses_file_that_cannot_be_read_stops_before_anything_is_written(tmp_path: Path) -> None:
    source = numbered(tmp_path, 2)
    broken = written(tmp_path / "answers.jsonl", {"id": "d0", "response": "{}"}, "nonsense")
    with pytest.raises(InputError, match=r"answers\.jsonl:2: not a JSON object"):
        label(options(tmp_path, source, responses=broken))
    with pytest.raises(CallError, match="needs --responses"):
        label(options(tmp_path, source))
    with pytest.raises(CallError, match="one of the inputs"):
        label(LabelOptions(inputs=(source,), out=source, teacher="replay", responses=broken))
    with pytest.raises(CallError, match="at least one INPUT"):
        label(LabelOptions(out=tmp_path / "L.jsonl", teacher="replay", responses=broken))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "in.jsonl"]


@pytest.mark.parametrize(
    "out",
    ["in.jsonl", "answers.jsonl", "new/../in.jsonl", "shots.jsonl", "s", "own.jinja", "answers.sqlite", ".", "new/.."],
)
def test_no_file_that_is_read_is_written_over(tmp_path: Path, out: str) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "text": "Ann sang."})
    shots = written(tmp_path / "shots.jsonl", {"id": "s", "text": "Bo sang."})
    answers = written(tmp_path / "answers.jsonl", {"id": "a", "response": "{}"})
    prompt = written(tmp_path / "own.jinja", "{{ text }}")
    rejects = written(tmp_path / "s.rejected.jsonl", {"id": "b", "text": "Bo sang."})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    given = LabelOptions(
        inputs=(source, rejects), out=tmp_path / out, teacher="replay", responses=answers, shots_from=shots,
        prompt=str(prompt),
    )  # fmt: skip
    with pytest.raises(CallError, match="give"):
        label(given)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_documents_without_entities_are_left_out_on_request_and_counted(tmp_path: Path) -> None:
    report = replay(
        tmp_path, [{"id": "a", "text": "Ann."}, {"id": "b", "text": "Nobody."}], {"a": '{"PER": ["Ann"]}', "b": "{}"},
        drop_empty=True,
    )  # fmt: skip
    assert [document.id for document in read_jsonl(tmp_path / "L.jsonl")] == ["a"]
    assert (report.documents, report.empty) == (2, 1)
    assert "1 without entities left out" in report.lines()[0]


def test_own_labels_with_aliases_and_all_occurrences(tmp_path: Path) -> None:
    labels = tmp_path / "labels.toml"
    labels.write_text('[TEAM]\naliases = ["club", "ORG"]\n')
    replay(
        tmp_path, [{"id": "a", "text": "Ajax beat Ajax."}], {"a": '{"Club": ["Ajax"]}'},
        labels=labels, occurrences="all",
    )  # fmt: skip
    (document,) = read_jsonl(tmp_path / "L.jsonl")
    assert [(*entity.span, entity.label) for entity in document.entities] == [(0, 4, "TEAM"), (10, 14, "TEAM")]


def people(conversation: Conversation) -> str:
    """An answer for most documents, and nonsense for some."""
    number = int(conversation.id[1:])
    return "Nobody knows." if number in (3, 4, 11) else json.dumps({"PER": ["Ann", "Bo"]} if number % 2 else {})


def whole_run(folder: Path) -> tuple[bytes, bytes]:
    folder.mkdir()
    label(options(folder, numbered(folder, 20), attempts=1), ScriptedTeacher(people))
    return (folder / "L.jsonl").read_bytes(), (folder / "L.rejected.jsonl").read_bytes()


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 11, 12, 19])
@pytest.mark.parametrize("torn", [0, 1, 200, 1000])
def test_a_run_stopped_anywhere_goes_on_and_ends_with_the_same_files(tmp_path: Path, stop: int, torn: int) -> None:
    """`torn` bytes of the output were still in memory when the process died."""
    expected = whole_run(tmp_path / "whole")

    def dies(conversation: Conversation) -> str:
        if int(conversation.id[1:]) >= stop:
            raise TeacherError("the key was revoked")
        return people(conversation)

    source = numbered(tmp_path, 20)
    with pytest.raises(TeacherError, match=rf"revoked \[{stop} documents done"):
        label(options(tmp_path, source, attempts=1), ScriptedTeacher(dies))
    partial = tmp_path / "L.jsonl.partial"
    partial.write_bytes(partial.read_bytes()[: max(0, partial.stat().st_size - torn)])
    teacher = ScriptedTeacher(people)
    report = label(options(tmp_path, source, attempts=1), teacher)
    assert ((tmp_path / "L.jsonl").read_bytes(), (tmp_path / "L.rejected.jsonl").read_bytes()) == expected
    assert (report.documents, report.rejected.total(), report.mentions) == (17, 3, 16)
    assert len(teacher.asked) == 20 - report.resumed
    if not torn:
        assert report.resumed == stop
    assert not list(tmp_path.glob("*partial*"))


def test_a_run_killed_between_the_last_two_steps_ends_with_the_same_files(tmp_path: Path) -> None:
    expected = whole_run(tmp_path / "whole")
    source = numbered(tmp_path, 20)
    call = {"any": "call"}
    (tmp_path / "L.jsonl.partial").write_bytes(expected[0])
    (tmp_path / "L.rejected.jsonl").write_bytes(expected[1])
    written(tmp_path / "L.jsonl.partial.json", {"finished": True, "call": call})
    label(options(tmp_path, source, attempts=1), ScriptedTeacher(people))
    assert ((tmp_path / "L.jsonl").read_bytes(), (tmp_path / "L.rejected.jsonl").read_bytes()) == expected


def test_two_runs_do_not_write_the_same_file(tmp_path: Path) -> None:
    first, second = (Ledger(tmp_path / "L.jsonl", {"a": 1}) for _ in range(2))
    first.begin(LabelReport(tmp_path, tmp_path))
    with pytest.raises(CallError, match="another run is writing it"):
        second.begin(LabelReport(tmp_path, tmp_path))
    first.close()


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_asked(tmp_path: Path) -> None:
    source = numbered(tmp_path, 2)
    (tmp_path / "file").write_text("")
    teacher = ScriptedTeacher(people)
    with pytest.raises(CallError, match="cannot be written"):
        label(LabelOptions(inputs=(source,), out=tmp_path / "file" / "L.jsonl", teacher="replay"), teacher)
    assert not teacher.asked


def test_one_slow_answer_holds_up_a_bounded_number_of_documents(tmp_path: Path) -> None:
    class Slow(ScriptedTeacher):
        async def answer(self, conversation: Conversation) -> Reply:
            self.asked.append(conversation)
            if conversation.id == "d0":
                await asyncio.sleep(0.2)
                self.seen = len(self.asked)
            return Reply("{}")

    teacher = Slow({})
    label(options(tmp_path, numbered(tmp_path, 500), concurrency=8), teacher)
    assert teacher.seen == 64
    assert teacher.closed
    assert [document.id for document in read_jsonl(tmp_path / "L.jsonl")] == [f"d{n}" for n in range(500)]


def test_an_unparsed_answer_is_asked_for_again_within_the_budget(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(lambda conversation: "{}" if conversation.attempt == 2 else "Well.")
    report = label(options(tmp_path, numbered(tmp_path, 1), attempts=3), teacher)
    assert [asked.attempt for asked in teacher.asked] == [0, 1, 2]
    because = "no dictionary in the answer, which begins 'Well.'"
    assert [asked.because for asked in teacher.asked] == ["", because, because]
    assert (report.documents, report.asked) == (1, 3)


def test_replay_needs_no_library_of_the_online_teachers(tmp_path: Path) -> None:
    source = numbered(tmp_path, 1)
    answers = written(tmp_path / "answers.jsonl", {"id": "d0", "response": '{"PER": ["Ann"]}'})
    code = (
        "import sys; from pathlib import Path; from teachers.labelling import label\n"
        "from teachers.options import LabelOptions\n"
        f"made = LabelOptions(inputs=(Path({str(source)!r}),), out=Path({str(tmp_path / 'L.jsonl')!r}),\n"
        f"    teacher='replay', responses=Path({str(answers)!r}))\n"
        "label(made)\n"
        "assert not {'openai', 'jinja2', 'sqlite3', 'torch', 'numpy'} & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.corpora
@pytest.mark.skipif(not DATA.exists(), reason="the corpora do not lie beside the project")
@pytest.mark.parametrize(
    ("documents", "answers", "prompt", "at_least"),
    [
        ("conll1000/gold.jsonl", "conll1000/cot.responses.jsonl", "cot", 0.955),
        ("conll1000/gold.jsonl", "conll1000/standard.responses.jsonl", "standard", 0.945),
        ("bbc/sentences966.jsonl", "bbc/sentences966.cot.responses.jsonl", "cot", None),
    ],
)
def test_real_recorded_answers_lose_nothing(
    tmp_path: Path, documents: str, answers: str, prompt: str, at_least: float | None
) -> None:
    report = label(options(tmp_path, DATA / documents, prompt=prompt, responses=DATA / answers))
    assert (report.rejected.total(), report.lost.total(), report.conflicts) == (0, 0, 0)
    if at_least is not None:
        score = score_documents(read_jsonl(DATA / documents), read_jsonl(tmp_path / "L.jsonl"))
        assert (score.micro.f1 or 0.0) >= at_least
