"""Replay: recorded completions, read by document id. It asks nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from distill.errors import InputError
from distill.files import open_lines, stem
from distill.jsonl import parse_line
from teachers.teacher import Conversation, Reply


class ReplayTeacher:
    """Answers from a JSONL file of `{"id": ..., "response": ...}`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._answers = read_responses(path)

    @property
    def name(self) -> str:
        return f"replay:{self.path.name}"

    async def answer(self, conversation: Conversation) -> Reply:
        said = self._answers.get(conversation.id, Reply(error=f"no recorded answer for this id in {self.path.name}"))
        return replace(Reply(text=said, finish="stop") if isinstance(said, str) else said, source="recorded")

    def of_none(self, ids: Container[str]) -> list[str]:
        """The recorded answers that belong to no document of these ids; `a#2` is the second chunk of `a`."""
        return [each for each in self._answers if each not in ids and each.rpartition("#")[0] not in ids]

    async def close(self) -> None:
        """Nothing to let go of."""


def read_responses(path: str | Path) -> dict[str, str | Reply]:
    """Completions by document id.

    A row that carries its own text needs no id: it has the one that the reader of documents would give it. What is
    wrong with one answer concerns its document alone: a response that is no string, or two that differ. Any other
    line that is no object with an id stops the reading, for nobody knows whose answer it was.
    """
    answers: dict[str, str | Reply] = {}
    for number, line in open_lines(path):
        if not line.strip():
            continue
        row = parse_line(line, path, number)
        identity, response = row.get("id"), row.get("response")
        if identity is None and isinstance(row.get("text"), str):
            identity = f"{stem(path)}-{number}"
        if not isinstance(identity, str | int) or isinstance(identity, bool):
            raise InputError('a recorded answer is {"id": ..., "response": "..."}', path=path, line=number)
        said = response if isinstance(response, str) else Reply(error=f"line {number}: the response is no string")
        if answers.setdefault(str(identity), said) != said:
            answers[str(identity)] = Reply(error=f"line {number}: a second response for this id, and a different one")
    return answers
