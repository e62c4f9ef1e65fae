"""The bell by which threads tell an event loop that something ended: many ends, one waking."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class Bell:
    """Rung by any thread; the loop then settles the futures it was rung for, each with the error it was given."""

    def __init__(self) -> None:
        self._ended: deque[tuple[asyncio.Future[None], BaseException | None]] = deque()
        self._rung = False

    def ring(self, future: asyncio.Future[None], error: BaseException | None = None) -> None:
        """Settle a future from another thread; nothing happens to one that is settled already.

        Waking a sleeping loop costs a call of the system, so a loop that was told and has not looked yet is left to it.
        """
        self._ended.append((future, error))
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # the loop is closed: the service was stopped in a hurry, and nobody waits
                future.get_loop().call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._rung = False  # before looking: whoever rings from here on wakes the loop once more
        while self._ended:
            future, error = self._ended.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
