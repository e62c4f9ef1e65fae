"""Negatives: types that a passage does not hold, drawn so that a model learns to answer `[]`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from itertools import accumulate
from random import Random

PATIENCE = 32  # draws in a row that hit what may not be drawn, before the rest is looked through


def same(kind: str) -> str:
    """What makes two types the same: all but case and white space."""
    return " ".join(kind.casefold().split())


class Negatives:
    """Types with their weights, drawn one after the other without repeats."""

    def __init__(self, weights: Mapping[str, int], uniform: bool = False) -> None:
        """`weights` are frequencies; with `uniform` every type counts the same. Of two spellings the likelier stays."""
        spellings: dict[str, str] = {}
        for kind in sorted(weights, key=lambda kind: (-weights[kind], kind)):
            spellings.setdefault(same(kind), kind)
        self._kinds = list(spellings.values())
        self._keys = list(spellings)
        self._weights = [1 if uniform else weights[kind] for kind in self._kinds]
        self._sums = list(accumulate(self._weights))

    def draw(self, count: int, barred: Collection[str], random: Random) -> list[str]:
        """`count` different types, none of them `barred`; fewer where there are no more.

        A type's chance in each draw is its weight among what is left (UniNER: in proportion to its frequency).
        """
        taken = {same(kind) for kind in barred}
        found: list[str] = []
        missed = 0
        while len(found) < count and missed < PATIENCE:
            at = self._at(random)
            if at is None or self._keys[at] in taken:  # a draw that may not be is drawn anew: the others' odds stay
                missed += 1
                continue
            missed = 0
            taken.add(self._keys[at])
            found.append(self._kinds[at])
        return found + self._from_rest(count - len(found), taken, random)

    def _at(self, random: Random) -> int | None:
        if not self._sums:
            return None
        return min(bisect_right(self._sums, random.random() * self._sums[-1]), len(self._sums) - 1)

    def _from_rest(self, count: int, taken: Collection[str], random: Random) -> list[str]:
        """The same draw among the few that are left."""
        if count <= 0:
            return []
        left = [at for at, key in enumerate(self._keys) if key not in taken]
        found: list[str] = []
        while left and len(found) < count:
            (at,) = random.choices(left, [self._weights[at] for at in left])
            left.remove(at)
            found.append(self._kinds[at])
        return found
