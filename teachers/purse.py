"""The purse: what a run has spent and what is in flight, and a budget that both together never exceed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill.errors import TeacherError
from teachers.counting import RULE_ERROR, by_rule, of_messages
from teachers.prices import Price
from teachers.teacher import Message, Reply

LEAST_OUT = 512  # tokens that an answer of unknown length is taken to have, until a longer one was seen
LIMITS = ("max_completion_tokens", "max_tokens")
TINY = 1e-9  # dollars that only rounding makes


@dataclass
class Purse:
    """Money for requests. Before one is sent its highest likely price is set aside; it waits while that is too much.

    An answer may have as many tokens as the request allows (`max_completion_tokens`, `max_tokens`); where it sets no
    limit, as many as the longest so far, which is the one way in which a budget can be exceeded.
    """

    price: Price | None = None
    budget: float | None = None
    most_out: int | None = None
    history: Callable[[float], float] | None = None
    """The dollars that were spent since a moment, as the store knows them."""
    spent: float = 0.0
    held: float = 0.0
    _in_flight: int = 0
    _longest: int = LEAST_OUT
    _ratio: float = 1.0 + RULE_ERROR
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def opened(self, begun: float) -> None:
        """A labelling that began then, perhaps in an earlier run, goes on: its budget counts from there."""
        if self.budget is not None and self.history is not None:
            self.spent = self.history(begun)

    def cost(self, reply: Reply, messages: Sequence[Message]) -> float | None:
        """What a reply cost: what the server says, or what the price list does.

        Where the server counts no tokens they are counted by rule, and rather too many than too few.
        """
        if reply.cost is not None or self.price is None:
            return reply.cost
        if reply.tokens_in:
            return self.price.cost(reply.tokens_in, reply.tokens_out, reply.tokens_cached)
        counted = of_messages(messages), by_rule(reply.text) + by_rule(reply.thought)
        return self.price.cost(*(round(tokens * (1 + RULE_ERROR)) for tokens in counted))

    def likely(self, messages: Sequence[Message]) -> float:
        """The most that a request is likely to cost."""
        if self.price is None:
            return 0.0
        tokens_in = round(of_messages(messages) * self._ratio)
        return self.price.cost(tokens_in, self.most_out if self.most_out is not None else self._longest)

    async def hold(self, messages: Sequence[Message]) -> float:
        """Set money aside for a request; raises TeacherError where what is left would not pay for it."""
        while True:
            amount = self.likely(messages)
            if self.budget is None or self.spent + self.held + amount <= self.budget + TINY:
                self.held += amount
                self._in_flight += 1
                return amount
            if not self._in_flight:
                raise TeacherError(
                    f"--budget {self.budget:g} USD is reached: {dollars(self.spent)} spent, and the next request may "
                    f"cost {dollars(amount)}; the same command goes on with a larger budget"
                )
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def settle(self, amount: float, messages: Sequence[Message], reply: Reply | None, *, paid: bool = False) -> None:
        """A request is over: its reply tells the price; one `paid` for without a reply costs what was set aside."""
        self.held, self._in_flight = max(0.0, self.held - amount), self._in_flight - 1
        if reply is None:
            self.spent += amount if paid else 0.0
        else:
            self.spent += self.cost(reply, messages) or 0.0
            self._longest = max(self._longest, reply.tokens_out)
            if self.price is not None:  # counting takes its time, and is for the next price alone
                self._ratio = max(self._ratio, reply.tokens_in / max(1, of_messages(messages)))
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def output_limit(parameters: Mapping[str, Any]) -> int | None:
    """The longest answer that the parameters allow, in tokens."""
    limits = [value for name in LIMITS if isinstance(value := parameters.get(name), int) and value > 0]
    return max(limits) if limits else None


def dollars(amount: float) -> str:
    """An amount for people, with two digits that count."""
    return f"${amount:.2f}" if amount >= 1 or not amount else f"${amount:.4f}" if amount >= 0.01 else f"${amount:.2g}"
