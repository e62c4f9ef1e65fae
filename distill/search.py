"""The search for mentions in a text, in stages: exact, other spellings, variants, fuzzy, fragments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from distill.assignment import overlaps
from distill.boundaries import invisible
from distill.document import Span
from distill.folding import CASE, PUNCTUATION, difference, key
from distill.fragments import Fragments
from distill.fuzzy import Windows, covered, merged
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
        exact = {said: self._exact(said) for said in wanted if _visible(said)}
        held = {place.span for places in exact.values() for place in places}
        placed = {said: places or self._elsewhere(said, wanted[said], held) for said, places in exact.items()}
        taken = [place.span for places in placed.values() for place in places]
        inside = overlaps(set(taken))
        found = {said: Found(why="empty") for said in wanted if said not in exact}
        for said, places in placed.items():
            free = sum(place.span not in inside for place in places)
            more = self._further(said, wanted[said] - free, held) if exact[said] and wanted[said] > free else []
            found[said] = _left_to_right(places + more) if places else self._resembling(said, merged(taken))
        return found

    def _exact(self, said: str) -> list[Place]:
        bare = _bare(said)
        places = self._source.exact(bare)
        return places if bare == said else [_restated(self._source.text, place, said) for place in places]

    def _elsewhere(self, said: str, demand: int, held: set[Span]) -> list[Place]:
        """Places of a string that stands nowhere as it is: another spelling, inside a word, a variant.

        Places that another string reads exactly come last.
        """
        bare = _bare(said)
        spelt = self._source.equal(bare)
        if bare != said:
            spelt = [_restated(self._source.text, place, said) for place in spelt]
        free = [place for place in spelt if place.span not in held]
        near = _plainest(free, demand) or self._source.inside(bare)
        if near and len(near) >= demand:
            return near
        return near + _plainest([place for place in spelt if place not in near], demand) or self._variants(said, demand)

    def _further(self, said: str, short: int, held: set[Span]) -> list[Place]:
        """More places for a string said more often than it stands free; none that another string reads exactly.

        "Faro" said twice may be the "FARO" and the "Faro" of the text, "Serb" its "Serbs" and its "Serb".
        """
        further = [place for place in self._source.equal(_bare(said)) if place.level <= SAME_NAME]
        apart = merged(held)
        further = [place for place in further if not covered(place.span, apart)]
        if len(further) < short:
            more = self._variants(said, short, FINAL_S)
            further += [place for place in more if not covered(place.span, apart)]
        return further

    def _variants(self, said: str, demand: int, only: str = "") -> list[Place]:
        """Places of the mention without what teachers add, or with what they leave off."""
        for name, other in variants(said, only):
            places = self._source.exact(other) or _plainest(self._source.equal(other), demand)
            most = PUNCTUATION if len(key(other)) >= 6 else CASE
            places = [place for place in places if place.level < most]
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


def _visible(said: str) -> bool:
    return not all(char.isspace() or invisible(char) for char in said)


def _bare(said: str) -> str:
    """Without white space around it and without a comma behind: no name ends in one."""
    return said.strip().rstrip(",;").rstrip() or said.strip()


def _plainest(places: list[Place], demand: int) -> list[Place]:
    """The places with the least repair, and stronger ones only while there are fewer places than mentions."""
    kept: list[Place] = []
    for rank in sorted({place.rank for place in places}):
        if kept and (len(kept) >= demand or rank[0] > SAME_NAME):
            break
        kept += [place for place in places if place.rank == rank]
    return kept


def _restated(text: str, place: Place, said: str) -> Place:
    match = difference(text[place.start : place.end], said)
    return replace(place, level=match[0], how=match[1]) if match else place
