"""The statistics of a study: they cover what they say and know what permutations can show."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.studies.statistics import (
    Counts,
    arm_draws,
    difference,
    document_draws,
    holm,
    least_shuffle,
    least_sign_flip,
    sign_flip,
    spread,
    t_quantile,
)

FIGURES = st.floats(-1, 1, allow_nan=False)


def synthetic(chance: np.random.Generator, arms: tuple[float, ...], seeds: int, documents: int) -> Counts:
    """Runs of arms whose rates differ by document and by seed; every document has three entities and three found."""
    hard = chance.normal(0, 0.15, documents)
    rates = [rate + chance.normal(0, 0.02) + hard for rate in arms for _ in range(seeds)]
    correct = chance.binomial(3, np.clip(rates, 0, 1)).astype(np.float64)
    return Counts(correct, np.full_like(correct, 6.0))


@pytest.mark.parametrize(
    ("df", "value"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (1000, 1.9623)],
)
def test_students_t_is_that_of_the_tables(df: int, value: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(value, abs=1e-4)
    assert t_quantile(0.025, df) == pytest.approx(-value, abs=1e-4)


def test_the_interval_over_seeds_covers_the_mean() -> None:
    chance = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        found = spread([float(each) for each in chance.normal(0.8, 0.01, 3)])
        assert found.interval is not None
        hits += found.interval[0] <= 0.8 <= found.interval[1]
    assert 0.92 <= hits / 400 <= 0.98
    assert spread([0.5]).interval is None


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.88), (5, 0.92), (10, 0.93)])
def test_the_bootstrap_over_documents_and_seeds_covers_the_difference(seeds: int, least: float) -> None:
    chance, hits, trials = np.random.default_rng(seeds), 0, 100
    for trial in range(trials):
        counts = synthetic(chance, (0.60, 0.63), seeds, 150)
        f1, drawn = counts.f1(), document_draws(counts, 400, trial)
        draws = arm_draws(drawn[:, seeds:], trial, 1) - arm_draws(drawn[:, :seeds], trial, 0)
        found = difference(float(f1[seeds:].mean() - f1[:seeds].mean()), draws)
        hits += found.low <= 0.03 <= found.high
    assert hits / trials >= least  # above .95 where chance differs by run and document: it counts twice (Owen 2007)


def test_seeds_and_documents_both_widen_the_interval() -> None:
    chance = np.random.default_rng(5)
    counts = synthetic(chance, (0.6, 0.6), 5, 400)
    drawn = document_draws(counts, 4000, 0)
    documents_only = (drawn[:, 5:].mean(axis=1) - drawn[:, :5].mean(axis=1)).std()
    both = (arm_draws(drawn[:, 5:], 0, 1) - arm_draws(drawn[:, :5], 0, 0)).std()
    assert both > 1.2 * documents_only
    noise = counts.f1()[:5].var(ddof=1) / 5 + counts.f1()[5:].var(ddof=1) / 5
    assert both == pytest.approx(math.sqrt(noise + documents_only**2), rel=0.15)


def test_the_bootstrap_depends_on_the_seed_alone() -> None:
    counts = synthetic(np.random.default_rng(2), (0.6, 0.7), 2, 50)
    first, again, other = (document_draws(counts, 300, seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(arm_draws(first[:, :2], 7, 0), arm_draws(again[:, :2], 7, 0))
    assert not np.array_equal(arm_draws(first[:, :2], 7, 0), arm_draws(first[:, :2], 7, 1))


def test_large_sets_of_documents_are_drawn_in_blocks() -> None:
    counts = Counts(np.ones((2, 3_000_000)), np.full((2, 3_000_000), 2.0))
    assert document_draws(counts, 2, 0).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_documents_without_entities_score_nothing() -> None:
    empty = Counts(np.zeros((2, 4)), np.zeros((2, 4)))
    assert empty.f1().tolist() == [0.0, 0.0]
    assert difference(0.0, document_draws(empty, 20, 0)[:, 0]).p == 1.0


def test_five_seeds_alone_cannot_reach_five_per_cent() -> None:
    assert sign_flip([0.2, 0.21, 0.19, 0.22, 0.18]) == least_sign_flip(5) == 0.0625
    assert sign_flip([0.1] * 6) == least_sign_flip(6) == 0.03125
    assert least_shuffle(5, 5) == pytest.approx(2 / 252) and least_shuffle(3, 3) == pytest.approx(0.1)


def test_the_least_p_of_shuffled_runs_is_found_by_shuffling() -> None:
    values = np.array([1.0, 2.0, 3.0, 11.0, 12.0, 13.0])
    gaps = [abs(values[list(own)].sum() * 2 - values.sum()) for own in combinations(range(6), 3)]
    assert np.mean(np.array(gaps) >= max(gaps)) == pytest.approx(least_shuffle(3, 3))


@given(st.lists(FIGURES, min_size=1, max_size=8))
def test_a_sign_flip_p_lies_between_its_least_value_and_one(values: list[float]) -> None:
    p = sign_flip(values)
    assert least_sign_flip(len(values)) <= p <= 1
    assert p == sign_flip([-value for value in values])


def test_many_pairs_are_drawn_and_come_out_like_the_exact_test() -> None:
    values = [float(each) for each in np.random.default_rng(3).normal(0.5, 1, 12)]
    assert sign_flip([*values, 0.0]) == pytest.approx(sign_flip(values), abs=0.02)


@given(st.lists(st.floats(0, 1), max_size=9))
def test_holm_never_lowers_a_p_and_never_exceeds_bonferroni(ps: list[float]) -> None:
    corrected = holm(ps)
    for p, own in zip(ps, corrected, strict=True):
        assert p <= own <= min(1.0, p * len(ps)) + 1e-12
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    assert [corrected[i] for i in order] == sorted(corrected)


def test_holm_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.integers(1, 40), st.integers(0, 100))
def test_more_comparisons_widen_the_interval(comparisons: int, seed: int) -> None:
    draws = np.random.default_rng(seed).normal(0.1, 1, 200)
    one, many = difference(0.1, draws), difference(0.1, draws, comparisons)
    assert many.low <= one.low and many.high >= one.high and 0 < one.p <= 1
