"""The vote itself: which entities of one text most teachers named, and who named which.

Entity-level majority (RA-IT, appendix B): teachers agree on an entity where start, end, label and fragments agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distill.document import Entity

ROUNDED = 0.0005  # so that two of three are at least 0.667


@dataclass(frozen=True, slots=True)
class Rules:
    """How a vote is decided.

    An entity wins with more than half of the teachers, or with at least the share `at_least` where that is given. Of
    winners that overlap the one with more votes stays, then the longer, then the one that starts first, then the one
    named first; `overlaps="keep"` keeps them all.
    """

    at_least: float | None = None
    overlaps: str = "resolve"

    def wins(self, votes: int, voters: int) -> bool:
        """Whether so many votes of so many are enough."""
        if self.at_least is None:
            return 2 * votes > voters
        return votes / voters >= self.at_least - ROUNDED


@dataclass(slots=True)
class Ballot:
    """All that was said about one text: who spoke, and for each entity who named it."""

    voters: list[str] = field(default_factory=list)
    votes: dict[Entity, list[str]] = field(default_factory=dict)

    def cast(self, voter: str, entities: Sequence[Entity]) -> None:
        """One teacher's entities; one named twice counts once."""
        self.voters.append(voter)
        for entity in dict.fromkeys(entities):
            self.votes.setdefault(_bare(entity), []).append(voter)

    def share(self, entity: Entity) -> float:
        """The share of the teachers that named the entity."""
        return len(self.votes[_bare(entity)]) / len(self.voters)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The winners in text order, the share of agreement as their score; and every entity not all teachers named."""

    entities: tuple[Entity, ...]
    disputed: tuple[Mapping[str, Any], ...]
    agreement: float


def decide(ballot: Ballot, rules: Rules = Rules()) -> Verdict:
    """Who won. `agreement` is the mean share of teachers that side with the decision, 1 where nobody named anything."""
    voters = len(ballot.voters)
    winners = [entity for entity, names in ballot.votes.items() if rules.wins(len(names), voters)]
    if rules.overlaps == "resolve":
        winners = _apart(winners, ballot)
    won = set(winners)
    shares = {entity: len(names) / voters for entity, names in ballot.votes.items()}
    siding = [share if entity in won else 1 - share for entity, share in shares.items()]
    disputed = tuple(
        {**_place(entity), "votes": len(names), "kept": entity in won, "by": list(names)}
        for entity, names in sorted(ballot.votes.items(), key=lambda item: item[0])
        if len(names) < voters or entity not in won
    )
    entities = tuple(sorted(replace(entity, score=shares[entity]) for entity in winners))
    return Verdict(entities, disputed, sum(siding) / len(siding) if siding else 1.0)


def _apart(winners: Sequence[Entity], ballot: Ballot) -> list[Entity]:
    """Winners that do not overlap. A discontinuous one counts with all it spans."""
    ranked = sorted(winners, key=lambda e: (-len(ballot.votes[e]), e.start - e.end, e.start))
    taken: set[int] = set()
    kept = []
    for entity in ranked:
        stretch = range(entity.start, entity.end)
        if taken.isdisjoint(stretch):
            taken.update(stretch)
            kept.append(entity)
    return kept


def _bare(entity: Entity) -> Entity:
    return replace(entity, score=None, how=None)


def _place(entity: Entity) -> dict[str, Any]:
    place: dict[str, Any] = {"start": entity.start, "end": entity.end, "label": entity.label}
    if entity.fragments:
        place["fragments"] = [list(fragment) for fragment in entity.fragments]
    return place
