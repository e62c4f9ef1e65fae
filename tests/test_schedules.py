"""What a schedule promises: the paper's formulas, shares that stay in [0, 1], and errors that help."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curricula.schedules import FAMILIES, paper_schedules, schedule
from curricula.table import as_lists, as_table
from distill.errors import CallError, InputError


def test_simple_mix_shows_distilled_first_and_gold_second() -> None:
    assert schedule("mix").curve(4) == [(1, 0), (1, 0), (0, 1), (0, 1)]
    assert schedule("mix").curve(5) == [(1, 0), (1, 0), (1, 0), (0, 1), (0, 1)]


def test_sigmoid_follows_the_paper_at_every_k() -> None:
    for k in (2.0, 4.0, 8.0, 16.0, 32.0):
        for t, (w0, w1) in enumerate(schedule("sigmoid", k=k).curve(20)):
            assert w0 == pytest.approx(1 - 1 / (1 + math.exp(-k * (t / 19 - 0.5))), abs=1e-12)
            assert w0 + w1 == 1


def test_cosine_and_power_start_with_distilled_and_end_with_gold() -> None:
    for one in (schedule("cosine"), *(schedule("power", n=n) for n in (0.1, 0.2, 0.5, 1, 2, 5, 10))):
        assert one.shares(0, 20) == (1, 0)
        assert one.shares(19, 20) == pytest.approx((0, 1))
    assert schedule("power", n=2).shares(5, 11)[0] == pytest.approx(0.75)
    assert schedule("cosine").shares(5, 11)[0] == pytest.approx(0.5)


def test_the_baselines_never_change() -> None:
    assert set(schedule("distilled").curve(7)) == {(1, 0)}
    assert set(schedule("gold").curve(7)) == {(0, 1)}
    assert set(schedule("all").curve(7)) == {(1, 1)}


@given(st.integers(1, 200), st.floats(1e-3, 1e6), st.data())
def test_shares_stay_within_bounds_and_never_rise(epochs: int, parameter: float, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FAMILIES)))
    one = schedule(name, k=parameter if name == "sigmoid" else None, n=parameter if name == "power" else None)
    curve = one.curve(epochs)
    assert all(0 <= w0 <= 1 and 0 <= w1 <= 1 for w0, w1 in curve)
    assert all(before[0] >= after[0] for before, after in pairwise(curve))


def test_one_epoch_counts_as_the_start() -> None:
    assert schedule("cosine").curve(1) == [(1, 0)]
    assert schedule("mix").curve(1) == [(1, 0)]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: schedule("sigmoyd"), "did you mean sigmoid?"),
        (lambda: schedule("sigmoid", k=0), "--k must be a positive number"),
        (lambda: schedule("sigmoid", k=-3), "--k must be a positive number"),
        (lambda: schedule("power", n=0), "--n must be a positive number"),
        (lambda: schedule("power", n=math.nan), "--n must be a positive number"),
        (lambda: schedule("mix", k=32), "--k belongs to the sigmoid schedule"),
        (lambda: schedule("sigmoid", n=2), "--n belongs to the power schedule"),
        (lambda: schedule("mix").shares(5, 5), "epoch 5 is outside"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(call: object, says: str) -> None:
    with pytest.raises(CallError, match=says):
        call()  # type: ignore[operator]


def test_lists_and_table_name_every_schedule_of_the_paper() -> None:
    names = [one.name for one in paper_schedules()]
    assert len(names) == len(set(names)) == 17
    lists = as_lists(paper_schedules(), 10)
    assert {"mix", "sigmoid k=32", "power n=0.2", "cosine", "all", "distilled", "gold"} <= set(lists)
    assert all(len(curve) == 10 for curve in lists.values())
    assert all(name in as_table(paper_schedules(), 10) for name in names)


def test_the_picture_is_drawn_and_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    picture = pytest.importorskip("curricula.picture")
    for name in ("curves.png", "curves.svg"):
        assert picture.draw(paper_schedules(), 20, tmp_path / name).stat().st_size > 10_000
    with pytest.raises(CallError, match=r"\.png"):
        picture.draw(paper_schedules(), 20, tmp_path / "curves.docx")
    (tmp_path / "folder.png").mkdir()
    for name in ("folder.png", "curves.svg/inside.png"):
        with pytest.raises(InputError, match="cannot be written"):
            picture.draw(paper_schedules(), 20, tmp_path / name)
