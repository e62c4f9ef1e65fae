"""Remembering: a teacher that looks into the store before it asks, and stores before it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from teachers.store import Request, Store
from teachers.teacher import Conversation, Reply, Teacher


class Remembering:
    """`teacher` with a memory: what was answered once is not asked again, not even by two documents at once."""

    def __init__(self, teacher: Teacher, store: Store, request_of: Callable[[Conversation], Request]) -> None:
        self._teacher, self._store, self._request_of = teacher, store, request_of
        self._asking: dict[tuple[str, int, int], asyncio.Lock] = {}

    @property
    def name(self) -> str:
        return self._teacher.name

    def recall(self, conversation: Conversation) -> Reply | None:
        """The stored answer, without asking."""
        return self._store.find(self._request_of(conversation), conversation)

    async def answer(self, conversation: Conversation) -> Reply:
        request = self._request_of(conversation)
        place = (request.key, conversation.sample, conversation.attempt)
        lock = self._asking.setdefault(place, asyncio.Lock())
        try:
            async with lock:
                return self._store.find(request, conversation) or await self._ask(request, conversation)
        finally:
            if not lock.locked():
                self._asking.pop(place, None)

    async def _ask(self, request: Request, conversation: Conversation) -> Reply:
        reply = await self._teacher.answer(conversation)
        await self._store.keep(request, conversation, reply)
        return replace(reply, source="asked")

    async def close(self) -> None:
        await self._teacher.close()
        self._store.close()
