"""A device without enough memory: finding, by trying, what would fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from students.batches import Weighted


def largest_fit(size: int, smallest: int, works: Callable[[int], object]) -> int | None:
    """The largest of size / 2, size / 4, ... down to `smallest` that `works` does; None where not even that.

    `works` does the same as what failed, at a size, and raises torch.OutOfMemoryError where it fails again.
    """
    while size > smallest:
        size = max(size // 2, smallest)
        if _does(works, size):
            return size
    return None


def fit_of(option: str, size: int, works: Callable[[int], object], smallest: int = 1) -> str:
    """What to do about `option`, which is `size` and too large: half a sentence for the error."""
    fits = largest_fit(size, smallest, works)
    return "lower --max-length, or take a smaller student" if fits is None else f"{option} {fits} fits"


def _does(works: Callable[[int], object], size: int) -> bool:
    # Outside the except block, since the error holds on to the tensors of the frames it passed through.
    torch.cuda.empty_cache()
    try:
        works(size)
    except torch.OutOfMemoryError:
        return False
    return True


def heaviest(windows: Sequence[Weighted], size: int, *, tokens: bool) -> list[Weighted]:
    """The batch that takes most memory: the longest windows, `size` of them or as many as make `size` tokens."""
    longest = sorted(windows, key=lambda one: -len(one.example.ids))
    return longest[: max(size // len(longest[0].example.ids), 1) if tokens else size]
