"""Dialogue: how a conversation becomes the tokens of one model, and which of them are its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from distill.errors import InputError, NerDistillError
from teachers.teacher import Message

TEMPLATES = ("auto", "plain")

PLAIN = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}ASSISTANT: {{ message['content'] }}{{ eos_token }}\n"
    "{% elif message['role'] == 'user' %}USER: {{ message['content'] }}\n"
    "{% else %}{{ message['content'] }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""Ours, for a base that brings none: Vicuna's words, as UniNER had them. What an answer begins with is no token's
middle, and it ends with the tokenizer's own end of text."""

NO_LOSS = -100  # torch's word for a token that is not learnt
_PROBE = tuple(
    Message(*turn) for turn in (
        ("user", "Text: a"), ("assistant", "read"), ("user", "b?"), ("assistant", "[]"), ("user", "c?"),
        ("assistant", '["a"]'),
    )
)  # fmt: skip
"""A conversation of several questions: what a template does to it, it does to all that `rait build` writes."""

_JOINS = "the tokenizer joins an answer with what comes before it"


class Unsayable(NerDistillError):
    """A conversation that this model's tokens cannot carry as it is; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A conversation as ids, and what is learnt of it: the ids of the answers and their stop tokens, else NO_LOSS."""

    ids: list[int]
    labels: list[int]


class Dialogue:
    """A tokenizer and its chat template: the base's own, or `plain`, ours, which stands in where there is none."""

    def __init__(self, tokenizer: Any, template: str = "auto", source: str = "the model") -> None:
        self.tokenizer = tokenizer
        if template == "plain" or not tokenizer.chat_template:
            tokenizer.chat_template = PLAIN
        self.own = tokenizer.chat_template != PLAIN
        if not self.own and tokenizer.eos_token_id is None:
            raise InputError("its tokenizer has no end-of-text token, so an answer would never stop", path=source)
        special = {n: token.content for n, token in tokenizer.added_tokens_decoder.items() if token.special}
        special |= dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        self._special = special
        words = sorted(special.values(), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, words)) or "(?!)")
        try:
            self.stop = self._stop()
            self.encode(_PROBE, (1, 3, 5))
        except Unsayable as error:
            raise InputError(f"{error}; --template plain is ours", path=source) from None

    @property
    def pad(self) -> int:
        """What fills a short row; it is masked wherever it stands."""
        found = self.tokenizer.pad_token_id
        return int(self.stop if found is None else found)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The ids up to where the model is to answer. Raises Unsayable."""
        self._check(messages)
        return self._ids(self._rendered(messages, True))

    def encode(self, messages: Sequence[Message], answers: Iterable[int]) -> Encoded:
        """A whole conversation; `answers` are the turns to learn.

        What comes before an answer is cut exactly as it will be when the model is asked, or Unsayable is raised.
        """
        self._check(messages)
        turns = list(answers)
        whole, openings = self._rendered(messages, False), [self._rendered(messages[:turn], True) for turn in turns]
        for turn, opening in zip(turns, openings, strict=True):
            self._check_answer(whole, opening, messages[turn].content.strip())
        ids, *befores = self.tokenizer([whole, *openings], add_special_tokens=False)["input_ids"]
        labels = [NO_LOSS] * len(ids)
        for before in befores:
            if ids[: len(before)] != before:
                raise Unsayable(_JOINS)
            end = ids.index(self.stop, len(before)) + 1
            labels[len(before) : end] = ids[len(before) : end]
        return Encoded(ids, labels)

    def _check_answer(self, whole: str, opening: str, answer: str) -> None:
        """Behind the opening stand the answer as it is and the stop token; a template may put white space between."""
        if not whole.startswith(opening):
            raise Unsayable("the chat template writes what comes before an answer otherwise once it is answered")
        rest = whole[len(opening) :].lstrip()
        if not rest.startswith(answer):
            raise Unsayable("the chat template adds words of its own to an answer, or changes it")
        if not rest[len(answer) :].lstrip().startswith(self._special[self.stop]):
            raise Unsayable("the chat template does not end every answer with its own token")

    def text(self, ids: Sequence[int]) -> str:
        """What the model said, without its stop token."""
        said = list(ids[:-1] if ids and ids[-1] == self.stop else ids)
        return str(self.tokenizer.decode(said, skip_special_tokens=True)).strip()

    def _check(self, messages: Sequence[Message]) -> None:
        """A text that holds a control token would be read as the turn of somebody else."""
        for message in messages:
            found = self._control.search(message.content)
            if found:
                raise Unsayable(f"the text holds {found.group()!r}, a control token of this model")

    def _stop(self) -> int:
        """The token that ends an answer, as the template writes it."""
        asked = (Message("user", "a"),)
        opening, told = self._rendered(asked, True), self._rendered((*asked, Message("assistant", "[]")), False)
        if not told.startswith(opening):
            raise Unsayable("its chat template writes an answer elsewhere than where it is asked for")
        before, whole = self._ids(opening), self._ids(told)
        if whole[: len(before)] != before:
            raise Unsayable(_JOINS)
        ends = [token for token in whole[len(before) :] if token in self._special]
        if not ends:
            raise Unsayable("its chat template ends an answer without a token of its own")
        return ends[0]

    def _rendered(self, messages: Sequence[Message], asking: bool) -> str:
        from jinja2 import TemplateError

        wrong = (TemplateError, TypeError, ValueError, LookupError)  # a template is a program, and may fail as one
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=asking))
        except wrong as error:
            raise Unsayable(f"the chat template refuses the conversation: {error}") from None
        for message in messages:
            if message.content.strip() not in text:
                raise Unsayable(f"the chat template leaves out or changes what the {message.role} says")
        return text

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
