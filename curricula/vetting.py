"""How good a teacher is, as far as a judge can tell that has learnt from gold alone.

The strict F1 of a teacher's labels against a judge's is lower than against the truth, by about the factor that is the
judge's own F1, as far as the two err independently. On held-out gold that factor is known. On other texts it is taken
to change as the F1 does that the judge's own scores promise, which falls where texts are strange to it (differences of
confidences: Guillory et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TRUSTED = 0.7
"""A teacher that is estimated below this, and below the judge itself, is not worth learning from (docs/training.md)."""
ABLE = 0.5
"""A judge whose own F1 is less tells nothing about others."""


@dataclass(frozen=True)
class Reading:
    """A judge's reading of labelled texts.

    `agreement` is the strict F1 of its entities against the labels, `expected` the F1 that its own scores promise, and
    `mentions` the mean of how many entities either has.
    """

    agreement: float
    expected: float
    mentions: float = 0.0


def expected_f1(scores: Sequence[float], mentions: float) -> float:
    """The F1 that entities may expect: `scores` are their chances to be right, `mentions` how many there should be."""
    whole = len(scores) + mentions
    return 2 * sum(scores) / whole if whole else 0.0


def teacher_f1(read: Reading, held: Reading) -> float | None:
    """The strict F1 of the teacher whose labels are read, at most 1; `held` is the reading of held-out gold.

    None where the judge finds nothing, or gets nothing right, so that it cannot tell.
    """
    judge = min(1.0, held.agreement * read.expected / held.expected) if held.expected else 0.0
    return min(1.0, read.agreement / judge) if judge else None


def trusted(f1: float, held: Reading) -> bool:
    """Whether a teacher of this F1 is worth learning from, where the judge alone reaches what it has in `held`."""
    return f1 >= min(TRUSTED, held.agreement)
