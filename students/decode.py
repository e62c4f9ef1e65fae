"""From the model's scores to entities: probabilities per word, the best lawful tags, spans with their scores."""

from __future__ import annotations

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
        size = len(self.names)
        self.lawful = np.ones((size, size), bool)  # lawful[a, b]: tag b may follow tag a
        for label in range(len(self.labels)):
            inside = 2 * label + 2
            self.lawful[:, inside] = False
            self.lawful[[inside - 1, inside], inside] = True

    def __len__(self) -> int:
        return len(self.names)


def word_scores(encoded: Encoded, windows: Sequence[Window], logits: Sequence[Floats], size: int) -> Floats:
    """Logits per word, shape (words, tags), each from the window that owns the word's first piece.

    `logits[i]` has shape (tokens of window i without special tokens, tags). Words without pieces get O for certain.
    """
    if len(windows) == 1 and int(encoded.first.min()) >= 0:  # nearly all sentences
        return np.asarray(logits[0][encoded.first], np.float32)
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


def best_tags(logits: Floats, tags: TagSet) -> Tags:
    """The most probable lawful tag sequence of the words, shape (words,): I-X only after B-X or I-X.

    The single best tags are the answer wherever they are lawful; only otherwise is Viterbi's path needed.
    """
    best = np.asarray(logits.argmax(axis=-1), np.int64)
    before = np.concatenate(([0], best[:-1]))
    return best if bool(tags.lawful[before, best].all()) else _viterbi(logits, tags)


def _viterbi(logits: Floats, tags: TagSet) -> Tags:
    forbidden = np.where(tags.lawful, 0.0, -np.inf)
    total = logits[0] + forbidden[0]
    came_from = np.zeros(logits.shape, np.int64)
    for i in range(1, len(logits)):
        paths = total[:, None] + forbidden
        came_from[i] = paths.argmax(axis=0)
        total = paths.max(axis=0) + (logits[i] - logits[i].max())
    path = np.zeros(len(logits), np.int64)
    path[-1] = total.argmax()
    for i in range(len(logits) - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path


def entities(encoded: Encoded, logits: Floats, tags: TagSet, temperature: float = 1.0) -> list[Entity]:
    """Entities of one text from its words' logits, shape (words, tags).

    An entity's score is the probability of all its words' tags together, their product, where logits are divided by
    the temperature; the tags are those of the undivided logits. A word without pieces is looked through: it neither
    ends an entity nor belongs to its edge.
    """
    real = np.flatnonzero(encoded.first >= 0)
    if not len(real):
        return []
    chosen = best_tags(logits[real], tags)
    inside = np.flatnonzero(chosen)
    if not len(inside):
        return []
    sure = probabilities(logits[real[inside]] / np.float32(temperature))[np.arange(len(inside)), chosen[inside]]
    found: list[tuple[Span, Span, int, float]] = []
    for at, tag, score in zip(inside.tolist(), chosen[inside].tolist(), sure.tolist(), strict=True):
        word = encoded.words[real[at]]
        if tag % 2:
            found.append((word, word, (tag - 1) // 2, score))
        else:
            first, _, label, so_far = found[-1]
            found[-1] = (first, word, label, so_far * score)
    return [Entity(a.start, b.end, tags.labels[label], min(score, 1.0)) for a, b, label, score in found]
