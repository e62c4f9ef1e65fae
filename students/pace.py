"""The learning rate of every step: warm-up, the way down, and the factor an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from students.options import Recipe


@dataclass(frozen=True)
class Pace:
    """The learning rate as a pure function of the step and the epoch."""

    recipe: Recipe
    steps: int

    def lr(self, step: int, epoch: int) -> float:
        """The rate of step `step` (from 0) of all `steps`, in epoch `epoch` (from 0)."""
        warm = self.recipe.warmup * self.steps
        if step < warm:
            share = (step + 1) / (warm + 1)
        else:
            share = _DECAYS[self.recipe.decay]((step - warm) / max(self.steps - warm, 1))
        return self.recipe.lr * share * self.recipe.lr_decay**epoch


_DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda _x: 1.0,
    "linear": lambda x: 1.0 - x,
    "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * x)),
}
