"""Alignment: a teacher's mentions become entities with exact offsets, and every mention is accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import maxsize
from typing import Literal

from distill.assignment import Demand, assign, overlaps
from distill.document import Entity, Span
from distill.errors import CallError
from distill.folding import CASE
from distill.occurrences import Place
from distill.search import NOT_IN_TEXT, Found, Search

MOST_PLACES = 10_000
"""Of a string that stands more often than this, and four times for each mention, the first places are weighed."""

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
    """Locate every mention in `text`: exact first, then repairs that never change the text.

    With `own` occurrences each mention takes one place of its own; with `all` it takes every place it stands at.
    Raises MissingLibraryError if a mention needs fuzzy matching and rapidfuzz is not installed; no text or mention
    raises anything else.
    """
    own = rules.occurrences == "own"
    wanted = Counter(mention.text for mention in mentions if mention.label)
    most = max(MOST_PLACES, *(4 * times for times in wanted.values())) if own and wanted else maxsize
    search = Search(text, rules.similarity, most)
    found = search.find(wanted if own else dict.fromkeys(wanted, 1))
    if any(each.why == NOT_IN_TEXT for each in found.values()):
        found = search.complete(found, _held(mentions, found) if own else _everywhere(found))
    places = _own(mentions, found) if own else _all(mentions, found)
    outcomes = _outcomes(mentions, places, found)
    # Of two labels on one span the first said comes first: sorting is stable, and `flat` keeps the earlier.
    once = dict.fromkeys(entity for outcome in outcomes for entity in outcome.entities)
    entities = tuple(sorted(once, key=lambda entity: entity.span))
    return Alignment(entities, outcomes, _conflicts(text, entities))


def _own(mentions: Sequence[Mention], found: Mapping[str, Found]) -> list[list[Place]]:
    return [[pick] if pick else [] for pick in assign(_demands(mentions, found))]


def _demands(mentions: Sequence[Mention], found: Mapping[str, Found]) -> list[Demand]:
    return [Demand(mention.label, found[mention.text].places if mention.label else ()) for mention in mentions]


def _held(mentions: Sequence[Mention], found: Mapping[str, Found]) -> set[Span]:
    """What mentions hold that stand in the text: each its own place, unless it has others where it could go."""
    demands = _demands(mentions, found)
    inside = overlaps(_everywhere(found))
    places = {id(demand.places): demand.places for demand in demands}
    spare = Counter({shared: sum(place.span not in inside for place in each) for shared, each in places.items()})
    spare.subtract(id(demand.places) for demand in demands)
    picks = zip(demands, assign(demands), strict=True)
    return {pick.span for demand, pick in picks if pick and spare[id(demand.places)] <= 0}


def _everywhere(found: Mapping[str, Found]) -> set[Span]:
    return {place.span for each in found.values() for place in each.places}


def _all(mentions: Sequence[Mention], found: Mapping[str, Found]) -> list[list[Place]]:
    """Every place of every mention, but not inside a longer one of its label while it has places of its own."""
    spans: dict[str, set[Span]] = defaultdict(set)
    for mention in mentions:
        if mention.label:
            spans[mention.label] |= {place.span for place in found[mention.text].places}
    inside = {label: overlaps(each) for label, each in spans.items()}
    left = {
        mention: _outside(found[mention.text].places, inside[mention.label]) if mention.label else []
        for mention in dict.fromkeys(mentions)
    }
    return [left[mention] for mention in mentions]


def _outside(places: Sequence[Place], inside: set[Span]) -> list[Place]:
    """Those in no longer name, and of other cases not the common words, if that leaves any."""
    named = [place for place in places if place.level < CASE or not place.lower] or list(places)
    return [place for place in named if place.span not in inside] or named


def _outcomes(
    mentions: Sequence[Mention], places: Sequence[Sequence[Place]], found: Mapping[str, Found]
) -> tuple[Outcome, ...]:
    """One for each mention; those with the same places share theirs."""
    known: dict[tuple[Mention, int], Outcome] = {}
    for mention, each in zip(mentions, places, strict=True):
        if (mention, id(each)) not in known:
            known[mention, id(each)] = _outcome(mention, each, found)
    return tuple(known[mention, id(each)] for mention, each in zip(mentions, places, strict=True))


def _outcome(mention: Mention, places: Sequence[Place], found: Mapping[str, Found]) -> Outcome:
    if not mention.label:
        return Outcome(mention, "lost", "no label")
    if not places:
        return Outcome(mention, "lost", found[mention.text].why or "no further occurrence")
    entities = tuple(
        Entity(place.start, place.end, mention.label, fragments=place.fragments, how=place.how or None)
        for place in places
    )
    how = next((place.how for place in places if place.how), "")
    return Outcome(mention, "repaired" if how else "exact", how, entities)


def _conflicts(text: str, entities: Sequence[Entity]) -> tuple[Conflict, ...]:
    labels: dict[tuple[Span, tuple[Span, ...]], list[str]] = defaultdict(list)
    for entity in entities:
        labels[entity.span, entity.fragments].append(entity.label)
    return tuple(
        Conflict(span, text[span.start : span.end], tuple(said), said[0])
        for (span, _), said in labels.items()
        if len(said) > 1
    )
