"""Documents in, Documents with entities out, on a machine without PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from distill.clashes import keep_apart, named
from distill.document import Document
from distill.errors import CallError
from distill.files import STREAM, existing, in_place, once, whole_or_not_at_all
from distill.intake import Row
from distill.jsonl import dump_line
from distill.progress import say
from distill.rejects import BadRow
from students.bundle_options import PredictOptions
from students.intake import arriving, let_go, rows
from students.markup import plain, renderer
from students.runtime import Student
from students.thresholds import thresholds
from students.uncertainty import uncertainty

Write = Callable[[str], None]


@dataclass
class Rejects:
    """Rows that are no Documents: into a file where the answer goes into one, by number on stderr otherwise."""

    file: Path | None
    count: int = 0
    _out: TextIO | None = field(default=None, repr=False)
    _whole: ExitStack = field(default_factory=ExitStack, repr=False)

    def add(self, row: BadRow) -> None:
        """Count and keep one row."""
        self.count += 1
        if self.file is None:
            say(f"{row.source}:{row.line}: {row.reason}; left out")
            return
        if self._out is None:
            self._out = self._whole.enter_context(whole_or_not_at_all(self.file))
        said = {"source": row.source, "line": row.line, "error": row.reason, "raw": row.raw}
        self._out.write(dump_line(said) + "\n")

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the file, or take one away that an earlier call left; neither where no answer appears."""
        self._whole.__exit__(*error)
        if self._out is None and self.file is not None and error[0] is None:
            with suppress(OSError):
                self.file.unlink()


@dataclass(frozen=True)
class PredictReport:
    """What was tagged and what was left out."""

    documents: int
    entities: int
    rejected: int
    out: Path | None
    rejected_file: Path | None

    def __str__(self) -> str:
        said = f"{self.documents} documents, {self.entities} entities"
        where = f" (in {self.rejected_file})" if self.rejected_file else ""
        return said + (f"; {self.rejected} rows rejected{where}" if self.rejected else "")


def predict(options: PredictOptions) -> PredictReport:
    """Tag texts with a bundle's student and write them to stdout or `--out` as they come.

    Rows that are no Documents are reported and left out; the report counts them.
    """
    if options.out is not None and str(options.out) == STREAM:
        options = replace(options, out=None)
    inputs = _inputs(options)
    student = Student.load(options.bundle, options.threads or (1 if options.text is not None else None))
    student.thresholds.update(thresholds(options.threshold, student.manifest.labels))
    rejects = Rejects(_rejected_file(options.out))
    drawn = renderer(options.format, student.manifest.labels, options.offsets)
    documents = entities = 0
    try:
        with rejects, _target(options.out) as write:
            write(drawn.head())
            _invited(options)
            for document in _tagged(student, inputs, options, rejects):
                write(drawn.part(document))
                documents, entities = documents + 1, entities + len(document.entities)
            write(drawn.tail())
    except BaseException:
        if _from_stream(options):
            let_go()
        raise
    if not documents and not rejects.count:
        say("the input holds no documents")
    written = rejects.file if rejects.count else None
    return PredictReport(documents, entities, rejects.count, options.out, written)


def _inputs(options: PredictOptions) -> list[Iterable[Row]]:
    keep_apart(
        [*named("an input", options.inputs), ("the bundle", options.bundle)],
        [("--out", options.out), (f"--out {options.out} for its rejected rows,", _rejected_file(options.out))],
    )
    for name, given in (("--offsets", options.offsets != "codepoint"), ("--uncertainty", options.uncertainty)):
        if given and options.format != "jsonl":
            raise CallError(f"{name} is for --format jsonl; {options.format} has no place for it")
    if options.text is not None and options.inputs:
        raise CallError("give --text or files, not both")
    if options.text is not None:
        return [[Document("text", _as_typed(options.text))]]
    if not options.inputs and (sys.stdin is None or sys.stdin.closed):
        raise CallError("predict needs something to tag: files, --text, or a stream, and standard input is closed")
    return [rows(existing(path), options.source) for path in options.inputs or (Path(STREAM),)]


def _as_typed(text: str) -> str:
    """`--text` as UTF-8, also where Python took its bytes for ASCII; CallError where they are neither."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeEncodeError:  # half an emoji, which no shell gives
        return text
    except UnicodeDecodeError as error:
        raise CallError(f"--text is not UTF-8 at byte {error.start}; put it into a file, and convert that") from None


def _from_stream(options: PredictOptions) -> bool:
    return options.text is None and (not options.inputs or Path(STREAM) in options.inputs)


def _invited(options: PredictOptions) -> None:
    """Somebody at a terminal is told that it is their turn."""
    if _from_stream(options) and sys.stdin is not None and sys.stdin.isatty():
        say("type texts, one a line (or JSONL); Ctrl-D on a line of its own ends them")


def _tagged(
    student: Student, inputs: list[Iterable[Row]], options: PredictOptions, rejects: Rejects
) -> Iterator[Document]:
    live = options.out is None and options.text is None and any(map(once, options.inputs or (STREAM,)))
    for given in inputs:
        for chunk in arriving(given) if live else [given]:
            for document, reading in student.read(_accepted(chunk, rejects)):
                if not options.uncertainty:
                    yield document
                else:
                    yield replace(document, meta={**document.meta, "uncertainty": uncertainty(reading.logits)})


def _accepted(chunk: Iterable[Row], rejects: Rejects) -> Iterator[Document]:
    for row in chunk:
        if isinstance(row, BadRow):
            rejects.add(row)
        else:
            yield row


@contextmanager
def _target(out: Path | None) -> Iterator[Write]:
    """Where the answer goes: a file that appears whole, or stdout, line by line."""
    if out is not None:
        with whole_or_not_at_all(out) as file:
            yield lambda text: _put(file, text)
        return
    if sys.stdout is None or sys.stdout.closed:
        raise CallError("standard output is closed; name a file with --out")
    yield _to_stdout


def _put(file: TextIO, text: str) -> None:
    file.write(plain(text))


def _to_stdout(text: str) -> None:
    if text:
        sys.stdout.buffer.write(plain(text).encode("utf-8"))
        sys.stdout.buffer.flush()


def _rejected_file(out: Path | None) -> Path | None:
    return None if out is None or in_place(out) else out.parent / f"{out.name.removesuffix('.jsonl')}.rejected.jsonl"
