"""Calibration: whether a score means what it says, and a curve that makes it mean it.

A score is calibrated where of the entities scored 0.8 four in five are right. The curve is isotonic (it keeps the order
of scores), kept as a list of knots in a JSON file, and read back without scikit-learn.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from distill.errors import InputError
from distill.files import read_whole, whole_or_not_at_all
from distill.libraries import resolve
from distill.reports import count, figure, table

KIND = "isotonic"


@dataclass(frozen=True)
class Calibration:
    """A curve through knots `(x, y)`, straight between them and level outside: a score in, a probability out."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.x or len(self.x) != len(self.y):
            raise InputError(f"a calibration has as many x as y and at least one, not {len(self.x)} and {len(self.y)}")
        if list(self.x) != sorted(set(self.x)):
            raise InputError("a calibration's x rise from knot to knot")
        if not all(0.0 <= value <= 1.0 for value in (*self.x, *self.y)):
            raise InputError("a calibration's x and y lie in [0, 1]")

    def __call__(self, score: float) -> float:
        """The probability of being right that the curve gives a score."""
        at = bisect_right(self.x, score)
        if at in (0, len(self.x)):
            return self.y[min(at, len(self.x) - 1)]
        low, high = self.x[at - 1], self.x[at]
        return self.y[at - 1] + (self.y[at] - self.y[at - 1]) * (score - low) / (high - low)


class Bin(NamedTuple):
    """Scores in `[low, high)` (the last one closed): how many, their mean, and the share of them that is right."""

    low: float
    high: float
    number: int
    score: float
    right: float


def fit(scores: Sequence[float], right: Sequence[bool], **about: Any) -> Calibration:
    """The isotonic curve that fits best; `about` is kept beside it. Needs scikit-learn (extra `train`)."""
    if not scores:
        raise InputError("nothing to calibrate on: no entity of the gold documents has a score")
    model = resolve("sklearn.isotonic:IsotonicRegression", "train")(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    model.fit(list(scores), [float(each) for each in right])
    knots = dict(zip(map(float, model.X_thresholds_), map(float, model.y_thresholds_), strict=True))
    return Calibration(tuple(knots), tuple(knots.values()), {"entities": len(scores)} | about)


def read_calibration(path: str | Path) -> Calibration:
    """A calibration that `write_calibration` wrote."""
    try:
        row = json.loads(read_whole(path, "calibration file"))
        if not isinstance(row, dict) or row.get("kind") != KIND:
            raise InputError(f'not a calibration: it has no "kind": "{KIND}"', path=path)
        return Calibration(tuple(map(float, row["x"])), tuple(map(float, row["y"])), dict(row.get("about", {})))
    except InputError as error:
        raise error.at(path) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not a calibration: {error}", path=path) from None


def write_calibration(calibration: Calibration, path: str | Path) -> None:
    """The knots as JSON, the whole file or none of it."""
    row = {"kind": KIND, "x": calibration.x, "y": calibration.y, "about": calibration.about}
    with whole_or_not_at_all(path) as out:
        out.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")


def reliability(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Equal bins of [0, 1] that hold a score, with what the scores say and what is so."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for score, is_right in zip(scores, right, strict=True):
        groups.setdefault(min(int(score * bins), bins - 1), []).append((score, is_right))
    return [
        Bin(
            at / bins, (at + 1) / bins, len(group),
            sum(score for score, _ in group) / len(group), sum(is_right for _, is_right in group) / len(group),
        )
        for at, group in sorted(groups.items())
    ]  # fmt: skip


def calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: the mean distance between score and share right, weighted by the bins' sizes; 0 where there is nothing."""
    total = sum(each.number for each in bins)
    return sum(each.number * abs(each.score - each.right) for each in bins) / total if total else 0.0


def reliability_table(bins: Sequence[Bin], *, markdown: bool = False) -> str:
    """The bins as a table, a bar for the share that is right."""
    rows = [
        (f"{each.low:.1f}–{each.high:.1f}", count(each.number), figure(each.score), figure(each.right),
         "█" * round(each.right * 20))
        for each in bins
    ]  # fmt: skip
    return table(("score", "entities", "mean score", "share right", ""), [rows], markdown=markdown)
