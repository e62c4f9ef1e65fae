"""The search for mentions in a text, in stages: exact, other spellings, variants, fuzzy, fragments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from distill.document import Span
from distill.folding import CASE, difference, key
from distill.fragments import Fragments
from distill.fuzzy import Windows, merged
from distill.occurrences import SAME_NAME, Place, Source
from distill.variants import FINAL_S, variants

VARIANT_LEVEL = 10
NOT_IN_TEXT = "not in the text"


@dataclass(frozen=True, slots=True)
class Found:
    """The places of one string, left to right, or why there are none."""

    places: tuple[Place, ...] = ()
    why: str = ""


class Search:
    """One text; the strings asked of it are searched stage by stage, each stage only for what the last one left."""

    def __init__(self, text: str, similarity: float) -> None:
        self._source = Source(text)
        self._similarity = similarity

    @cached_property
    def _windows(self) -> Windows:
        return Windows(self._source)

    @cached_property
    def _fragments(self) -> Fragments:
        return Fragments(self._source)

    def find(self, wanted: Mapping[str, int]) -> dict[str, Found]:
        """Where each string may stand; `wanted` says how many mentions share it."""
        found: dict[str, Found] = {}
        for said, demand in wanted.items():
            found[said] = Found() if said.strip() else Found(why="empty")
            if said.strip():
                found[said] = _left_to_right(self._places(said.strip(), said, demand))
        missing = [said for said, each in found.items() if not each.places and not each.why]
        if missing:
            taken = merged(Span(place.start, place.end) for each in found.values() for place in each.places)
            found |= {said: self._resembling(said, taken) for said in missing}
        return found

    def _places(self, bare: str, said: str, demand: int) -> list[Place]:
        places = self._spellings(said, demand) or self._source.inside(bare)
        if not places:
            return self._variants(said, demand)
        if len(places) < demand:
            # "Serb" said twice may be the "Serbs" and the "Serb" of the text.
            places += self._variants(said, demand - len(places), FINAL_S)
        return places

    def _spellings(self, said: str, demand: int) -> list[Place]:
        """Exact places; where they do not suffice, those of other spellings of the same name."""
        bare = said.strip().rstrip(",;").rstrip() or said.strip()  # no name ends in a comma
        exact = self._source.exact(bare)
        if len(exact) < demand:
            edges = {(place.start, place.end) for place in exact}
            others = [place for place in self._source.equal(bare) if (place.start, place.end) not in edges]
            exact = _enough(exact, _likelier(others), demand)
        return exact if bare == said else [_restated(self._source.text, place, said) for place in exact]

    def _variants(self, said: str, demand: int, only: str = "") -> list[Place]:
        """Places of the mention without what teachers add, or with what they leave off."""
        for name, other in variants(said, only):
            places = [place for place in self._spellings(other, demand) if place.level < CASE or len(key(other)) >= 6]
            if places:
                hows = (", ".join(filter(None, (name, place.how))) for place in places)
                return [replace(place, level=VARIANT_LEVEL, how=how) for place, how in zip(places, hows, strict=True)]
        return []

    def _resembling(self, said: str, taken: list[Span]) -> Found:
        """Fuzzy places outside all others, or else the ordered fragments of the mention."""
        places, why = self._windows.near(said, self._similarity, taken) if self._similarity < 1 else ([], NOT_IN_TEXT)
        if places:
            return _left_to_right(places)
        scattered = self._fragments.place(said)
        return Found((scattered,)) if scattered else Found(why=why)


def _left_to_right(places: list[Place]) -> Found:
    return Found(tuple(sorted(places, key=lambda place: (place.start, place.end))))


def _enough(exact: list[Place], others: list[Place], demand: int) -> list[Place]:
    """The plainest places and no stronger repair than the number of mentions needs."""
    ranks = Counter(place.level for place in others)
    kept = list(exact)
    for level in sorted(ranks):
        if kept and (len(kept) >= demand or level > SAME_NAME):
            break
        kept += [place for place in others if place.level == level]
    return kept


def _likelier(places: list[Place]) -> list[Place]:
    """Where a name was found in other cases, its lower-case places count only if there are no others."""
    capital = [place for place in places if place.level < CASE or not place.lower]
    return capital or places


def _restated(text: str, place: Place, said: str) -> Place:
    match = difference(text[place.start : place.end], said)
    return replace(place, level=match[0], how=match[1]) if match else place
