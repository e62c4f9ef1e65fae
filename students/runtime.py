"""The student at work without torch: texts in, Documents out, through onnxruntime on the CPU.

Windows of equal length share a call of the model, unpadded, one thread a call, as many calls at a time as there are
cores. A row gets the same bits alone as in company, so an answer depends on its own text only; where a bundle's graph
is not of that kind, every window goes alone (docs/sealed-room.md has the figures).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeVar

import numpy as np

from distill.cores import cores
from distill.document import Document
from distill.errors import CallError, InputError
from students.bundle import MODEL, TOKENIZER, Manifest, read_bundle
from students.calls import CALL, Calls, Place
from students.company import MOST, Company
from students.decode import Floats, TagSet, entities, word_scores
from students.encode import Encoded, Encoder, Ids, Window
from students.engine import onnxruntime
from students.session import Session, session_of
from students.thresholds import kept

ENGINE = onnxruntime.__version__
_AHEAD = 16_384  # pieces in hand for each thread, and two more: enough for full calls, little enough to forget
_TEXT = 16  # what a text weighs beside its pieces, so that empty ones have a bound too
_SLOW = 0.001  # seconds to wait for the next text, after which what there is is run

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model made of one text: its words and their logits (words, tags), at the bundle's temperature."""

    encoded: Encoded
    logits: Floats


Whole = Callable[[Iterable[Floats]], tuple[Document, Reading]]
"""From the logits of a text's windows, in order, to its answer."""


class _Text(NamedTuple):
    """A text on its way: its windows, where each one's logits will be, and what it weighs in memory, in pieces."""

    document: Document
    encoded: Encoded
    windows: list[Window]
    places: list[Place]
    weight: int

    def over(self) -> bool:
        return all(place.call.over() for place in self.places)


