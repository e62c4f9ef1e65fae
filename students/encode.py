"""The one path from text to token ids: training, evaluation and the runtime all walk it.

A text becomes words (`distill.words`), each word its pieces, and the pieces windows of at most `max_length` tokens.
Words are tokenised one by one, so offsets never depend on the tokenizer and a word's pieces can be remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from distill.document import Span
from distill.errors import CallError, InputError
from distill.sentences import sentences
from distill.words import blocks, words
from students.case import STEP, case_of
from students.spans import Spans, as_pairs

Ids = npt.NDArray[np.int32]

START = 1 << 22
"""An early exit is told where words begin: an id of a word's first piece has START on top, above every case."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_REMEMBERED = 200_000  # words whose pieces are kept; some 40 MB at the most
_LONGEST_REMEMBERED = 64
_LONG = 1 << 16  # characters of a text beyond which it is read some of it at a time
_ENDLESS = 10_000  # letters of a word that a WordPiece tokenizer gets to see of a longer one


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as words and pieces.

    `words` are code-point spans; `ids` the piece ids without special tokens, shape (pieces,), with their words' case
    where the Encoder adds it; `first` the index in `ids` of each word's first piece, shape (words,), and -1 for a word
    the tokenizer has no piece for (only invisible characters); `whole` says that there is no such word. `cuts` are the
    indices in `ids` where a new sentence begins, where the text is read by sentences.
    """

    words: Sequence[Span]
    ids: Ids
    first: Ids
    whole: bool
    cuts: tuple[int, ...] = ()


class Window(NamedTuple):
    """A stretch of pieces `[start, end)` that the model sees at once, and the stretch whose answers it owns.

    Where windows overlap, each word is owned by the one in which it stands farther from an edge.
    """

    start: int
    end: int
    own_start: int
    own_end: int


class Encoder:
    """Texts to ids under one tokenizer, window length and overlap.

    A text of more than `sentences_above` pieces is read sentence by sentence (0: none is), for a student of sentences
    finds less in windows full of them.
    """

    def __init__(
        self, tokenizer: Tokenizer, max_length: int = 128, stride: int = 32, *, case: bool = False,
        sentences_above: int = 0, starts: bool = False,
    ) -> None:  # fmt: skip
        """`max_length` counts the special tokens; `stride` is how many pieces neighbouring windows share.

        With `case` an id carries the case of its word too (`students.case`), with `starts` whether it begins one.
        Raises CallError where a window could not move on.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer, self.max_length, self.stride, self.case = tokenizer, max_length, stride, case
        self.sentences_above, self.starts = sentences_above, starts
        self.prefix, self.suffix = _special_ids(tokenizer)
        self.pad_id = _pad_id(tokenizer)
        self.budget = max_length - len(self.prefix) - len(self.suffix)
        if self.budget < 1 or not 0 <= stride <= self.budget // 2:
            raise CallError(f"windows of {max_length} tokens cannot overlap by {stride}: the overlap is at most half")
        self._pieces: dict[str, tuple[int, ...]] = {}
        longest = getattr(tokenizer.model, "max_input_chars_per_word", None)
        self._gives_up = longest is not None and longest < _ENDLESS

    @classmethod
    def from_folder(
        cls, folder: str | Path, max_length: int = 128, stride: int = 32, *, case: bool = False,
        sentences_above: int = 0,
    ) -> Encoder:  # fmt: skip
        """The Encoder of a folder that holds a `tokenizer.json` (a student, a bundle)."""
        path = Path(folder) / "tokenizer.json"
        if not path.is_file():
            raise InputError("no tokenizer.json in this folder; is it a student or a bundle?", path=folder)
        tokenizer = _loaded(path.read_bytes(), path)
        return cls(tokenizer, max_length, stride, case=case, sentences_above=sentences_above)

    @classmethod
    def from_bytes(
        cls, data: bytes, path: Path, max_length: int, stride: int, *, case: bool, sentences_above: int, starts: bool
    ) -> Encoder:
        """The Encoder of a `tokenizer.json` that was read, and checked, before; `path` is for messages."""
        tokenizer = _loaded(data, path)
        return cls(tokenizer, max_length, stride, case=case, sentences_above=sentences_above, starts=starts)

    def encode(self, text: str) -> Encoded:
        """Words and pieces of one text of any length; nothing is cut."""
        encoded = self._block(text) if len(text) <= _LONG else self._blocks(text)
        cut = 0 < self.sentences_above < len(encoded.ids)
        return replace(encoded, cuts=_cuts(text, encoded)) if cut else encoded

    def _blocks(self, text: str) -> Encoded:
        pairs, ids, firsts, pieces = [], [], [], 0
        for start, end in blocks(text):
            block = self._block(text[start:end])
            pairs.append(as_pairs(block.words, start))
            ids.append(block.ids)
            firsts.append(np.where(block.first < 0, -1, block.first + pieces))
            pieces += len(block.ids)
        first = np.concatenate(firsts, dtype=np.int32)
        return Encoded(Spans(np.concatenate(pairs)), np.concatenate(ids), first, bool((first >= 0).all()))

    def _block(self, text: str) -> Encoded:
        spans = words(text)
        surfaces = [text[start:end] for start, end in spans]
        known = self._pieces
        try:
            found = [known[surface] for surface in surfaces]
        except KeyError:
            known = self._pieces_of(surfaces)
            found = [known[surface] for surface in surfaces]
        first = [0, *accumulate(map(len, found))]
        first.pop()
        whole = all(found)
        if not whole:
            first = [at if own else -1 for at, own in zip(first, found, strict=True)]
        ids = np.array([*chain.from_iterable(found)], np.int32)
        return Encoded(spans, ids, np.array(first, np.int32), whole)

    def _pieces_of(self, surfaces: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """The pieces of every distinct surface, tokenising only those not met before."""
        if len(self._pieces) > _REMEMBERED:
            self._pieces = {}
        known = self._pieces
        fresh = [surface for surface in dict.fromkeys(surfaces) if surface not in known]
        if not fresh:
            return known
        found = dict(self._tokenised(fresh))
        short = {surface: own for surface, own in found.items() if len(surface) <= _LONGEST_REMEMBERED}
        known.update(short)
        return known if len(short) == len(found) else {**known, **found}

    def _tokenised(self, surfaces: Sequence[str]) -> Iterable[tuple[str, tuple[int, ...]]]:
        clean = [_SURROGATE.sub("\ufffd", self._seen(surface)) for surface in surfaces]
        encoding = self.tokenizer.encode(clean, is_pretokenized=True, add_special_tokens=False)
        pieces: list[list[int]] = [[] for _ in surfaces]
        cases = [case_of(surface) * STEP if self.case else 0 for surface in clean]
        for identity, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:
                begins = START if self.starts and not pieces[word] else 0
                pieces[word].append(identity + cases[word] + begins)
        return zip(surfaces, map(tuple, pieces), strict=True)

    def sees_case(self) -> bool:
        """Whether the tokenizer has other pieces for capitals."""
        return any(self._bare(word) != self._bare(word.lower()) for word in ("A", "B", "The", "Paris"))

    def _bare(self, word: str) -> list[int]:
        return [int(identity) for identity in self.tokenizer.encode(word, add_special_tokens=False).ids]

    def _seen(self, surface: str) -> str:
        """What the tokenizer has to see of a word.

        WordPiece makes one unknown piece of a word beyond its limit, however long, and takes 70 bytes for each letter.
        """
        endless = self._gives_up and len(surface) > _ENDLESS and surface.isascii() and surface.isalnum()
        return surface[:_ENDLESS] if endless else surface

    def windows(self, encoded: Encoded) -> list[Window]:
        """Windows over the pieces, cut before words, and where sentences begin; a text without pieces has none."""
        total = len(encoded.ids)
        if total <= self.budget and not encoded.cuts:
            return [Window(0, total, 0, total)] if total else []
        starts = np.append(encoded.first[encoded.first >= 0], total)
        edges = (0, *encoded.cuts, total)
        return [window for low, high in pairwise(edges) for window in self._windows(starts, low, high)]

    def _windows(self, starts: Ids, low: int, high: int) -> list[Window]:
        """Windows over the pieces `[low, high)`; `starts` are those of words, and the end."""
        if high - low <= self.budget:
            return [Window(low, high, low, high)]
        edges: list[tuple[int, int]] = []
        start = end = low
        while end < high:
            reach = min(_at_most(starts, start + self.budget, above=start), high)
            end = reach if reach > end else start + self.budget  # into an endless word rather than nowhere
            edges.append((start, end))
            start = max(_at_most(starts, end - self.stride, above=start), start + 1)
        return _owned(edges)

    def row(self, encoded: Encoded, window: Window) -> Ids:
        """The ids of a window with the special tokens around it, shape (at most max_length,)."""
        return np.concatenate((self.prefix, encoded.ids[window.start : window.end], self.suffix), dtype=np.int32)

    def rows(self, pieces: Sequence[Ids]) -> npt.NDArray[np.int64]:
        """Windows' ids, all of one length, with the special tokens around each: shape (windows, pieces + special)."""
        before, after = len(self.prefix), len(self.suffix)
        length = before + len(pieces[0]) + after
        found = np.empty((len(pieces), length), np.int64)
        found[:, :before] = self.prefix
        found[:, length - after :] = self.suffix
        np.stack(pieces, out=found[:, before : length - after])
        return found


def _cuts(text: str, encoded: Encoded) -> tuple[int, ...]:
    """The pieces at which a sentence begins, but for the first."""
    at = np.flatnonzero(encoded.first >= 0)
    places = [encoded.words[word].start for word in at.tolist()]
    words = np.searchsorted(places, [span.start for span in sentences(text)[1:]])
    found = encoded.first[at[words[words < len(at)]]].tolist()
    return tuple(sorted({piece for piece in found if piece > 0}))


def _at_most(starts: Ids, limit: int, above: int) -> int:
    """The last word start that is at most `limit` and beyond `above`; `limit` itself inside an endless word."""
    before = int(np.searchsorted(starts, limit, side="right"))
    found = int(starts[before - 1]) if before else above
    return found if found > above else limit


def _owned(edges: list[tuple[int, int]]) -> list[Window]:
    """Windows that share each overlap half and half, so every piece has exactly one owner."""
    cuts = [edges[0][0], *((end + start) // 2 for (_, end), (start, _) in pairwise(edges)), edges[-1][1]]
    return [Window(start, end, cuts[i], cuts[i + 1]) for i, (start, end) in enumerate(edges)]


def _loaded(data: bytes, path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_buffer(data)
        for word in ("a", "\ua66e"):  # one may be read and be of no use: without a vocabulary, or for unknown words
            tokenizer.encode(word)
        return tokenizer
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception for a broken file
        raise InputError(f"not a tokenizer file: {error}", path=path) from None


def _special_ids(tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """The ids a tokenizer puts before and after a text (`[CLS]` and `[SEP]` for BERT)."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    at = next((i for i in range(len(full) - len(bare) + 1) if full[i : i + len(bare)] == bare), 0)
    return np.asarray(full[:at], np.int32), np.asarray(full[at + len(bare) :], np.int32)


def _pad_id(tokenizer: Tokenizer) -> int:
    for token in ("[PAD]", "<pad>"):
        found = tokenizer.token_to_id(token)
        if found is not None:
            return int(found)
    return 0
