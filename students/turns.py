"""Turns: a few threads that give every job in hand a step in turn, so that a long text never holds up a short one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeAlias

Step: TypeAlias = "Callable[[], Iterable[Step]]"
"""A piece of work of a few milliseconds; it gives the steps that it made possible."""


class Job:
    """Steps that are ready, how many are being done, and `done`, which is settled when there are none of either."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.ready: deque[Step] = deque(steps)
        self.running = 0
        self.over: BaseException | None = None
        self.done: Future[None] = Future()

    def settle(self) -> None:
        """Tell whoever waits."""
        if self.over is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(self.over)


class GivenUp(Exception):
    """How a job ended that was cancelled."""


class Turns:
    """The threads and the ring of jobs. A job stands in the ring while it has steps ready.

    Steps that a step made possible go before the job's others, so a text once begun is finished first.
    """

    def __init__(self, threads: int) -> None:
        self._lock = threading.Condition()
        self._ring: deque[Job] = deque()
        self._open = True
        self._threads = [threading.Thread(target=self._work, name=f"turns-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def add(self, steps: Iterable[Step]) -> Job:
        """A job that has begun to wait for its turns."""
        job = Job(steps)
        if not job.ready:
            job.settle()
            return job
        with self._lock:
            self._ring.append(job)
            self._lock.notify(len(job.ready))
        return job

    def cancel(self, job: Job) -> None:
        """Do no further step of the job; those being done come to their end."""
        with self._lock:
            if job.done.done() or job.over is not None:
                return
            job.over = GivenUp()
            job.ready.clear()
            idle = not job.running
        if idle:
            job.settle()

    def close(self) -> None:
        """Finish what is in hand, then let the threads go."""
        with self._lock:
            self._open = False
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._taken()) is not None:
            job, step = taken
            try:
                more = list(step())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the job
                self._back(job, [], error)
            else:
                self._back(job, more, None)

    def _taken(self) -> tuple[Job, Step] | None:
        with self._lock:
            while True:
                while not self._ring:
                    if not self._open:
                        return None
                    self._lock.wait()
                job = self._ring.popleft()
                if job.ready:  # a cancelled job has none
                    step = job.ready.popleft()
                    job.running += 1
                    if job.ready:
                        self._ring.append(job)
                    return job, step

    def _back(self, job: Job, more: list[Step], error: BaseException | None) -> None:
        with self._lock:
            job.running -= 1
            if error is not None and job.over is None:
                job.over = error
                job.ready.clear()
            elif more and job.over is None:
                if not job.ready:
                    self._ring.append(job)
                job.ready.extendleft(reversed(more))
                self._lock.notify(len(more))
            ended = not job.ready and not job.running
        if ended:
            job.settle()
