"""Company: windows of many questions that share a call of the model, run by whichever thread comes first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from students.decode import Floats
from students.encode import Ids

MOST = 256
"""Pieces a call takes at the most, unless one window has more: some ten milliseconds, for which others wait."""

Model = Callable[[Sequence[Ids]], Floats]
"""From the pieces of windows of one length to logits, shape (windows, pieces, tags)."""


class Guest:
    """A window that waits for its logits."""

    __slots__ = ("found", "pieces")

    def __init__(self, pieces: Ids) -> None:
        self.pieces = pieces
        self.found: Future[Floats] = Future()


class Company:
    """The windows that wait, by length. For any number of threads; `most` is 0 where each window is to go alone."""

    def __init__(self, model: Model, most: int = MOST) -> None:
        self._model, self._most = model, most
        self._lock = threading.Lock()
        self._waiting: dict[int, list[Guest]] = {}  # by length, that which waits longest first

    def add(self, pieces: Ids) -> Guest:
        """A window that waits from now on."""
        guest = Guest(pieces)
        with self._lock:
            self._waiting.setdefault(len(pieces), []).append(guest)
        return guest

    def logits(self, guest: Guest) -> Floats:
        """A window's logits, shape (pieces, tags). Runs its call, or others' while another thread runs that."""
        while not guest.found.done():
            taken = self._taken(guest)
            if not taken:
                break
            self._run(taken)
        return guest.found.result()

    def leave(self, guest: Guest) -> None:
        """Nobody waits for this window any longer."""
        with self._lock:
            waiting = self._waiting.get(len(guest.pieces), [])
            if guest in waiting:
                waiting.remove(guest)
                if not waiting:
                    del self._waiting[len(guest.pieces)]

    def _taken(self, guest: Guest) -> list[Guest]:
        """Windows to run now: those of the guest's length where it waits among them, otherwise the longest waiting."""
        with self._lock:
            if not self._waiting:
                return []
            length = len(guest.pieces)
            if guest not in self._waiting.get(length, ()):
                length = next(iter(self._waiting))
            waiting = self._waiting.pop(length)
            many = max(self._most // length, 1)
            taken, rest = waiting[:many], waiting[many:]
            if guest in rest:
                taken, rest = [guest, *taken[1:]], [taken[0], *[each for each in rest if each is not guest]]
            if rest:
                self._waiting[length] = rest
            return taken

    def _run(self, taken: list[Guest]) -> None:
        try:
            found = self._model([guest.pieces for guest in taken])
        except BaseException as error:  # noqa: BLE001 - each of those who wait hears of it
            for guest in taken:
                guest.found.set_exception(error)
            return
        for guest, logits in zip(taken, found, strict=True):
            guest.found.set_result(logits)
