"""Capitals for students whose tokenizer lower-cases: a word's case travels beside its pieces, in the same number.

To an uncased BERT "Turkey" and "turkey" are one word, though the capital is half of what tells a name. BERT adds an
embedding of the segment to every token, and a tagger has one segment; here the segments are kinds of case.
"""

from __future__ import annotations

from typing import Any

STEP = 1 << 20
"""An id of piece p in a word of case c is p + c * STEP; more pieces than that no tokenizer has."""
KINDS = 4
LOWER, INITIAL, CAPITALS, MIXED = range(KINDS)
DROPPED = 0.05
"""The share of windows that training shows as if all were lower case: texts without capitals are to be read, too."""


def case_of(word: str) -> int:
    """LOWER where no letter is a capital, INITIAL for the first alone, CAPITALS for all of several, otherwise MIXED."""
    capitals = 0 if word.islower() else sum(map(str.isupper, word))
    if not capitals:
        return LOWER
    letters = sum(map(str.isalpha, word))
    if capitals == letters > 1:
        return CAPITALS
    first = next(char for char in word if char.isalpha() or char.isupper())
    return INITIAL if capitals == 1 and first.isupper() else MIXED


def piece_of(ids: Any) -> Any:
    """The pieces' own ids, of numbers or arrays of them."""
    return ids % STEP
