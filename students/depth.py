"""How deep the windows of texts go in a bundle with early exits, and how near they come to going elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable

from distill.document import Document
from students.runtime import Student


def layers_read(student: Student, documents: Iterable[Document], layers: int) -> float:
    """Of a student with so many layers: those that a token goes through, on average."""
    exits = _exits(student)
    read = tokens = 0
    for document in documents:
        for pieces in student.taken_apart(document)[0]:
            met = student.at_exits(pieces)
            layer, limit = exits[len(met) - 1]
            read += len(pieces) * (layer if met[-1] >= limit else layers)
            tokens += len(pieces)
    return read / max(tokens, 1)


def nearest(student: Student, document: Document) -> float:
    """The least distance, in probability, of a text's windows from stopping where they went on or the other way."""
    exits = _exits(student)
    met = [student.at_exits(pieces) for pieces in student.taken_apart(document)[0]] if exits else []
    distances = (abs(sure - limit) for each in met for sure, (_, limit) in zip(each, exits, strict=False))
    return min(distances, default=math.inf)


def _exits(student: Student) -> list[tuple[int, float]]:
    """The layers with an exit and their limits, in order."""
    return sorted((int(layer), limit) for layer, limit in student.manifest.exits.items())
