"""The students that are trained before a student, and what they think of texts: a judge and a committee.

The judge learns gold alone; against it the teachers are measured (`curricula.confusion`). The committee's members learn
all labelled data; the mean of the shares that they give to every tag is what unlabelled texts teach, as it is, so that
doubt stays doubt (self-training with an ensemble; knowledge distillation, Hinton, Vinyals and Dean 2015).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.reports import count
from students.decode import Floats, probabilities
from students.encode import Encoded
from students.model import load_student
from students.options import TrainOptions
from students.predictor import word_logits
from students.team import Team


@dataclass(frozen=True)
class Guides:
    """The run folders of the students that were trained before."""

    judge: Path | None = None
    members: tuple[Path, ...] = ()


def judge(options: TrainOptions) -> TrainOptions:
    """The training of the judge: gold alone."""
    return replace(_plain(options, "judge"), distilled=(), schedule="gold", k=None, n=None)


def member(options: TrainOptions, number: int) -> TrainOptions:
    """The training of member `number` (from 1): all labelled data as it stands, gold where nothing is distilled."""
    plain = _plain(options, f"committee/{number}")
    return plain if options.distilled else replace(plain, schedule="gold", k=None, n=None)


def vetter(options: TrainOptions, epochs: int) -> TrainOptions:
    """The training of the judge that vets the teachers: some gold alone, so many epochs, steps as by default.

    What is the student's own is the judge's too: the model, its layers, windows and learning rate, where it is given.
    """
    mine, plain = options.resolved(), _plain(options, "vetting")
    own = {name: getattr(mine, name) for name in ("student", "max_length", "stride", "dev_batch_size")}
    own["case"] = options.case if mine.case else False  # asked for only where the user does: not every model can
    steps: dict[str, Any] = {
        "recipe": "default", "batch_size": None, "batch_tokens": None, "accumulate": 1, "decay": None, "lr_decay": None,
        "warmup": None, "weight_decay": None, "clip": None, "blend": "rows", "epochs": epochs,
    }  # fmt: skip
    return replace(plain, distilled=(), dev=None, patience=None, schedule="gold", k=None, n=None, **own | steps)


def _plain(options: TrainOptions, name: str) -> TrainOptions:
    seed = random.Random(f"{options.seed}/{name}").getrandbits(32)
    return replace(options, unlabelled=(), committee=0, denoise=False, vet=False, seed=seed, out=options.out / name)


@dataclass(frozen=True)
class Opinion:
    """What some students think of texts: for each the shares of its words' tags, shape (words, tags).

    Of all `words` that have pieces, in `agreed` all students have the same first choice.
    """

    beliefs: Sequence[Floats]
    words: int
    agreed: int


def opinion(
    students: Sequence[Path], texts: Sequence[Encoded], *, device: str, batch_size: int, bf16: bool, team: Team
) -> Opinion:
    """The mean of the students' shares for texts that were encoded as theirs; `students` are run folders."""
    sums: list[Floats] = []
    first: list[np.ndarray] = []
    same = [np.full(len(text.words), True) for text in texts]
    for folder in students:
        student = load_student(folder, device)
        shares = [probabilities(each) for each in word_logits(student, texts, batch_size, bf16=bf16, team=team)]
        choices = [each.argmax(axis=-1) for each in shares]
        first = first or choices
        sums = [one + other for one, other in zip(sums, shares, strict=True)] if sums else shares
        same = [each & (one == other) for each, one, other in zip(same, first, choices, strict=True)]
    real = [text.first >= 0 for text in texts]
    agreed = sum(int((one & known).sum()) for one, known in zip(same, real, strict=True))
    means = [each / np.float32(len(students)) for each in sums]
    return Opinion(means, sum(int(known.sum()) for known in real), agreed)


def told(found: Opinion, members: int) -> str:
    """A line about what a committee has done."""
    share, words, texts = 100 * found.agreed / max(found.words, 1), count(found.words), count(len(found.beliefs))
    return f"a committee of {members} labelled {texts} texts; all agree on {share:.1f} % of {words} words"
