"""How deep the windows of texts go in a bundle with early exits, and how near they come to going elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable

from distill.document import Document
from students.runtime import Student


def layers_read(student: Student, documents: Iterable[Document], layers: int) -> float:
    """Of a student with so many layers: those that a token goes through, on average."""
    exits = sorted(map(int, student.manifest.exits))
    read = tokens = 0
    for document in documents:
        for pieces in student.taken_apart(document)[0]:
            met = student.at_exits(pieces)
            limit = student.manifest.exits[str(exits[len(met) - 1])]
            left = met[-1] >= limit
            read += len(pieces) * (exits[len(met) - 1] if left else layers)
            tokens += len(pieces)
    return read / max(tokens, 1)


def nearest(student: Student, document: Document) -> float:
    """The least distance, in probability, of a text's windows from stopping where they went on or the other way."""
    limits = [student.manifest.exits[layer] for layer in sorted(student.manifest.exits, key=int)]
    met = [student.at_exits(pieces) for pieces in student.taken_apart(document)[0]] if limits else []
    return min((abs(sure - limit) for each in met for sure, limit in zip(each, limits, strict=False)), default=math.inf)
