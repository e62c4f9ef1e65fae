"""Where a mention may begin and end: word boundaries in scripts with spaces, whole characters in every script."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

from distill.words import is_spaceless

OTHER, SPACED, SPACELESS = 0, 1, 2

# Written without spaces, beside the Chinese, Japanese and Thai of `is_spaceless`: iteration marks, Lao, Burmese, Khmer.
_MORE_SPACELESS = (
    (0x3005, 0x3007), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0x1780, 0x17FF),
)  # fmt: skip
# What completes the character before it: Hangul vowels and finals, Thai and Lao am, voiced marks of half-width kana,
# joiners and non-joiners, skin tones, and the letters in the flags of regions.
_CLINGING = (
    (0x1160, 0x11FF), (0xD7B0, 0xD7FF), (0x0E33, 0x0E33), (0x0EB3, 0x0EB3), (0xFF9E, 0xFF9F), (0x200C, 0x200D),
    (0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F),
)  # fmt: skip
# What shows a symbol, a digit or an ideograph in another form: no part of a word.
_SELECTORS = ((0xFE00, 0xFE0F), (0x20E3, 0x20E3), (0xE0100, 0xE01EF))
_PROLONGED, _KANA = "ーｰ", re.compile("[\u3041-\u30ff\uff66-\uff9d]")  # the sound mark of the kana before it
_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]{2,}")
_STACKING = "\u1039\u17d2"  # Burmese and Khmer signs that put the next letter under the one before
FAR = 32  # so many invisible characters are looked through for the letters on either side
_CHAINED = re.compile(r"\.[^\W\d_]\.[^\W\d_]\.")  # within the stops of one abbreviation
_JOINER = "\u200d"
_GLUE = frozenset("-‐‑–./_@&+:·")
_HANDLES = frozenset("#@")
_APOSTROPHES = frozenset("'’ʼ")


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


@lru_cache(maxsize=65536)
def kind(char: str) -> int:
    """Part of a word in a script with spaces, in one without, or part of no word."""
    if is_spaceless(char) or _within(ord(char), _MORE_SPACELESS):
        return SPACELESS
    if _within(ord(char), _SELECTORS):
        return OTHER
    return SPACED if char.isalnum() or unicodedata.category(char)[0] == "M" else OTHER


@lru_cache(maxsize=65536)
def clings(char: str) -> bool:
    """Belongs to the character before it: a combining mark, a joiner, a Hangul final, a skin tone."""
    return unicodedata.category(char)[0] == "M" or _within(ord(char), _CLINGING)


@lru_cache(maxsize=65536)
def invisible(char: str) -> bool:
    """Zero-width characters, soft hyphens and other format characters."""
    return unicodedata.category(char) == "Cf"


def joined(text: str, position: int) -> bool:
    """Whether `position` lies inside a word or inside a character, so that no mention may end there."""
    if position <= 0 or position >= len(text):
        return False
    left, right = text[position - 1], text[position]
    if left < "\x80" and right < "\x80":
        return left.isalnum() and right.isalnum()
    if parted(text, position):
        return True
    before, after = position - 1, position
    while before > max(0, position - FAR) and invisible(text[before]):
        before -= 1
    while after < min(len(text) - 1, position + FAR) and invisible(text[after]):
        after += 1
    return kind(text[before]) == SPACED == kind(text[after])


def parted(text: str, position: int) -> bool:
    """Whether `position` lies inside a character: before a mark or a joiner, within an emoji or a flag."""
    if position <= 0 or position >= len(text):
        return False
    left, right = text[position - 1], text[position]
    if clings(right) or left == _JOINER or left in _STACKING:
        return True
    if right in _PROLONGED and _KANA.match(left):
        return True
    if not (_regional(left) and _regional(right)):
        return False
    flags = _flags(text)
    return (position - flags[bisect_right(flags, position) - 1]) % 2 == 1


def _regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


@lru_cache(maxsize=2)
def _flags(text: str) -> list[int]:
    """Where runs of the letters that make flags begin: from there on two of them are one flag."""
    return [match.start() for match in _FLAGS.finditer(text)]


def _hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3"


def fits(text: str, start: int, end: int) -> bool:
    """Whether `[start, end)` begins and ends at boundaries; a Korean particle may follow its noun."""
    if start >= end or joined(text, start) or _chained(text, end):
        return False
    return not joined(text, end) or (_hangul(text[end - 1]) and _hangul(text[end]))


def _chained(text: str, end: int) -> bool:
    """Whether the stops of one abbreviation go on here, as behind the `U.S.` of `U.S.A.`."""
    stop = end - 1 if text[end - 1] == "." else end
    return stop >= 2 and text.startswith(".", stop) and _CHAINED.match(text, stop - 2) is not None


def glued(text: str, start: int, end: int) -> bool:
    """Whether more of the same token follows or precedes, as in `post-World Cup`: another occurrence is likelier."""
    if end < len(text) and _hangul(text[end]) and _hangul(text[end - 1]):
        return True
    if start and text[start - 1] in _HANDLES:
        return True
    before = text[start - 1] if start >= 2 else " "
    if (before in _GLUE or before in _APOSTROPHES) and text[start - 2].isalnum():
        return True
    if end < len(text) and text[end].isalnum() and text[end - 1] in _GLUE:
        return True
    after = text[end] if end + 1 < len(text) else " "
    if after == "," or before == ",":
        digits = after == "," and text[end - 1].isdigit() and text[end + 1].isdigit()
        return digits or (before == "," and text[start].isdigit() and text[start - 2].isdigit())
    return after in _GLUE and text[end + 1].isalnum()
