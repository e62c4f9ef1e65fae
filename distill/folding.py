"""Folding: what two spellings of one name have in common, and which repairs lead from one to the other."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

from distill.boundaries import SPACED, invisible, kind

QUOTES = "'\"‘’‚‛“”„‟′″‴`´ʹʺʻʼʽˈˊˋ«»‹›＇＂「」『』〝〞〟׳״"
DASHES = "-‐‑‒–—―−⁃﹘﹣－"
# Marks that spellings of one name differ in: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowels,
# variation selectors. Other scripts' marks are letters of their own and stay.
_ACCENTS = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670),
    (0x06D6, 0x06ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)  # fmt: skip
_STROKES = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t"}
# Cyrillic and Greek letters that look like Latin ones, told by their capitals, as names begin; not the mu of units.
_STROKES |= dict(zip("авекмнорстухіјѕһԁԛԝ", "abekmhopctyxijshdqw", strict=True))
_STROKES |= dict(zip("αβεζηικνορτυχ", "abezhiknoptyx", strict=True))
_STROKES |= {stroke.upper(): letter.capitalize() for stroke, letter in _STROKES.items() if stroke != "ı"}
_STROKES |= {"ي": "ی", "ى": "ی", "ك": "ک", "ـ": ""}  # Arabic and Persian forms of one letter; the stretching tatweel
_TYPOGRAPHY = {**{ord(char): "'" for char in QUOTES}, **{ord(char): "-" for char in DASHES}}
_NOT = re.compile(r"n['’]t\b", re.IGNORECASE)
_REPEATED = re.compile(r"'{2,}|-{2,}")


def _is_accent(char: str) -> bool:
    code = ord(char)
    if code < 0x0300 or unicodedata.category(char)[0] != "M":
        return False
    return any(low <= code <= high for low, high in _ACCENTS)


def white_space(text: str) -> str:
    """Runs of any white space as one space, none at the ends."""
    return " ".join(text.split())


def typography(text: str) -> str:
    """Straight quotes of one kind and plain hyphens; the `` and '' of tokenised text count as one quote."""
    return _REPEATED.sub(lambda run: run[0][0], text.translate(_TYPOGRAPHY))


_CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)


def core(text: str) -> str:
    """The text from its first to its last letter or digit."""
    found = _CORE.search(text)
    return found[0] if found else ""


def compatible(text: str) -> str:
    """NFKC without invisible characters, digits as 0 to 9."""
    return "".join(_digit(char) for char in unicodedata.normalize("NFKC", text) if not invisible(char))


def _digit(char: str) -> str:
    """`3` for the Arabic, Thai or Devanagari digit; every other character as it is."""
    return char if char.isascii() or not char.isdecimal() else str(unicodedata.decimal(char))


def untokenised(text: str) -> str:
    """No white space beside punctuation, in scripts that have none, and before the `n't` of `do n't`."""
    parts = text.split()
    out = parts[:1]
    for part in parts[1:]:
        apart = kind(out[-1][-1]) == SPACED == kind(part[0]) and not _NOT.match(part)
        out.append(" " + part if apart else part)
    return "".join(out)


def caseless(text: str) -> str:
    """Case folded, composed again."""
    return unicodedata.normalize("NFC", text.casefold())


def unaccented(text: str) -> str:
    """Without accents and strokes: `Bogotá` and `Bogota`, `Łódź` and `Lodz`."""
    bare = "".join(char for char in unicodedata.normalize("NFD", text) if not _is_accent(char))
    return "".join(_STROKES.get(char, char) for char in bare)


def unpunctuated(text: str) -> str:
    """Hyphens and slashes as spaces, other punctuation gone."""
    spaced = "".join(" " if char in "-/" else char for char in text)
    return white_space("".join(char for char in spaced if unicodedata.category(char)[0] != "P"))


def unspaced(text: str) -> str:
    """Without any white space."""
    return "".join(text.split())


# In this order, each on top of those before it; a match's level is the number of repairs it took to get there.
Repair = tuple[str, Callable[[str], str]]
REPAIRS: tuple[Repair, ...] = (
    ("white space", white_space),
    ("quotes", typography),
    ("unicode", compatible),
    ("tokenisation", untokenised),
    ("case", caseless),
    ("accents", unaccented),
    ("punctuation", unpunctuated),
    ("joined words", unspaced),
)
CASE, ACCENTS, PUNCTUATION, JOINED = 5, 6, 7, 8


@lru_cache(maxsize=8192)
def difference(found: str, said: str) -> tuple[int, str] | None:
    """The level at which the two spellings agree and the repairs that are needed for it; None where they never do."""
    if found == said:
        return 0, ""
    one, other = found, said
    for level, (_, repair) in enumerate(REPAIRS, 1):
        one, other = repair(one), repair(other)
        if one == other:
            return level, _needed(found, said, REPAIRS[:level])
        # Without its white space `St. Anselm` cannot lose its full stop, so punctuation also goes by itself.
        spaced = [each for each in REPAIRS[:level] if each[1] is not untokenised]
        if level >= PUNCTUATION and _apply(found, spaced) == _apply(said, spaced):
            return level, _needed(found, said, spaced)
    return None


def _needed(found: str, said: str, repairs: Sequence[Repair]) -> str:
    """The repairs that are needed, the last among them."""
    needed = list(repairs)
    for repair in repairs[:-1]:
        without = [each for each in needed if each is not repair]
        if _apply(found, without) == _apply(said, without):
            needed = without
    return ", ".join(name for name, _ in needed)


def _apply(text: str, repairs: Sequence[Repair]) -> str:
    for _, repair in repairs:
        text = repair(text)
    return text


class _Keys(dict[int, str]):
    """What each character leaves in a key, computed when it is first met."""

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(code)).casefold())
        left = "".join(_digit(_STROKES.get(each, each)) for each in folded if self._stays(each))
        if len(self) < 65536:
            self[code] = left
        return left

    @staticmethod
    def _stays(char: str) -> bool:
        if char in QUOTES or char in DASHES or _is_accent(char) or _blank(char):
            return False
        return unicodedata.category(char)[0] not in "PZ"


def _blank(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) in ("Cc", "Cf")


_KEYS = _Keys()


def key(text: str) -> str:
    """The letters, digits and symbols of `text`, without case, accents, punctuation and white space."""
    return text.translate(_KEYS)


class FoldedText:
    """The key of a whole text, and for each of its characters the offset it comes from, worked out when asked."""

    def __init__(self, text: str) -> None:
        self._blocks = [text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK)]
        keys = list(map(key, self._blocks))
        self.key = "".join(keys)
        self._starts = list(accumulate(map(len, keys), initial=0))
        self._offsets: dict[int, list[int]] = {}

    def offset(self, at: int) -> int:
        """Where in the text the character `at` of the key stands."""
        block = bisect_right(self._starts, at) - 1
        if block not in self._offsets:
            first = block * _BLOCK
            self._offsets[block] = [
                offset for offset, char in enumerate(self._blocks[block], first) for _ in _KEYS[ord(char)]
            ]
        return self._offsets[block][at - self._starts[block]]


_BLOCK = 2048
