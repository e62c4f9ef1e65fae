"""The judge of teachers: a student of some gold, and how it reads what others have labelled."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from curricula.vetting import Reading, expected_f1, teacher_f1, trusted
from distill.document import Document, Entity
from distill.scores import strict, total
from students.decode import entities, probabilities
from students.encode import Encoded
from students.model import Student
from students.predictor import word_logits
from students.targets import word_tags
from students.team import Team

LEAST = 100
"""Fewer mentions are not measured: the standard error of an F1 of .8 is .04 with so many."""
STRAY = 0.05
"""A file may have this share of its mentions under labels that the judge does not know, and still be measured."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a file: its teacher's strict F1, None where it was not measured, and whether it is learnt."""

    file: str
    f1: float | None
    kept: bool
    told: str


@dataclass(frozen=True)
class Judge:
    """A student that has learnt the labels `known` from gold."""

    student: Student
    known: Collection[str]
    team: Team
    batch_size: int
    bf16: bool

    def reading(self, documents: Sequence[Document]) -> Reading:
        """How it reads labelled Documents; labels it does not know are left aside.

        The labels are taken as training takes them: by whole words.
        """
        student = self.student
        texts = [student.encoder.encode(document.text) for document in documents]
        logits = word_logits(student, texts, self.batch_size, bf16=self.bf16, team=self.team)
        found = [self._of_known(entities(text, own, student.tags)) for text, own in zip(texts, logits, strict=True)]
        labelled = [self._of_known(self._by_words(d, text)) for d, text in zip(documents, texts, strict=True)]
        mentions = math.fsum(float(probabilities(own)[:, 1::2].sum()) for own in logits if len(own))
        counts = total(strict(one, other) for one, other in zip(labelled, found, strict=True)).total
        sure = [entity.score or 0.0 for each in found for entity in each]
        return Reading(counts.f1, expected_f1(sure, mentions), (counts.gold + counts.predicted) / 2)

    def verdict(self, name: str, documents: Sequence[Document], held: Reading) -> Verdict:
        """Whether a file's labels are worth learning; `held` is the reading of gold that the judge has not learnt."""
        labels = [entity.label for document in documents for entity in document.entities]
        new = [label for label in labels if label not in self.known]
        if len(new) > STRAY * len(labels):  # without the file nobody would teach them
            return Verdict(name, None, True, f"{name}: not measured, as gold has hardly any {_named(new)}")
        read = self.reading(documents)
        f1 = teacher_f1(read, held)
        if read.mentions < LEAST or f1 is None:
            why = f"it has too few mentions ({LEAST} needed)" if read.mentions < LEAST else "the judge finds none in it"
            return Verdict(name, None, True, f"{name}: not measured, as {why}")
        told = f"{name}: strict F1 of about {f1:.2f}, as seen by a judge of gold (itself {held.agreement:.2f})"
        kept = trusted(f1, held)
        return Verdict(name, f1, kept, told if kept else f"{told}: left out (--no-vet keeps it)")

    def _of_known(self, found: Sequence[Entity]) -> list[Entity]:
        return [entity for entity in found if entity.label in self.known]

    def _by_words(self, document: Document, text: Encoded) -> list[Entity]:
        tags = word_tags(document.entities, text, self.student.tags).tags
        return entities(text, np.eye(len(self.student.tags), dtype=np.float32)[tags] * 100, self.student.tags)


def _named(labels: Sequence[str]) -> str:
    return ", ".join(sorted(set(labels)))
