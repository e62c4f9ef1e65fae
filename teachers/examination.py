"""Examination: the answers of a tuned model, or of any teacher, against data that people have labelled.

Three kinds of figures, each in a table of its own, as they do not compare: strict and partial over spans, and the sets
of strings that UniNER and RA-IT publish. A system is a label file, a file of conversations with their answers, or
recorded answers (`{"id", "type", "response"}`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distill.errors import CallError, InputError
from distill.files import STREAM, existing
from distill.labels import LabelSet, read_labels
from distill.reports import count, figure, label_table, score_to_json, table_one
from distill.scores import KINDS, Score, bootstrap_interval, partial, strict, string_sets, total
from teachers.benches import Bench, Gold, bench, read_gold
from teachers.rait_options import RaitEvaluateOptions
from teachers.sittings import Sitting, read_rejected, read_sittings

SAYS = {
    "strict": "the same boundaries and label",
    "partial": "a shared word (in Chinese a character) with the same label counts half",
    "strings": "sets of mentions by text and type, in lower case, without punctuation and articles: the figure that "
    "UniNER and RA-IT publish",
}
Interval = tuple[float, float]


@dataclass
class Marks:
    """One system's scores by kind with their intervals, and what was amiss with its answers."""

    scores: dict[str, Score] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    unparsed: int = 0
    missing: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    nowhere: int = 0

    def to_json(self) -> dict[str, Any]:
        """All figures, unrounded."""
        kinds = {
            kind: score_to_json(score) | {"interval": list(self.intervals[kind]) if self.intervals else None}
            for kind, score in self.scores.items()
        }
        told = {"unparsed": self.unparsed, "missing": self.missing, "not in the text": self.nowhere}
        return kinds | told | {"rejected": dict(self.rejected)}


@dataclass
class Examination:
    """Every system's marks on `documents` gold Documents of the data set `title`."""

    title: str
    documents: int
    systems: dict[str, Marks]
    nowhere: int = 0

    def __str__(self) -> str:
        parts = [f"{self.title}: {count(self.documents)} documents"]
        parts += [f"{kind}: {SAYS[kind]}\n\n{self._table(kind)}" for kind in KINDS]
        if self.nowhere:
            parts.append(
                f"gold: {count(self.nowhere)} mentions do not stand in their text; they count among the strings alone"
            )
        for name, marks in self.systems.items():
            parts += self._notes(name, marks)
        return "\n\n".join(parts)

    def _table(self, kind: str) -> str:
        scores = {name: marks.scores[kind] for name, marks in self.systems.items()}
        spans = {name: marks.intervals[kind] for name, marks in self.systems.items() if marks.intervals}
        if len(scores) > 1:
            return table_one(scores, intervals=spans)
        (name,) = scores
        low_high = f"\n\n95 % of micro F1: {figure(spans[name][0])}–{figure(spans[name][1])}" if spans else ""
        return label_table(scores[name]) + low_high

    def _notes(self, name: str, marks: Marks) -> list[str]:
        told = []
        if marks.missing:
            kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(marks.rejected.items()))
            why = f" ({kinds}, says the file of rejected ones)" if kinds else ""
            told.append(f"{name}: {count(marks.missing)} gold documents have no answer there{why}; counted as empty")
        if marks.nowhere:
            told.append(
                f"{name}: {count(marks.nowhere)} mentions are not in their text; they count as wrong among the strings "
                f"and not at all among the spans"
            )
        return told

    def to_json(self) -> dict[str, Any]:
        """All figures, unrounded."""
        systems = {name: marks.to_json() for name, marks in self.systems.items()}
        told = {"benchmark": self.title, "documents": self.documents, "gold not in the text": self.nowhere}
        return told | {"systems": systems}


def examine(options: RaitEvaluateOptions) -> Examination:
    """Score every system on the same gold Documents.

    Raises InputError for answers to other texts, or types that the label set does not know.
    """
    source, labels, left_out = _asked(options)
    gold = [one for path in options.gold for one in read_gold(path, labels, left_out, source)]
    if not gold:
        raise InputError("no documents to score on", path=options.gold[0])
    twice = len(gold) - len({one.document.id for one in gold})
    if twice:
        raise InputError(f"{twice} ids stand more than once; ids must be unique", path=options.gold[0])
    marks = {str(path): _marks(path, gold, labels, left_out, options) for path in options.systems}
    title = source.title if source else str(options.gold[0])
    return Examination(title, len(gold), marks, sum(one.nowhere for one in gold))


def _asked(options: RaitEvaluateOptions) -> tuple[Bench | None, LabelSet, frozenset[str]]:
    if not options.systems:
        raise CallError("rait evaluate needs a SYSTEM: a label file, conversations or recorded answers")
    if not options.gold:
        raise CallError("rait evaluate needs --gold, the data set that people have labelled")
    if bool(options.benchmark) == bool(options.labels):
        raise CallError("rait evaluate needs --benchmark, or else --labels, to know the types as words")
    if any(str(path) == STREAM for path in (*options.gold, *options.systems)):
        raise CallError("rait evaluate reads files; name one in place of -")
    if options.labels:
        return None, read_labels(options.labels), frozenset()
    source = bench(str(options.benchmark))
    return source, source.labels, source.left_out


def _marks(
    path: Path, gold: Sequence[Gold], labels: LabelSet, left_out: frozenset[str], options: RaitEvaluateOptions
) -> Marks:
    documents = [one.document for one in gold]
    sittings = read_sittings(existing(path, "system"), documents, labels, left_out)
    refused = read_rejected(path, documents)
    if not sittings and not refused:
        raise InputError(
            f"none of the {len(gold)} gold documents is in it (gold has ids like {gold[0].document.id!r}); was it made "
            f"from the same file?", path=path,
        )  # fmt: skip
    marks = Marks(missing=len(gold) - len(sittings), rejected=refused)
    marks.unparsed = marks.rejected["unparsed"] + marks.rejected["truncated"]
    each: dict[str, list[Score]] = {kind: [] for kind in KINDS}
    for one in gold:
        sitting = sittings.get(one.document.id) or Sitting()
        marks.unparsed += sitting.unparsed
        for kind, score in _scored(one, sitting):
            each[kind].append(score)
        marks.nowhere += sitting.nowhere
    marks.scores = {kind: total(scores) for kind, scores in each.items()}
    marks.scores["strings"] = replace(marks.scores["strings"], unparsed=marks.unparsed)
    if options.samples:
        marks.intervals = {
            kind: bootstrap_interval(scores, options.seed, n=options.samples) for kind, scores in each.items()
        }
    return marks


def _scored(gold: Gold, sitting: Sitting) -> Iterator[tuple[str, Score]]:
    """The three scores of one text; a mention that is not in it counts among the strings alone."""
    document = gold.document
    yield "strict", strict(document.entities, sitting.entities)
    yield "partial", partial(document.text, document.entities, sitting.entities)
    yield "strings", replace(string_sets(gold.strings, sitting.strings), unparsed=sitting.unparsed)
