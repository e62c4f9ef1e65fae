"""Statistics of a study: intervals over seeds, a bootstrap over documents and seeds, what permutations can show.

Numpy and nothing else; all that is random follows from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_CELLS = 4_000_000  # document weights held at once: 32 MB
_FEW = 12  # paired seeds up to which all 2^n sign flips are looked at
Floats = NDArray[np.float64]


def t_quantile(p: float, df: int) -> float:
    """Student's t: the value below which a share `p` lies, for `df` >= 1 degrees of freedom."""
    if not (0 < p < 1 and df >= 1):
        raise ValueError(f"no quantile {p} of Student's t with {df} degrees of freedom")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while _t_below(high, df) < p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, df) < p else (low, middle)
    return high


def _t_below(t: float, df: int) -> float:
    """The share of Student's t below `t` >= 0: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan2(t, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if df % 2 else 1.0
    total = 0.0
    for i in range(2 + df % 2, df + 1, 2):
        total += term
        term *= (i - 1) / i * cosine**2
    inner = 2 / math.pi * (angle + sine * total) if df % 2 else sine * total
    return 0.5 + inner / 2


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds: mean, standard deviation and the interval of the mean (None for a single seed)."""

    values: tuple[float, ...]
    mean: float
    deviation: float | None
    interval: tuple[float, float] | None


def spread(values: Sequence[float], level: float = LEVEL) -> Spread:
    """Mean, deviation (n - 1) and Student's t interval over seeds; documents count as fixed here."""
    centre = fmean(values)
    if len(values) < 2:
        return Spread(tuple(values), centre, None, None)
    deviation = stdev(values)
    half = t_quantile((1 + level) / 2, len(values) - 1) * deviation / math.sqrt(len(values))
    return Spread(tuple(values), centre, deviation, (centre - half, centre + half))


@dataclass(frozen=True)
class Counts:
    """What a bootstrap needs of every run and document: correct entities, and predicted plus gold ones.

    Both have the shape (runs, documents), with the same documents in the same order for every run.
    """

    correct: Floats
    both: Floats

    def f1(self) -> Floats:
        """Micro F1 of every run."""
        return _f1(self.correct.sum(axis=1), self.both.sum(axis=1))


def _f1(correct: Floats, both: Floats) -> Floats:
    found: Floats = np.divide(2 * correct, both, out=np.zeros_like(both), where=both > 0)
    return found


def document_draws(counts: Counts, samples: int, seed: int) -> Floats:
    """F1 of every run (shape: samples, runs) when the documents are drawn anew; one draw serves all runs."""
    documents = counts.correct.shape[1]
    chance = np.random.default_rng([seed, 0])
    return np.concatenate([
        _f1(weights @ counts.correct.T, weights @ counts.both.T)
        for weights in _weights(documents, samples, chance)
    ])  # fmt: skip


def _weights(documents: int, samples: int, chance: np.random.Generator) -> Iterator[Floats]:
    """How often each document is drawn, in blocks of samples that fit into memory."""
    block = max(1, _CELLS // max(documents, 1))
    for start in range(0, samples, block):
        drawn = chance.multinomial(documents, np.full(documents, 1 / documents), size=min(block, samples - start))
        yield drawn.astype(np.float64)


def arm_draws(f1: Floats, seed: int, arm: int) -> Floats:
    """The mean of an arm (shape: samples) when its seeds are drawn anew as well.

    `f1` is its part of `document_draws` (samples, seeds); `arm` is a number that tells arms apart. Of n seeds n - 1 are
    drawn, with replacement: drawing n would make the variance of a mean of few seeds too small by (n - 1) / n (Rao and
    Wu 1988). A single seed is taken as it is. What chance does to one run on one document counts among the seeds and
    among the documents, so that the interval is rather too wide than too narrow (Owen 2007, the pigeonhole bootstrap).
    """
    samples, seeds = f1.shape
    if seeds == 1:
        return f1[:, 0]
    drawn = np.random.default_rng([seed, 1, arm]).integers(seeds, size=(samples, seeds - 1))
    means: Floats = np.take_along_axis(f1, drawn, axis=1).mean(axis=1)
    return means


@dataclass(frozen=True)
class Difference:
    """An arm less its baseline: the difference of means, its interval, and a two-sided p before any correction."""

    value: float
    low: float
    high: float
    p: float


def difference(value: float, draws: Floats, comparisons: int = 1, level: float = LEVEL) -> Difference:
    """Percentile interval and p of a difference from its bootstrap draws.

    The interval has Bonferroni's level 1 - (1 - level) / comparisons, so that all intervals hold together.
    """
    tail = (1 - level) / comparisons / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    beyond = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return Difference(value, float(low), float(high), min(1.0, 2 * (float(beyond) + 1) / (len(draws) + 1)))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p values that may be compared with .05 whatever the number of comparisons."""
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = highest
    return corrected


def sign_flip(differences: Sequence[float], seed: int = 0, samples: int = 20_000) -> float:
    """Two-sided permutation p of paired differences: how often flipped signs give a mean as far from 0.

    Exact up to twelve pairs; beyond that, drawn. With n pairs it is never below 2 / 2^n.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) <= _FEW:
        signs = np.array(list(product((1.0, -1.0), repeat=len(values))))
    else:
        drawn = np.random.default_rng(seed).choice([1.0, -1.0], size=(samples, len(values)))
        signs = np.vstack([np.ones(len(values)), drawn])
    means = np.abs(signs @ values)
    beyond = int(np.count_nonzero(means >= abs(float(values.sum())) - 1e-12))
    return beyond / len(signs)


def least_sign_flip(pairs: int) -> float:
    """The smallest p that a two-sided sign-flip test over so many pairs can give."""
    return min(1.0, 2.0 ** (1 - pairs))


def least_shuffle(one: int, other: int) -> float:
    """The smallest p of a two-sided permutation test that shuffles unpaired runs of two arms."""
    return min(1.0, 2.0 / math.comb(one + other, one)) if one == other else 1.0 / math.comb(one + other, one)
