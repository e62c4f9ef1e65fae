"""BM25 on the scale of RA-IT: how much a passage and an example are about the same words.

Okapi's formula as gensim 3 has it, which the threshold of 20 was set on:

    idf(w) = ln((N - n(w) + 0.5) / (n(w) + 0.5)), and a quarter of the mean idf where that is negative
    score  = sum over the words w of the passage, repeats included, of
             idf(w) * f(w) * (k1 + 1) / (f(w) + k1 * (1 - b + b * length / mean length))

with f(w) the times w stands in the example and lengths in words. Libraries that leave the factor (k1 + 1) out score
2.5 times lower. Stop words and punctuation count nowhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.libraries import resolve
from distill.words import words
from teachers.repertoire import language_of

Tokenise = Callable[[str], list[str]]

K1, B, EPSILON = 1.5, 0.75, 0.25
STOP_WORDS = Path(__file__).parent / "stopwords"
THRESHOLD = 20.0  # RA-IT: an example scoring less is worse than none


def content_words(text: str) -> list[str]:
    """The words of a text that are no stop words, in lower case; Chinese is segmented by jieba."""
    if language_of(text) == "zh":
        return [word for word in _segment(text) if word not in _stop_words("zh") and _speaks(word)]
    lower = (text[start:end].lower() for start, end in words(text))
    return [word for word in lower if word not in _stop_words("en") and _speaks(word)]


@cache
def _stop_words(language: str) -> frozenset[str]:
    """What says nothing about what a text is about."""
    return frozenset((STOP_WORDS / f"{language}.txt").read_text(encoding="utf-8").split())


def _speaks(word: str) -> bool:
    return any(char.isalnum() for char in word)


def _segment(text: str) -> list[str]:
    return _segmenter()(text)  # type: ignore[no-any-return]


@cache
def _segmenter() -> Any:
    tokenizer = resolve("jieba:Tokenizer", "retrieve")()
    resolve("jieba:setLogLevel", "retrieve")(logging.WARNING)  # it would tell on stderr that it reads its dictionary
    return tokenizer.lcut


class Okapi:
    """BM25 of a pool of texts; a score is asked for one query and some of the texts."""

    def __init__(self, pool: Iterable[str], tokenise: Tokenise = content_words) -> None:
        self._tokenise = tokenise
        self._numbers: dict[str, int] = {}
        rows: list[NDArray[np.int32]] = []
        for text in pool:
            rows.append(np.array([self._number(word) for word in tokenise(text)], dtype=np.int32))
        self._rows = rows
        self._idf = self._idfs()
        lengths = [len(row) for row in rows]
        self._mean = sum(lengths) / len(lengths) if lengths else 0.0

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def _idfs(self) -> list[float]:
        holding = np.zeros(len(self._numbers), dtype=np.int64)
        for row in self._rows:
            holding[np.unique(row)] += 1
        total = len(self._rows)
        idfs = [log(total - count + 0.5) - log(count + 0.5) for count in holding.tolist()]
        floor = EPSILON * sum(idfs) / len(idfs) if idfs else 0.0
        return [idf if idf >= 0 else floor for idf in idfs]

    def scores(self, query: str, places: Sequence[int]) -> list[float]:
        """The score of the texts at these places of the pool for a query."""
        asked = Counter(self._numbers[word] for word in self._tokenise(query) if word in self._numbers)
        return [self._score(asked, place) for place in places]

    def _score(self, asked: Counter[int], place: int) -> float:
        row = self._rows[place]
        held = Counter(row.tolist())
        spread = K1 * (1 - B + B * len(row) / self._mean) if self._mean else 0.0
        return sum(
            times * self._idf[word] * held[word] * (K1 + 1) / (held[word] + spread)
            for word, times in asked.items()
            if word in held
        )
