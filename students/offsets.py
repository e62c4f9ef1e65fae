"""Offsets for other languages: code points (Python), UTF-8 bytes (Rust, Go), UTF-16 units (Java, JavaScript)."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import accumulate

from distill.errors import CallError

Position = Callable[[int], int]


def position(text: str, unit: str) -> Position:
    """The function from a code-point offset of `text` to the offset in `unit`; a lone surrogate counts as UTF-8 would.

    Raises CallError for a unit that is not codepoint, utf8 or utf16.
    """
    if unit not in _SIZES:
        raise CallError(f"offsets are codepoint, utf8 or utf16, not {unit!r}")
    if unit == "codepoint" or text.isascii():
        return lambda offset: offset
    size = _SIZES[unit]
    return array("Q", accumulate((size(ord(char)) for char in text), initial=0)).__getitem__


def _utf8(code: int) -> int:
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def _utf16(code: int) -> int:
    return 1 if code < 0x10000 else 2


_SIZES: dict[str, Callable[[int], int]] = {"codepoint": lambda _: 1, "utf8": _utf8, "utf16": _utf16}
