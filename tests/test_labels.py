"""Label sets know names and aliases, and say all at once what they do not know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from strategies import data_sets

from distill.document import Document, Entity
from distill.errors import InputError
from distill.labels import Label, LabelSet, conform, labels_of, read_labels

TOML = """
[ORG]
name = "organisation"
definition = "Companies, agencies, clubs."
aliases = ["company", "agency"]

[LOC]
name = "place"
"""


def written(folder: Path, content: str) -> Path:
    (folder / "labels.toml").write_text(content, encoding="utf-8")
    return folder / "labels.toml"


def test_labels_keep_their_order_and_their_words(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, TOML))
    assert labels.ids == ("ORG", "LOC")
    assert [label.name for label in labels] == ["organisation", "place"]
    assert [labels.canonical(word) for word in ("org", "Agency", "COMPANY ", "Place", "loc", "person")] == [
        "ORG", "ORG", "ORG", "LOC", "LOC", None,
    ]  # fmt: skip
    assert labels.unknown(["town", "ORG", "person"]) == ["person", "town"]


def test_names_are_found_with_hyphens_underscores_and_spaces() -> None:
    labels = LabelSet((Label("work-of-art"),))
    assert {labels.canonical(word) for word in ("work_of_art", "Work of Art", "WORK-OF-ART")} == {"work-of-art"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "at least one label"),
        ("[ORG", "not TOML"),
        ("ORG = 1", r"ORG is not a table; write \[ORG\]"),
        ("[ORG]\nalias = []", "unknown key ORG.alias; did you mean aliases"),
        ("[ORG]\naliases = 'company'", "ORG.aliases is a list of strings"),
        ("[ORG]\nname = 1", "are strings"),
        ("[ORG]\naliases = ['x']\n[LOC]\naliases = ['X']", "'X' stands for both ORG and LOC"),
        ("other = 'ignore'\n[ORG]", "other is"),
        ("[ORG]\n[O]", "it is the tag of what is no entity"),
        ('["work of art"]', "'work of art' cannot be a label's id"),
        ('["a\\u0007b"]', "cannot be a label's id"),
        ('[""]', "cannot be a label's id"),
    ],
)
def test_a_label_file_with_a_mistake_is_one_clear_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_labels(written(tmp_path, content))
    assert str(caught.value).startswith(str(tmp_path / "labels.toml"))


def test_unknown_labels_come_in_one_message_with_the_line_to_add(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, TOML))
    entities = (Entity(0, 4, "town"), Entity(0, 1, "odd"))
    documents = [Document("a", "Oslo", entities), Document("b", "Bern", entities[1:])]
    with pytest.raises(InputError) as caught:
        conform(documents, labels, "gold.jsonl")
    message = str(caught.value)
    assert message.startswith("gold.jsonl: labels the set does not know: odd (2), town (1); known: ORG, LOC.")
    assert 'aliases = ["odd", "town"]' in message
    assert str(tmp_path / "labels.toml") in message
    assert 'other = "drop"' in message


def test_the_labels_of_a_data_set_are_not_to_be_edited() -> None:
    labels = LabelSet((Label("person"),), source="the labels of crossner-ai", fixed=True)
    with pytest.raises(InputError) as caught:
        conform([Document("a", "Oslo", (Entity(0, 4, "town"),))], labels, "gold.jsonl")
    assert str(caught.value).endswith(
        "town (1); known: person. Is it the file of another data set? These are the labels of crossner-ai"
    )


def test_hundreds_of_unknown_labels_are_listed_once(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, TOML))
    documents = [Document(str(n), "Oslo", (Entity(0, 4, f"type {n}"),)) for n in range(41)]
    with pytest.raises(InputError) as caught:
        conform(documents, labels, "gold.jsonl")
    message = str(caught.value)
    assert all(message.count(f"type {n} (1)") == 1 for n in range(41)) and "aliases = [...]" in message


def test_unknown_labels_are_dropped_and_counted_when_asked(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, 'other = "drop"\n' + TOML))
    found, dropped = conform([Document("a", "Oslo", (Entity(0, 4, "town"), Entity(0, 4, "place")))], labels, "x")
    assert found[0].entities == (Entity(0, 4, "LOC"),)
    assert dropped == Counter(town=1)


@given(data_sets())
def test_a_data_sets_own_labels_know_all_of_it(documents: list[Document]) -> None:
    if any(document.entities for document in documents):
        assert conform(documents, labels_of(documents), "x") == (documents, Counter())


def test_a_label_file_in_another_encoding_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "labels.toml").write_bytes('[ORG]\nname = "société"\n'.encode("latin-1"))
    with pytest.raises(InputError, match=r"labels.toml: not UTF-8 at byte"):
        read_labels(tmp_path / "labels.toml")


def test_a_byte_order_mark_is_no_part_of_a_label_file(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, "\ufeff" + TOML)).ids == ("ORG", "LOC")


def test_a_word_counts_in_any_unicode_form() -> None:
    labels = LabelSet((Label("LOC", "région"),))
    assert [labels.canonical(word) for word in ("ＬＯＣ", "re\u0301gion", "LO\u200bC")] == ["LOC"] * 3
