"""Answers: what a teacher's raw text says, as mentions in order, or why it says nothing that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from distill.alignment import Mention
from distill.errors import NerDistillError

Shape = Literal["dictionary", "list"]


class UnparsedAnswer(NerDistillError):
    """The answer holds no dictionary or list that could be read; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Mentions in the order of the answer, repeats included; what was mended; the text that came before.

    A `truncated` answer gives the mentions that were complete; it is never the whole answer.
    """

    mentions: tuple[Mention, ...]
    notes: tuple[str, ...] = ()
    reasoning: str = ""
    truncated: bool = False


def parse_answer(text: str, shape: Shape) -> Answer:
    """The last dictionary (type to mentions) or list (of `{mention: type}`) of an answer.

    Raises UnparsedAnswer where there is none; an empty dictionary is an answer, an empty text is not.
    """
    raise UnparsedAnswer("the answer is empty")
