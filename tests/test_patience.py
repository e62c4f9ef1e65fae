"""Adaptive concurrency: fewer requests at once after a complaint, more again without one, never more than allowed."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from chat_server import KEY, serving

from teachers.chat import ChatTeacher, Clock, Endpoint
from teachers.patience import Backoff, Throttle
from teachers.teacher import Conversation, Message

MOST = 32


class Hurry(selectors.DefaultSelector):
    """Nobody waits: the time that the loop would have slept passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


def in_virtual_time(work: Callable[[Callable[[], float]], Coroutine[Any, Any, None]]) -> float:
    """Run the work; returns how long it would have taken."""
    hurry = Hurry()
    loop = asyncio.SelectorEventLoop(hurry)
    loop.time = lambda: hurry.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(asyncio.wait_for(work(loop.time), 1e6))
        return hurry.now
    finally:
        loop.close()


@pytest.mark.parametrize("capacity", [5, 12, 31, 100])
def test_a_server_that_can_take_less_is_given_less_and_no_more_than_that_for_long(capacity: int) -> None:
    seen: list[tuple[float, int, bool]] = []  # when each request began, how many were under way, whether it was refused
    under_way = 0

    async def work(clock: Callable[[], float]) -> None:
        throttle, chance, backoff = Throttle(MOST, clock), random.Random(3), Backoff()

        async def ask() -> None:
            nonlocal under_way
            tried = 0
            while True:
                tried += 1
                async with throttle.turn():
                    under_way += 1
                    refused = under_way > capacity
                    seen.append((clock(), under_way, refused))
                    await asyncio.sleep(0.05 if refused else 1.0)
                    under_way -= 1
                if not refused:
                    throttle.served()
                    return
                throttle.complained()
                await asyncio.sleep(backoff.wait(tried, chance))

        await asyncio.gather(*(ask() for _ in range(rounds * usable)))

    usable, rounds = min(capacity, MOST), 60
    took = in_virtual_time(work)
    assert max(number for _, number, _ in seen) <= MOST
    assert rounds / took >= 0.7, "the server had time to spare"
    later = [refused for moment, _, refused in seen if moment > took / 2]
    assert sum(later) <= 0.25 * len(later)


def test_a_burst_of_complaints_brings_it_down_and_answers_bring_it_up_again() -> None:
    busy, limits = 0, []
    complaining = range(60, 120)

    async def work(clock: Callable[[], float]) -> None:
        nonlocal busy
        throttle, number = Throttle(16, clock), 0

        async def ask() -> None:
            nonlocal busy, number
            async with throttle.turn():
                busy, number = busy + 1, number + 1
                mine = number
                limits.append(busy)
                await asyncio.sleep(1.0)
                busy -= 1
            (throttle.complained if mine in complaining else throttle.served)()

        await asyncio.gather(*(ask() for _ in range(600)))

    in_virtual_time(work)
    assert max(limits[:60]) == 16
    assert max(limits[115:125]) <= 8
    assert max(limits[-100:]) == 16 == max(limits)


def test_the_client_asks_less_at_once_after_429_and_loses_no_document() -> None:
    crowd: list[int] = []

    def fault(number: int, text: str) -> str | None:
        crowd.append(server.busy)
        return "429" if 30 <= number < 50 else None

    moments = iter(range(10**9))  # every look at the clock is a second later: no complaint is one of a burst
    clock = Clock(
        sleep=lambda seconds: asyncio.sleep(0.002), steady=lambda: float(next(moments)), random=random.Random(1)
    )

    async def ask(url: str) -> list[str]:
        teacher = ChatTeacher(Endpoint("loopback", url, concurrency=12), KEY, clock)
        try:
            asked = [Conversation(str(n), (Message("user", f"<text>\nAnn {n}\n</text>"),)) for n in range(100)]
            return [reply.error for reply in await asyncio.gather(*map(teacher.answer, asked))]
        finally:
            await teacher.close()

    with serving(fault=fault, delay=0.02) as server:
        assert set(asyncio.run(ask(server.url))) == {""}
        assert len(server.bodies) == 120
        assert server.busiest <= 12
    assert max(crowd[45:60]) < max(crowd[:30])
