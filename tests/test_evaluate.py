"""Evaluation: students and label files side by side, and systems that cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_student import make_tiny_student
from training_data import sentence

from distill.document import Document
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.scores import score_documents
from students.evaluate import evaluate
from students.model import load_student
from students.options import EvaluateOptions
from students.predictor import predict_documents


@pytest.fixture
def gold(tmp_path: Path) -> list[Document]:
    documents = [sentence(number) for number in range(20)]
    write_jsonl(documents, tmp_path / "gold.jsonl")
    return documents


def test_a_student_and_a_label_file_stand_side_by_side(gold: list[Document], tmp_path: Path) -> None:
    student = make_tiny_student(tmp_path / "student")
    halved = [d.with_entities(d.entities[:1]) for d in gold]
    write_jsonl(halved, tmp_path / "labels.jsonl")
    options = EvaluateOptions(
        systems=(student, tmp_path / "labels.jsonl"), gold=(tmp_path / "gold.jsonl",), json=tmp_path / "e.json",
    )  # fmt: skip
    report = evaluate(options)
    found = predict_documents(load_student(student), gold)
    assert report.systems[str(student)]["strict"].score == score_documents(gold, found, "strict")
    halves = report.systems[str(tmp_path / "labels.jsonl")]["strict"]
    assert halves.score.micro.precision == 1.0 and halves.interval is not None
    assert halves.interval[0] <= halves.score.f1 <= halves.interval[1]
    figures = json.loads((tmp_path / "e.json").read_text())
    assert figures["systems"][str(student)]["partial"]["kind"] == "partial"
    strict, partial = report.tables().split("partial: ")
    assert "labels.jsonl" in strict and "labels.jsonl" in partial and "95 %" in strict


def test_a_label_file_is_paired_by_id_and_may_be_in_any_order(gold: list[Document], tmp_path: Path) -> None:
    write_jsonl(reversed(gold), tmp_path / "same.jsonl")
    report = evaluate(EvaluateOptions(systems=(tmp_path / "same.jsonl",), gold=(tmp_path / "gold.jsonl",)))
    assert report.systems[str(tmp_path / "same.jsonl")]["strict"].score.f1 == 1.0


def test_documents_a_label_file_lacks_count_as_nothing_found(gold: list[Document], tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    write_jsonl(gold[:5], few)
    report = evaluate(EvaluateOptions(systems=(few,), gold=(tmp_path / "gold.jsonl",)))
    entities = [len(d.entities) for d in gold]
    assert report.systems[str(few)]["strict"].score.micro.recall == sum(entities[:5]) / sum(entities)
    assert "15 gold documents have no row" in report.tables()


def test_aliases_of_the_label_set_join_other_names(gold: list[Document], tmp_path: Path) -> None:
    names = {"ORG": "company", "LOC": "place"}
    write_jsonl(
        (d.with_entities(replace(e, label=names[e.label]) for e in d.entities) for d in gold), tmp_path / "open.jsonl"
    )
    (tmp_path / "labels.toml").write_text('[ORG]\naliases = ["company"]\n[LOC]\naliases = ["place"]\n')
    options = EvaluateOptions(
        systems=(tmp_path / "open.jsonl",), gold=(tmp_path / "gold.jsonl",), labels=tmp_path / "labels.toml"
    )
    assert evaluate(options).systems[str(tmp_path / "open.jsonl")]["strict"].score.f1 == 1.0


def test_systems_that_cannot_be_scored_are_one_line(gold: list[Document], tmp_path: Path) -> None:
    def score(system: Path) -> None:
        evaluate(EvaluateOptions(systems=(system,), gold=(tmp_path / "gold.jsonl",)))

    with pytest.raises(InputError, match=r"nowhere: no such system"):
        score(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: not a student"):
        score(tmp_path / "empty")
    with pytest.raises(InputError, match=r"made for the labels PER, gold has LOC, ORG; give --labels"):
        score(make_tiny_student(tmp_path / "other", labels=("PER",)))
    write_jsonl([replace(d, id=f"x{d.id}") for d in gold], tmp_path / "few.jsonl")
    with pytest.raises(InputError, match=r"few\.jsonl: none of the 20 gold documents is in it"):
        score(tmp_path / "few.jsonl")
    with pytest.raises(CallError, match="needs --gold"):
        evaluate(EvaluateOptions(systems=(tmp_path / "few.jsonl",)))


def test_a_student_whose_files_disagree_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    windows = json.loads((folder / "ner_distill.json").read_text())
    (folder / "ner_distill.json").write_text(json.dumps(windows | {"labels": ["LOC", "PER"]}))
    with pytest.raises(InputError, match=r"config\.json is for the tags"):
        load_student(folder)
    (folder / "ner_distill.json").write_text("{")
    with pytest.raises(InputError, match=r"not a student's ner_distill\.json"):
        load_student(folder)


def test_text_of_any_length_is_tagged_whole(tmp_path: Path) -> None:
    student = load_student(make_tiny_student(tmp_path / "student"))
    once = Document("a", "the mayor of oslo visited acme . ")
    long = Document("b", once.text * 200)
    found = predict_documents(student, [long])[0].entities
    assert max(e.end for e in found) > len(long.text) - 2 * len(once.text)
    assert predict_documents(student, [Document("c", "")])[0].entities == ()


def test_counts_by_document_add_up_to_the_score(gold: list[Document], tmp_path: Path) -> None:
    halved = [d.with_entities(d.entities[:1]) for d in gold]
    write_jsonl(halved, tmp_path / "labels.jsonl")
    paths = {"systems": (tmp_path / "labels.jsonl",), "gold": (tmp_path / "gold.jsonl",)}
    report = evaluate(EvaluateOptions(**paths, counts=tmp_path / "counts.jsonl"))  # type: ignore[arg-type]
    rows = [json.loads(line) for line in (tmp_path / "counts.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [d.id for d in gold]
    correct, predicted, expected = (
        sum(counts[i] for row in rows for counts in row["strict"].values()) for i in range(3)
    )
    whole = report.systems[str(tmp_path / "labels.jsonl")]["strict"].score.total
    assert (correct, predicted, expected) == (whole.correct, whole.predicted, whole.gold)
    with pytest.raises(CallError, match="is also read"):
        evaluate(EvaluateOptions(**paths, counts=tmp_path / "gold.jsonl"))  # type: ignore[arg-type]
