"""A question's work, cut into steps of one window each, and the answer that they add up to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from distill.document import Document
from students.asking import Question
from students.company import Company, Guest
from students.decode import Floats
from students.markup import Lines
from students.runtime import Student, Whole
from students.turns import Step


class Answer:
    """The lines of a question's Documents as they come in, and the labels found."""

    def __init__(self, student: Student, question: Question, company: Company) -> None:
        self._student, self._question, self._company = student, question, company
        self._guests: set[Guest] = set()
        self._lines = [""] * len(question.texts)
        self.labels: list[str] = []

    def steps(self) -> Iterator[Step]:
        """The first step of each text."""
        return (partial(self._begun, at) for at in range(len(self._lines)))

    def give_up(self) -> None:
        """Nobody waits for the answer any longer."""
        for guest in tuple(self._guests):
            self._company.leave(guest)

    def body(self) -> bytes:
        """A Document where one text was asked for, otherwise all of them in order."""
        if self._question.single:
            return self._lines[0].encode()
        return b'{"documents": [' + ",\n".join(self._lines).encode() + b"]}\n"

    def _begun(self, at: int) -> Iterable[Step]:
        pieces, whole = self._student.taken_apart(Document(str(at + 1), self._question.texts[at]))
        if len(pieces) == 1:  # nearly all sentences: those of one length that wait at the same time share a call
            guest = self._company.add(pieces[0])
            self._guests.add(guest)
            return (partial(self._joined, at, guest, whole),)
        work = [partial(self._student.alone, each) for each in pieces]
        if not work:
            self._finished(at, whole([])[0])
            return ()
        return _Parts(work, lambda logits: self._finished(at, whole(logits)[0])).steps()

    def _joined(self, at: int, guest: Guest, whole: Whole) -> Iterable[Step]:
        logits = self._company.logits(guest)
        self._guests.discard(guest)
        self._finished(at, whole([logits])[0])
        return ()

    def _finished(self, at: int, document: Document) -> None:
        self._lines[at] = Lines(self._question.offsets).part(document).rstrip("\n")
        self.labels += [entity.label for entity in document.entities]


class _Parts:
    """The windows of a long text; whoever brings the last one puts the text together."""

    def __init__(self, work: Sequence[Callable[[], Floats]], finish: Callable[[list[Floats]], None]) -> None:
        self._work, self._finish = work, finish
        self._done: dict[int, Floats] = {}
        self._lock = threading.Lock()

    def steps(self) -> list[Step]:
        return [partial(self._one, at) for at in range(len(self._work))]

    def _one(self, at: int) -> Iterable[Step]:
        logits = self._work[at]()
        with self._lock:
            self._done[at] = logits
            last = len(self._done) == len(self._work)
        if last:
            self._finish([self._done[i] for i in range(len(self._work))])
        return ()
