"""Words as BERT's pre-tokenizer makes them, with their code-point offsets; and which scripts do without spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from distill.document import Span

# Ideographs that BERT sets apart (the blocks of its `_is_chinese_char`), kana with their extensions, and Thai.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_SPACELESS = (*_IDEOGRAPHS, (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x0E00, 0x0E7F))
_SPACE, _ALONE, _INSIDE = 0, 1, 2
_FIRST_IDEOGRAPH = "\u3400"

_CHUNK = re.compile(r"\S+")
_GAP = re.compile(r"\s")
# The words of ASCII: letters and digits, or one mark; control characters belong to what they follow.
_ASCII = re.compile(r"[0-9A-Za-z\x00-\x08\x0e-\x1b\x7f]+|[!-/:-@\[-`{-~][\x00-\x08\x0e-\x1b\x7f]*")
# Characters of several code points that are no letter and its marks: flags, keycaps, and pictures that have a skin tone
# or are joined with others.
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
_TONE = "[\U0001f3fb-\U0001f3ff]"
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3"
    f"|{_PICTURE}\ufe0f?(?:{_TONE}|(?=\u200d{_PICTURE}))(?:\u200d{_PICTURE}\ufe0f?{_TONE}?)*"
)
_new = tuple.__new__  # makes a Span of a pair in half the time


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
    """Spans of the words of `text`, in order: white space splits, punctuation, ideographs and emoji stand alone.

    Combining marks, joiners and other invisible characters stay with the word they follow, so that an entity made
    of words never ends between a letter and its accent. A flag, a family, a keycap or an emoji with a skin tone is one.
    """
    if text.isascii():
        return [_new(Span, found.span()) for found in _ASCII.finditer(text)]
    spans: list[Span] = []
    for part in _CHUNK.finditer(text):
        chunk, (start, end) = part[0], part.span()
        if chunk.isascii():
            spans += [_new(Span, found.span()) for found in _ASCII.finditer(text, start, end)]
        elif chunk.isalnum() and max(chunk) < _FIRST_IDEOGRAPH:
            spans.append(Span(start, end))
        else:
            _split(chunk, start, spans)
    return spans


def blocks(text: str, least: int = 1 << 16) -> Iterator[Span]:
    """Stretches of `least` characters or more, cut at white space: their words are the text's, and nothing is lost.

    All words of a text as one list take some 25 times the memory of the text.
    """
    start = 0
    while start < len(text):
        gap = _GAP.search(text, start + least)
        end = gap.start() if gap else len(text)
        yield Span(start, end)
        start = end


def each_word(text: str) -> Iterator[Span]:
    """`words`, for texts of any length in little memory."""
    for begin, end in blocks(text):
        for word in words(text[begin:end]):
            yield Span(begin + word.start, begin + word.end)


def _split(chunk: str, offset: int, found: list[Span]) -> None:
    end = 0
    for emoji in _EMOJI.finditer(chunk):
        _split_plain(chunk, Span(end, emoji.start()), offset, found)
        start, end = emoji.span()
        while end < len(chunk) and _clings(chunk[end]):
            end += 1
        found.append(Span(offset + start, offset + end))
    _split_plain(chunk, Span(end, len(chunk)), offset, found)


def _split_plain(chunk: str, part: Span, offset: int, found: list[Span]) -> None:
    start = part.start
    for index in range(*part):
        char = chunk[index]
        if _kind(char) == _ALONE:
            if start < index:
                found.append(Span(offset + start, offset + index))
            start = index
        elif start < index and _kind(chunk[start]) == _ALONE and not _clings(char):
            found.append(Span(offset + start, offset + index))
            start = index
    if start < part.end:
        found.append(Span(offset + start, offset + part.end))


@lru_cache(maxsize=65536)
def _clings(char: str) -> bool:
    """A combining mark, a joiner or another invisible character, which belongs to what stands before it."""
    return unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf", "Cc")
