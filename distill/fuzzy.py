"""Fuzzy places: windows of whole words that a mention with a typing error may mean."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from sys import maxsize
from typing import Any

from distill.boundaries import SPACELESS, fits, kind
from distill.document import Span
from distill.edges import balanced, with_marks
from distill.folding import key
from distill.libraries import resolve
from distill.occurrences import Piece, Place, pieces

LEVEL = 11
LEAST_LETTERS = 5  # one letter more or less in five is the least that .9 lets through
MOST_WORDS = 12
WORD_SIMILARITY = 0.8  # "Iran Airlines" is not "Iraq Airlines" (.75), "Jon" is "John" (.86)
MARGIN = 0.05  # a rival this close makes the match ambiguous
_DIGITS = re.compile(r"\d+")


def _join(pieces: Iterable[Piece]) -> str:
    out = ""
    for piece in pieces:
        apart = out and kind(out[-1]) != SPACELESS and kind(piece.key[0]) != SPACELESS
        out += " " + piece.key if apart else piece.key
    return out


@lru_cache(maxsize=1)
def _matcher() -> tuple[Callable[..., float], Callable[..., list[Any]]]:
    similarity = resolve("rapidfuzz.distance.Indel:normalized_similarity", "teach")
    return similarity, resolve("rapidfuzz.process:extract", "teach")


def resembles(asked: Sequence[Piece]) -> bool:
    """Whether a mention has letters enough, and not too many words, to be matched by likeness."""
    return sum(len(piece.key) for piece in asked) >= LEAST_LETTERS and len(asked) <= MOST_WORDS


class Windows:
    """The distinct runs of so many words of a text, by length, with the places of each; `stretches` hold its words."""

    def __init__(self, text: str, stretches: Sequence[Sequence[Piece]]) -> None:
        self._text = text
        self._stretches = stretches
        self._runs: dict[int, tuple[list[int], list[str], dict[str, list[Span]]]] = {}

    def _of(self, count: int) -> tuple[list[int], list[str], dict[str, list[Span]]]:
        if count not in self._runs:
            where: dict[str, list[Span]] = defaultdict(list)
            for words in self._stretches:
                for first in range(len(words) - count + 1):
                    window = words[first : first + count]
                    where[_join(window)].append(Span(window[0].start, window[-1].end))
            runs = sorted(where, key=lambda run: (len(run), run))
            self._runs[count] = [len(run) for run in runs], runs, where
        return self._runs[count]

    def near(self, said: str, similarity: float, taken: list[Span]) -> tuple[list[Place], str]:
        """The places of the one best window at least so similar to `said`; or none, and why.

        What other mentions hold (`taken`) is left to them, unless the mention says it too and more.
        """
        asked = pieces(said)
        if not resembles(asked):
            return [], "not in the text"
        wanted = _join(asked)
        scored: list[tuple[float, int, str, list[Place]]] = []
        for count in _counts(asked):
            for run, score in self._similar(wanted, count, similarity):
                places = self._places(said, run, count, score, taken)
                if places:
                    scored.append((score, -abs(count - len(asked)), run, places))
        if not scored:
            return [], "not in the text"
        best = max(scored, key=lambda each: (each[0], each[1], each[2]))
        if not _plausible(asked, pieces(best[2]), self._digits(best[3][0]) == _DIGITS.findall(said)):
            return [], "not in the text"
        rivals = [each for each in scored if each[0] > best[0] - MARGIN and not _touch(each[3][0], best[3])]
        return ([], "ambiguous") if rivals else (self._same_case(said, best[3]), "")

    def _same_case(self, said: str, places: list[Place]) -> list[Place]:
        """Those in capitals or lower case like the mention, if some are."""
        alike = [place for place in places if _case(self._text[place.start : place.end]) == _case(said)]
        return alike or places

    def _similar(self, wanted: str, count: int, similarity: float) -> list[tuple[str, float]]:
        """Runs of `count` words that are similar enough; only lengths that could be are looked at."""
        sizes, runs, _ = self._of(count)
        # With Indel similarity s, lengths a <= b need 2a / (a + b) >= s.
        low = bisect_left(sizes, int(len(wanted) * similarity / (2 - similarity)))
        high = bisect_left(sizes, int(len(wanted) * (2 - similarity) / similarity) + 2)
        if low >= high:
            return []
        scorer, extract = _matcher()
        found = extract(wanted, runs[low:high], scorer=scorer, score_cutoff=similarity, limit=8)
        return [(run, score) for run, score, _ in found]

    def _places(self, said: str, run: str, count: int, score: float, taken: list[Span]) -> list[Place]:
        how, text = f"fuzzy {int(score * 100) / 100:.2f}", self._text
        spans = (with_marks(text, said, *span) for span in self._of(count)[2][run])
        return [
            Place(span.start, span.end, LEVEL, how)
            for span in spans
            if fits(text, *span) and balanced(text[slice(*span)], said) and not self._held(said, span, taken)
        ]

    def _held(self, said: str, span: Span, taken: list[Span]) -> bool:
        """Whether others hold part of the stretch, and not just a name within it that this mention says as well."""
        at = bisect_left(taken, Span(span.end, 0))
        while at > 0 and taken[at - 1].end > span.start:
            at -= 1
            inner = key(self._text[taken[at].start : taken[at].end])
            inside = span.start <= taken[at].start and taken[at].end <= span.end and taken[at] != span
            if not inside or not inner or inner not in key(said) or inner == key(self._text[span.start : span.end]):
                return True
        return False

    def _digits(self, place: Place) -> list[str]:
        return _DIGITS.findall(self._text[place.start : place.end])


def covered(span: Span, taken: list[Span]) -> bool:
    """Whether one of the taken stretches (sorted, apart) overlaps the span."""
    at = bisect_left(taken, Span(span.end, 0))
    return at > 0 and taken[at - 1].end > span.start


def within(span: Span, taken: list[Span]) -> bool:
    """Whether it lies inside one of them."""
    at = bisect_right(taken, (span.start, maxsize))
    return at > 0 and span.end <= taken[at - 1].end


def _touch(place: Place, others: list[Place]) -> bool:
    return any(place.start < other.end and other.start < place.end for other in others)


def _plausible(asked: list[Piece], found: list[Piece], same_digits: bool) -> bool:
    """Whether the words agree one by one; a word more or less must be a short one."""
    if not same_digits:
        return False
    one, other = [piece.key for piece in asked], [piece.key for piece in found]
    if len(one) != len(other):
        return _without_one(*sorted((one, other), key=len))
    if _spaceless(asked):
        # One character more or less only shifts the window: its ends have to be the mention's own.
        return one[0] == other[0] and one[-1] == other[-1]
    return all(_alike(a, b) for a, b in zip(one, other, strict=True))


def _case(text: str) -> tuple[bool, bool]:
    return text.isupper(), text.islower()


def _alike(one: str, other: str) -> bool:
    scorer, _ = _matcher()
    return one == other or sorted(one) == sorted(other) or scorer(one, other) >= WORD_SIMILARITY


def _counts(asked: list[Piece]) -> list[int]:
    """How many words a window has: a word more or less, but no character in a script without spaces."""
    size = len(asked)
    return [size] if _spaceless(asked) else sorted({size, max(1, size - 1), size + 1})


def _spaceless(asked: list[Piece]) -> bool:
    return any(kind(char) == SPACELESS for piece in asked for char in piece.key)


def _without_one(shorter: list[str], longer: list[str]) -> bool:
    """The longer list is the shorter one with a short word put in, or with one of its words split in two."""
    if "".join(shorter) == "".join(longer):
        return True
    return any(len(longer[at]) <= 3 and longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted and apart: overlapping spans become one."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.start < out[-1].end:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out

