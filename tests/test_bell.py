"""The bell: whatever threads ring for is settled once, in the loop, however many wakings that takes."""

from __future__ import annotations

import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from students.bell import Bell


@given(st.integers(1, 4), st.integers(1, 50))
def test_every_future_that_threads_ring_for_is_settled(threads: int, each: int) -> None:
    async def main() -> None:
        bell, loop = Bell(), asyncio.get_running_loop()
        futures: list[asyncio.Future[None]] = [loop.create_future() for _ in range(threads * each)]

        def ring(first: int) -> None:
            for future in futures[first::threads]:
                bell.ring(future)

        ringers = [threading.Thread(target=ring, args=(number,)) for number in range(threads)]
        for ringer in ringers:
            ringer.start()
        await asyncio.wait_for(asyncio.gather(*futures), 30)
        for ringer in ringers:
            ringer.join()

    asyncio.run(main())


def test_an_error_is_handed_on_and_who_no_longer_waits_is_left_alone() -> None:
    async def main() -> None:
        bell, loop = Bell(), asyncio.get_running_loop()
        gone, bad, good = (loop.create_future() for _ in range(3))
        gone.cancel()
        bell.ring(gone)
        bell.ring(bad, ValueError("no"))
        bell.ring(good)
        found = await asyncio.wait_for(asyncio.gather(bad, good, return_exceptions=True), 30)
        assert isinstance(found[0], ValueError) and found[1] is None and gone.cancelled()

    asyncio.run(main())
