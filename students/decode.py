"""From the model's scores to entities: probabilities per word, the best lawful tags, spans with their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from distill.document import Entity, Span
from students.encode import Encoded, Window

Floats = npt.NDArray[np.float32]
Tags = npt.NDArray[np.int64]


class TagSet:
    """The tags of a label set in the order of the model's outputs: O, then B- and I- of each label.

    Tag 0 is O, label i has B at 2i + 1 and I at 2i + 2.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.names = ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in "BI"))

    def __len__(self) -> int:
        return len(self.names)


def word_scores(encoded: Encoded, windows: Sequence[Window], logits: Sequence[Floats], size: int) -> Floats:
    """Logits per word, shape (words, tags), each from the window that owns the word's first piece.

    `logits[i]` has shape (tokens of window i without special tokens, tags). Words without pieces get O for certain.
    """
    if encoded.whole and len(windows) == 1:  # nearly all sentences
        return logits[0].take(encoded.first, axis=0)
    scores = np.zeros((len(encoded.words), size), np.float32)
    scores[:, 0] = np.where(encoded.first < 0, 1e4, 0.0)
    real = np.flatnonzero(encoded.first >= 0)
    at = encoded.first[real]
    for window, values in zip(windows, logits, strict=True):
        low, high = np.searchsorted(at, (window.own_start, window.own_end))
        scores[real[low:high]] = values[at[low:high] - window.start]
    return scores


def probabilities(logits: Floats) -> Floats:
    """Softmax over the last axis; a value that is not a number stays visible as such."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def best_tags(logits: Floats) -> Tags:
    """`best_path` as an array, shape (words,)."""
    return np.asarray(best_path(logits), np.int64)


def best_path(logits: Floats) -> list[int]:
    """The most probable lawful tag sequence of the words: I-X only after B-X or I-X.

    The single best tags are the answer wherever they are lawful; only otherwise is Viterbi's path needed.
    """
    best: list[int] = logits.argmax(axis=-1).tolist()
    return best if _is_lawful(best) else _viterbi(logits)


def _is_lawful(path: list[int]) -> bool:
    before = 0
    for tag in path:
        if tag and not tag % 2 and before not in (tag - 1, tag):
            return False
        before = tag
    return True


def _viterbi(logits: Floats) -> list[int]:
    """The best sum over lawful paths; in plain floats, which are faster than arrays for so few tags."""
    lost = (logits - logits.max(axis=-1, keepdims=True)).tolist()  # keeps the sums of long texts small
    total = logits[0].tolist()
    insides = range(2, len(total), 2)
    for inside in insides:
        total[inside] = -math.inf
    came_from: list[list[int]] = []
    for row in lost[1:]:
        top = max(total)
        before = [total.index(top)] * len(row)
        sums = [top + each for each in row]
        for inside in insides:
            before[inside] = inside - 1 if total[inside - 1] >= total[inside] else inside
            sums[inside] = total[before[inside]] + row[inside]
        total = sums
        came_from.append(before)
    path = [total.index(max(total))]
    for before in reversed(came_from):
        path.append(before[path[-1]])
    return path[::-1]


def entities(encoded: Encoded, logits: Floats, tags: TagSet, temperature: float = 1.0) -> list[Entity]:
    """Entities of one text from its words' logits, shape (words, tags).

    An entity's score is the probability of all its words' tags together, their product, where logits are divided by
    the temperature; the tags are those of the undivided logits. A word without pieces is looked through: it neither
    ends an entity nor belongs to its edge.
    """
    words = encoded.words
    if not encoded.whole:
        real = np.flatnonzero(encoded.first >= 0)
        words, logits = [words[at] for at in real.tolist()], logits[real]
    chosen = best_path(logits) if words else []
    if not any(chosen):
        return []
    inside = [at for at, tag in enumerate(chosen) if tag]
    sure = probabilities(logits.take(inside, axis=0) / np.float32(temperature)).tolist()
    found: list[tuple[Span, Span, int, float]] = []
    for at, shares in zip(inside, sure, strict=True):
        word, tag = words[at], chosen[at]
        if tag % 2:
            found.append((word, word, tag // 2, shares[tag]))
        else:
            first, _, label, so_far = found[-1]
            found[-1] = (first, word, label, so_far * shares[tag])
    return [Entity(a.start, b.end, tags.labels[label], min(score, 1.0)) for a, b, label, score in found]
