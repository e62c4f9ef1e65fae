"""Fitting: conversations that stay within a model's cut-off, so that training never cuts an answer off."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from teachers.conversations import (
    Example,
    Pair,
    Turn,
    Wording,
    answer,
    gpt,
    human,
    lesson_at_once,
    opening,
    question,
)

Count = Callable[[str], int]
"""How many tokens a text has."""
Asked = tuple[str, Sequence[str]]
"""A type and the mentions that answer the question about it."""

TURN = 8  # tokens that a chat template puts around a turn, at most
LETTERS = 5
_PIECES = re.compile(rf"[A-Za-z0-9]{{1,{LETTERS}}}|[^\sA-Za-z0-9]")


def estimated(text: str) -> int:
    """The cheap rule: a token for every five letters or figures begun, and for everything else that is no space."""
    return len(_PIECES.findall(text))


@dataclass
class Fit:
    """Conversations of at most `limit` tokens (0: of any length); what that cost is counted."""

    limit: int = 0
    count: Count = estimated
    examples_left_out: int = 0
    divided: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def lessons(
        self, text: str, asked: Sequence[Asked], wording: Wording, examples: Sequence[Example]
    ) -> Iterator[list[Turn]]:
        """One conversation with all questions, or several with the same opening where one would be too long.

        Examples go before questions do: the last ones first.
        """
        rounds = [[human(question(kind, wording)), gpt(answer(mentions))] for kind, mentions in asked]
        before = opening(text, wording, examples)
        whole = [*before, *(turn for each in rounds for turn in each)]
        if self._fits(whole):
            yield whole
            return
        costs = [self._cost(each) for each in rounds]
        room = self.limit - self._cost(before)
        while examples and room < max(costs):
            examples = examples[:-1]
            self.examples_left_out += 1
            before = opening(text, wording, examples)
            room = self.limit - self._cost(before)
        yield from self._packed(before, rounds, costs, room)

    def _packed(
        self, before: list[Turn], rounds: list[list[Turn]], costs: list[int], room: int
    ) -> Iterator[list[Turn]]:
        held: list[Turn] = []
        filled = parts = 0
        for each, cost in zip(rounds, costs, strict=True):
            if cost > room:
                self.lost["a question that does not fit into --cut-off beside its passage"] += 1
                continue
            if filled + cost > room:
                yield [*before, *held]
                held, filled, parts = [], 0, parts + 1
            held += each
            filled += cost
        if held:
            yield [*before, *held]
        self.divided += parts > 0

    def lesson_at_once(
        self, text: str, pairs: Sequence[Pair], kinds: Sequence[str], wording: Wording, examples: Sequence[Example]
    ) -> Iterator[list[Turn]]:
        """One conversation with all types in one question, with as many examples as fit."""
        turns = lesson_at_once(text, pairs, kinds, wording, examples)
        while not self._fits(turns) and examples:
            examples = examples[:-1]
            self.examples_left_out += 1
            turns = lesson_at_once(text, pairs, kinds, wording, examples)
        if self._fits(turns):
            yield turns
        else:
            self.lost["a question that does not fit into --cut-off beside its passage"] += 1

    def _fits(self, turns: Sequence[Turn]) -> bool:
        if not self.limit:
            return True
        longest = sum(len(turn["value"]) + TURN for turn in turns)  # a token has a character at least
        return longest <= self.limit or self._cost(turns) <= self.limit

    def _cost(self, turns: Sequence[Turn]) -> int:
        return sum(self.count(turn["value"]) + TURN for turn in turns)
