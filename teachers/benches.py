"""Benches: the data sets that open NER is measured on, and the words in which their labels are asked about."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from distill.document import Document
from distill.labels import Label, LabelSet, unknown_labels_error
from distill.layout import ConllColumns
from teachers.conversations import Pair
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
    known = tuple(Label(id, words) for id, words in row["labels"].items())
    labels = LabelSet(known, source=f"the labels of {name}", fixed=True)
    columns = ConllColumns(segmentation_digits=True) if row.get("segmentation-digits") else None
    return Bench(row["title"], row["language"], labels, frozenset(row.get("left-out", ())), columns)


class Gold(NamedTuple):
    """A text as people labelled it: its entities, and its mentions as strings; a few may stand nowhere in it."""

    document: Document
    strings: tuple[Pair, ...]
    nowhere: int = 0


def read_gold(path: Path, labels: LabelSet, left_out: frozenset[str], source: Bench | None) -> Iterator[Gold]:
    """A data set in canonical labels; all labels that the set does not know are one InputError."""
    unknown: Counter[str] = Counter()
    for record in source.read(path) if source else read_records(path):
        placed = record.document()
        document, _ = labels.apply(placed)
        strange = [kind for _, kind in record.pairs if labels.canonical(kind) is None and kind not in left_out]
        unknown.update(strange)
        strings = tuple((mention, label) for mention, kind in record.pairs if (label := labels.canonical(kind)))
        held = {(placed.mention(entity), entity.label) for entity in placed.entities}
        yield Gold(document, strings, sum((mention.strip(), kind) not in held for mention, kind in record.pairs))
    if unknown and labels.other == "error":
        raise unknown_labels_error(unknown, labels, path)
