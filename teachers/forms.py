"""Forms: the JSON schema that a server may hold its answers to, how such an answer is read, and servers that refuse.

OpenAI, vLLM, llama.cpp, Ollama and others take `response_format` with a JSON schema; OpenAI's strict ones want an
object at the top, every property required and no others. Some servers refuse it, each in words of its own, and some
ignore it and say nothing: so an answer is read as any other, whatever it was to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from distill.errors import TeacherError
from distill.labels import LabelSet
from teachers.choice import Shape
from teachers.teacher import Conversation, FormRefused, Reply

ALONE = ("standard", "open", "definition", "conversation")
"""Prompts that ask for the result alone. Others leave room for thoughts, which a form moves into a string."""

_TEXTS = {"type": "array", "items": {"type": "string"}}
_NAMED = re.compile(r"response.?format|json.?schema|structured.?output|guided|grammar", re.IGNORECASE)
_ELSE = re.compile(r"context.(?:length|window)|too (?:long|large)|maximum.*tokens|content.?(?:filter|policy)", re.I)


def form_of(prompt: str, shape: Shape, labels: LabelSet | None) -> str:
    """What goes to the server as `response_format`, as JSON; equal calls give equal text."""
    result = _result(shape, labels)
    if shape == "dictionary" and prompt not in ALONE:
        result = _object({"reasoning": {"type": "string"}, "result": result})
    schema = {"name": "entities", "strict": True, "schema": result}
    return json.dumps({"type": "json_schema", "json_schema": schema}, ensure_ascii=True)


def _result(shape: Shape, labels: LabelSet | None) -> dict[str, Any]:
    if shape == "dictionary" and labels is not None:
        return _object(dict.fromkeys(labels.ids, _TEXTS))
    if shape == "names":
        return _object({"mentions": _TEXTS})
    pair = _object({"mention": {"type": "string"}, "type": {"type": "string"}})
    return _object({"entities": {"type": "array", "items": pair}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def opened(reply: Reply) -> Reply:
    """The reply as the prompt asked for it, taken out of the form; any other reply as it is."""
    if not reply.text.lstrip().startswith("{"):
        return reply
    value: Any = None
    with suppress(ValueError, RecursionError):
        value = json.loads(reply.text)
    if not isinstance(value, dict):
        return reply
    if set(value) == {"reasoning", "result"} and isinstance(value["result"], dict):
        thought = "\n".join(part for part in (reply.thought.strip(), str(value["reasoning"]).strip()) if part)
        return replace(reply, text=_dumped(value["result"]), thought=thought)
    for name in ("entities", "mentions"):
        if set(value) == {name} and isinstance(value[name], list):
            return replace(reply, text=_dumped([_paired(item) for item in value[name]]))
    return reply


def _paired(item: Any) -> Any:
    """`{"mention": m, "type": t}` as the prompts have it, `{m: t}`."""
    if isinstance(item, dict) and set(item) == {"mention", "type"} and isinstance(item["mention"], str):
        return {item["mention"]: item["type"]}
    return item


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def refuses(status: int, said: str) -> bool:
    """Whether an error is about the form: it names it, and does not name what is usual with plain requests too."""
    return status in (400, 404, 422, 500, 501) and bool(_NAMED.search(said)) and not _ELSE.search(said)


class Remembers(Protocol):
    """A teacher behind a store."""

    @property
    def name(self) -> str: ...

    async def answer(self, conversation: Conversation) -> Reply: ...

    async def close(self) -> None: ...

    def recall(self, conversation: Conversation) -> Reply | None:
        """The stored answer, without asking."""


class Formal:
    """A teacher that is asked for its form until its server refuses it, and in plain words from then on.

    `refused` is what the server said to an earlier run; `note` keeps what it says now. Where the form is `required`, a
    refusal is a TeacherError. An answer that the store has in either way is not asked for again.
    """

    def __init__(self, teacher: Remembers, refused: str, note: Callable[[str], None], *, required: bool) -> None:
        self._teacher, self._note, self._required = teacher, note, required
        self.refused = "" if required else refused

    @property
    def name(self) -> str:
        return self._teacher.name

    async def answer(self, conversation: Conversation) -> Reply:
        if not conversation.form:
            return await self._teacher.answer(conversation)
        plain, wasted = replace(conversation, form=""), 0
        known = self._teacher.recall(conversation) or (None if self._required else self._teacher.recall(plain))
        if known is not None:
            return known
        if not self.refused:
            try:
                return await self._teacher.answer(conversation)
            except FormRefused as refusal:
                wasted = refusal.requests
                self._give_up(refusal)
        reply = await self._teacher.answer(plain)
        return replace(reply, requests=reply.requests + wasted)

    def _give_up(self, refusal: FormRefused) -> None:
        if self._required:
            raise TeacherError(f"the server refuses the form ({refusal}); give --structured auto or off") from None
        if not self.refused:  # many requests are under way when the first is refused
            self.refused = str(refusal)
            self._note(self.refused)

    async def close(self) -> None:
        await self._teacher.close()
