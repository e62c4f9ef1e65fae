"""Turns: a few threads that give every job in hand a step in turn, so that a long text never holds up a short one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

from students.company import Company, Guest

Step: TypeAlias = "Callable[[], Iterable[Step]] | Guest"
"""Work of a few milliseconds that gives the steps it made possible, or a window for the model."""
_Ended: TypeAlias = "tuple[Job, Sequence[Step], BaseException | None]"  # a step: what it made possible, or its error


class Job:
    """Steps that are ready, how many are not done, and whom to tell when all are, or of the error that ended them."""

    __slots__ = ("left", "over", "ready", "tell")

    def __init__(self, steps: Iterable[Step], tell: Callable[[BaseException | None], None]) -> None:
        self.ready: deque[Step] = deque(steps)
        self.left = len(self.ready)
        self.over: BaseException | None = None
        self.tell = tell


class GivenUp(Exception):
    """How a job ended that was cancelled."""


class Turns:
    """The threads and the ring of jobs. A job stands in the ring while it has steps ready.

    A window whose turn it is takes others of its length along. So a job whose first step is quick is begun before the
    ring has its turn, that its windows can be taken along too. Steps that a step made possible go before the job's
    others, so a text once begun is finished first.
    """

    def __init__(self, threads: int, company: Company) -> None:
        self._lock = threading.Lock()
        self._wanted, self._idle = threading.Condition(self._lock), 0
        self._quick: deque[Job] = deque()
        self._ring: deque[Job] = deque()
        self._company = company
        self._guests: dict[Guest, Job] = {}  # those that wait; whoever was taken along may be among the ready still
        self._open = True
        self._threads = [threading.Thread(target=self._work, name=f"turns-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def add(
        self, steps: Iterable[Callable[[], Iterable[Step]]], tell: Callable[[BaseException | None], None],
        quick: bool = False,
    ) -> Job:  # fmt: skip
        """A job that has begun to wait for its turns; `tell` is called once, by whichever thread ends it."""
        job = Job(steps, tell)
        if not job.ready:
            tell(None)
            return job
        with self._lock:
            (self._quick if quick else self._ring).append(job)
            self._wake(job.left)
        return job

    def cancel(self, job: Job) -> None:
        """Do no further step of the job; those being done come to their end."""
        with self._lock:
            if not job.left or job.over is not None:
                return
            self._give_up(job, GivenUp())
            idle = not job.left
        if idle:
            job.tell(job.over)

    def close(self) -> None:
        """Finish what is in hand, then let the threads go."""
        with self._lock:
            self._open = False
            self._wanted.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (turn := self._taken()) is not None:
            self._back(turn())

    def _taken(self) -> Callable[[], Sequence[_Ended]] | None:
        with self._lock:
            while True:
                while not (jobs := self._quick or self._ring):
                    if not self._open:
                        return None
                    self._idle += 1
                    self._wanted.wait()
                    self._idle -= 1
                job = jobs.popleft()
                step = self._next(job)
                if job.ready:
                    self._ring.append(job)
                if isinstance(step, Guest):
                    guests = {guest: self._guests.pop(guest) for guest in self._company.taken(step)}
                    return partial(self._together, guests)
                if step is not None:
                    return partial(_alone, job, step)

    def _next(self, job: Job) -> Step | None:
        """The first of the steps that are still to be done; a cancelled job has none."""
        while job.ready:
            step = job.ready.popleft()
            if not isinstance(step, Guest) or step in self._guests:
                return step
        return None

    def _together(self, guests: dict[Guest, Job]) -> Sequence[_Ended]:
        errors = self._company.run(list(guests))
        return [(job, (), error) for job, error in zip(guests.values(), errors, strict=True)]

    def _back(self, ended: Sequence[_Ended]) -> None:
        over = []
        with self._lock:
            for job, more, error in ended:
                job.left -= 1
                if error is not None and job.over is None:
                    self._give_up(job, error)
                elif more and job.over is None:
                    self._go_on(job, more)
                if not job.left:
                    over.append(job)
        for job in over:
            job.tell(job.over)

    def _go_on(self, job: Job, more: Sequence[Step]) -> None:
        for step in more:
            if isinstance(step, Guest):
                self._guests[step] = job
                self._company.add(step)
        if not job.ready:
            self._ring.append(job)
        job.ready.extendleft(reversed(more))
        job.left += len(more)
        self._wake(len(more) - 1)  # one of them is for this thread

    def _wake(self, threads: int) -> None:
        if self._idle and threads:
            self._wanted.notify(threads)

    def _give_up(self, job: Job, why: BaseException) -> None:
        job.over = why
        for step in job.ready:
            if not isinstance(step, Guest):
                job.left -= 1
            elif self._guests.pop(step, None):
                self._company.leave(step)
                job.left -= 1
        job.ready.clear()


def _alone(job: Job, step: Callable[[], Iterable[Step]]) -> Sequence[_Ended]:
    try:
        return [(job, list(step()), None)]
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the job
        return [(job, (), error)]