class Student:
    """A student from a bundle. Made by `Student.load`; may be shared by threads.

    `thresholds` holds the score that a label's entities need, and may be changed.
    """

    def __init__(self, manifest: Manifest, encoder: Encoder, session: Session, threads: int) -> None:
        self.manifest, self.encoder, self.threads = manifest, encoder, threads
        self.tags = TagSet(manifest.labels)
        self.thresholds: dict[str, float] = dict(manifest.thresholds)
        self._session = session
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    @classmethod
    def load(cls, bundle: str | Path, threads: int | None = None) -> Student:
        """The student of a bundle whose checksums all held; `threads` defaults to the cores this process may use."""
        folder = Path(bundle)
        manifest, data = read_bundle(folder, (MODEL, TOKENIZER))
        encoder = Encoder.from_bytes(
            data[TOKENIZER], folder / TOKENIZER, manifest.max_length, manifest.stride, case=manifest.case,
            sentences_above=manifest.sentences_above, starts=bool(manifest.exits),
        )  # fmt: skip
        return cls(manifest, encoder, session_of(data[MODEL], folder / MODEL, manifest), threads or cores())

    def under(self, manifest: Manifest) -> Student:
        """The same model under another manifest, as export finds out the temperature."""
        return Student(manifest, self.encoder, self._session, self.threads)

    def tag(self, texts: Iterable[str]) -> list[Document]:
        """The texts as Documents with their entities and scores, in order, numbered from 1."""
        return list(self.tag_stream(texts))

    def tag_stream(self, texts: Iterable[str]) -> Iterator[Document]:
        """`tag` for endless streams: constant memory, order kept; reads some texts ahead to keep the cores busy."""
        if isinstance(texts, str | bytes):
            raise CallError("tag takes a list of texts; put a single one in brackets")
        documents = (Document(str(number), _text(text, number)) for number, text in enumerate(texts, 1))
        return (document for document, _ in self.read(documents))

    def read(self, documents: Iterable[Document]) -> Iterator[tuple[Document, Reading]]:
        """Documents with the student's entities in the place of their own, each with the scores behind them."""
        calls = Calls(self._logits, self._executor(), self.threads, CALL if self._session.shared else 0)
        waiting: deque[_Text] = deque()
        ahead, in_hand = (2 + self.threads) * _AHEAD, 0
        try:
            for document, slow in _watched(documents):
                text = self._begun(document, calls)
                waiting.append(text)
                in_hand += text.weight
                if slow:
                    calls.start_oldest()
                while waiting and (in_hand > ahead or waiting[0].over()):
                    in_hand -= waiting[0].weight
                    yield self._answered(waiting.popleft(), calls)
            calls.no_more()
            while waiting:
                yield self._answered(waiting.popleft(), calls)
        finally:
            calls.drop()

    def taken_apart(self, document: Document) -> tuple[list[Ids], Whole]:
        """A text as the pieces of its windows, and what makes an answer of their logits, in the same order.

        `read` gives the same answers; this is for callers that share out turns between texts (students/turns.py).
        """
        encoded = self.encoder.encode(document.text)
        windows = self.encoder.windows(encoded)
        return [encoded.ids[w.start : w.end] for w in windows], partial(self._finished, document, encoded, windows)

    def alone(self, pieces: Ids) -> Floats:
        """A window's logits, shape (pieces, tags), from a call of its own."""
        found: Floats = self._logits([pieces])[0]
        return found

    def at_exits(self, pieces: Ids) -> list[Floats]:
        """What each early exit that a window came to said of its tokens (`Session.at_exits`)."""
        return self._session.at_exits(self.encoder.rows([pieces]))

    def company(self) -> Company:
        """For windows of many callers: those of one length that wait at the same time share a call, where they may."""
        return Company(self._logits, MOST if self._session.shared else 0)

    def _begun(self, document: Document, calls: Calls) -> _Text:
        encoded = self.encoder.encode(document.text)
        windows = self.encoder.windows(encoded)
        places = [calls.add(encoded.ids[window.start : window.end]) for window in windows]
        return _Text(document, encoded, windows, places, _TEXT + len(encoded.ids) + len(document.text) // 8)

    def _answered(self, text: _Text, calls: Calls) -> tuple[Document, Reading]:
        text.places.reverse()
        logits = (calls.logits(text.places.pop()) for _ in text.windows)  # each is let go when its words have it
        return self._finished(text.document, text.encoded, text.windows, logits)

    def _executor(self) -> ThreadPoolExecutor | None:
        if self._process != os.getpid():  # in a copy that fork made the threads are gone, and would be waited for
            self._pool, self._process = None, os.getpid()
        if self._pool is None and self.threads > 1:
            self._pool = ThreadPoolExecutor(self.threads, "student")
        return self._pool

    def _logits(self, pieces: Sequence[Ids]) -> Floats:
        """Logits of windows of one length without those of the special tokens, shape (windows, pieces, tags)."""
        encoder = self.encoder
        rows = encoder.rows(pieces)
        found: Floats = self._session.logits(rows)[:, len(encoder.prefix) : rows.shape[1] - len(encoder.suffix)]
        return found

    def _finished(
        self, document: Document, encoded: Encoded, windows: list[Window], logits: Iterable[Floats]
    ) -> tuple[Document, Reading]:
        scores, temperature = word_scores(encoded, windows, logits, len(self.tags)), self.manifest.temperature
        found = kept(entities(encoded, scores, self.tags, temperature), self.thresholds)
        scores /= np.float32(temperature)
        reading = Reading(encoded, scores)
        return Document(document.id, document.text, found, document.meta), reading

    def close(self) -> None:
        """Let the threads go; the next call makes new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _text(text: object, number: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"text {number} is {type(text).__name__}; tag takes strings")
    return text


def _watched(items: Iterable[Item]) -> Iterator[tuple[Item, bool]]:
    """Each item, and whether one had to wait for it."""
    asked = perf_counter()
    for item in items:
        yield item, perf_counter() - asked > _SLOW
        asked = perf_counter()
