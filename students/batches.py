"""Batches: windows of like length together, and yet the shuffle stays a shuffle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from students.case import DROPPED, piece_of
from students.encode import Ids
from students.targets import Example, Floats

MEGA = 32
"""Batches that are sorted by length together. On CoNLL in eights padding adds 99 % to the tokens unsorted, 5 % so, and
1 % with a whole epoch sorted, which would put the headlines of a newspaper into batches of their own."""


class Weighted(NamedTuple):
    """A window and the weight of its row; `lower` shows it as if all its words were lower case."""

    example: Example
    weight: float
    lower: bool = False


class Step(NamedTuple):
    """What one step of the optimizer learns from: one batch, or as many as are accumulated."""

    batches: list[list[Weighted]]

    @property
    def windows(self) -> list[Weighted]:
        return [one for batch in self.batches for one in batch]

    @property
    def words(self) -> int:
        return sum(len(one.example.tags) for one in self.windows)

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return sum(len(one.example.ids) for one in self.windows)


class Batch(NamedTuple):
    """Arrays of what the model sees at once.

    `ids` and `mask` have shape (windows, longest); `at` holds indices into the flattened ids of words' first pieces,
    with their `tags` and `weights`, shape (words,). Where a window has beliefs, `tags` are every word's shares of
    each tag, shape (words, tags).
    """

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    tags: npt.NDArray[np.int64] | Floats
    weights: Floats

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.mask.sum())


def batches(windows: Sequence[Weighted], size: int, seed: str, *, tokens: int | None = None) -> list[list[Weighted]]:
    """Windows in shuffled order into batches of `size`, a pure function of their order and the seed.

    With `tokens`, a batch holds as many windows as make at most so many tokens, padding included. Each stretch of
    MEGA batches is sorted by length, so that its batches need little padding, and then all batches are shuffled; of
    `size` windows only the last batch of all may be smaller.
    """
    cut: list[list[Weighted]] = []
    for stretch in _stretches(windows, size) if tokens is None else _stretches_of_tokens(windows, tokens):
        ordered = sorted(stretch, key=lambda one: len(one.example.ids))
        if tokens is None:
            cut += [ordered[at : at + size] for at in range(0, len(ordered), size)]
        else:
            cut += _within(ordered, tokens)
    random.Random(f"{seed}/batches").shuffle(cut)
    return cut


def _stretches(windows: Sequence[Weighted], size: int) -> Iterator[Sequence[Weighted]]:
    for start in range(0, len(windows), size * MEGA):
        yield windows[start : start + size * MEGA]


def _stretches_of_tokens(windows: Sequence[Weighted], tokens: int) -> Iterator[Sequence[Weighted]]:
    stretch: list[Weighted] = []
    total = 0
    for one in windows:
        if total + len(one.example.ids) > tokens * MEGA:
            yield stretch
            stretch, total = [], 0
        stretch.append(one)
        total += len(one.example.ids)
    if stretch:
        yield stretch


def _within(ordered: Sequence[Weighted], tokens: int) -> list[list[Weighted]]:
    """Windows, the shortest first, into batches that fit; the newest window is a batch's longest."""
    cut: list[list[Weighted]] = []
    for one in ordered:
        if cut and (len(cut[-1]) + 1) * len(one.example.ids) <= tokens:
            cut[-1].append(one)
        else:
            cut.append([one])
    return cut


def some_lowered(windows: Sequence[Weighted], seed: str) -> list[Weighted]:
    """The windows, DROPPED of them, drawn by the seed, as if all their words were lower case."""
    draw = random.Random(f"{seed}/case")
    return [one._replace(lower=draw.random() < DROPPED) for one in windows]


def steps(cut: Sequence[list[Weighted]], accumulate: int) -> list[Step]:
    """Batches into steps of `accumulate` batches; the last of an epoch may have fewer."""
    return [Step(list(cut[at : at + accumulate])) for at in range(0, len(cut), accumulate)]


def collate(windows: Sequence[Weighted], pad_id: int) -> Batch:
    """Pad to the longest window of the batch."""
    longest = max(len(one.example.ids) for one in windows)
    ids = np.full((len(windows), longest), pad_id, np.int64)
    mask = np.zeros((len(windows), longest), np.int64)
    for row, (example, _, lower) in enumerate(windows):
        ids[row, : len(example.ids)] = piece_of(example.ids) if lower else example.ids
        mask[row, : len(example.ids)] = 1
    at = np.concatenate([one.example.at.astype(np.int64) + row * longest for row, one in enumerate(windows)])
    tags = _targets([one.example for one in windows])
    weights = np.concatenate([one.example.weights * np.float32(one.weight) for one in windows])
    return Batch(ids, mask, at, tags, weights.astype(np.float32))


def _targets(examples: Sequence[Example]) -> npt.NDArray[np.int64] | Floats:
    """The words' tags, or the shares of all tags where an example has beliefs: all of one tag in the others."""
    believed = next((one.beliefs for one in examples if one.beliefs is not None), None)
    if believed is None:
        return np.concatenate([one.tags for one in examples]).astype(np.int64)
    certain = np.eye(believed.shape[1], dtype=np.float32)
    return np.concatenate([certain[one.tags] if one.beliefs is None else one.beliefs for one in examples])


def by_length(rows: Sequence[Ids], size: int) -> Iterator[list[int]]:
    """Indices of rows of ids in batches of like length, the longest first: for prediction."""
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    for at in range(0, len(order), size):
        yield order[at : at + size]
