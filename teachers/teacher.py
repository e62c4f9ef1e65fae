"""The seam: a teacher answers conversations. Whatever labels Documents stands behind these few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class Message(NamedTuple):
    """One turn: who speaks (`system`, `user`, `assistant`) and what is said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a teacher is asked about one document.

    `sample` numbers independent answers to the same question; `attempt` counts how often an answer that could not be
    used was asked for again, and `because` says why. `about` is the type asked about, where it is a single one.
    `form` is the `response_format` that its answer is to have, as JSON; empty for plain text.
    """

    id: str
    messages: tuple[Message, ...]
    sample: int = 0
    attempt: int = 0
    because: str = ""
    about: str = ""
    form: str = ""

    @property
    def billed(self) -> tuple[Message, ...]:
        """What counts as tokens in: servers put the form before the messages."""
        return (*self.messages, Message("system", self.form)) if self.form else self.messages


class FormRefused(Exception):
    """The server does not answer in the form that a conversation has; it was told so after so many `requests`."""

    def __init__(self, said: str, requests: int = 1) -> None:
        super().__init__(said)
        self.requests = requests


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the raw text and what it cost, or the error that explains why there is none.

    `finish` is the server's word for why it stopped (`stop`, `length`, `content_filter`); `thought` is reasoning that
    the server keeps apart from the answer; `source` says where the answer was found; `requests` were sent for it.
    """

    text: str = ""
    finish: str = ""
    thought: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost: float | None = None
    model: str = ""
    error: str = ""
    source: Literal["asked", "store", "recorded"] = "asked"
    requests: int = 0


class Teacher(Protocol):
    """Answers conversations, many at a time.

    An `error` in the Reply concerns one document. Raises TeacherError where no document can be answered any more.
    """

    @property
    def name(self) -> str:
        """Who labels, as it stands in the documents' meta."""

    async def answer(self, conversation: Conversation) -> Reply:
        """The reply to one conversation."""

    async def close(self) -> None:
        """Let go of connections and files."""


Script = Mapping[str, str | Reply] | Callable[[Conversation], str | Reply]


@dataclass
class ScriptedTeacher:
    """The seam's test double: answers by document id or by a function, and remembers what it was asked."""

    script: Script
    name: str = "scripted"
    asked: list[Conversation] = field(default_factory=list)
    closed: bool = False

    async def answer(self, conversation: Conversation) -> Reply:
        self.asked.append(conversation)
        if callable(self.script):
            said = self.script(conversation)
        else:
            said = self.script.get(conversation.id, Reply(error="the script has no answer for this document"))
        return Reply(text=said, finish="stop", requests=1) if isinstance(said, str) else said

    async def close(self) -> None:
        self.closed = True
