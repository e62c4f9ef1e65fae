"""Schedules of the user's own: points and functions give what they say, and a wrong one is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curricula.schedules import schedule, with_own
from curricula.table import as_table
from distill.errors import CallError, InputError
from students.options import TrainOptions

SLOW = """
def slow_start(t, T):
    return 1.0 if t < T / 4 else 1 - t / (T - 1)

def both(t, T):
    return 1, 0.25

def fails(t, T):
    return 0 / (t - 2)

def leaves(t, T):
    return 1.5 - t / T

def says(t, T):
    return "much"

def three(t, T):
    return 0, 0, 0

def nothing(t, T):
    return float("nan")

def leaves_all(t, T):
    raise SystemExit(3)

def talks(t, T):
    print("said by the function")
    return 0.5

calls = []

def wanders(t, T):
    calls.append(t)
    return 1 / len(calls)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "curves.py"
    path.write_text(SLOW)
    return path


def test_points_are_joined_by_straight_lines_over_the_whole_training() -> None:
    one = schedule("0:1, 10:0.5, 20:0")
    assert [w0 for w0, _ in one.curve(21)] == pytest.approx([1 - t / 20 for t in range(21)])
    assert [w0 for w0, _ in one.curve(5)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert schedule("0:1,2:1,4:0").curve(5) == [(1, 0), (1, 0), (1, 0), (0.5, 0.5), (0, 1)]
    assert schedule("0:1, 1:0").curve(1) == [(1, 0)]
    assert schedule("0:0.3").curve(3) == [(0.3, 0.7)] * 3


def test_points_may_give_gold_its_own_share() -> None:
    assert schedule("0:1/0, 1:1/1").curve(3) == [(1, 0), (1, 0.5), (1, 1)]


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1), st.floats(0, 1)), max_size=6), st.integers(1, 60))
def test_points_within_bounds_stay_within_them(steps: list[tuple[int, float, float]], epochs: int) -> None:
    place, written = 0, ["0:1/0"]
    for step, w0, w1 in steps:
        place += step
        written.append(f"{place}:{w0}/{w1}")
    assert all(0 <= w <= 1 for pair in schedule(", ".join(written)).curve(epochs) for w in pair)


def test_a_function_is_called_with_epoch_and_epochs(file: Path) -> None:
    one = schedule(f"{file}:slow_start")
    assert [w0 for w0, _ in one.curve(8)] == pytest.approx([1, 1, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7, 0])
    assert schedule(f"{file}:both").curve(2) == [(1, 0.25)] * 2
    assert schedule("math:comb").shares(1, 4) == (0, 1)  # comb(1, 4) = 0: any importable function of two numbers
    file.write_text("def slow_start(t, T):\n    return 0.5\n")
    assert schedule(f"{file}:slow_start").curve(2) == [(0.5, 0.5)] * 2
    assert not (file.parent / "__pycache__").exists()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("0:1, 10:1.2", "w0 is 1.2 at 10; shares stay within"),
        ("0:1/2", "w1 is 2 at 0; shares stay within"),
        ("0:nan", "w0 is nan"),
        ("5:1, 10:0", "the first point is at 5"),
        ("0:1, 10:0.5, 10:0", "10 comes after 10; places must rise"),
        ("0:1, ten:0", "'ten:0' is not a point; write place:share"),
        ("0:1, 10", "'10' is not a point"),
        ("0:1,", "'' is not a point"),
        ("0.5", "'0.5' is not a point"),
        ("0:1, inf:0", "not a place"),
        ("FILE:fails", "ZeroDivisionError: .* at t = 2 of T = 4"),
        ("FILE:leaves", "w0 is 1.5 at t = 0 of T = 4; shares stay within"),
        ("FILE:says", "returned 'much' at t = 0 of T = 4; it must be a number"),
        ("FILE:nothing", "w0 is nan at t = 0 of T = 4; shares stay within"),
        ("FILE:leaves_all", "SystemExit: 3 at t = 0 of T = 4"),
        ("FILE:three", "returned .* it must be a number w0, or two"),
        ("FILE:wanders", "returned 1.0 and then 0.5 at t = 0 of T = 4; a run that goes on must find the same"),
        ("FILE:slow_strat", "has no function 'slow_strat'; did you mean slow_start"),
        ("no_such_module:f", "does not import: ModuleNotFoundError.*path/to/file.py:function"),
        (":f", "does not import"),
        ("sigmoyd", "not 'sigmoyd'; did you mean sigmoid"),
    ],
)
def test_a_schedule_that_cannot_be_is_one_line(file: Path, spec: str, says: str) -> None:
    with pytest.raises(CallError, match=says) as caught:
        schedule(spec.replace("FILE", str(file))).curve(4)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_does_not_run_is_one_line(file: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.py: no such file of a schedule"):
        schedule("nowhere.py:f")
    for text, says in (("def f(:", "SyntaxError"), ("raise SystemExit(3)", "SystemExit: 3"), ("1 / 0", "ZeroDivision")):
        file.write_text(text)
        with pytest.raises(CallError, match=f"does not run: {says}"):
            schedule(f"{file}:f")


def test_training_takes_them_and_refuses_k_and_n_beside_them(file: Path) -> None:
    assert TrainOptions(schedule="0:1, 4:0", out=Path("x")).schedule == "0:1, 4:0"
    with pytest.raises(CallError, match="shares stay within"):
        TrainOptions(schedule="0:2", out=Path("x"))
    with pytest.raises(CallError, match="did you mean sigmoid"):
        TrainOptions(schedule="sigmiod", out=Path("x"))
    with pytest.raises(CallError, match="--k belongs to the sigmoid schedule"):
        schedule(f"{file}:both", k=2)


def test_own_schedules_are_shown_and_drawn_with_the_others(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = with_own(["0:1, 3:0", f"{file}:both", "mix"])
    assert len(shown) == 19
    table = as_table(shown, 5)
    assert "points 0:1, 3:0" in table and f"function {file}:both w1" in table
    picture = pytest.importorskip("curricula.picture")
    drawn = [picture.draw(each, 20, tmp_path / "own.svg").read_text() for each in (with_own([]), shown)]
    assert drawn[0].count("<path") < drawn[1].count("<path")
    assert 'id="axes_6"' in drawn[1] and 'id="axes_6"' not in drawn[0]
    from cli import schedules
    from curricula.options import SchedulesOptions

    schedules(SchedulesOptions(schedule=("0:1, 3:0", f"{file}:talks"), epochs=4, json=True))
    told = capsys.readouterr()
    assert json.loads(told.out)["points 0:1, 3:0"][3] == [0, 1] and "said by the function" in told.err
