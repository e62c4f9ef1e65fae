"""What a curriculum promises: the right numbers of rows, every row its turn, the same blend for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curricula.blending import DISTILLED, GOLD, Blend, Row
from curricula.schedules import paper_schedules, schedule
from distill.errors import CallError


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(paper_schedules()), st.integers(1, 12), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99)
)
def test_every_epoch_has_its_share_of_rows_and_none_twice(one, epochs, distilled, gold, seed) -> None:  # type: ignore[no-untyped-def]
    blend = Blend(one, epochs, distilled, gold, seed)
    for t, (w0, w1) in enumerate(one.curve(epochs)):
        rows = [(row.source, row.index) for row in blend.epoch(t)]
        assert len(set(rows)) == len(rows)
        counts = Counter(source for source, _ in rows)
        assert (counts[DISTILLED], counts[GOLD]) == (round(w0 * distilled), round(w1 * gold))
        assert all(0 <= index < (distilled, gold)[source] for source, index in rows)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(paper_schedules()), st.integers(1, 30), st.integers(1, 50), st.integers(0, 9))
def test_no_row_gets_a_second_turn_more_than_once_before_all_had_one(one, epochs, size, seed) -> None:  # type: ignore[no-untyped-def]
    blend = Blend(one, epochs, size, size, seed)
    turns = Counter((row.source, row.index) for t in range(epochs) for row in blend.epoch(t))
    for source in (DISTILLED, GOLD):
        counts = [turns[source, index] for index in range(size)]
        assert max(counts) - min(counts) <= 1


def test_the_seed_decides_and_an_epoch_needs_no_memory_of_those_before() -> None:
    blends = [Blend(schedule("cosine"), 8, 50, 30, seed=7) for _ in range(2)]
    assert [blends[0].epoch(t) for t in range(8)] == [blends[1].epoch(t) for t in reversed(range(8))][::-1]
    assert blends[0].epoch(3) != Blend(schedule("cosine"), 8, 50, 30, seed=8).epoch(3)


def test_sources_stand_shuffled_together() -> None:
    sources = [row.source for row in Blend(schedule("all"), 1, 100, 100).epoch(0)]
    changes = sum(a != b for a, b in pairwise(sources))
    assert 60 < changes < 140


def test_blending_by_loss_shows_all_rows_with_their_weights() -> None:
    blend = Blend(schedule("cosine"), 5, 4, 6, by="loss")
    w0, w1 = schedule("cosine").shares(1, 5)
    assert sorted(blend.epoch(1)) == [Row(0, i, w0) for i in range(4)] + [Row(1, i, w1) for i in range(6)]
    assert {row.source for row in blend.epoch(0)} == {DISTILLED}


@pytest.mark.parametrize(
    ("name", "sizes", "lacks"), [("gold", (5, 0), "gold"), ("mix", (0, 5), "distilled"), ("all", (0, 5), "distilled")]
)
def test_a_schedule_without_the_data_it_needs_is_refused(name: str, sizes: tuple[int, int], lacks: str) -> None:
    with pytest.raises(CallError, match=f"needs {lacks} data and there is none"):
        Blend(schedule(name), 4, *sizes)


def test_a_schedule_that_needs_one_source_does_without_the_other() -> None:
    assert len(Blend(schedule("gold"), 4, 0, 5).epoch(0)) == 5
    assert len(Blend(schedule("distilled"), 4, 5, 0).epoch(3)) == 5
