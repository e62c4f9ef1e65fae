"""Document and Entity: the words everything else is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from distill.errors import InputError

Meta = Mapping[str, Any]


class Span(NamedTuple):
    """A half-open stretch of code points `[start, end)`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A labelled stretch of a Document: half-open code-point offsets.

    `score` lies in [0, 1], absent counts as 1. A discontinuous entity carries its ordered `fragments`, which lie
    in `[start, end)` and touch both ends. `how` says which repair placed it, absent for an exact match.
    """

    start: int
    end: int
    label: str
    score: float | None = field(default=None, compare=False)
    fragments: tuple[Span, ...] = ()
    how: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.end):
            raise InputError(f"entity [{self.start}, {self.end}) is empty or negative; offsets are half-open")
        if not self.label:
            raise InputError(f"entity [{self.start}, {self.end}) has an empty label")
        if self.score is not None and not (0.0 <= self.score <= 1.0):
            raise InputError(f"entity [{self.start}, {self.end}) has score {self.score}; scores lie in [0, 1]")
        if self.fragments:
            self._check_fragments()

    def _check_fragments(self) -> None:
        edges = [offset for fragment in self.fragments for offset in fragment]
        if edges != sorted(edges) or edges[0] != self.start or edges[-1] != self.end or len(set(edges)) < len(edges):
            raise InputError(f"fragments of entity [{self.start}, {self.end}) must be ordered, apart and span it")

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id, its entities and its meta. A sentence is a short Document.

    Every entity lies inside the text, so `text[entity.start:entity.end]` is always the exact mention.
    """

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    meta: Meta = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entity in self.entities:
            if entity.end > len(self.text):
                raise InputError(
                    f"document {self.id!r}: entity [{entity.start}, {entity.end}) {entity.label} ends outside "
                    f"the text of {len(self.text)} characters; offsets count code points"
                )

    def mention(self, entity: Entity) -> str:
        """The text an entity covers; a discontinuous one's fragments are joined by a space."""
        if entity.fragments:
            return " ".join(self.text[start:end] for start, end in entity.fragments)
        return self.text[entity.start : entity.end]

    def with_entities(self, entities: Iterable[Entity]) -> Document:
        return replace(self, entities=tuple(entities))


@dataclass(frozen=True, slots=True)
class FlatView:
    """What a tagger can see of a Document: entities that do not overlap, and those it had to leave."""

    document: Document
    dropped: tuple[Entity, ...]


def flat(document: Document) -> FlatView:
    """The outermost entities, and the rest named: nested, overlapping, doubled or discontinuous ones.

    Of entities that overlap the longer one stays, then the one that starts first, then the higher score, then the
    earlier in the file. A discontinuous entity cannot be tagged and is always dropped.
    """
    ranked = sorted(
        (e for e in document.entities if not e.fragments),
        key=lambda e: (-(e.end - e.start), e.start, -(1.0 if e.score is None else e.score)),
    )
    taken = bytearray(len(document.text))
    kept: list[Entity] = []
    for entity in ranked:
        if not any(taken[entity.start : entity.end]):
            taken[entity.start : entity.end] = b"\x01" * (entity.end - entity.start)
            kept.append(entity)
    chosen = {id(entity) for entity in kept}
    dropped = tuple(entity for entity in document.entities if id(entity) not in chosen)
    return FlatView(document.with_entities(sorted(kept)), dropped)
