"""Patience: how long to wait before a failed request is sent again, and how many may be under way at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `longest` seconds, half of each by chance so that clients do not march in step.

    A server that names a time is asked no sooner, and not later than `obeyed` seconds.
    """

    first: float = 0.5
    longest: float = 60.0
    obeyed: float = 600.0

    def wait(self, tried: int, random: Random, told: float | None = None) -> float:
        """Seconds to wait after `tried` failures."""
        own = min(self.longest, self.first * 2.0 ** min(tried - 1, 30)) * (0.5 + 0.5 * random.random())
        if told is None:
            return own
        return min(told, self.obeyed) + random.random() * min(1.0, own)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(ValueError):
            seconds = float(headers.get(name, "")) * scale
            if 0.0 <= seconds < float("inf"):
                return seconds
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)


class Throttle:
    """At most `most` requests under way: fewer after the server complained, slowly more again while it does not.

    A complaint takes a quarter of the limit away, but once a second only, since one burst brings many complaints.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.most, self.limit, self.busy = most, float(most), 0
        self._clock, self._complained = clock, float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free place, and give it back at the end."""
        if self.busy >= int(self.limit) or self._waiting:
            await self._queue()
        else:
            self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1
            self._admit()

    async def _queue(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the place had been given already
                self.busy -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self.busy < int(self.limit):
            future = self._waiting.popleft()
            if not future.done():
                self.busy += 1
                future.set_result(None)

    def complained(self) -> None:
        """The server said it was too much."""
        if self._clock() - self._complained >= 1.0:
            self._complained = self._clock()
            self.limit = max(1.0, self.limit * 0.75)

    def served(self) -> None:
        """An answer came; a whole round of answers makes room for one more request."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)
        self._admit()
