"""Proximity: the exact nearest vectors, by matrix products over blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Places = NDArray[np.int32]

BLOCK = 16 << 20  # cosines held at once: 64 MB of float32
GROUPS = 8  # groups of columns for each neighbour wanted: few of the best then share a group, so the bound is close


def top_k(
    queries: Vectors, pool: Vectors, k: int, own: Sequence[int] | NDArray[np.int64] | None = None, block: int = BLOCK
) -> Places:
    """For every query the places of the `k` vectors of the pool with the highest cosine, the best first.

    Shapes: queries (n, d) and pool (m, d), rows of length 1; the answer is (n, min(k, m)). `own` gives each query the
    place in the pool that it may not get (its own text), or -1; where that leaves fewer, the rest of its row is -1.
    Equal cosines stay in the pool's order. Nothing is approximated.
    """
    count, size = len(queries), len(pool)
    k = min(k, size)
    places: Places = np.full((count, k), -1, dtype=np.int32)
    if not k:
        return places
    forbidden = np.full(count, -1) if own is None else np.asarray(own)
    rows = max(1, block // size)
    cosines = np.empty((min(rows, count), size), dtype=np.float32)
    for start in range(0, count, rows):
        end = min(start + rows, count)
        part = np.matmul(queries[start:end], pool.T, out=cosines[: end - start])
        barred = np.flatnonzero(forbidden[start:end] >= 0)
        part[barred, forbidden[start:end][barred]] = -np.inf
        places[start:end] = _best(part, k)
    return places


def _best(cosines: Vectors, k: int) -> Places:
    """The columns of the `k` highest cosines of each row, in order; -1 for what is barred.

    Columns are put into groups: the k-th highest of the groups' maxima is a bound that at least k columns reach, and
    hardly more. Comparing with it costs a fraction of a partial sort, and leaves every column that ties in.
    """
    rows, size = cosines.shape
    groups = min(size, GROUPS * k)
    whole = size - size % groups
    maxima = cosines[:, :whole].reshape(rows, -1, groups).max(axis=1)
    bound = np.partition(maxima, groups - k, axis=1)[:, groups - k]
    at_row, at_column = np.nonzero(cosines >= bound[:, None])
    held = cosines[at_row, at_column]
    order = np.lexsort((at_column, -held, at_row))
    starts = np.searchsorted(at_row, np.arange(rows))  # nonzero goes row by row
    chosen = order[starts[:, None] + np.arange(k)]
    best: Places = at_column[chosen].astype(np.int32)
    best[held[chosen] == -np.inf] = -1
    return best
