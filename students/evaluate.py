"""Systems against gold, side by side: students, bundles and label files, strictly and partially."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.clashes import Named, keep_apart, named
from distill.corpora import read_all
from distill.document import Document
from distill.errors import CallError, InputError
from distill.files import existing, whole_or_not_at_all
from distill.jsonl import dump_line
from distill.labels import LabelSet, conform, read_labels
from distill.libraries import resolve
from distill.progress import say
from distill.reports import count, figure, label_table, score_to_json, table_one
from distill.scores import Score, bootstrap_interval, scores_by_document, total
from students.archive import is_archive
from students.options import EvaluateOptions
from students.waiting import wait_without_spinning

KINDS = {"strict": "the same boundaries and label", "partial": "a shared word with the same label counts half"}
Interval = tuple[float, float]


@dataclass(frozen=True)
class Scored:
    """One system's score of one kind, the interval of its micro F1 (None without a bootstrap), and every Document's."""

    score: Score
    interval: Interval | None
    documents: Mapping[str, Score] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return score_to_json(self.score) | {"interval": list(self.interval) if self.interval else None}


@dataclass(frozen=True)
class Evaluation:
    """Every system's scores by kind, `systems[name]["strict"]`, on `documents` gold Documents.

    `dropped` counts entities of labels the set does not know, `missing` Documents that a label file has no row for.
    """

    documents: int
    systems: dict[str, dict[str, Scored]]
    dropped: dict[str, int]
    missing: dict[str, int]

    def tables(self, *, markdown: bool = False) -> str:
        """One part a kind, as strict and partial figures do not compare."""
        parts = [f"{name}: {what}\n\n{self._table(name, markdown)}" for name, what in KINDS.items()]
        left_out = "entities of labels the set does not know were left out"
        notes = [f"{name}: {number} {left_out}" for name, number in self.dropped.items()]
        no_row = "gold documents have no row there (rejected ones?) and were scored as if nothing had been found"
        notes += [f"{name}: {number} {no_row}" for name, number in self.missing.items()]
        return "\n\n".join([f"{count(self.documents)} documents", *parts, *notes])

    def _table(self, kind: str, markdown: bool) -> str:
        scored = {name: kinds[kind] for name, kinds in self.systems.items()}
        if len(scored) == 1:
            (only,) = scored.values()
            spread = only.interval and f"\n\n95 % of micro F1: {figure(only.interval[0])}–{figure(only.interval[1])}"
            return label_table(only.score, markdown=markdown) + (spread or "")
        intervals = {name: one.interval for name, one in scored.items() if one.interval}
        return table_one({name: one.score for name, one in scored.items()}, intervals=intervals, markdown=markdown)

    def counts(self) -> Iterator[dict[str, Any]]:
        """A row a system and Document: its strict `[correct, predicted, gold]` by label, for statistics elsewhere."""
        for system, kinds in self.systems.items():
            for identity, score in kinds["strict"].documents.items():
                labels = {label: [int(c.correct), c.predicted, c.gold] for label, c in score.labels.items()}
                yield {"system": system, "id": identity, "strict": labels}

    def to_json(self) -> dict[str, Any]:
        """All figures, unrounded."""
        systems = {name: {k: one.to_json() for k, one in kinds.items()} for name, kinds in self.systems.items()}
        return {"documents": self.documents, "systems": systems, "dropped": self.dropped, "missing": self.missing}


def evaluate(options: EvaluateOptions) -> Evaluation:
    """Score every system on the same gold Documents; write the figures where `--json` says.

    Raises InputError for a system that is none, that was made for other labels, or that lacks a Document.
    """
    if not options.systems:
        raise CallError("evaluate needs a SYSTEM: a run, a student, a bundle or a label file")
    if not options.gold:
        raise CallError("evaluate needs --gold, documents labelled by people")
    systems_read = [each for path in options.systems for each in _own(path)]
    keep_apart(
        [*systems_read, *named("--gold", options.gold), ("--labels", options.labels)],
        [("--json", options.json), ("--counts", options.counts)],
    )
    labels = read_labels(options.labels) if options.labels else None
    dropped: dict[str, int] = {}
    gold = [d for path in options.gold for d in _labelled(read_all(existing(path, "gold file")), labels, path, dropped)]
    if not gold:
        raise InputError("no documents to score on", path=options.gold[0])
    systems = {}
    missing: dict[str, int] = {}
    for path in options.systems:
        found = _labelled(answers(path, gold, labels, options.batch_size), labels, path, dropped)
        found = _with_missing(found, gold, path, missing)
        systems[str(path)] = {kind: _scored(gold, found, kind, path, options) for kind in KINDS}
    report = Evaluation(len(gold), systems, dropped, missing)
    if options.json is not None:
        with whole_or_not_at_all(options.json) as out:
            out.write(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n")
    if options.counts is not None:
        with whole_or_not_at_all(options.counts) as out:
            out.writelines(dump_line(row) + "\n" for row in report.counts())
    return report


def _own(path: Path) -> list[Named]:
    """What figures must not be written over: all of a system; in a run folder they may lie beside what train wrote."""
    if not (path / "student").is_dir():
        return [("a system", path)]
    beside = [path / name for name in ("config.json", "metrics.jsonl", "report.json")]
    return named("a system", beside + [each for each in sorted(path.iterdir()) if each.is_dir()])


def _labelled(
    documents: Sequence[Document], labels: LabelSet | None, path: Path, dropped: dict[str, int]
) -> list[Document]:
    """In the set's labels where there is a set; what it does not know is an error, or counted where it says so."""
    if labels is None:
        return list(documents)
    known, unknown = conform(documents, labels, path)
    if unknown:
        dropped[str(path)] = unknown.total()
    return known


