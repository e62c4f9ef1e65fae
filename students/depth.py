"""How deep the words of texts go in a bundle with early exits, and how near they come to going elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from distill.document import Document
from students.runtime import Student

_SLOPE = 4  # log odds by probability, at one half


def layers_read(student: Student, documents: Iterable[Document], layers: int) -> float:
    """Of a student with so many layers: those that a token goes through itself, on average."""
    exits = [layer for layer, _ in _exits(student)]
    steps = [after - before for before, after in pairwise((*exits, layers))]
    read = tokens = 0.0
    for document in documents:
        for pieces in student.taken_apart(document)[0]:
            met = student.at_exits(pieces)
            count = met[0].shape[1]
            read += count * exits[0] + sum(
                step * float(going.sum()) for step, (_, going) in zip(steps, met, strict=False)
            )
            tokens += count
    return read / max(tokens, 1)


def nearest(student: Student, document: Document) -> float:
    """How far the word of a text that comes nearest to an exit's limit lies from it: from staying, or from going on.

    In log odds, by what they make in probability at one half: a word of .999 is far from .97, though .03 is not much.
    """
    limits = [limit for _, limit in _exits(student)]
    met = [student.at_exits(pieces) for pieces in student.taken_apart(document)[0]] if limits else []
    distances = (
        np.abs(_odds(shares[shares <= 1]) - _odds(limit)).min(initial=math.inf)
        for each in met for (shares, _), limit in zip(each, limits, strict=False)
    )  # fmt: skip
    return float(min(distances, default=math.inf)) / _SLOPE


def _odds(share: np.ndarray | float) -> np.ndarray:
    exact = np.asarray(share, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(exact) - np.log1p(-exact))


def _exits(student: Student) -> list[tuple[int, float]]:
    """The layers with an exit and their limits, in order."""
    return sorted((int(layer), limit) for layer, limit in student.manifest.exits.items())
