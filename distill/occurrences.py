"""Occurrences: every place of a text where a mention may stand, exactly or under another spelling."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from sys import maxsize

from distill.boundaries import SPACELESS, clings, fits, glued, joined, kind, parted
from distill.document import Span
from distill.edges import edges
from distill.folding import (
    ACCENTS,
    CASE,
    JOINED,
    PUNCTUATION,
    QUOTES,
    FoldedText,
    difference,
    key,
    typography,
    unspaced,
)
from distill.words import words

_DIGITS = re.compile(r"\d+")
_THOUSANDS = re.compile(r"(?<=\d)[,'\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_POSSESSIVE = re.compile(r"'\s*s\b", re.IGNORECASE)
_DIGIT_JOIN = re.compile(r"(?<=[^\W\d_])\s(?=\d)|(?<=\d)\s(?=[^\W\d_])")
_BEFORE_S = re.compile(r"(?<=\w)\s*'\s*(?=s\b)", re.IGNORECASE)
_BEFORE_PLURAL = re.compile(r"(?<=\d)\s*'\s*(?=s\b)")  # the apostrophe of 1990's and F-16's
_SEPARATORS = re.compile(r"[:;!?()\[\]{}]|(?<!\w)'|'(?!\w)")  # what stands between names rather than in one
MOST_SYMBOLS = 20
_LOOSE = frozenset(QUOTES + ".,;:()[]{}-–—…*")
# A name is not one of these in lower case: "US" is not found in "us", nor "IT" in "it".
_FUNCTION_WORDS = frozenset((
    "a", "all", "am", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "had", "has", "he", "her",
    "his", "i", "if", "in", "is", "it", "may", "me", "my", "no", "not", "of", "on", "one", "or", "our", "out",
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
    glued: bool = False  # part of a longer token
    marks: int = 0  # how many marks of punctuation it has and the mention has not, or the other way round
    span: Span = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", Span(self.start, self.end))

    @property
    def rank(self) -> tuple[int, int, int]:
        """The strongest repair, then how many there are, then how many marks: the lower, the plainer."""
        return self.level, self.how.count(","), self.marks


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of the text that carries letters, digits or symbols, with its key."""

    start: int
    end: int
    key: str


def pieces(text: str, stretch: Span | None = None) -> list[Piece]:
    """The pieces of a text, or of one stretch of it."""
    first = stretch.start if stretch else 0
    part = text[first : stretch.end] if stretch else text
    found = ((start, end, key(part[start:end])) for start, end in words(part))
    return [Piece(first + start, first + end, folded) for start, end, folded in found if folded]


