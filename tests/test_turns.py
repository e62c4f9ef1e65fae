"""Turns: every job gets its steps in turn, and a job ends once, whatever happens to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from students.company import Company, Guest
from students.decode import Floats
from students.encode import Ids
from students.turns import GivenUp, Job, Step, Turns

Call = Callable[[], Iterable[Step]]


def zeros(pieces: Sequence[Ids]) -> Floats:
    return np.zeros((*np.shape(pieces), 1), np.float32)


@dataclass
class Added:
    """A job, and how it ended."""

    job: Job
    done: Future[None]


def add(turns: Turns, steps: Iterable[Call], quick: bool = False) -> Added:
    done: Future[None] = Future()
    return Added(turns.add(steps, lambda why: done.set_exception(why) if why else done.set_result(None), quick), done)


@pytest.fixture
def turns() -> Iterator[Turns]:
    one = Turns(1, Company(zeros))
    yield one
    one.close()


def counted(name: str, steps: int, seen: list[str]) -> Call:
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

    gate = add(turns, [wait])
    jobs = [add(turns, [counted("long", 50, seen)]), add(turns, [counted("short", 2, seen)])]
    held.set()
    for job in (gate, *jobs):
        job.done.result(30)
    assert seen[:4] == ["long", "short"] * 2 and seen.count("long") == 50


def test_steps_that_a_step_made_possible_go_before_the_others_of_their_job(turns: Turns) -> None:
    seen: list[str] = []

    def outer(name: str) -> Call:
        def step() -> list[Step]:
            seen.append(name)
            return [counted(f"{name}{i}", 1, seen) for i in range(2)]

        return step

    add(turns, [outer("a"), outer("b")]).done.result(30)
    assert seen == ["a", "a0", "a1", "b", "b0", "b1"]


def test_a_failing_step_ends_its_job_and_no_other(turns: Turns) -> None:
    seen: list[str] = []

    def failing() -> list[Step]:
        raise ValueError("no")

    bad, good = add(turns, [failing, counted("bad", 1, seen)]), add(turns, [counted("good", 3, seen)])
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

    job, waiting = add(turns, [first, counted("next", 1, seen)]), add(turns, [counted("waiting", 1, seen)])
    assert begun.wait(30)
    turns.cancel(waiting.job)
    turns.cancel(job.job)
    assert isinstance(waiting.done.exception(0), GivenUp)
    assert not job.done.done()  # a step is still being done
    held.set()
    assert isinstance(job.done.exception(30), GivenUp)
    add(turns, [counted("after", 1, seen)]).done.result(30)
    assert seen == ["after"]


def windows(lengths: Sequence[int], seen: list[int]) -> Call:
    """A step that makes windows of these lengths, each seen when it has its logits."""

    def finish(length: int, logits: Floats) -> None:
        assert logits.shape == (length, 1)
        seen.append(length)

    return lambda: [Guest(np.zeros(length, np.int32), partial(finish, length)) for length in lengths]


def test_windows_of_one_length_share_a_call_and_whoever_came_first_has_the_first_turn() -> None:
    calls: list[tuple[int, ...]] = []
    held, begun = threading.Event(), threading.Event()

    def model(pieces: Sequence[Ids]) -> Floats:
        calls.append(np.shape(pieces))
        return zeros(pieces)

    def hold() -> list[Step]:
        begun.set()
        held.wait(30)
        return []

    turns, seen = Turns(1, Company(model)), list[int]()
    add(turns, [hold])
    assert begun.wait(30)
    lengths = ((5, 1), (7, 2), (5, 1), (9, 1), (7, 1))
    jobs = [add(turns, [windows([length] * many, seen)], quick=True) for length, many in lengths]
    jobs.append(add(turns, [windows([5, 11], seen), windows([5, 9], seen)], quick=True))
    turns.cancel(jobs[3].job)
    held.set()
    turns.close()
    assert isinstance(jobs.pop(3).done.exception(0), GivenUp)
    assert all(job.done.exception(0) is None for job in jobs)
    assert calls == [(3, 5), (3, 7), (1, 11), (1, 5), (1, 9)]
    assert seen == [5] * 3 + [7] * 3 + [11, 5, 9]


def test_quick_jobs_are_begun_before_the_others_and_have_no_turn_before_them_after_that(turns: Turns) -> None:
    seen, held = list[str](), threading.Event()

    def hold() -> list[Step]:
        held.wait(30)
        return []

    jobs = [add(turns, [hold], quick=True), add(turns, [counted("slow", 2, seen)])]
    jobs += [add(turns, [counted(name, 2, seen)], quick=True) for name in ("quick", "other")]
    held.set()
    for job in jobs:
        job.done.result(30)
    assert seen == ["quick", "other", "slow", "quick", "other", "slow"]


def test_a_cancelled_job_takes_its_windows_from_the_company() -> None:
    calls: list[int] = []
    held, running = threading.Event(), threading.Event()

    def model(pieces: Sequence[Ids]) -> Floats:
        calls.append(len(pieces))
        running.set()
        held.wait(30)
        return zeros(pieces)

    turns, seen = Turns(1, Company(model)), list[int]()
    first = add(turns, [windows([300, 300, 20], seen)])  # of this length each goes alone
    assert running.wait(30)
    turns.cancel(first.job)
    second = add(turns, [windows([300, 20], seen)])
    held.set()
    turns.close()
    assert isinstance(first.done.exception(0), GivenUp) and second.done.exception(0) is None
    assert calls == [1, 1, 1]


@given(
    jobs=st.lists(st.lists(st.lists(st.sampled_from([3, 4, 90, 300]), max_size=4), max_size=4), max_size=8),
    threads=st.integers(1, 4), cancelled=st.sets(st.integers(0, 7)),
)  # fmt: skip
def test_every_window_has_its_logits_once_and_every_job_one_end(
    jobs: list[list[list[int]]], threads: int, cancelled: set[int]
) -> None:
    turns, ends = Turns(threads, Company(zeros)), list[object]()
    seen: list[list[int]] = [[] for _ in jobs]
    added = [add(turns, [windows(lengths, seen[i]) for lengths in job], i % 2 == 0) for i, job in enumerate(jobs)]
    for i, job in enumerate(added):
        job.done.add_done_callback(ends.append)
        if i in cancelled:
            turns.cancel(job.job)
    turns.close()
    assert len(ends) == len(jobs) and all(job.done.done() for job in added)
    for i, job in enumerate(added):
        wanted = sorted(length for lengths in jobs[i] for length in lengths)
        if job.done.exception(0) is None:
            assert sorted(seen[i]) == wanted
        else:
            assert i in cancelled and len(seen[i]) <= len(wanted)


@given(jobs=st.lists(st.lists(st.integers(1, 4), max_size=4), max_size=8), threads=st.integers(1, 4))
def test_every_step_is_done_once_by_any_number_of_threads(jobs: list[list[int]], threads: int) -> None:
    turns = Turns(threads, Company(zeros))
    seen: list[str] = []
    added = [add(turns, [counted(str(i), steps, seen) for steps in job]) for i, job in enumerate(jobs)]
    turns.close()
    assert all(job.done.done() and job.done.exception(0) is None for job in added)
    assert sorted(seen) == sorted(str(i) for i, job in enumerate(jobs) for _ in range(sum(job)))
