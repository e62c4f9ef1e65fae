"""The demo corpus: exact offsets, no sentence twice, sane balance, and a teacher who is good but not perfect."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from distill.document import Document
from distill.jsonl import read_jsonl

DEMO = Path(str(files("distill") / "demo"))
SPLITS = {"texts.gold": 200, "gold": 100, "dev": 50, "test": 70}
LABELS = {"LOC", "MISC", "ORG", "PER"}


def split(name: str) -> list[Document]:
    return list(read_jsonl(DEMO / f"{name}.jsonl"))


@pytest.mark.parametrize("name", SPLITS)
def test_entities_are_whole_names_in_order(name: str) -> None:
    documents = split(name)
    assert len(documents) == SPLITS[name]
    for document in documents:
        assert document.text == " ".join(document.text.split()), document.id
        assert all(left.end <= right.start for left, right in pairwise(document.entities)), document.id
        for entity in document.entities:
            mention = document.mention(entity)
            assert entity.label in LABELS and mention == mention.strip(" ,;:\"'"), (document.id, mention)
            around = document.text[max(0, entity.start - 1) : entity.start] + document.text[entity.end : entity.end + 1]
            assert not any(char.isalnum() for char in around), (document.id, mention)


def test_no_sentence_stands_in_two_splits() -> None:
    documents = [document for name in SPLITS for document in split(name)]
    assert [document.id for document in documents] == [f"demo-{number:04d}" for number in range(1, 421)]
    assert len({document.text.casefold() for document in documents}) == 420


@pytest.mark.parametrize("name", SPLITS)
def test_every_split_has_its_share_of_labels_and_of_empty_sentences(name: str) -> None:
    documents = split(name)
    labels = Counter(entity.label for document in documents for entity in document.entities)
    total = sum(labels.values())
    assert all(0.12 <= labels[label] / total <= 0.40 for label in LABELS), labels
    assert 0.08 <= sum(not document.entities for document in documents) / len(documents) <= 0.20


def test_the_texts_to_label_carry_no_labels() -> None:
    texts, gold = split("texts"), split("texts.gold")
    assert [(document.id, document.text) for document in texts] == [(document.id, document.text) for document in gold]
    assert not any(document.entities or document.meta for document in texts)


def test_the_figures_in_the_readme_are_those_of_the_files() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    for name in SPLITS:
        documents = split(name)
        labels = Counter(entity.label for document in documents for entity in document.entities)
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}.jsonl`"))
        figures = [len(documents), *(labels[label] for label in sorted(LABELS))]
        assert row.endswith("| " + " | ".join(str(figure) for figure in figures) + " |")


def test_the_recorded_teacher_is_strong_but_not_perfect() -> None:
    from distill.alignment import align
    from teachers.answers import UnparsedAnswer, parse_answer

    gold = {document.id: document for document in split("texts.gold")}
    statuses: Counter[str] = Counter()
    right = said = 0
    for line in (DEMO / "completions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        document = gold.pop(row["id"])
        try:
            answer = parse_answer(row["response"], "dictionary")
        except UnparsedAnswer:
            statuses["unparsed"] += 1
            continue
        alignment = align(document.text, answer.mentions)
        statuses.update(outcome.status for outcome in alignment.outcomes)
        statuses["truncated"] += answer.truncated
        found = {(entity.start, entity.end, entity.label) for entity in alignment.entities}
        right += len(found & {(entity.start, entity.end, entity.label) for entity in document.entities})
        said += len(found)
    wanted = sum(len(document.entities) for document in split("texts.gold"))
    assert not gold
    assert 0.88 <= 2 * right / (said + wanted) <= 0.92
    assert statuses["unparsed"] == 1 and statuses["truncated"] == 2 and statuses["lost"] == 2
    assert statuses["repaired"] >= 6
