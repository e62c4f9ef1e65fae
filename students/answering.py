"""A question's work, cut into steps of one window each, and the answer that they add up to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

from distill.document import Document
from students.asking import Question
from students.company import Guest
from students.decode import Floats
from students.encode import Ids
from students.markup import Lines
from students.runtime import Student, Whole
from students.turns import Step

_READ = 4096  # characters that are read in a step: a millisecond, or five where every word is new
_TEXT = 64  # what a text weighs beside its characters


class Answer:
    """The lines of a question's Documents as they come in, and the labels found."""

    def __init__(self, student: Student, question: Question) -> None:
        self._student, self._question = student, question
        self._lines = [""] * len(question.texts)
        self.labels: list[str] = []

    def steps(self) -> Iterable[Callable[[], Iterable[Step]]]:
        """The first steps, each of as many texts as are soon read: their windows can share calls."""
        groups: list[list[int]] = []
        room = 0
        for at, text in enumerate(self._question.texts):
            room -= len(text) + _TEXT
            if room < 0:
                groups.append([])
                room = _READ - len(text)
            groups[-1].append(at)
        return [partial(self._begun, group) for group in groups]

    def quick(self) -> bool:
        """Whether the first step is."""
        texts = self._question.texts
        return bool(texts) and len(texts[0]) <= _READ

    def body(self) -> bytes:
        """A Document where one text was asked for, otherwise all of them in order."""
        if self._question.single:
            return self._lines[0].encode()
        return b'{"documents": [' + ",\n".join(self._lines).encode() + b"]}\n"

    def _begun(self, group: Iterable[int]) -> Iterable[Step]:
        return chain.from_iterable(map(self._windows, group))

    def _windows(self, at: int) -> Sequence[Step]:
        pieces, whole = self._student.taken_apart(Document(str(at + 1), self._question.texts[at]))
        if not pieces:
            self._finished(at, whole, ())
        if len(pieces) < 2:  # nearly all sentences
            return [Guest(each, lambda logits: self._finished(at, whole, (logits,))) for each in pieces]
        return _Parts(pieces, partial(self._finished, at, whole)).steps()

    def _finished(self, at: int, whole: Whole, logits: Iterable[Floats]) -> None:
        document = whole(logits)[0]
        self._lines[at] = Lines(self._question.offsets).part(document).rstrip("\n")
        self.labels += [entity.label for entity in document.entities]


class _Parts:
    """The windows of a long text; whoever brings the last one puts the text together."""

    def __init__(self, pieces: Sequence[Ids], finish: Callable[[Iterable[Floats]], None]) -> None:
        self._pieces, self._finish = pieces, finish
        self._done: dict[int, Floats] = {}
        self._lock = threading.Lock()

    def steps(self) -> list[Step]:
        return [Guest(pieces, partial(self._one, at)) for at, pieces in enumerate(self._pieces)]

    def _one(self, at: int, logits: Floats) -> None:
        with self._lock:
            self._done[at] = logits
            last = len(self._done) == len(self._pieces)
        if last:
            self._finish([self._done[i] for i in range(len(self._pieces))])
