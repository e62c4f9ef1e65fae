"""Fragments: the words of a discontinuous mention, in order, within one sentence."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from distill.document import Span
from distill.folding import core
from distill.occurrences import Piece, Place, pieces

LEVEL = 12
MOST_WORDS = 10
LEAST_LETTERS = 6
MOST_GAP = 10  # words left out; coordination in clinical and news text stays well below
MOST_FRAGMENTS = 3
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]|\n\s*\n")


_JOINS = frozenset(("and", "or", "und", "oder", "et", "ou", "y", "e"))
_ENUMERATES = re.compile(r"[;；，、]|,(?!\d)|\s[/|]\s")
_ELLIPSIS = re.compile(r"\.\s?\.\s?\.|…")


def scatters(asked: Sequence[Piece]) -> bool:
    """Whether a mention has words enough, and not too many, to be looked for in pieces."""
    return 2 <= len(asked) <= MOST_WORDS and sum(len(piece.key) for piece in asked) >= LEAST_LETTERS


class Fragments:
    """The sentences of a text and where each word stands; `stretches` hold its words."""

    def __init__(self, text: str, stretches: Sequence[Sequence[Piece]]) -> None:
        self._pieces = [piece for each in stretches for piece in each]
        self._where: dict[str, list[int]] = defaultdict(list)
        for index, piece in enumerate(self._pieces):
            self._where[piece.key].append(index)
        self._sentence: list[tuple[int, int]] = []  # of each word, with the stretch it stands in
        for number, each in enumerate(stretches):
            found = _SENTENCE_END.finditer(text, each[0].start, each[-1].end) if each else ()
            ends = [match.end() for match in found]
            self._sentence += [(number, bisect_right(ends, piece.start)) for piece in each]

    def place(self, said: str) -> Place | None:
        """The tightest place of the mention's words in order, with a gap; None where two are equally tight.

        A mention that was shortened by an ellipsis means the gap as well; one with a comma or semicolon between its
        words counts up several things, and none of them reaches from the first to the last.
        """
        asked = pieces(said)
        if not scatters(asked) or _ENUMERATES.search(core(said)):
            return None
        wanted = [piece.key for piece in asked]
        if any(word not in self._where for word in wanted):
            return None
        runs = [run for first in self._where[wanted[0]] if (run := self._run(first, wanted))]
        runs = [run for run in runs if self._believable(run)]
        if not runs:
            return None
        tightest = min(run[-1] - run[0] for run in runs)
        best = [run for run in runs if run[-1] - run[0] == tightest]
        if len(best) > 1:
            return None
        spans = [Span(group[0].start, group[-1].end) for group in self._groups(best[0])]
        if _ELLIPSIS.search(core(said)):
            return Place(spans[0].start, spans[-1].end, LEVEL, "ellipsis")
        return Place(spans[0].start, spans[-1].end, LEVEL, "fragments", tuple(spans))

    def _run(self, first: int, wanted: list[str]) -> list[int] | None:
        """The words one after another, each as soon as it comes, in the sentence of the first."""
        run = [first]
        for word in wanted[1:]:
            places = self._where[word]
            at = bisect_left(places, run[-1] + 1)
            if at == len(places) or self._sentence[places[at]] != self._sentence[first]:
                return None
            run.append(places[at])
        return run

    def _groups(self, run: list[int]) -> list[list[Piece]]:
        groups: list[list[Piece]] = []
        for before, index in zip([-2, *run], run, strict=False):
            if index != before + 1:
                groups.append([])
            groups[-1].append(self._pieces[index])
        return groups

    def _believable(self, run: list[int]) -> bool:
        """Few fragments, close together, each with a word of its own weight; of "Ann and Bo" neither is one."""
        groups = self._groups(run)
        if not 2 <= len(groups) <= MOST_FRAGMENTS or run[-1] - run[0] + 1 - len(run) > MOST_GAP:
            return False
        if any(one[-1].key in _JOINS or other[0].key in _JOINS for one, other in pairwise(groups)):
            return False
        return all(any(len(piece.key) >= 3 for piece in group) for group in groups)
