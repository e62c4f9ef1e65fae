"""Words as BERT's pre-tokenizer makes them, with their code-point offsets; and which scripts do without spaces."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from distill.document import Span

# Ideographs that BERT sets apart (the blocks of its `_is_chinese_char`), kana with their extensions, and Thai.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_SPACELESS = (*_IDEOGRAPHS, (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x0E00, 0x0E7F))
_SPACE, _ALONE, _INSIDE = 0, 1, 2


def is_ideograph(char: str) -> bool:
    """Whether BERT sets the character apart as a Chinese one."""
    code = ord(char)
    return code >= 0x3400 and any(low <= code <= high for low, high in _IDEOGRAPHS)


def is_spaceless(char: str) -> bool:
    """Whether the character belongs to a script written without spaces: Chinese, Japanese or Thai."""
    code = ord(char)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _SPACELESS)


@lru_cache(maxsize=65536)
def _kind(char: str) -> int:
    """Space, a word alone (punctuation, ideograph, emoji) or part of a word.

    BERT keeps an emoji on the letters beside it and then knows neither; here it stands alone.
    """
    if char.isspace():
        return _SPACE
    code, category = ord(char), unicodedata.category(char)
    if category[0] == "P" or (code < 128 and not char.isalnum() and category != "Cc"):
        return _ALONE
    if any(low <= code <= high for low, high in _IDEOGRAPHS):
        return _ALONE
    return _ALONE if category == "So" and code >= 0x2190 else _INSIDE


def words(text: str) -> list[Span]:
    """Spans of the words of `text`, in order: white space splits, punctuation and ideographs stand alone.

    Combining marks, joiners and other invisible characters stay with the word they follow, so that an entity made
    of words never ends between a letter and its accent.
    """
    found: list[Span] = []
    position = 0
    for chunk in text.split():
        position = text.index(chunk, position)
        if chunk.isascii() and chunk.isalnum():
            found.append(Span(position, position + len(chunk)))
        else:
            _split(chunk, position, found)
        position += len(chunk)
    return found


def _split(chunk: str, offset: int, found: list[Span]) -> None:
    start = 0
    for index, char in enumerate(chunk):
        if _kind(char) == _ALONE:
            if start < index:
                found.append(Span(offset + start, offset + index))
            start = index
        elif start < index and _kind(chunk[start]) == _ALONE and not _clings(char):
            found.append(Span(offset + start, offset + index))
            start = index
    found.append(Span(offset + start, offset + len(chunk)))


@lru_cache(maxsize=65536)
def _clings(char: str) -> bool:
    """A combining mark, a joiner or another invisible character, which belongs to what stands before it."""
    return unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf", "Cc")