def _with_missing(found: list[Document], gold: list[Document], path: Path, missing: dict[str, int]) -> list[Document]:
    """An answer for every gold Document: a teacher that could not label one has found nothing in it, and it counts."""
    known = {document.id for document in found}
    absent = [document.with_entities(()) for document in gold if document.id not in known]
    if len(absent) == len(gold):
        message = f"none of the {len(gold)} gold documents is in it (gold has ids like {gold[0].id!r})"
        raise InputError(f"{message}; was it made from the same file?", path=path)
    if absent:
        missing[str(path)] = len(absent)
    return found + absent


def _scored(gold: list[Document], found: list[Document], kind: str, path: Path, options: EvaluateOptions) -> Scored:
    try:
        scores = scores_by_document(gold, found, kind)
    except InputError as error:
        raise error.at(path) from None
    interval = bootstrap_interval(scores.values(), options.seed, n=options.samples) if options.samples else None
    return Scored(total(scores.values()), interval, scores)


def answers(path: Path, gold: list[Document], labels: LabelSet | None, batch_size: int = 32) -> list[Document]:
    """What the system at `path` makes of gold's texts; a label file has its answers ready."""
    archive = existing(path, "system").is_file() and is_archive(path)
    if path.is_file() and not archive:
        return read_all(path)
    reader = _from_bundle if archive or (path / "manifest.json").is_file() else _from_student
    known, found = reader(path, gold, batch_size)
    _check_labels(known, gold, labels, path)
    say(f"{path}: {count(len(gold))} documents tagged")
    return found()


Tagged = tuple[tuple[str, ...], Callable[[], list[Document]]]


def _from_bundle(path: Path, gold: list[Document], _batch_size: int) -> Tagged:
    from students.runtime import Student

    student = Student.load(path)
    return tuple(student.tags.labels), lambda: [document for document, _ in student.read(gold)]


def _from_student(path: Path, gold: list[Document], batch_size: int) -> Tagged:
    wait_without_spinning()
    student = resolve("students.model:load_student", "train")(path)
    predict = resolve("students.predictor:predict_documents", "train")
    return tuple(student.tags.labels), lambda: predict(student, gold, batch_size)


def _check_labels(known: tuple[str, ...], gold: list[Document], labels: LabelSet | None, path: Path) -> None:
    """Without a label set in between, a student whose labels gold never uses was made for something else."""
    asked = {entity.label for document in gold for entity in document.entities}
    if labels is None and asked and not asked & set(known):
        message = f"made for the labels {', '.join(known)}, gold has {', '.join(sorted(asked))}"
        raise InputError(f"{message}; give --labels with aliases that join them", path=path)
