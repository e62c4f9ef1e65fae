"""Hostile texts, the same on every run: all planes of Unicode, characters that nobody sees, endless words, nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

WORD = "Oslo"
_UNSEEN = (
    "\x00\x01\x08\x0b\x0c\x1b\x7f\x85\xa0\xad\u0301\u0489"
    "\u061c\u180e\u200b\u200d\u202e\u2028\u2029\u2060\ufe0f\ufeff\ufffe"
)
_MARKUP = "<script>", "&amp;", '"', "\\", "\\ud800", "{}", "\r\n", "\t", "%00", "```", "[CLS]", "[SEP]", "-DOCSTART-"


class Hostile(NamedTuple):
    """A text, and where WORD was planted in it between spaces."""

    text: str
    planted: tuple[int, ...]


def hostile(count: int, seed: int = 0) -> Iterator[Hostile]:
    """So many texts of up to some thousand characters."""
    chance = random.Random(seed)
    for _ in range(count):
        parts, planted, length = [], [], 0
        for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
            part = _noise(chance)
            if chance.random() < 0.5:
                planted.append(length + len(part) + 1)
                part += f" {WORD} "
            parts.append(part)
            length += len(part)
        yield Hostile("".join(parts), tuple(planted))


def _noise(chance: random.Random) -> str:
    length = chance.choice((0, 1, 2, 5, 20, 20, 60, 60, 400))
    kind = chance.randrange(8)
    if kind == 0:
        return "".join(map(chr, chance.choices(range(0x110000), k=length)))
    if kind == 1:  # one block, as a text in one script
        first = chance.randrange(0x1100) << 8
        return "".join(chr(first + chance.randrange(256)) for _ in range(length))
    if kind == 2:
        return "".join(chance.choices(_UNSEEN, k=length))
    if kind == 3:  # second halves of pairs, then a first one; the other way round JSON makes whole ones of them
        return "".join(chr(chance.randrange(0xDC00, 0xE000)) for _ in range(length)) + "\ud83d "
    if kind == 4:
        return chance.choice(" \n\t\u3000\u2003") * length
    if kind == 5:
        return " ".join(chance.choices(_MARKUP, k=length // 5))
    if kind == 6:  # an endless word
        return chance.choice("aZ0é中ß-'\u0301🙂") * (10 * length)
    return " ".join("".join(chance.choices("abcdefgh", k=chance.randint(1, 9))) for _ in range(length // 4))
