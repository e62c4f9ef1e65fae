"""From the model's scores to entities: probabilities per word, the best lawful tags, spans with their scores."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from distill.document import Entity, Span
from students.encode import Encoded, Window
from students.spans import picked

Floats = npt.NDArray[np.float32]
Tags = npt.NDArray[np.int64]
_MANY = 4096  # words


class TagSet:
    """The tags of a label set in the order of the model's outputs: O, then B- and I- of each label.

    Tag 0 is O, label i has B at 2i + 1 and I at 2i + 2.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.names = ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in "BI"))

    def __len__(self) -> int:
        return len(self.names)


def word_scores(encoded: Encoded, windows: Sequence[Window], logits: Iterable[Floats], size: int) -> Floats:
    """Logits per word, shape (words, tags), each from the window that owns the word's first piece.

    `logits` come in the order of the windows, each of shape (tokens of its window without special tokens, tags). Words
    without pieces get O for certain. The array is nobody else's.
    """
    if encoded.whole and len(windows) == 1:  # nearly all sentences
        (only,) = logits
        return only.take(encoded.first, axis=0)
    scores = np.zeros((len(encoded.words), size), np.float32)
    scores[:, 0] = np.where(encoded.first < 0, 1e4, 0.0)
    real = np.flatnonzero(encoded.first >= 0)
    at = encoded.first[real]
    owned = np.array([window[2:] for window in windows], at.dtype).reshape(-1, 2)
    # All at once and in the type of `at`, which is copied as a whole for each call with edges of another type.
    bounds = np.searchsorted(at, owned).tolist()
    for window, values, (low, high) in zip(windows, logits, bounds, strict=True):
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
    tags = logits.shape[1]
    total = logits[0].tolist()
    insides = range(2, tags, 2)
    for inside in insides:
        total[inside] = -math.inf
    came_from = array("B" if tags < 256 else "I")  # the best tag before, for each tag of each word
    lost = logits[1:] - logits[1:].max(axis=-1, keepdims=True)  # keeps the sums of long texts small
    for row in _rows(lost):
        top = max(total)
        before = [total.index(top)] * tags
        sums = [top + each for each in row]
        for inside in insides:
            before[inside] = inside - 1 if total[inside - 1] >= total[inside] else inside
            sums[inside] = total[before[inside]] + row[inside]
        total = sums
        came_from.extend(before)
    path = [total.index(max(total))]
    for at in range(len(came_from) - tags, -1, -tags):
        path.append(came_from[at + path[-1]])
    return path[::-1]


def _rows(values: Floats) -> Iterator[list[float]]:
    """An array's rows as plain floats, which take ten times the memory: some at a time."""
    for at in range(0, len(values), _MANY):
        yield from values[at : at + _MANY].tolist()


def entities(encoded: Encoded, logits: Floats, tags: TagSet, temperature: float = 1.0) -> list[Entity]:
    """Entities of one text from its words' logits, shape (words, tags).

    An entity's score is the probability of all its words' tags together, their product, where logits are divided by
    the temperature; the tags are those of the undivided logits. A word without pieces is looked through: it neither
    ends an entity nor belongs to its edge.
    """
    real = None if encoded.whole else np.flatnonzero(encoded.first >= 0)
    if real is not None:
        logits = logits[real]
    chosen = best_path(logits) if len(logits) else []
    if not any(chosen):
        return []
    inside = [at for at, tag in enumerate(chosen) if tag]
    sure = probabilities(logits.take(inside, axis=0) / np.float32(temperature))
    places = inside if real is None else real[inside].tolist()
    found: list[tuple[Span, Span, int, float]] = []
    for at, word, shares in zip(inside, picked(encoded.words, places), _rows(sure), strict=True):
        tag = chosen[at]
        if tag % 2:
            found.append((word, word, tag // 2, shares[tag]))
        else:
            first, _, label, so_far = found[-1]
            found[-1] = (first, word, label, so_far * shares[tag])
    return [Entity(a.start, b.end, tags.labels[label], min(score, 1.0)) for a, b, label, score in found]
