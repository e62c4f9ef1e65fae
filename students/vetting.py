"""Vetting: a short training on gold alone says how good each file of distilled labels is; the bad ones are left out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from curricula.vetting import Reading, expected_f1, teacher_f1, trusted
from distill.document import Document
from distill.progress import say
from distill.scores import Counts, strict, total
from students.committee import vetter
from students.decode import entities, probabilities
from students.material import Material, divided
from students.model import Student, load_student
from students.options import TrainOptions
from students.predictor import word_logits
from students.setting import Setting, setting_of
from students.team import Team

HELD = 0.2
"""The share of gold that the judge does not learn, to be measured on."""
LEAST = 100
"""Fewer mentions are not measured: the standard error of an F1 of .8 is .04 with so many."""
MOST = 1000
"""Documents of gold, and of each file, that are looked at: more would cost more than they tell."""
ROWS = 2400
"""Rows that the judge learns, in as many epochs as that takes, up to 20."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Judge:
    """A student of gold, and how it reads the gold that it has not seen."""

    student: Student
    setting: Setting
    team: Team
    held: Reading

    @classmethod
    def of(cls, folder: Path, setting: Setting, held: Sequence[Document], device: str) -> Judge:
        """The judge whose run is in `folder`."""
        team = Team(setting.shares, setting.hardware.threads // setting.shares)
        blank = cls(load_student(folder, device), setting, team, Reading(0.0, 0.0))
        return replace(blank, held=blank.reading(held)[0])

    def reading(self, documents: Sequence[Document]) -> tuple[Reading, Counts]:
        """How it reads labelled Documents, and the counts behind its agreement with them."""
        student, size, bf16 = self.student, self.setting.recipe.dev_batch_size, self.setting.hardware.bf16
        texts = [student.encoder.encode(document.text) for document in documents]
        logits = word_logits(student, texts, size, bf16=bf16, team=self.team)
        found = [entities(text, scores, student.tags) for text, scores in zip(texts, logits, strict=True)]
        mentions = math.fsum(float(probabilities(scores)[:, 1::2].sum()) for scores in logits if len(scores))
        sure = [entity.score or 0.0 for each in found for entity in each]
        counts = total(strict(d.entities, each) for d, each in zip(documents, found, strict=True)).total
        return Reading(counts.f1, expected_f1(sure, mentions)), counts

    def verdict(self, name: str, documents: Sequence[Document]) -> tuple[bool, str]:
        """Whether to learn a file's labels, and why in words."""
        read, counts = self.reading(documents)
        f1 = teacher_f1(read, self.held)
        if counts.gold + counts.predicted < 2 * LEAST or f1 is None:
            return True, f"{name}: too few mentions to measure its teacher"
        told = f"{name}: strict F1 of about {f1:.2f}, as a judge of gold sees it"
        good = trusted(f1, self.held)
        return good, told if good else f"{told}: left out (--no-vet keeps it)"


def vetted(setting: Setting, train: Callable[[TrainOptions, Material], Path], device: str) -> Setting:
    """The Setting without the files that are not worth learning from; `notes` say what was measured.

    `train` makes a run folder of the judge's options and data. Where no file is left and there are no unlabelled texts,
    the schedule is gold: the student is, to the bit, the one of a training without --distilled.
    """
    options, material = setting.options, setting.material
    learnt, held = _parted(material.gold, options.seed)
    mentions = sum(len(document.entities) for document in held)
    if mentions < LEAST:
        few = f"{mentions} mentions in a fifth of gold are too few to measure a teacher ({LEAST}): all are learnt from"
        return replace(setting, notes=(few,))
    say(f"{options.out}: the judge of the teachers, a short training on gold alone")
    epochs = max(1, min(20, math.ceil(ROWS / len(learnt))))
    plain = replace(material, distilled=[], parts=[], gold=learnt, dev=[], unlabelled=[])
    judge = Judge.of(train(vetter(options, epochs), plain), setting, held, device)
    with judge.team:
        verdicts = [_verdict(judge, path, own, material) for path, own in _files(setting)]
    for _, told in verdicts:
        say(f"{options.out}: {told}")
    return replace(_narrowed(setting, [good for good, _ in verdicts]), notes=tuple(told for _, told in verdicts))


def _parted(gold: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    some = _some(gold, seed)
    return divided(some, HELD, seed) if len(some) * HELD >= 1 else (some, [])


def _some(items: Sequence[Item], seed: int) -> list[Item]:
    """At most MOST of the items, in their order."""
    if len(items) <= MOST:
        return list(items)
    chosen = sorted(random.Random(f"{seed}/vetting").sample(range(len(items)), MOST))
    return [items[at] for at in chosen]


def _files(setting: Setting) -> list[tuple[Path, list[Document]]]:
    """Every file of distilled labels with its Documents."""
    material, rest = setting.material, iter(setting.material.distilled)
    return [
        (path, [next(rest) for _ in range(size)])
        for path, size in zip(setting.options.distilled, material.parts, strict=True)
    ]


def _verdict(judge: Judge, path: Path, documents: Sequence[Document], material: Material) -> tuple[bool, str]:
    known = {entity.label for document in material.gold for entity in document.entities}
    new = {entity.label for document in documents for entity in document.entities} - known
    if new:  # the judge knows nothing of them, and without the file nobody would teach them
        return True, f"{path.name}: not measured, as gold has no {', '.join(sorted(new))}"
    return judge.verdict(path.name, _some(documents, judge.setting.options.seed))


def _narrowed(setting: Setting, kept: Sequence[bool]) -> Setting:
    if all(kept):
        return setting
    options, pairs = setting.options, list(zip(_files(setting), kept, strict=True))
    files = [each for each, good in pairs if good]
    distilled = [document for _, own in files for document in own]
    material = replace(setting.material, distilled=distilled, parts=[len(own) for _, own in files])
    change: dict[str, Any] = {"distilled": tuple(path for path, _ in files), "vet": False}
    if not files:
        change |= {"denoise": False} | ({} if material.unlabelled else {"schedule": "gold", "k": None, "n": None})
    return setting_of(replace(options, **change), material)
