"""Schedules: the share of distilled and of gold data at each epoch, as a pure function.

Epochs run from 0 to T - 1 and a schedule is written over `x = t / (T - 1)` (x = 0 where T = 1). The families and their
parameters are those of Huang, Bridging the gap between LLM-labelled and gold data for NER (section 3.3, figure 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from curricula import custom
from distill.errors import CallError, did_you_mean

Shares = tuple[float, float]
Decay = Callable[[float], float]

SIGMOID_K = (2.0, 4.0, 8.0, 16.0, 32.0)
POWER_N = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DEFAULT_K = 32.0
DEFAULT_N = 0.2


@dataclass(frozen=True)
class Schedule:
    """A named rule for the weights `(w0, w1)` of distilled and gold data, each in [0, 1]."""

    name: str
    _shares: Callable[[int, int], Shares] = field(repr=False, compare=False)

    def shares(self, epoch: int, epochs: int) -> Shares:
        """`(w0, w1)` at `epoch` (from 0) of `epochs`. Raises CallError outside that range."""
        if not 0 <= epoch < epochs:
            raise CallError(f"epoch {epoch} is outside a training of {epochs} epochs")
        return self._shares(epoch, epochs)

    def curve(self, epochs: int) -> list[Shares]:
        """The shares of every epoch in order."""
        return [self.shares(epoch, epochs) for epoch in range(epochs)]


def mix(epoch: int, epochs: int) -> Shares:
    """Simple Mix: distilled in the first half, gold in the second."""
    return (1.0, 0.0) if epoch < epochs / 2 else (0.0, 1.0)


def decaying(decay: Decay) -> Callable[[int, int], Shares]:
    """A schedule from a decay `x -> w0` over the unit interval, with w1 = 1 - w0."""

    def shares(epoch: int, epochs: int) -> Shares:
        w0 = decay(epoch / (epochs - 1) if epochs > 1 else 0.0)
        return w0, 1.0 - w0

    return shares


def sigmoid(k: float) -> Decay:
    """`1 - 1 / (1 + exp(-k (x - 0.5)))`: the larger k, the steeper the change from distilled to gold."""
    _positive("k", k)

    def decay(x: float) -> float:
        # Of the two equal forms, the one whose exponential cannot overflow.
        z = k * (x - 0.5)
        return math.exp(-z) / (1 + math.exp(-z)) if z >= 0 else 1 / (1 + math.exp(z))

    return decay


def cosine(x: float) -> float:
    """`0.5 (1 + cos(pi x))`."""
    return 0.5 * (1 + math.cos(math.pi * x))


def power(n: float) -> Decay:
    """`1 - x^n`: the smaller n, the sooner gold takes over."""
    _positive("n", n)
    return lambda x: 1.0 - float(x**n)


def constant(w0: float, w1: float) -> Callable[[int, int], Shares]:
    """The same shares in every epoch."""
    return lambda _epoch, _epochs: (w0, w1)


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise CallError(f"--{name} must be a positive number, got {value:g}")


FAMILIES: dict[str, Callable[[float, float], Schedule]] = {
    "mix": lambda _k, _n: Schedule("mix", mix),
    "sigmoid": lambda k, _n: Schedule(f"sigmoid k={k:g}", decaying(sigmoid(k))),
    "cosine": lambda _k, _n: Schedule("cosine", decaying(cosine)),
    "power": lambda _k, n: Schedule(f"power n={n:g}", decaying(power(n))),
    "all": lambda _k, _n: Schedule("all", constant(1.0, 1.0)),
    "distilled": lambda _k, _n: Schedule("distilled", constant(1.0, 0.0)),
    "gold": lambda _k, _n: Schedule("gold", constant(0.0, 1.0)),
}
"""The seven families by name; each takes (k, n) and uses what it needs."""


def schedule(name: str, k: float | None = None, n: float | None = None) -> Schedule:
    """The schedule that `name` names: a family, points (`0:1, 10:0.5, 20:0`), or a function (`file.py:name`).

    `k` belongs to sigmoid and `n` to power. Raises CallError for an unknown family, a parameter that is not positive,
    or one that the family does not have; for points and functions see `curricula.custom`.
    """
    if k is not None and name != "sigmoid":
        raise CallError(f"--k belongs to the sigmoid schedule, not to {name}")
    if n is not None and name != "power":
        raise CallError(f"--n belongs to the power schedule, not to {name}")
    if name in FAMILIES:
        return FAMILIES[name](DEFAULT_K if k is None else k, DEFAULT_N if n is None else n)
    if custom.is_points(name):
        return Schedule(f"points {name.strip()}", custom.points(name))
    if custom.is_function(name):
        return Schedule(f"function {name}", custom.function(name))
    own = "points (0:1, 10:0.5, 20:0) or a function (file.py:name)"
    raise CallError(f"--schedule is one of {', '.join(FAMILIES)}, {own}, not {name!r}{_close(name)}")


def _close(name: str) -> str:
    hint = did_you_mean(name, FAMILIES)
    return hint if "mean" in hint else ""


def paper_schedules() -> list[Schedule]:
    """Every schedule of the paper: the seven families, sigmoid at five k, power at seven n."""
    return [
        schedule("mix"),
        *(schedule("sigmoid", k=k) for k in SIGMOID_K),
        schedule("cosine"),
        *(schedule("power", n=n) for n in POWER_N),
        schedule("all"),
        schedule("distilled"),
        schedule("gold"),
    ]


def with_own(names: Sequence[str]) -> list[Schedule]:
    """The paper's schedules, and those of `names` that are not among them."""
    shown = {one.name: one for one in paper_schedules()}
    return list((shown | {one.name: one for one in map(schedule, names)}).values())
