"""Threads that work side by side inside this process, each on its own cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Team:
    """The calling thread and `count - 1` more; PyTorch runs an operator on `cores` cores in each.

    PyTorch lets go of Python's lock while an operator runs, so they do run at once. Grad mode and autocast belong to a
    thread: a job has to enter them itself. A context: inside it the caller's operators keep to their cores too, and
    afterwards the threads are gone.
    """

    def __init__(self, count: int, cores: int) -> None:
        self.count, self.cores = count, cores
        self._others = ThreadPoolExecutor(count - 1, "share", torch.set_num_threads, (cores,)) if count > 1 else None

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self.cores)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before)
        if self._others is not None:
            self._others.shutdown()

    def map(self, job: Callable[[int], Result]) -> list[Result]:
        """`job(0)` in the calling thread, `job(1)`, ... in one each of the others; their results in this order.

        An error is raised when all are done, that of the lowest number.
        """
        if self._others is None:
            return [job(0)]
        given = [self._others.submit(job, number) for number in range(1, self.count)]
        try:
            first = job(0)
        finally:
            wait(given)
        return [first, *(each.result() for each in given)]


ALONE = Team(1, 1)
"""The calling thread as it is, as long as nobody enters it."""
