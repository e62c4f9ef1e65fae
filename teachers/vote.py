"""Voting: several label files over the same texts become one, and disagreement stays visible in the meta."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distill.calibration import Calibration, fit, read_calibration, write_calibration
from distill.clashes import keep_apart, named
from distill.corpora import check_jsonl_target, read_all, read_documents
from distill.document import Document
from distill.errors import CallError, InputError
from distill.files import stem
from distill.jsonl import write_jsonl
from distill.labels import LabelSet, read_labels, unknown_labels_error
from distill.progress import progress
from distill.reports import count
from teachers.majority import Ballot, Rules, decide
from teachers.rows import OURS
from teachers.vote_options import VoteOptions


@dataclass
class VoteReport:
    """What a vote did: documents, winners, and how much the teachers disagreed."""

    out: Path
    teachers: tuple[str, ...]
    documents: int = 0
    entities: int = 0
    unanimous: int = 0
    outvoted: int = 0
    agreement: float = 0.0
    absent: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    calibrated_on: int = 0

    def count(self, document: Document) -> None:
        """One more Document of the vote."""
        disputed = document.meta.get("disputed", ())
        self.documents += 1
        self.entities += len(document.entities)
        self.unanimous += len(document.entities) - sum(row["kept"] for row in disputed)
        self.outvoted += sum(not row["kept"] for row in disputed)
        self.agreement += (document.meta["agreement"] - self.agreement) / self.documents

    def __str__(self) -> str:
        lines = [
            f"{self.out}: {count(self.documents)} documents, {count(self.entities)} entities of {len(self.teachers)} "
            f"teachers, {count(self.unanimous)} by all of them; {count(self.outvoted)} outvoted; "
            f"agreement {self.agreement:.3f}"
        ]
        lines += [f"{name} lacks {count(number)} documents and had no vote on them" for name, number in
                  sorted(self.absent.items())]  # fmt: skip
        if self.unknown_labels:
            lines.append(f"{self.unknown_labels.total()} entities of labels the set does not know were left out")
        if self.calibrated_on:
            lines.append(f"calibration fitted on {count(self.calibrated_on)} candidates")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "out": str(self.out), "teachers": list(self.teachers), "documents": self.documents,
            "entities": self.entities, "unanimous": self.unanimous, "outvoted": self.outvoted,
            "agreement": self.agreement, "absent": dict(self.absent), "unknown_labels": dict(self.unknown_labels),
            "calibrated_on": self.calibrated_on,
        }  # fmt: skip


def vote(options: VoteOptions) -> VoteReport:
    """Keep what most teachers named; its score is the share that named it, or what the calibration makes of that.

    Raises InputError where two files give one id two texts, or one file an id twice.
    """
    if len(options.inputs) < 2:
        raise CallError("vote needs two label files or more")
    if (options.gold is None) != (options.calibration_out is None):
        raise CallError("--gold and --calibration-out go together: a calibration is fitted on gold documents")
    check_jsonl_target(options.out)
    keep_apart(
        [*named("a label file", options.inputs), ("--gold", options.gold), ("--labels", options.labels),
         ("--calibration", options.calibration)],
        [("--out", options.out), ("--calibration-out", options.calibration_out)],
    )  # fmt: skip
    names = teacher_names(options.inputs)
    report = VoteReport(options.out, names)
    curve = read_calibration(options.calibration) if options.calibration else None
    evidence = _Evidence(read_all(options.gold)) if options.gold else None
    labels = read_labels(options.labels) if options.labels else None
    write_jsonl(_voted(options, labels, report, curve, evidence), options.out)
    if evidence is not None and options.calibration_out is not None:
        found = fit(evidence.shares, evidence.right, teachers=list(names), gold=Path(str(options.gold)).name)
        write_calibration(found, options.calibration_out)
        report.calibrated_on = len(evidence.shares)
    return report


def teacher_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name a file: its stem, or the whole path where two stems are the same."""
    stems = Counter(stem(path) for path in paths)
    names = tuple(stem(path) if stems[stem(path)] == 1 else str(path) for path in paths)
    if len(set(names)) < len(names):
        raise CallError("vote was given the same label file twice")
    return names


