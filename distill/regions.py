"""Regions: the stretches of a long text where words like a mention's stand; the rest need not be cut into words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise

from distill.boundaries import SPACELESS, kind
from distill.document import Span
from distill.folding import key
from distill.libraries import resolve
from distill.occurrences import Piece, pieces
from distill.words import words

LONG = 100_000  # characters; up to here a text is read whole
LEAST_LETTERS = 4  # a shorter word may be the one that a misspelt mention has too many or too few
LEAST_SIMILAR = 0.75  # of two words of four letters, two of which are exchanged; fuzzy matching asks for more
MARGIN = 120  # characters on either side, beyond the length of the mention
MOST_GAP = 600  # and for the words that may lie between the fragments of one
MOST = 0.2  # beyond this share of the text its words are better cut once for all mentions
Stretches = list[list[Piece]]
# What white space and the scripts without it leave; these have characters for words.
_TOKEN = re.compile(
    r"[^\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0002fa1f]+"
)


class Regions:
    """The words of a long text, each once, and where they stand when that is asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: dict[str, set[str]] = defaultdict(set)

    @cached_property
    def _times(self) -> Counter[str]:
        """How often each word stands in the text; finds as well in which tokens it does."""
        times: Counter[str] = Counter()
        for token, count in Counter(_TOKEN.findall(self._text)).items():
            for start, end in words(token):
                if word := key(token[start:end]):
                    self._tokens[word].add(token)
                    times[word] += count
        return times

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._times)

    def alike(self, asked: list[Piece], length: int) -> Stretches | None:
        """The pieces around whatever may be a mention of these words misspelt; None if that is most of the text."""
        names = [piece.key for piece in asked]
        if any(kind(char) == SPACELESS for name in names for char in name):
            pairs = {first + second for first, second in pairwise(names)}
            return self._around(pairs, length + MARGIN)
        long = [name for name in names if len(name) >= LEAST_LETTERS] or names
        similar = {name: self._similar(name) for name in long}
        rarest = min(long, key=lambda name: sum(self._times[word] for word in similar[name]))
        return self._around(self._all_tokens(similar[rarest]), length + MARGIN)

    def holding(self, asked: list[Piece], length: int) -> Stretches | None:
        """The pieces around the rarest of these words, if the text has them all; None if that is most of the text."""
        names = [piece.key for piece in asked]
        if any(name not in self._times for name in names):
            return []
        return self._around(self._all_tokens([min(names, key=self._times.__getitem__)]), length + MOST_GAP)

    def _similar(self, word: str) -> list[str]:
        extract = resolve("rapidfuzz.process:extract", "teach")
        scorer = resolve("rapidfuzz.distance.Indel:normalized_similarity", "teach")
        return [one for one, *_ in extract(word, self._sorted, scorer=scorer, score_cutoff=LEAST_SIMILAR, limit=None)]

    def _all_tokens(self, names: Iterable[str]) -> set[str]:
        return {token for name in names for token in self._tokens[name]}

    def _around(self, tokens: Iterable[str], reach: int) -> Stretches | None:
        spans = sorted((max(0, start - reach), end + reach) for token in tokens for start, end in self._places(token))
        joined: list[Span] = []
        for start, end in spans:
            if joined and start <= joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(end, joined[-1].end))
            else:
                joined.append(Span(start, end))
        most = sum(end - start for start, end in joined) > MOST * len(self._text)
        return None if most else [pieces(self._text, span) for span in joined]

    def _places(self, token: str) -> Iterator[Span]:
        start = self._text.find(token)
        while start >= 0:
            yield Span(start, start + len(token))
            start = self._text.find(token, start + len(token))
