"""Benches: the data sets that open NER is measured on, and the words in which their labels are asked about."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from distill.document import Document
from distill.labels import Label, LabelSet, unknown_labels_error
from distill.layout import ConllColumns
from teachers.records import Record, read_records

BENCHES = (
    "crossner-ai", "crossner-literature", "crossner-music", "crossner-politics", "crossner-science", "mit-movie",
    "mit-restaurant", "wnut17", "boson", "weibo", "cluener",
)  # fmt: skip
_FILE = Path(__file__).parent / "benches.toml"


@dataclass(frozen=True)
class Bench:
    """A data set: its title, its language, its labels with their words, and those that the papers leave out."""

    title: str
    language: str
    labels: LabelSet
    left_out: frozenset[str] = frozenset()
    columns: ConllColumns | None = None

    def read(self, path: Path) -> Iterator[Record]:
        """The records of a file of this data set in its published form, or as Documents."""
        is_text = self.columns is not None and path.suffix not in (".jsonl", ".json")
        return read_records(path, self.columns if is_text else None)


@cache
def bench(name: str) -> Bench:
    """The data set of this name."""
    row = tomllib.loads(_FILE.read_text(encoding="utf-8"))[name]
    labels = LabelSet(tuple(Label(id, words) for id, words in row["labels"].items()), source=f"the labels of {name}")
    columns = ConllColumns(segmentation_digits=True) if row.get("segmentation-digits") else None
    return Bench(row["title"], row["language"], labels, frozenset(row.get("left-out", ())), columns)


def conformed(record: Record, labels: LabelSet, left_out: frozenset[str], unknown: Counter[str]) -> Document:
    """A record as a Document in the labels of a set; what it does not know is counted unless it is left out."""
    document, dropped = labels.apply(record.document())
    unknown.update(entity.label for entity in dropped if entity.label not in left_out)
    return document


def read_gold(path: Path, labels: LabelSet, left_out: frozenset[str], source: Bench | None) -> Iterator[Document]:
    """The Documents of a data set in canonical labels; all labels that the set does not know are one InputError."""
    unknown: Counter[str] = Counter()
    for record in source.read(path) if source else read_records(path):
        yield conformed(record, labels, left_out, unknown)
    if unknown and labels.other == "error":
        raise unknown_labels_error(unknown, labels, path)
