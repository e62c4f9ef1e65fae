"""Alignment: a teacher's mentions become entities with exact offsets, and every mention is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distill.document import Entity, Span
from distill.errors import CallError

Status = Literal["exact", "repaired", "lost"]


@dataclass(frozen=True, slots=True)
class Mention:
    """What a teacher says: a string and a label, not yet located in the text."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one mention ended: `how` names the repair of a repaired one and the reason of a lost one."""

    mention: Mention
    status: Status
    how: str = ""
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """One span that the teacher gave two labels; both entities are kept, `kept` is the one a flat view would take."""

    span: Span
    text: str
    labels: tuple[str, ...]
    kept: str


@dataclass(frozen=True, slots=True)
class AlignmentCounts:
    """How many mentions ended how; counts add up over documents."""

    exact: int = 0
    repaired: int = 0
    lost: int = 0
    conflicts: int = 0

    def __add__(self, other: AlignmentCounts) -> AlignmentCounts:
        return AlignmentCounts(
            self.exact + other.exact,
            self.repaired + other.repaired,
            self.lost + other.lost,
            self.conflicts + other.conflicts,
        )

    @property
    def mentions(self) -> int:
        return self.exact + self.repaired + self.lost


@dataclass(frozen=True, slots=True)
class Alignment:
    """Entities in text order, one outcome per mention in the mentions' order, and the conflicts."""

    entities: tuple[Entity, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def counts(self) -> AlignmentCounts:
        ended = [outcome.status for outcome in self.outcomes]
        return AlignmentCounts(ended.count("exact"), ended.count("repaired"), ended.count("lost"), len(self.conflicts))

    @property
    def lost(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "lost")


@dataclass(frozen=True, slots=True)
class AlignmentRules:
    """Which occurrences a mention labels, and how similar a fuzzy match must be (1.0 turns fuzzy matching off)."""

    occurrences: Literal["own", "all"] = "own"
    similarity: float = 0.9

    def __post_init__(self) -> None:
        if self.occurrences not in ("own", "all"):
            raise CallError(f"occurrences is own or all, not {self.occurrences!r}")
        if not 0.0 < self.similarity <= 1.0:
            raise CallError(f"similarity lies in (0, 1], not {self.similarity!r}")


def align(text: str, mentions: Sequence[Mention], rules: AlignmentRules = AlignmentRules()) -> Alignment:
    """Locate every mention in `text`: exact first, then repairs that never change the text."""
    del rules
    outcomes: list[Outcome] = []
    after: dict[tuple[str, str], int] = {}
    for mention in mentions:
        key = (mention.text, mention.label)
        start = text.find(mention.text, after.get(key, 0)) if mention.text and mention.label else -1
        if start < 0:
            outcomes.append(Outcome(mention, "lost", "not in the text"))
            continue
        after[key] = start + len(mention.text)
        outcomes.append(Outcome(mention, "exact", "", (Entity(start, start + len(mention.text), mention.label),)))
    entities = sorted({entity for outcome in outcomes for entity in outcome.entities})
    return Alignment(tuple(entities), tuple(outcomes))
