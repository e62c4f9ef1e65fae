"""Transcripts: conversations as `rait build` writes them, read, checked, and turned into the messages of a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import InputError
from distill.files import open_lines, stem
from distill.jsonl import parse_line
from teachers.conversations import GPT, HUMAN, Turn, assistant_answers, text_shown
from teachers.teacher import Message

ROLES = {"system": "system", HUMAN: "user", GPT: "assistant"}


@dataclass(frozen=True, slots=True)
class Transcript:
    """One conversation, the turn that shows its text, which turns are answers to learn, and where it stands."""

    id: str
    text: str
    messages: tuple[Message, ...]
    answers: tuple[int, ...]
    path: Path
    line: int

    def error(self, why: str) -> InputError:
        return InputError(f"conversation {self.id!r}: {why}", path=self.path, line=self.line)


def messages_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Turns as a teacher is asked them."""
    return tuple(Message(ROLES[turn["from"]], turn["value"]) for turn in turns)


def read_transcripts(paths: Sequence[Path], every_turn: bool = False) -> Iterator[Transcript]:
    """The conversations of JSONL files, one a line; what is no conversation is an InputError with its place.

    Answers are what the assistant says, without "I've read this text." and its like unless `every_turn` is to count.
    """
    for path in paths:
        for number, line in open_lines(path):
            if line.strip():
                yield _transcript(parse_line(line, path, number), path, number, every_turn)


def _transcript(row: dict[str, Any], path: Path, line: int, every_turn: bool) -> Transcript:
    identity, turns = row.get("id", f"{stem(path)}-{line}"), row.get("conversations")
    good = isinstance(turns, list) and turns and all(_is_turn(turn) for turn in turns)
    if not good or isinstance(identity, bool) or not isinstance(identity, str | int):
        shape = '{"id": ..., "conversations": [{"from": "human" or "gpt", "value": "..."}, ...]}'
        raise InputError(f"a conversation is {shape}", path=path, line=line)
    assert isinstance(turns, list)
    said = [at for at, turn in enumerate(turns) if turn["from"] == GPT]
    found = Transcript(
        str(identity), text_shown(turns), messages_of(turns),
        tuple(said if every_turn else assistant_answers(turns)), path, line,
    )  # fmt: skip
    if not found.answers:
        raise found.error("nothing in it is an answer, so nothing of it would be learnt; leave it out")
    return found


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("from") in ROLES and isinstance(turn.get("value"), str)
