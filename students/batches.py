"""Batches: windows of like length together, and yet the shuffle stays a shuffle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from students.encode import Ids
from students.targets import Example, Floats

MEGA = 32
"""Batches that are sorted by length together. On CoNLL in eights padding adds 99 % to the tokens unsorted, 5 % so, and
1 % with a whole epoch sorted, which would put the headlines of a newspaper into batches of their own."""


class Weighted(NamedTuple):
    """A window and the weight of its row."""

    example: Example
    weight: float


class Batch(NamedTuple):
    """Arrays of one step.

    `ids` and `mask` have shape (windows, longest); `at` holds indices into the flattened ids of words' first pieces,
    with their `tags` and `weights`, shape (words,).
    """

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    tags: npt.NDArray[np.int64]
    weights: Floats

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.mask.sum())


def batches(windows: Sequence[Weighted], size: int, seed: str) -> list[list[Weighted]]:
    """Windows in shuffled order into batches of `size`, a pure function of their order and the seed.

    Each stretch of MEGA batches is sorted by length, so that its batches need little padding, and then all batches are
    shuffled; only the last batch of all may be smaller.
    """
    cut: list[list[Weighted]] = []
    for start in range(0, len(windows), size * MEGA):
        stretch = sorted(windows[start : start + size * MEGA], key=lambda one: len(one.example.ids))
        cut += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    random.Random(f"{seed}/batches").shuffle(cut)
    return cut


def collate(windows: Sequence[Weighted], pad_id: int) -> Batch:
    """Pad to the longest window of the batch."""
    longest = max(len(one.example.ids) for one in windows)
    ids = np.full((len(windows), longest), pad_id, np.int64)
    mask = np.zeros((len(windows), longest), np.int64)
    for row, (example, _) in enumerate(windows):
        ids[row, : len(example.ids)] = example.ids
        mask[row, : len(example.ids)] = 1
    at = np.concatenate([one.example.at.astype(np.int64) + row * longest for row, one in enumerate(windows)])
    tags = np.concatenate([one.example.tags for one in windows]).astype(np.int64)
    weights = np.concatenate([one.example.weights * np.float32(one.weight) for one in windows])
    return Batch(ids, mask, at, tags, weights.astype(np.float32))


def by_length(rows: Sequence[Ids], size: int) -> Iterator[list[int]]:
    """Indices of rows of ids in batches of like length, the longest first: for prediction."""
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    for at in range(0, len(order), size):
        yield order[at : at + size]
