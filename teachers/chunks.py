"""Chunks: a long text in pieces that end where sentences do, with the offsets that lead back; nothing is left out."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from distill.errors import InputError
from distill.files import existing
from distill.libraries import resolve
from distill.words import is_spaceless, words

Tokens = Callable[[str], Sequence[int]]
"""Where the tokens of a text begin, in order."""

LETTERS = 5  # counts 21 % more than BERT's vocabulary over English news, and too few for none of 696 chunks of it
PARAGRAPH, SENTENCE, CLAUSE, WORD, INSIDE = 4, 3, 2, 1, 0

_PARAGRAPH = re.compile(r"\n\s*")
_SENTENCE = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*\s+(?![a-z])|[。！？]+[”’」』）]*\s*")
_ABBREVIATION = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|Rev|Gen|Col|Lt|Sgt|Capt|Sen|Rep|Gov|St|Jr|Sr|Inc|Ltd|Co|Corp|No|vs|etc|Mt|Ft))\.\s+\Z"
)  # fmt: skip
_CLAUSE = re.compile(r"[,;:]\s+|[，；：、]\s*")


class Chunk(NamedTuple):
    """A stretch of a text from `start`; `torn` where it had to end within a sentence."""

    start: int
    text: str
    torn: bool = False


def estimated(text: str) -> list[int]:
    """The cheap rule: a word is a token for every five characters begun, for every single one where it is not ASCII."""
    starts: list[int] = []
    for start, end in words(text):
        starts.extend(range(start, end, LETTERS if text[start:end].isascii() else 1))
    return starts


def counted_by(path: Path) -> Tokens:
    """The tokens of a student's tokenizer: a tokenizer.json, or a folder (student, run, bundle) that holds one."""
    folder = existing(path, "tokenizer")
    found = [folder, folder / "tokenizer.json", folder / "student" / "tokenizer.json"]
    file = next((each for each in found if each.is_file()), None)
    if file is None:
        raise InputError("no tokenizer.json in it", path=path)
    try:
        tokenizer: Any = resolve("tokenizers:Tokenizer", "all").from_file(str(file))
    except Exception as error:  # noqa: BLE001 - tokenizers raises nothing more precise
        raise InputError(f"not a tokenizer: {error}", path=file) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]


def chunks_of(text: str, most: int, tokens: Tokens = estimated) -> list[Chunk]:
    """The text in chunks of at most `most` tokens; a text that is short enough comes back as it is.

    A chunk ends with a paragraph if it is half full by then, otherwise with a sentence; a sentence longer than a
    chunk is torn at a clause or between words. Only white space stands between the chunks.
    """
    starts = tokens(text)
    if len(starts) <= most:
        return [Chunk(0, text)]
    units = list(_units(text, starts, most, tokens))
    found: list[Chunk] = []
    first = 0
    while first < len(units):
        last = _end(units, first, most)
        begin, end, rank = units[first].start, units[last].end, units[last].rank
        found += _stripped(text, begin, end, rank < SENTENCE and last + 1 < len(units))
        first = last + 1
    return found


class _Unit(NamedTuple):
    """What is never divided, with its tokens and how good a place its end is."""

    start: int
    end: int
    tokens: int
    rank: int


def _units(text: str, starts: Sequence[int], most: int, tokens: Tokens) -> Iterator[_Unit]:
    """The text as words with the white space behind them; what has more than `most` tokens is divided all the same."""
    ranks = _ranks(text)
    edges = [0, *(start for start, _ in words(text) if start and _free(text, start)), len(text)]
    for start, end in pairwise(edges):
        count = bisect_left(starts, end) - bisect_left(starts, start)
        if count <= most:
            yield _Unit(start, end, count, ranks.get(end, WORD))
            continue
        for first, last, count in _pieces(text, (start, end), starts, most, tokens):
            yield _Unit(first, last, count, ranks.get(end, WORD) if last == end else INSIDE)


def _pieces(
    text: str, word: tuple[int, int], starts: Sequence[int], most: int, tokens: Tokens
) -> Iterator[tuple[int, int, int]]:
    """An endless word as (start, end, tokens), counted alone: what is cut out of a word has tokens of its own."""
    start, end = word
    while start < end:
        beyond = bisect_left(starts, start) + most
        stop = min(max(starts[beyond], start + 1), end) if beyond < len(starts) else end
        while len(alone := tokens(text[start:stop])) > most and stop > start + 1:
            stop = start + max(alone[most], 1)
        yield start, stop, len(alone)
        start = stop


def _free(text: str, at: int) -> bool:
    """Whether a chunk may begin here: behind white space, or beside a character that needs none."""
    before, after = text[at - 1], text[at]
    return before.isspace() or before in "。！？，；：、" or is_spaceless(before) or is_spaceless(after)


def _ranks(text: str) -> dict[int, int]:
    ranks: dict[int, int] = {}
    for pattern, rank in ((_CLAUSE, CLAUSE), (_SENTENCE, SENTENCE), (_PARAGRAPH, PARAGRAPH)):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 8) : match.end()]
            if rank != SENTENCE or not _ABBREVIATION.search(before):
                ranks[match.end()] = rank
    return ranks


def _end(units: Sequence[_Unit], first: int, most: int) -> int:
    """The unit that a chunk beginning at `first` ends with."""
    filled = 0
    best: dict[int, tuple[int, int]] = {}
    for index in range(first, len(units)):
        filled += units[index].tokens
        if filled > most and index > first:
            break
        best[units[index].rank] = (index, filled)
    else:
        return len(units) - 1
    for rank, least in ((PARAGRAPH, most // 2), (SENTENCE, 0), (PARAGRAPH, 0), (CLAUSE, most // 2)):
        if rank in best and best[rank][1] >= least:
            return best[rank][0]
    return max(index for index, _ in best.values())


def _stripped(text: str, start: int, end: int, torn: bool) -> list[Chunk]:
    piece = text[start:end]
    bare = piece.strip()
    return [Chunk(start + len(piece) - len(piece.lstrip()), bare, torn)] if bare else []
