"""The repertoire: the built-in prompts, what each asks for, and the language in which a text is asked about."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Literal

from distill.words import is_ideograph
from teachers.choice import Shape

Language = Literal["en", "zh", "other"]

SHAPES: dict[str, Shape] = {
    "standard": "dictionary", "cot": "dictionary", "open": "list", "definition": "list", "conversation": "names",
}  # fmt: skip
"""The built-in prompts and the shape of the answer that each asks for."""
OPEN = ("open", "definition")
"""Those that leave the types to the teacher."""


def language_of(text: str) -> Language:
    """The language that the script of a text stands for: that of most of its letters.

    Chinese is what is written in ideographs with next to no kana among them; Latin letters count as English. A
    Chinese word is about two characters and an English one about five letters, so an ideograph counts twice.
    """
    if text.isascii():
        return "en"
    counts = {"latin": 0, "ideograph": 0, "kana": 0, "other": 0}
    for char, times in Counter(text).items():
        kind = _script(char)
        if kind:
            counts[kind] += times
    if counts["kana"] * 20 < counts["ideograph"] and 2 * counts["ideograph"] >= counts["latin"] + counts["other"]:
        return "zh"
    return "other" if counts["latin"] < counts["other"] + counts["kana"] + counts["ideograph"] else "en"


def is_latin(text: str) -> bool:
    """Whether at least half of the letters are Latin; a text without letters is."""
    kinds = [kind for char in text if (kind := _script(char))]
    return 2 * kinds.count("latin") >= len(kinds)


@lru_cache(maxsize=65536)
def _script(char: str) -> str:
    if char.isascii():
        return "latin" if char.isalpha() else ""
    if not char.isalpha():
        return ""
    if is_ideograph(char):
        return "ideograph"
    name = unicodedata.name(char, "")
    if name.startswith(("LATIN", "FULLWIDTH LATIN")):
        return "latin"
    return "kana" if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")) else "other"
