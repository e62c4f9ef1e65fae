"""Turns: every job gets its steps in turn, and a job ends once, whatever happens to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from students.turns import GivenUp, Step, Turns


@pytest.fixture
def turns() -> Iterator[Turns]:
    one = Turns(1)
    yield one
    one.close()


def counted(name: str, steps: int, seen: list[str]) -> Step:
    def step() -> list[Step]:
        seen.append(name)
        return [counted(name, steps - 1, seen)] if steps > 1 else []

    return step


def test_a_short_job_does_not_wait_for_a_long_one(turns: Turns) -> None:
    seen: list[str] = []
    held = threading.Event()

    def wait() -> list[Step]:  # until all is in the ring
        held.wait(30)
        return []

    gate = turns.add([wait])
    jobs = [turns.add([counted("long", 50, seen)]), turns.add([counted("short", 2, seen)])]
    held.set()
    for job in (gate, *jobs):
        job.done.result(30)
    assert seen[:4] == ["long", "short"] * 2 and seen.count("long") == 50


def test_steps_that_a_step_made_possible_go_before_the_others_of_their_job(turns: Turns) -> None:
    seen: list[str] = []

    def outer(name: str) -> Step:
        def step() -> list[Step]:
            seen.append(name)
            return [counted(f"{name}{i}", 1, seen) for i in range(2)]

        return step

    turns.add([outer("a"), outer("b")]).done.result(30)
    assert seen == ["a", "a0", "a1", "b", "b0", "b1"]


def test_a_failing_step_ends_its_job_and_no_other(turns: Turns) -> None:
    seen: list[str] = []

    def failing() -> list[Step]:
        raise ValueError("no")

    bad, good = turns.add([failing, counted("bad", 1, seen)]), turns.add([counted("good", 3, seen)])
    with pytest.raises(ValueError, match="no"):
        bad.done.result(30)
    good.done.result(30)
    assert seen == ["good"] * 3


def test_a_cancelled_job_does_no_further_step(turns: Turns) -> None:
    begun, held, seen = threading.Event(), threading.Event(), list[str]()

    def first() -> list[Step]:
        begun.set()
        held.wait(30)
        return [counted("more", 1, seen)]

    job, waiting = turns.add([first, counted("next", 1, seen)]), turns.add([counted("waiting", 1, seen)])
    assert begun.wait(30)
    turns.cancel(waiting)
    turns.cancel(job)
    assert isinstance(waiting.done.exception(0), GivenUp)
    assert not job.done.done()  # a step is still being done
    held.set()
    assert isinstance(job.done.exception(30), GivenUp)
    turns.add([counted("after", 1, seen)]).done.result(30)
    assert seen == ["after"]


@given(jobs=st.lists(st.lists(st.integers(1, 4), max_size=4), max_size=8), threads=st.integers(1, 4))
def test_every_step_is_done_once_by_any_number_of_threads(jobs: list[list[int]], threads: int) -> None:
    turns = Turns(threads)
    seen: list[str] = []
    added = [turns.add([counted(str(i), steps, seen) for steps in job]) for i, job in enumerate(jobs)]
    turns.close()
    assert all(job.done.done() and job.done.exception(0) is None for job in added)
    assert sorted(seen) == sorted(str(i) for i, job in enumerate(jobs) for _ in range(sum(job)))
