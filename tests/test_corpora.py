"""Data sets are read by what they are, and a trainer gets what it can learn from or one clear error."""

from __future__ import annotations

import gzip
import io
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from strategies import data_sets

from distill.corpora import format_of, read_all, read_documents, read_gold_flat, write_documents
from distill.document import Document, Entity, Span
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.labels import Label, LabelSet
from distill.layout import ConllColumns

OSLO = Document("a", "Oslo", (Entity(0, 4, "LOC"),))
JSON = '{"id": "a", "text": "Oslo", "entities": [[0, 4, "LOC"]]}\n'
CONLL = "Oslo B-LOC\n"


@pytest.mark.parametrize(
    ("name", "content", "format", "texts"),
    [
        ("a.jsonl", JSON, "jsonl", ["Oslo"]),
        ("a.ndjson", JSON, "jsonl", ["Oslo"]),
        ("a.jsonl.gz", JSON, "jsonl", ["Oslo"]),
        ("a.json", JSON, "jsonl", ["Oslo"]),
        ("a.CONLL", CONLL, "conll", ["Oslo"]),
        ("a.bio", CONLL, "conll", ["Oslo"]),
        ("a.iob.gz", CONLL, "conll", ["Oslo"]),
        ("a.txt", CONLL, "conll", ["Oslo"]),
        ("a.train", CONLL, "conll", ["Oslo"]),
        ("a.txt", "Oslo is cold.\n\nBergen\u2028is wet.\n", "text", ["Oslo is cold.", "Bergen\u2028is wet."]),
        ("a.txt.gz", "Oslo is cold.\n", "text", ["Oslo is cold."]),
        ("a.txt", "Oslo\nBergen\n", "text", ["Oslo", "Bergen"]),
        ("a.txt", "", "jsonl", []),
        ("a.conll", "", "conll", []),
        ("a.jsonl", "\n\n", "jsonl", []),
    ],
)
def test_the_format_is_told_by_the_suffix_or_the_first_lines(
    tmp_path: Path, name: str, content: str, format: str, texts: list[str]
) -> None:
    raw = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert format_of(tmp_path / name) == format
    assert [document.text for document in read_all(tmp_path / name)] == texts


def test_standard_input_is_read_by_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, format in [(JSON, "jsonl"), (CONLL, "conll"), ("Oslo\n", "text")]:
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode())))
        monkeypatch.setattr(sys, "stdin", stream)
        assert format_of("-") == format
        assert [document.text for document in read_documents("-")] == ["Oslo"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xyz", "Oslo is cold\n", "a.xyz: cannot tell its format; name it, one of jsonl, conll, text"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: expected a JSON object"),
        ("a.jsonl", JSON + "{\n", "a.jsonl:2: not a JSON object"),
        ("a.jsonl", JSON * 2, "a.jsonl: 1 ids stand more than once, the first is 'a'"),
        ("a.jsonl", JSON.replace("4", "5"), r"a.jsonl:1: document 'a': entity \[0, 5\) LOC ends outside the text"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_all(tmp_path / name)


def test_a_bad_call_is_one_clear_line(tmp_path: Path) -> None:
    write_jsonl([OSLO], tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"absent.jsonl: no such file"):
        read_documents(tmp_path / "absent.jsonl")
    with pytest.raises(CallError, match="unknown format 'conl'; did you mean conll"):
        read_documents(tmp_path / "a.jsonl", "conl")
    with pytest.raises(CallError, match="read as jsonl"):
        read_documents(tmp_path / "a.jsonl", columns=ConllColumns(tag=1))
    with pytest.raises(CallError, match="overlaps is one of"):
        read_gold_flat(tmp_path / "a.jsonl", overlaps="ignore")


@given(data_sets())
def test_jsonl_and_text_come_back(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> None:
    folder = tmp_path_factory.mktemp("corpora")
    report = write_documents(documents, folder / "a.jsonl")
    assert read_all(folder / "a.jsonl") == documents
    assert report.complete
    assert (report.documents, report.entities) == (len(documents), sum(len(d.entities) for d in documents))
    report = write_documents(documents, folder / "a.txt")
    found = list(read_documents(folder / "a.txt", "text"))
    assert len(found) == report.documents == len(documents) - report.lost["empty"]
    assert report.lost["unlabelled format"] == sum(len(d.entities) for d in documents)
    if not report.lost["respaced"]:
        assert [d.text for d in found] == [d.text for d in documents if d.text.strip()]


LABELS = LabelSet((Label("ORG", "organisation", aliases=("company",)), Label("LOC")))


def test_a_trainer_gets_the_labels_of_its_set(tmp_path: Path) -> None:
    write_jsonl([Document("a", "Equinor", (Entity(0, 7, "company"),))], tmp_path / "a.jsonl")
    corpus = read_gold_flat(tmp_path / "a.jsonl", LABELS)
    assert corpus.documents == [Document("a", "Equinor", (Entity(0, 7, "ORG"),))]
    assert read_gold_flat(tmp_path / "a.jsonl").documents[0].entities[0].label == "company"


def test_labels_the_set_does_not_know_are_one_error_or_dropped_and_counted(tmp_path: Path) -> None:
    documents = [OSLO, Document("b", "Oslo", (Entity(0, 4, "place"), Entity(0, 2, "odd")))]
    write_jsonl(documents, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"odd \(1\), place \(1\); known: ORG, LOC"):
        read_gold_flat(tmp_path / "a.jsonl", LABELS)
    corpus = read_gold_flat(tmp_path / "a.jsonl", LabelSet(LABELS.labels, "drop"))
    assert corpus.unknown == Counter(odd=1, place=1)
    assert [len(document.entities) for document in corpus.documents] == [1, 0]


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        (
            (Entity(0, 10, "ORG"), Entity(5, 10, "PER")),
            r"gold.jsonl: document 'a': PER \[5, 10\) 'Bergs' overlaps ORG \[0, 10\) 'Moen Bergs'",
        ),
        ((Entity(0, 10, "ORG"), Entity(0, 10, "PER")), r"PER \[0, 10\) 'Moen Bergs' overlaps ORG \[0, 10\)"),
        ((Entity(0, 7, "ORG", None, (Span(0, 2), Span(5, 7))),), r"'Mo Be' is discontinuous"),
    ],
)
def test_gold_that_overlaps_names_both_entities(tmp_path: Path, entities: tuple[Entity, ...], message: str) -> None:
    write_jsonl([Document("a", "Moen Bergs", entities)], tmp_path / "gold.jsonl")
    with pytest.raises(InputError, match=message):
        read_gold_flat(tmp_path / "gold.jsonl")


def test_distilled_data_keeps_the_outermost_and_counts_the_rest(tmp_path: Path) -> None:
    entities = (Entity(5, 10, "PER"), Entity(0, 10, "ORG"), Entity(0, 10, "ORG", 0.5), Entity(0, 10, "LOC", 0.5))
    write_jsonl([Document("a", "Moen Bergs", entities)], tmp_path / "l.jsonl")
    corpus = read_gold_flat(tmp_path / "l.jsonl", overlaps="outermost")
    assert corpus.documents[0].entities == (Entity(0, 10, "ORG"),)
    assert corpus.overlapping == Counter(PER=1, LOC=1)


def test_an_entity_that_stands_twice_is_no_overlap(tmp_path: Path) -> None:
    write_jsonl([OSLO.with_entities(OSLO.entities * 2)], tmp_path / "a.jsonl")
    assert read_gold_flat(tmp_path / "a.jsonl").documents == [OSLO]
