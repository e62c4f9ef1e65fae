"""The search for mentions in a text, in stages: exact, other spellings, variants, fuzzy, fragments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from sys import maxsize

from distill.assignment import overlaps
from distill.boundaries import fits, invisible, parted
from distill.document import Span
from distill.escapes import Unescaped, unescaped
from distill.folding import CASE, PUNCTUATION, core, difference, key, unspaced
from distill.fragments import Fragments, scatters
from distill.fuzzy import Windows, covered, merged, resembles, within
from distill.glosses import heads, names, restated
from distill.occurrences import SAME_NAME, Piece, Place, Source, pieces
from distill.regions import LONG, Regions
from distill.variants import AND, ARTICLE, ESCAPE, FINAL_S, GLOSS, POSSESSIVE, other_and, variants

VARIANT_LEVEL = 10
_INITIAL = re.compile(r"A\s?[^\w\s]")
_REFERENCE = re.compile(r"&#?\w+;$")
NOT_IN_TEXT, PART_OF_CHARACTER = "not in the text", "only part of a character"


@dataclass(frozen=True, slots=True)
class Found:
    """The places of one string, left to right, or why there are none."""

    places: tuple[Place, ...] = ()
    why: str = ""


class Search:
    """One text; the strings asked of it are searched stage by stage, each stage only for what the last one left."""

    def __init__(self, text: str, similarity: float, most: int = maxsize) -> None:
        self._source = Source(text, most)
        self._most = most
        self._similarity = similarity
        self._copied = False  # whether the text reads every string just as it was said

    @cached_property
    def _windows(self) -> Windows:
        return Windows(self._source.text, [self._source.pieces])

    @cached_property
    def _fragments(self) -> Fragments:
        return Fragments(self._source.text, [self._source.pieces])

    @cached_property
    def _regions(self) -> Regions:
        return Regions(self._source.text)

    @cached_property
    def _plain(self) -> tuple[Unescaped, Source]:
        plain = Unescaped(self._source.text)
        return plain, Source(plain.text, self._most)

    def find(self, wanted: Mapping[str, int]) -> dict[str, Found]:
        """Where each string may stand with its own letters and digits; `wanted` says how many mentions share it."""
        exact = {said: self._exact(said) for said in wanted if _visible(said)}
        held = merged(place.span for places in exact.values() for place in places)
        self._copied = all(exact.values())
        placed = {said: places or self._elsewhere(said, wanted[said], held) for said, places in exact.items()}
        taken = [place.span for places in placed.values() for place in places]
        inside = overlaps(set(taken))
        found = {said: Found(why="empty") for said in wanted if said not in exact}
        for said, places in placed.items():
            free = sum(place.span not in inside for place in places)
            more = self._further(said, wanted[said] - free, held) if exact[said] and wanted[said] > free else []
            found[said] = _left_to_right(places + more) if places else Found(why=NOT_IN_TEXT)
        return _shared(found)

    def complete(self, found: Mapping[str, Found], taken: Iterable[Span]) -> dict[str, Found]:
        """The same, with what strings that stand nowhere resemble; `taken` is left to the mentions that hold it."""
        apart = merged(taken)
        lost = (said for said, each in found.items() if each.why == NOT_IN_TEXT)
        return _shared({**found, **{said: self._resembling(said, apart) for said in lost}})

    def _exact(self, said: str) -> list[Place]:
        bare = _bare(said)
        places = self._source.exact(bare)
        return places if bare == said else [_restated(self._source.text, place, said) for place in places]

    def _elsewhere(self, said: str, demand: int, held: list[Span]) -> list[Place]:
        """Places of a string that stands nowhere as it is: another spelling, a variant, inside a word.

        Places inside what another string reads exactly come last.
        """
        bare = _bare(said)
        spelt = self._source.equal(bare)
        if not any(place.level < PUNCTUATION for place in spelt) and (escaped := self._escaped(bare, demand)):
            return escaped
        if bare != said:
            spelt = [_restated(self._source.text, place, said) for place in spelt]
        near = _plainest([place for place in spelt if not within(place.span, held)], demand)
        if near and not any(self._reads(place, bare) for place in near):
            # "a pen-name" is rather the text's "pen-name" than its "a Pen name", and not the end of "a.k.a. pen-name".
            initial = said.startswith("A ") and any(self._initial(place) for place in near)
            near = (not initial and self._open(said, demand, held, ARTICLE)) or near
        near = near or self._open(said, demand, held) or self._source.inside(bare)
        if near and len(near) >= demand:
            return near
        spans = {place.span for place in near}
        spelt = [place for place in spelt if place.span not in spans]
        return near + _plainest(spelt, demand) or self._variants(said, demand)

    def _escaped(self, said: str, demand: int) -> list[Place]:
        """Places where the text writes a character of the mention otherwise, `AT&amp;T`."""
        plain, source = self._plain
        if not plain:
            return []
        form = unescaped(said)
        for name, each in ((ESCAPE, form), (f"{ESCAPE}, {AND}", other_and(form))):
            places = []
            for place in source.exact(each) or _plainest(source.equal(each), demand):
                start, end = plain.written(place.span)
                if end - start != place.end - place.start and fits(self._source.text, start, end):
                    places.append(replace(place, start=start, end=end))
            if places:
                return _renamed(places, name)
        return []

    def _reads(self, place: Place, said: str) -> bool:
        """Whether the place reads what was said with no punctuation put in or left out between its letters."""
        match = difference(core(self._source.text[place.start : place.end]), core(said))
        return match is not None and match[0] < PUNCTUATION

    def _initial(self, place: Place) -> bool:
        """Whether the place begins with an A that is no article: `A. Quill`, `A-Levels`."""
        return _INITIAL.match(self._source.text, place.start) is not None

    def _open(self, said: str, demand: int, held: list[Span], only: str = "") -> list[Place]:
        return [place for place in self._variants(said, demand, only) if not within(place.span, held)]

    def _further(self, said: str, short: int, held: list[Span]) -> list[Place]:
        """More places for a string said more often than it stands free; none that another string reads exactly.

        "Faro" said twice may be the "FARO" and the "Faro" of the text, "Serb" its "Serbs" and its "Serb": teachers drop
        an s, they do not add one. But in an answer that copies everything else "Ford" in the "Ford Fund" is not the
        verb.
        """
        equal = self._source.equal(_bare(said))
        further = [place for place in equal if place.level <= SAME_NAME or self._dotted(place, said)]
        further += self._escaped(_bare(said), short)
        name = self._copied and not said.islower() and not any(char.isspace() for char in said)
        further = [place for place in further if not covered(place.span, held) and not (name and place.lower)]
        if len(further) < short:
            more = self._variants(said, short, FINAL_S)
            longer = (place for place in more if place.end - place.start > len(_bare(said)))
            further += [place for place in longer if not covered(place.span, held)]
        return further

    def _dotted(self, place: Place, said: str) -> bool:
        """Whether only full stops tell the two apart, as in `U.S.` and `US`."""
        one, other = (unspaced(each).replace(".", "") for each in (self._source.text[slice(*place.span)], said))
        return one == other and one.isupper() and not any(char.isdigit() for char in one)

    def _variants(self, said: str, demand: int, only: str = "") -> list[Place]:
        """Places of the mention without what teachers add, or with what they leave off."""
        forms = list(variants(said, only))
        for name, other in forms:
            if not self._source.holds(other):
                continue
            places = self._source.exact(other) or _plainest(self._source.equal(other), demand)
            most = PUNCTUATION if len(key(other)) >= 6 else CASE
            places = [place for place in places if place.level < most]
            gloss = said[said.find(other) + len(other) :].strip() if name == GLOSS else ""
            if places and not (gloss and self._restated(gloss, places)):
                return _renamed(places, name)
        cut = ((name, self._source.inside(other)) for name, other in forms if name in (ESCAPE, ARTICLE, POSSESSIVE))
        return next((_renamed(places, name) for name, places in cut if places), [])

    def _restated(self, gloss: str, places: list[Place]) -> bool:
        """Whether the text has the gloss as well: then it is only misspelt."""
        return any(restated(gloss, self._source.text, place.end) for place in places)

    def _explained(self, said: str, taken: list[Span], *, number: bool = False) -> list[Place]:
        """Places of the name in a mention that is counted or explained (or just counted), where it stands just so."""
        for head, gloss in heads(said):
            if number and gloss:
                break
            places = [place for place in self._source.exact(head) if not covered(place.span, taken)]
            if places:
                told = gloss and (names(gloss, self._source.exact) or self._restated(gloss, places))
                return [] if told else _renamed(places, GLOSS)
        return []

    def _resembling(self, said: str, taken: list[Span]) -> Found:
        """Fuzzy places outside all others, or else the ordered fragments of the mention."""
        asked = pieces(said)
        if counted := self._explained(said, taken, number=True):
            return _left_to_right(counted)
        places, why = self._near(said, asked, taken)
        if places:
            return _left_to_right(places)
        if scattered := self._scattered(said, asked):
            return Found((scattered,))
        if why == NOT_IN_TEXT and (places := self._explained(said, taken)):
            return _left_to_right(places)
        return Found(why=PART_OF_CHARACTER if why == NOT_IN_TEXT and self._parts(_bare(said)) else why)

    def _near(self, said: str, asked: list[Piece], taken: list[Span]) -> tuple[list[Place], str]:
        if self._similarity == 1 or not resembles(asked):
            return [], NOT_IN_TEXT
        return self._windows_of(asked, len(said)).near(said, self._similarity, taken)

    def _windows_of(self, asked: list[Piece], length: int) -> Windows:
        text = self._source.text
        stretches = self._regions.alike(asked, length) if len(text) > LONG else None
        return self._windows if stretches is None else Windows(text, stretches)

    def _scattered(self, said: str, asked: list[Piece]) -> Place | None:
        text = self._source.text
        if not scatters(asked):
            return None
        stretches = self._regions.holding(asked, len(said)) if len(text) > LONG else None
        return (self._fragments if stretches is None else Fragments(text, stretches)).place(said)

    def _parts(self, said: str) -> bool:
        """Whether the text has the mention only by a cut through a character: half a flag, a letter without marks."""
        at, text = self._source.text.find(said), self._source.text
        return at >= 0 and (parted(text, at) or parted(text, at + len(said)))


def _shared(found: dict[str, Found]) -> dict[str, Found]:
    """Strings with the same places (`Faro` and `faro` for a `FARO`) share one tuple: they stand for one another."""
    known: dict[tuple[Place, ...], tuple[Place, ...]] = {}
    return {
        # What is read exactly at a place is one string only.
        said: replace(each, places=known.setdefault(each.places, each.places))
        if each.places and each.places[0].how
        else each
        for said, each in found.items()
    }


def _renamed(places: list[Place], name: str) -> list[Place]:
    hows = (", ".join(filter(None, (name, place.how))) for place in places)
    return [replace(place, level=VARIANT_LEVEL, how=how) for place, how in zip(places, hows, strict=True)]


def _left_to_right(places: list[Place]) -> Found:
    return Found(tuple(sorted(places, key=lambda place: (place.start, place.end))))


def _visible(said: str) -> bool:
    return not all(char.isspace() or invisible(char) for char in said)


def _bare(said: str) -> str:
    """Without white space around it and without a comma behind: no name ends in one, but `&quot;` does."""
    bare = said.strip()
    return bare if _REFERENCE.search(bare) else bare.rstrip(",;").rstrip() or bare


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
