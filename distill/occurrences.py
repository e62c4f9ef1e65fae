"""Occurrences: every place of a text where a mention may stand, exactly or under another spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from distill.boundaries import SPACELESS, clings, fits, invisible, joined, kind
from distill.document import Span
from distill.folding import (
    ACCENTS,
    CASE,
    JOINED,
    PUNCTUATION,
    QUOTES,
    compatible,
    difference,
    key,
    key_with_offsets,
    typography,
)
from distill.words import words

_DIGITS = re.compile(r"\d+")
_DOTTED = re.compile(r"\b[^\W\d_]\.[^\W\d_]$")  # the `U.S` of an abbreviation, to which its last full stop belongs
_POSSESSIVE = re.compile(r"'\s*s\b", re.IGNORECASE)
_DOUBLED = re.compile(r"(?<=[.?!])\.$")
_DOUBLE = frozenset('"“”„‟″«»〝〞〟＂')
_WRAPPERS = QUOTES + "*_"
_OPENING, _CLOSING = "([{<（【", ")]}>）】"
_LOOSE = frozenset(QUOTES + ".,;:()[]{}-–—…*")
REACH = 40  # characters around a name in which its punctuation is looked for
# A name is not one of these in lower case: "US" is not found in "us", nor "IT" in "it".
_FUNCTION_WORDS = frozenset((
    "a", "all", "am", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "had", "has", "he", "her",
    "his", "i", "if", "in", "is", "it", "may", "me", "my", "no", "not", "now", "of", "on", "one", "or", "our", "out",
    "she", "so", "the", "to", "up", "us", "was", "we", "who", "will", "you",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch where a mention may stand. `level` 0 is exact; the higher, the more had to be repaired (`how`)."""

    start: int
    end: int
    level: int = 0
    how: str = ""
    fragments: tuple[Span, ...] = ()
    lower: bool = False  # reads all lower case


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of the text that carries letters, digits or symbols, with its key."""

    start: int
    end: int
    key: str


class Source:
    """A text to be searched; what a search needs of it is computed once, when it is first needed."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        return key_with_offsets(self.text)

    @cached_property
    def pieces(self) -> list[Piece]:
        spans = ((start, end, key(self.text[start:end])) for start, end in words(self.text))
        return [Piece(start, end, folded) for start, end, folded in spans if folded]

    def exact(self, said: str) -> list[Place]:
        """Places that read exactly `said`, at word boundaries, left to right, not overlapping."""
        text, places = self.text, []
        start = text.find(said) if said else -1
        while start >= 0:
            end = start + len(said)
            if fits(text, start, end):
                places.append(Place(start, end))
                start = text.find(said, end)
            else:
                start = text.find(said, _next_start(text, start + 1))
        return places

    def inside(self, said: str) -> list[Place]:
        """Places inside a run of letters and digits where two scripts, or letters and digits, meet."""
        text, places = self.text, []
        mixed = any(kind(char) == SPACELESS for char in said)
        if len(key(said)) < (2 if mixed else 3):
            return []
        start = text.find(said)
        while start >= 0:
            end = start + len(said)
            if _parts(text, start, mixed) and _parts(text, end, mixed):
                places.append(Place(start, end, INSIDE, "inside a word"))
            start = text.find(said, end)
        return places

    def equal(self, said: str) -> list[Place]:
        """Places that read `said` under repairs that keep its letters and digits."""
        places = []
        bare = unwrapped(said)
        for start, end in self._hits(key(said)):
            options = (self._place(said, bare, *edges) for edges in self._edges(said, bare, start, end))
            best = min((option for option in options if option), key=lambda place: place.level, default=None)
            if best:
                places.append(best)
        return places

    def _hits(self, wanted: str) -> Iterator[Span]:
        """Spans whose key is `wanted`, whole characters only."""
        folded, offsets = self._folded
        hit = folded.find(wanted) if wanted else -1
        while hit >= 0:
            stop = hit + len(wanted)
            whole = (hit == 0 or offsets[hit - 1] != offsets[hit]) and (
                stop == len(offsets) or offsets[stop] != offsets[stop - 1]
            )
            span = Span(offsets[hit], self._with_marks(offsets[stop - 1] + 1))
            if whole and fits(self.text, *span):
                yield span
                hit = folded.find(wanted, stop)
            else:
                hit += 1
                while hit < len(offsets) and joined(self.text, offsets[hit]):
                    hit += 1
                hit = folded.find(wanted, hit)

    def _with_marks(self, end: int) -> int:
        while end < len(self.text) and clings(self.text[end]) and not key(self.text[end]):
            end += 1
        return end

    def _edges(self, said: str, bare: str, start: int, end: int) -> list[Span]:
        """The stretch with the punctuation around it that the mention has too, and without."""
        before, after = self.around(bare, start, end)
        # The full stop of `U.S.` belongs to it, also where the mention is `US`.
        if not after and _DOTTED.search(self.text, start, end) and self.text.startswith(".", end):
            after = 1
        opened, closed = start - (before or 0), end + (after or 0)
        edges = [Span(opened, closed), Span(opened, end), Span(start, closed), Span(start, end)]
        before, after = self.around(said, start, end)
        if before is not None and after is not None:
            full = Span(start - before, end + after)
            edges += [full] if _paired(said, self.text[full.start : full.end]) else []
        return list(dict.fromkeys(edges))

    def around(self, said: str, start: int, end: int) -> tuple[int | None, int | None]:
        """How far the punctuation of `said` reaches before its first and after its last letter; None if absent."""
        abbreviation = "." in said.rstrip()[:-1]
        after = _matched(_tail(said), self.text[end : end + REACH], abbreviation=abbreviation)
        before = _matched(_tail(said[::-1]), self.text[max(0, start - REACH) : start][::-1])
        return before, after

    def _place(self, said: str, bare: str, start: int, end: int) -> Place | None:
        found = self.text[start:end]
        match = difference(found, said)
        if match is None or not fits(self.text, start, end):
            return None
        level, how = match
        if not _trusted(level, found, said):
            bare = _without_stop(bare)
            within = difference(found, bare)
            if within is None or not _trusted(within[0], found, bare):
                return None
        return Place(start, end, level, how, lower=found.islower())