class _Evidence:
    """What gold says about the shares: for every candidate of a gold Document, its share and whether it is right."""

    def __init__(self, gold: Sequence[Document]) -> None:
        self.gold = {document.id: document for document in gold}
        self.shares: list[float] = []
        self.right: list[bool] = []

    def take(self, document: Document, ballot: Ballot) -> None:
        gold = self.gold.get(document.id)
        if gold is not None:
            _same_text(gold, document, "the gold")
            known = set(gold.entities)
            self.shares += [ballot.share(entity) for entity in ballot.votes]
            self.right += [entity in known for entity in ballot.votes]


def _voted(
    options: VoteOptions, labels: LabelSet | None, report: VoteReport, curve: Calibration | None,
    evidence: _Evidence | None,
) -> Iterator[Document]:  # fmt: skip
    rules = Rules(options.at_least, options.overlaps)
    voices = [
        (name, _checked(path, labels, report)) for name, path in zip(report.teachers, options.inputs, strict=True)
    ]
    with progress("voting") as shown:
        for document, ballot in ballots(voices):
            if evidence is not None:
                evidence.take(document, ballot)
            report.absent.update(set(report.teachers) - set(ballot.voters))
            voted = _decided(document, ballot, rules, curve)
            report.count(voted)
            shown.advance()
            yield voted


def _decided(document: Document, ballot: Ballot, rules: Rules, curve: Calibration | None) -> Document:
    verdict = decide(ballot, rules)
    meta = {key: value for key, value in document.meta.items() if key not in (*OURS, "disputed", "agreement")}
    meta |= {"teacher": "vote", "voters": list(ballot.voters), "agreement": round(verdict.agreement, 4)}
    if verdict.disputed:
        meta["disputed"] = list(verdict.disputed)
    entities = verdict.entities
    if curve is not None:
        entities = tuple(replace(entity, score=curve(entity.score or 0.0)) for entity in entities)
    return replace(document, entities=entities, meta=meta)


def _checked(path: Path, labels: LabelSet | None, report: VoteReport) -> Iterator[Document]:
    """A file's Documents, each id once, in the set's labels where there is a set."""
    seen: set[str] = set()
    unknown: Counter[str] = Counter()
    for document in read_documents(path):
        if document.id in seen:
            raise InputError(f"id {document.id!r} stands twice; ids must be unique", path=path)
        seen.add(document.id)
        if labels is None:
            yield document
            continue
        known, dropped = labels.apply(document)
        unknown.update(entity.label for entity in dropped)
        yield known
    if unknown and labels is not None and labels.other == "error":
        raise unknown_labels_error(unknown, labels, path)
    report.unknown_labels += unknown


def ballots(voices: Sequence[tuple[str, Iterator[Document]]]) -> Iterator[tuple[Document, Ballot]]:
    """Every Document with its ballot, in the order in which ids come up first.

    All files are read side by side. What waits is what some file has not said yet: little where the files have the same
    order, and at most everything after a Document that one of them lacks.
    """
    waiting: dict[str, tuple[Document, Ballot]] = {}
    order: deque[str] = deque()
    running = list(voices)
    while running:
        still = []
        for name, documents in running:
            document = next(documents, None)
            if document is None:
                continue
            still.append((name, documents))
            if document.id not in waiting:
                waiting[document.id] = (document, Ballot())
                order.append(document.id)
            first, ballot = waiting[document.id]
            _same_text(first, document, name)
            ballot.cast(name, document.entities)
        running = still
        while order and (not running or len(waiting[order[0]][1].voters) == len(voices)):
            yield waiting.pop(order.popleft())


def _same_text(first: Document, other: Document, name: str) -> None:
    if first.text != other.text:
        raise InputError(
            f"document {other.id!r} has another text in {name}; teachers vote on the same texts, label one input"
        )
