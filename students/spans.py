"""Many spans in little memory, for texts of millions of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from distill.document import Span


def as_pairs(spans: Sequence[Span], offset: int) -> npt.NDArray[np.int32]:
    """Spans as an array, shape (spans, 2), moved by an offset."""
    return np.array(spans, np.int32).reshape(-1, 2) + np.int32(offset)


def picked(spans: Sequence[Span], places: Sequence[int]) -> list[Span]:
    """The spans at some places."""
    if isinstance(spans, Spans):
        return [Span(*pair) for pair in spans.pairs[places].tolist()]
    return [spans[place] for place in places]


class Spans(Sequence[Span]):
    """Spans as pairs in one array, shape (spans, 2): 8 bytes each, where a list of tuples takes 150."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: npt.NDArray[np.int32]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> Spans: ...
    def __getitem__(self, at: int | slice) -> Span | Spans:
        """One span, or those of a slice."""
        return Spans(self.pairs[at]) if isinstance(at, slice) else Span(*self.pairs[at].tolist())