def unwrapped(said: str) -> str:
    """Without quotes, brackets and stars around it, and without a comma, semicolon or second full stop behind."""
    while True:
        bare = _DOUBLED.sub("", said.strip().rstrip(",;").strip(_WRAPPERS))
        if len(bare) > 1 and (bare[0] in _OPENING or bare[-1] in _CLOSING):
            opened, closed = bare[0] in _OPENING, bare[-1] in _CLOSING
            if opened and (closed or not any(char in _CLOSING for char in bare)):
                bare = bare[1:]
            if closed and (opened or not any(char in _OPENING for char in bare)):
                bare = bare[:-1]
        if bare in (said, ""):
            return said
        said = bare


def _without_stop(said: str) -> str:
    """Without a full stop behind the mention, unless it has others, as an abbreviation does."""
    return said[:-1] if said.find(".") == len(said) - 1 else said


def _parts(text: str, position: int, mixed: bool) -> bool:
    """Whether letters meet digits here, or a mention in a script without spaces meets anything but its own number."""
    if not joined(text, position):
        return True
    left, right = text[position - 1], text[position]
    if left.isdigit() == right.isdigit():
        return mixed and not left.isdigit() and left.isascii() and right.isascii()
    return left.isalnum() and right.isalnum()


def _paired(said: str, found: str) -> bool:
    """Whether quotes around the mention are one pair in the text, not the end of one and the start of another."""
    bare = said.strip()
    if len(bare) < 3 or bare[0] not in QUOTES or bare[-1] not in QUOTES:
        return True
    double = [edge[0] in _DOUBLE or edge[0] == edge[1] for edge in (found[:2], found[:-3:-1])]
    return double[0] == double[1]


def _matched(marks: str, near: str, *, abbreviation: bool = False) -> int | None:
    """How many characters of `near` spell out all of `marks`, white space aside; None where they do not."""
    used = 0
    for mark in marks:
        at = used
        while at < len(near) and (near[at].isspace() or invisible(near[at])):
            at += 1
        # A full stop set apart in tokenised text ends the sentence, unless the mention is an abbreviation.
        stop = at > used == 0 and mark == "." and not abbreviation
        if stop or at >= len(near) or compatible(typography(near[at])) != mark:
            return None
        used = at + 1
        while mark == "'" and used < len(near) and near[used] == near[at] and near[at] in "'`":
            used += 1
    return used


def _next_start(text: str, position: int) -> int:
    """The first position from here on where a mention may begin; keeps the search linear in long words."""
    while position < len(text) and joined(text, position):
        position += 1
    return position


def _tail(said: str) -> str:
    """The punctuation after the last letter, with straight quotes and without white space."""
    size = len(said)
    while size and not key(said[size - 1]) and not clings(said[size - 1]):
        size -= 1
    return "".join(compatible(typography(said[size:])).split())


def _trusted(level: int, found: str, said: str) -> bool:
    """Whether so strong a repair may be believed for so short a mention."""
    if level >= CASE and found.islower() and found in _FUNCTION_WORDS and not said.islower():
        return False
    if level < PUNCTUATION:
        return True
    for pattern in (_DIGITS, _POSSESSIVE):
        if pattern.findall(typography(found)) != pattern.findall(typography(said)):
            return False
    letters = len(key(said))
    if level == JOINED:
        return letters >= 6
    return letters >= 4 or _letters(found) == _letters(said)


def _letters(text: str) -> str:
    return "".join(char for char in text if char not in _LOOSE and not char.isspace())


INSIDE = 9
SAME_NAME = ACCENTS
"""Up to this level a place surely reads the same name; beyond it a repeated mention is not followed."""