class Source:
    """A text to be searched; what a search needs of it is computed once, when it is first needed."""

    def __init__(self, text: str, most: int = maxsize) -> None:
        self.text = text
        self._most = most  # of a string that stands more often the first places are taken
        self._first: dict[str, int] = {}

    @cached_property
    def _folded(self) -> FoldedText:
        return FoldedText(self.text)

    @cached_property
    def pieces(self) -> list[Piece]:
        return pieces(self.text)

    def _first_hit(self, wanted: str) -> int:
        """Where in the key the wanted one first stands: many forms of one mention have the same key."""
        if wanted not in self._first:
            self._first[wanted] = self._folded.key.find(wanted) if wanted else -1
        return self._first[wanted]

    def holds(self, said: str) -> bool:
        """Whether the letters and digits of `said` stand in the text at all."""
        wanted = key(said)
        return not wanted or self._first_hit(wanted) >= 0

    def exact(self, said: str) -> list[Place]:
        """Places that read exactly `said`, at word boundaries, left to right, not overlapping."""
        text = self.text
        places: list[Place] = []
        start = text.find(said) if said else -1
        while start >= 0 and len(places) < self._most:
            end = start + len(said)
            if fits(text, start, end):
                places.append(Place(start, end, glued=glued(text, start, end)))
                start = text.find(said, end)
            else:
                start = text.find(said, _next_start(text, start + 1))
        return places

    def inside(self, said: str) -> list[Place]:
        """Places inside a run of letters and digits where two scripts, or letters and digits, meet."""
        mixed = any(kind(char) == SPACELESS for char in said)
        wanted = key(said)
        if len(wanted) < (2 if mixed else 3):
            return []
        folded, offset = self._folded.key, self._folded.offset
        places: list[Place] = []
        hit = self._first_hit(wanted)
        while hit >= 0 and len(places) < self._most:
            start, end = offset(hit), self._with_marks(offset(hit + len(wanted) - 1) + 1)
            apart = _parts(self.text, start, mixed) and _parts(self.text, end, mixed)
            if apart and not fits(self.text, start, end) and self._whole(hit, hit + len(wanted)):
                *_, (_, inner) = edges(self.text, said, start, end)
                match = difference(self.text[start:end], inner)
                if match and match[0] <= ACCENTS:
                    how = ", ".join(filter(None, ("inside a word", match[1])))
                    places.append(Place(start, end, INSIDE, how))
            hit = folded.find(wanted, hit + len(wanted))
        return places

    def equal(self, said: str) -> list[Place]:
        """Places that read `said` under repairs that keep its letters and digits."""
        places: list[Place] = []
        for start, end in self._hits(key(said)):
            if len(places) == self._most:
                break
            options = [self._place(said, inner, span) for span, inner in edges(self.text, said, start, end)]
            best = min((option for option in options if option), key=lambda place: place.rank[:2], default=None)
            if best:
                places.append(best)
        return places or self._symbols(said)

    def _symbols(self, said: str) -> list[Place]:
        """Places of a mention that has neither letter nor digit, white space aside."""
        bare = "".join(said.split())
        if key(said) or not bare or len(bare) > MOST_SYMBOLS:
            return []
        spaced = re.compile(r"\s*".join(map(re.escape, bare)))
        found = (self._place(said, said, Span(*match.span())) for match in spaced.finditer(self.text))
        return list(islice((place for place in found if place), self._most))

    def _hits(self, wanted: str) -> Iterator[Span]:
        """Spans whose key is `wanted`, whole characters only."""
        folded, offset = self._folded.key, self._folded.offset
        hit = self._first_hit(wanted)
        while hit >= 0:
            stop = hit + len(wanted)
            span = Span(offset(hit), self._with_marks(offset(stop - 1) + 1))
            if self._whole(hit, stop) and fits(self.text, *span):
                yield span
                hit = folded.find(wanted, stop)
            else:
                hit += 1
                while hit < len(folded) and joined(self.text, offset(hit)):
                    hit += 1
                hit = folded.find(wanted, hit)

    def _whole(self, hit: int, stop: int) -> bool:
        """Whether a stretch of the key begins and ends with a character of the text."""
        offset = self._folded.offset
        if hit and offset(hit - 1) == offset(hit):
            return False
        return stop == len(self._folded.key) or offset(stop) != offset(stop - 1)

    def _with_marks(self, end: int) -> int:
        while end < len(self.text) and clings(self.text[end]) and not key(self.text[end]):
            end += 1
        return end

    def _place(self, said: str, inner: str, span: Span) -> Place | None:
        found = self.text[span.start : span.end]
        match = difference(found, said) if fits(self.text, *span) else None
        if match is None:
            return None
        if not _trusted(match[0], found, said):
            within = difference(found, inner) if len(key(said)) >= 4 or _letters(inner) == _letters(said) else None
            if within is None or not _trusted(within[0], found, inner):
                return None
        marks = _marks_apart(found, said) if match[0] >= PUNCTUATION else 0
        return Place(*span, *match, lower=found.islower(), glued=glued(self.text, *span), marks=marks)


def _marks_apart(found: str, said: str) -> int:
    """How many marks one of the two has that the other lacks."""
    one, other = (Counter(char for char in unspaced(each) if not char.isalnum()) for each in (found, said))
    return (one - other).total() + (other - one).total()


def _parts(text: str, position: int, mixed: bool) -> bool:
    """Whether letters meet digits here, or a mention in a script without spaces meets anything but its own number."""
    if not joined(text, position):
        return True
    if parted(text, position):
        return False
    left, right = text[position - 1], text[position]
    if left.isdigit() == right.isdigit():
        return mixed and left.isalpha() and right.isalpha()
    return left.isalnum() and right.isalnum()


def _next_start(text: str, position: int) -> int:
    """The first position from here on where a mention may begin; keeps the search linear in long words."""
    while position < len(text) and joined(text, position):
        position += 1
    return position


@lru_cache(maxsize=4096)
def _trusted(level: int, found: str, said: str) -> bool:
    """Whether so strong a repair may be believed for so short a mention."""
    if level >= CASE and found.islower() and found in _FUNCTION_WORDS and not said.islower():
        return False
    if level < PUNCTUATION:
        return True
    one, other = _alike(*(_THOUSANDS.sub("", typography(each)) for each in (found, said)))
    if any(pattern.findall(one) != pattern.findall(other) for pattern in (_DIGITS, _POSSESSIVE, _SEPARATORS)):
        return False
    letters = len(key(said))
    if level == JOINED and letters >= 3 and _DIGIT_JOIN.sub("", one) == _DIGIT_JOIN.sub("", other):
        return True  # `MI 6`, `5 km`
    if level == JOINED:
        return letters >= 6 or (letters >= 4 and len(found.split()) == len(said.split()) == 1)
    return letters >= 4 or _letters(found) == _letters(said)


def _alike(found: str, said: str) -> tuple[str, str]:
    """Both without the apostrophe of an 's if the text alone has one, or the mention alone in a number's plural."""
    plain, plural = _BEFORE_S.sub("", found), _BEFORE_PLURAL.sub("", said)
    if plain != found and not _BEFORE_S.search(said):
        return plain, said
    if plural != said and plain == found and (match := difference(found, plural)) and match[0] < CASE:
        return found, plural
    return found, said


def _letters(text: str) -> str:
    return "".join(char for char in text if char not in _LOOSE and not char.isspace())


INSIDE = 9
SAME_NAME = ACCENTS
"""Up to this level a place surely reads the same name; beyond it a repeated mention is not followed."""
