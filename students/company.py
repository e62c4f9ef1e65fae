"""Company: windows of many questions that share a call of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from students.calls import windows_of
from students.decode import Floats
from students.encode import Ids

MOST = 256
"""Tokens a call takes at the most, unless one window has more: some ten milliseconds, for which others wait."""

Model = Callable[[Sequence[Ids]], Floats]
"""From the pieces of windows of one length to logits, shape (windows, pieces, tags)."""


class Guest:
    """A window that waits for its logits, and what becomes of them, shape (pieces, tags)."""

    __slots__ = ("finish", "pieces")

    def __init__(self, pieces: Ids, finish: Callable[[Floats], None]) -> None:
        self.pieces, self.finish = pieces, finish


class Company:
    """The windows that wait, by length. For one thread at a time, but for `run`.

    `most` is 0 where each window is to go alone.
    """

    def __init__(self, model: Model, most: int = MOST) -> None:
        self._model, self._most = model, most
        self._waiting: dict[int, dict[Guest, None]] = {}  # that which waits longest first

    def add(self, guest: Guest) -> None:
        """A window that waits from now on."""
        self._waiting.setdefault(len(guest.pieces), {})[guest] = None

    def leave(self, guest: Guest) -> None:
        """The window waits no longer."""
        length = len(guest.pieces)
        waiting = self._waiting[length]
        del waiting[guest]
        if not waiting:
            del self._waiting[length]

    def taken(self, guest: Guest) -> list[Guest]:
        """A window and those of its length that wait longest, as many as a call takes; they wait no longer."""
        length = len(guest.pieces)
        self.leave(guest)
        found = [guest, *islice(self._waiting.get(length, ()), windows_of(length, self._most) - 1)]
        for each in found[1:]:
            self.leave(each)
        return found

    def run(self, guests: Sequence[Guest]) -> list[BaseException | None]:
        """The guests' call, and what they make of it: for each the error that it met, if any."""
        try:
            found = self._model([guest.pieces for guest in guests])
        except BaseException as error:  # noqa: BLE001 - each of them hears of it
            return [error] * len(guests)
        return [_finished(*pair) for pair in zip(guests, found, strict=True)]


def _finished(guest: Guest, logits: Floats) -> BaseException | None:
    try:
        guest.finish(logits)
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        return error
    return None
