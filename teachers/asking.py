"""Asking: a document becomes one conversation, or one for each chunk of it, and their answers one row."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from distill.document import Document
from teachers.chunks import Chunk
from teachers.intake import BadLine
from teachers.merging import merged
from teachers.roster import Lesson
from teachers.rows import Heard, Row, rejected_line
from teachers.teacher import Conversation, Reply

Asked = tuple[Row, list[Reply]]
"""What became of a document, and the replies that it took."""

GRACE = 12.0  # seconds for the chunks of a stopped document: their requests are paid for and have ten

T = TypeVar("T")

_AFTERTHOUGHT = re.compile(r" \((?:tried \d+ times|chunk \d+ of \d+|asked about '[^']*')\)")


def cause_of(reason: str) -> str:
    """The reason of a rejected document without what is particular to the document."""
    return _AFTERTHOUGHT.sub("", reason)


@dataclass
class Asking:
    """Asks about documents. An answer that cannot be used is asked for again, `attempts` times in all at most."""

    lesson: Lesson
    attempts: int
    stopping: bool = False
    """Set by who ends the run: nothing is asked again."""

    async def about(self, item: Document | BadLine) -> Asked:
        """The row of a document; raises what the teacher raises where it cannot go on."""
        if isinstance(item, BadLine):
            return rejected_line(item), []
        if not item.text.strip():
            return self.lesson.reader.blank(item), []
        chunks = self.lesson.divide(item.text)
        if len(chunks) == 1 and chunks[0].text == item.text:
            return await self._passage(item)
        return await self._passages(item, chunks)

    async def _passage(self, document: Document) -> Asked:
        """All questions about a passage at once; most prompts have a single one."""
        conversations = self.lesson.ask(document)
        if len(conversations) == 1:
            answered = [await self._answered(conversations[0])]
        else:
            answered = await _together([self._answered(each) for each in conversations])
        row = self.lesson.reader.read(document, [heard for heard, _ in answered])
        return row, [reply for _, replies in answered for reply in replies]

    async def _answered(self, conversation: Conversation) -> tuple[Heard, list[Reply]]:
        """What was heard at last, and all replies on the way there."""
        replies: list[Reply] = []
        while True:
            reply = await self.lesson.teacher.answer(conversation)
            replies.append(reply)
            heard = self.lesson.reader.heard(reply, conversation.about)
            final = not heard.kind or reply.error or reply.source == "recorded"
            if final or conversation.attempt + 1 >= self.attempts:
                return heard, replies
            if self.stopping:  # the answer is in the store; asking again is for the next run
                raise asyncio.CancelledError
            conversation = replace(conversation, attempt=conversation.attempt + 1, because=heard.reason)

    async def _passages(self, document: Document, chunks: Sequence[Chunk]) -> Asked:
        """All chunks at once."""
        passages = [Document(f"{document.id}#{number}", chunk.text) for number, chunk in enumerate(chunks, 1)]
        asked = await _together([self._passage(passage) for passage in passages])
        return merged(document, chunks, [row for row, _ in asked]), [reply for _, replies in asked for reply in replies]


async def _together(parts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All parts at once; the first that finds the teacher at its end stops the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        return [task.result() for task in tasks if task.done()]
    finally:
        await _ended([task for task in tasks if not task.done()])
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # seen: one error of many is raised


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE)
