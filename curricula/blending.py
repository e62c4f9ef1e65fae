"""Blending: a schedule applied to two data sets, epoch by epoch."""

from __future__ import annotations

import random
from dataclasses import dataclass

from curricula.schedules import Schedule
from distill.errors import CallError

DISTILLED, GOLD = 0, 1
BLENDS = ("rows", "loss")


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A row to learn from: its source (0 distilled, 1 gold), its index there, and the weight of its loss."""

    source: int
    index: int
    weight: float


@dataclass(frozen=True)
class Blend:
    """Which rows each epoch sees.

    By "rows", epoch t draws `round(w0 |D|)` distilled and `round(w1 |G|)` gold rows without replacement, dealt from a
    shuffled deck that is only renewed when it is used up, so over the epochs every row gets its turn. By "loss",
    every epoch shows all rows and weights their loss by w0 and w1; rows of weight 0 are left out, as they teach
    nothing. An epoch is a pure function of its number and the seed: a resumed training sees what an uninterrupted one
    does, and so does every process of a distributed one.
    """

    schedule: Schedule
    epochs: int
    distilled: int
    gold: int
    seed: int = 0
    by: str = "rows"

    def __post_init__(self) -> None:
        if self.by not in BLENDS:
            raise CallError(f"--blend is one of {', '.join(BLENDS)}, not {self.by!r}")
        if self.epochs < 1:
            raise CallError(f"--epochs must be at least 1, got {self.epochs}")
        curve = self.schedule.curve(self.epochs)
        for source, (name, size) in enumerate((("distilled", self.distilled), ("gold", self.gold))):
            if size == 0 and any(shares[source] > 0 for shares in curve):
                raise CallError(f"the {self.schedule.name} schedule needs {name} data and there is none; give --{name}")
        sizes = (self.distilled, self.gold)
        if not any(self._shown(share, size) for shares in curve for share, size in zip(shares, sizes, strict=True)):
            raise CallError(f"the {self.schedule.name} schedule shows no row in any of {self.epochs} epochs")

    def _shown(self, share: float, size: int) -> int:
        """How many rows of a source of that size an epoch with that share has."""
        return round(share * size) if self.by == "rows" else size * (share > 0)

    def epoch(self, epoch: int) -> list[Row]:
        """The rows of one epoch, shuffled together. Raises CallError outside `0 <= epoch < epochs`."""
        shares = self.schedule.shares(epoch, self.epochs)
        if self.by == "rows":
            rows = [Row(source, index, 1.0) for source in (DISTILLED, GOLD) for index in self._dealt(source, epoch)]
        else:
            sizes = (self.distilled, self.gold)
            rows = [Row(s, index, shares[s]) for s in (DISTILLED, GOLD) if shares[s] > 0 for index in range(sizes[s])]
        random.Random(f"{self.seed}/shuffle/{epoch}").shuffle(rows)
        return rows

    def _dealt(self, source: int, epoch: int) -> list[int]:
        """The rows that `epoch` draws from a source, found by dealing all epochs up to it."""
        size = (self.distilled, self.gold)[source]
        chance = random.Random(f"{self.seed}/{source}")
        deck: list[int] = []
        hand: list[int] = []
        for shares in self.schedule.curve(self.epochs)[: epoch + 1]:
            hand, deck = _deal(deck, self._shown(shares[source], size), size, chance)
        return hand


def _deal(deck: list[int], count: int, size: int, chance: random.Random) -> tuple[list[int], list[int]]:
    """`count` cards off the deck and what is left of it; a new deck is dealt around the cards already in the hand."""
    if count <= len(deck):
        return deck[:count], deck[count:]
    fresh = list(range(size))
    chance.shuffle(fresh)
    held = set(deck)
    wanted = count - len(deck)
    new = [card for card in fresh if card not in held][:wanted]
    dealt = set(new)
    return deck + new, [card for card in fresh if card not in dealt]
