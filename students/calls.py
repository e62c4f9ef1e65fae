"""Calls of the model: windows of equal length share one, unpadded, and each gets the bits it would get alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from students.decode import Floats
from students.encode import Ids

CALL = 512
"""Tokens a call takes at the most, unless one window has more."""

_SPECIAL = 2  # tokens of a window beside its pieces

Model = Callable[[Sequence[Ids]], Floats]
"""From the pieces of windows of one length to logits, shape (windows, pieces, tags)."""


def windows_of(length: int, most: int) -> int:
    """How many windows of so many pieces a call of at most `most` tokens takes."""
    return max(most // (length + _SPECIAL), 1)


class Call:
    """Windows of one length: their pieces, and what became of them once they were started."""

    __slots__ = ("found", "pieces")

    def __init__(self) -> None:
        self.pieces: list[Ids] = []
        self.found: Future[Floats] | Floats | None = None

    def over(self) -> bool:
        """Whether there are logits, or an error in their place."""
        found = self.found
        return found.done() if isinstance(found, Future) else found is not None


class Place:
    """Where a window's logits will be: a call and the window's number in it."""

    __slots__ = ("at", "call")

    def __init__(self, call: Call, at: int) -> None:
        self.call, self.at = call, at


class Calls:
    """Gathers windows by length and starts a call when it is full, when somebody needs it, or when told to.

    For one thread at a time. `pool` runs the calls, `threads` of them at once; without it they run where they start.
    """

    def __init__(self, model: Model, pool: Executor | None, threads: int, most: int = CALL) -> None:
        self._model, self._pool, self._threads, self._most = model, pool, threads, most
        self._open: dict[int, Call] = {}  # by length, in the order they were begun
        self._running: set[Future[Floats]] = set()

    def add(self, pieces: Ids) -> Place:
        """A window to be run in company."""
        length = len(pieces)
        call = self._open.get(length)
        if call is None:
            call = self._open[length] = Call()
        place = Place(call, len(call.pieces))
        call.pieces.append(pieces)
        if len(call.pieces) == windows_of(length, self._most):
            self._start(length)
        return place

    def logits(self, place: Place) -> Floats:
        """A window's logits, shape (pieces, tags); waits for them, and sees to it that the pool has work meanwhile."""
        call = place.call
        if call.found is None:
            self._start(len(call.pieces[0]), here=len(self._open) == 1 and not self._running)
        if isinstance(call.found, Future):
            if not call.found.done():
                self._fill()
            call.found = call.found.result()
        assert call.found is not None
        found: Floats = call.found[place.at]
        return found

    def start_oldest(self) -> None:
        """Start what has been gathered longest, though there is room for more."""
        if self._open:
            self._start(next(iter(self._open)))

    def no_more(self) -> None:
        """Nothing more will be added: start all, but for a last call, which whoever needs it can run as well."""
        while len(self._open) > (0 if self._running else 1):
            self.start_oldest()

    def drop(self) -> None:
        """Nobody waits any longer: forget what has not begun."""
        for future in tuple(self._running):
            future.cancel()

    def _fill(self) -> None:
        while self._open and len(self._running) < 2 * self._threads:
            self.start_oldest()

    def _start(self, length: int, here: bool = False) -> None:
        call = self._open.pop(length)
        if self._pool is None or here:
            call.found = self._model(call.pieces)
        else:
            call.found = self._pool.submit(self._model, call.pieces)
            self._running.add(call.found)
            call.found.add_done_callback(self._running.discard)
