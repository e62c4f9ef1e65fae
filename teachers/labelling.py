"""Labelling: documents stream past a teacher and come out labelled, in order, with nothing lost on the way."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from distill.document import Document
from distill.errors import CallError, Interrupted, NerDistillError, TeacherError
from distill.progress import Progress, progress, say
from teachers.asking import Asked, Asking, cause_of
from teachers.clashes import check_files
from teachers.intake import BadLine, Twins, skimmed
from teachers.ledger import Ledger, rejected_path
from teachers.options import LabelOptions
from teachers.replay import ReplayTeacher
from teachers.report import LabelReport
from teachers.room import check_room
from teachers.roster import Lesson, lesson_for
from teachers.rows import Rejected
from teachers.servers import store_path
from teachers.teacher import Teacher

GRACE = 15.0  # seconds that a stopped run waits for answers that are under way, and paid for
AHEAD = 8  # documents begun for each request under way: one slow answer must not hold up the others

SUSPECTS = 64  # documents without an answer that are taken back if the run ends for the reason of theirs


def label(options: LabelOptions, teacher: Teacher | None = None) -> LabelReport:
    """Label the documents of `options.inputs`; a given `teacher` answers in place of the one the options name.

    Labelled documents go to `options.out`, rejected ones beside it. A run that was stopped, or killed, goes on with
    the same call and ends with the same files. Raises TeacherError where the teacher can answer no more, and
    Interrupted on Ctrl-C or SIGTERM.
    """
    if options.dry_run:
        raise CallError("label asks; teachers.estimate.estimate is the dry run")
    check_files(options)
    if options.teacher != "replay":
        check_room((options.out.parent, store_path(options).parent))
    lesson = lesson_for(options, teacher)
    rejected = rejected_path(options.out)
    report = LabelReport(options.out, rejected, dropped_empty=options.drop_empty, price=lesson.purse.price)
    report.priced = options.teacher == "openai" and (options.base_url is None or options.prices is not None)
    ledger = Ledger(options.out, lesson.call, options.drop_empty)
    with ExitStack() as stack:
        stack.callback(ledger.close)
        ledger.begin(report)
        lesson.purse.opened(ledger.begun)
        bar = stack.enter_context(progress("label"))
        bar.advance(ledger.done)
        run = _Run(options, lesson, Asking(lesson, _attempts(options)), ledger, report, bar)
        try:
            asyncio.run(run.all())
        except KeyboardInterrupt:
            run.interrupted = True
        except TeacherError as error:
            run.forget_victims(str(error))
            ledger.flush()
            raise TeacherError(f"{error} [{ledger.done} documents done, kept in {ledger.partial}]") from None
        if run.interrupted:
            ledger.flush()
            raise Interrupted(f"interrupted after {ledger.done} documents; the same command goes on where it was")
        ledger.finish()
        if not ledger.done:
            say("the input holds no documents")
    return report


def _attempts(options: LabelOptions) -> int:
    """How often a document is asked; a local model says the likeliest words, and would say them again."""
    return 1 if options.teacher == "llama" else options.attempts


@dataclass
class _Run:
    """One pass over the input: a bounded window of documents under way, written in input order."""

    options: LabelOptions
    lesson: Lesson
    asking: Asking
    ledger: Ledger
    report: LabelReport
    bar: Progress
    interrupted: bool = False
    _window: deque[asyncio.Task[Asked]] = field(default_factory=deque)
    _unanswered: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=SUSPECTS))
    _failure: asyncio.Future[None] | None = None

    async def all(self) -> None:
        self._failure = asyncio.get_running_loop().create_future()
        try:
            with self._signals():
                await self._stream()
        finally:
            await self.lesson.teacher.close()

    async def _stream(self) -> None:
        size = max(64, AHEAD * self.options.concurrency)
        source = self._remaining()
        failed: BaseException | None = None
        try:
            while await self._fill(source, size):
                if not self._window[0].done():
                    self.ledger.flush()
                await self._first_or_failure()
                self._write(self._window[0].result())
        except (NerDistillError, asyncio.CancelledError) as error:
            failed = error
        await self._drain()
        if failed is not None and not self.interrupted:
            raise failed

    def forget_victims(self, error: str) -> None:
        """Take back the documents that were rejected for what turned out to concern all of them."""
        numbers = [number for number, reason in self._unanswered if cause_of(reason) in error]
        if numbers:
            self.ledger.cut_back(numbers[0])

    async def _first_or_failure(self) -> None:
        """Wait for the oldest document; raise at once where another one found that the teacher cannot go on."""
        assert self._failure
        if not self._window[0].done():
            either: set[asyncio.Future[Any]] = {self._window[0], self._failure}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._failure.done():
            self._failure.result()

    def _begun(self, item: Document | BadLine) -> asyncio.Task[Asked]:
        task = asyncio.ensure_future(self.asking.about(item))
        task.add_done_callback(self._noticed)
        return task

    def _noticed(self, task: asyncio.Task[Asked]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure and not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # seen: it is raised by whoever called, and asyncio need not complain of it

    async def _fill(self, source: Iterator[Document | BadLine], size: int) -> bool:
        """Begin documents until the window is full; False once there is nothing left.

        The first requests leave before all prompts of the window are made.
        """
        begun = 0
        while len(self._window) < size and (item := next(source, None)) is not None:
            self._window.append(self._begun(item))
            begun += 1
            if begun % self.options.concurrency == 0:
                await asyncio.sleep(0)
        return bool(self._window)

    def _remaining(self) -> Iterator[Document | BadLine]:
        """The input without the documents that an earlier run dealt with."""
        done, last = self.ledger.done, self.ledger.last
        checked = last[0] if last else 0
        recorded = self.lesson.teacher if isinstance(self.lesson.teacher, ReplayTeacher) else None
        twins = Twins() if recorded else None
        every = twins is not None
        for number, read in skimmed(self.options.inputs, lambda number: every or number > done or number == checked):
            item = twins.checked(read) if twins and read is not None else read
            if item is not None and number > done:
                yield item
            elif item is not None and last and number == checked and last[1] != item.id:
                raise CallError(f"{self.ledger.partial} does not fit the input (document {number}); delete it")
        if recorded and twins:
            self.report.unused = recorded.of_none(twins.ids)

    def _write(self, done: Asked) -> None:
        """The next row in order, and what it cost; the window moves on."""
        self._window.popleft()
        row, replies = done
        self.ledger.add(row)
        for reply in replies:
            self.report.count_reply(reply)
        if isinstance(row, Rejected):
            self.report.rejected[row.kind] += 1
            if row.kind == "no answer":
                self._unanswered.append((self.ledger.done, row.row["reason"]))
        else:
            self.report.count_row(row)
        self.bar.advance()

    async def _drain(self) -> None:
        """Begin nothing new, wait for what is under way, and write what is complete and in order."""
        self.asking.stopping = True
        for task in self._window:
            task.cancel()
        if self._window:
            await asyncio.wait(self._window, timeout=GRACE)
        while self._window and self._window[0].done():
            task = self._window[0]
            if task.cancelled() or task.exception() is not None:
                break
            self._write(task.result())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run tidily; a second one ends it at once."""
        main = asyncio.current_task()
        if threading.current_thread() is not threading.main_thread() or main is None:
            yield
            return
        if sys.platform == "win32":  # its loops have no signal handlers; Ctrl-C arrives as KeyboardInterrupt
            yield
            return
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)

        def stop() -> None:
            self.interrupted = True
            for each in caught:
                loop.remove_signal_handler(each)
            main.cancel()

        for each in caught:
            loop.add_signal_handler(each, stop)
        try:
            yield
        finally:
            for each in caught:
                loop.remove_signal_handler(each)
