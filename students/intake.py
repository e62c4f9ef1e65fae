"""What predict reads, row by row: a bad row is data with its reason, never the end of the others."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.document import Document
from distill.errors import InputError
from distill.files import STREAM, existing, stem
from distill.jsonl import document_from_json, parse_line


@dataclass(frozen=True)
class Rejected:
    """A row that is no Document, and why."""

    source: str
    line: int
    reason: str
    raw: str

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "line": self.line, "error": self.reason, "raw": self.raw}


Row = Document | Rejected


def rows(path: Path, form: str | None = None) -> Iterator[Row]:
    """Documents and rejected rows of a file in a format, or of standard input (`-`), in order and as they come.

    A format that is not given is told by the suffix or the first lines; standard input is JSONL where its first line
    begins with `{` and text otherwise. CoNLL stops at its first bad line, as the rows after it cannot be trusted.
    """
    existing(path)
    if str(path) == STREAM and form != "conll":
        yield from _rows(sys.stdin.buffer, path, form)
        return
    from distill.corpora import format_of, read_documents

    form = form or format_of(path)
    if form not in ("jsonl", "text"):
        yield from read_documents(path, form)
        return
    try:
        with _opened(path) as lines:
            yield from _rows(lines, path, form)
    except IsADirectoryError:
        raise InputError("is a folder, expected a file", path=path) from None
    except (OSError, EOFError) as error:
        raise InputError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path) from None


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        import gzip

        return gzip.open(path, "rb")
    return path.open("rb")


def _rows(lines: Iterable[bytes], path: Path, form: str | None) -> Iterator[Row]:
    source = "stdin" if str(path) == STREAM else str(path)
    for number, raw in enumerate(lines, 1):
        bare = raw.rstrip(b"\r\n")
        bare = bare.removeprefix(b"\xef\xbb\xbf") if number == 1 else bare
        if not bare.strip():
            continue
        form = form or ("jsonl" if bare.lstrip().startswith(b"{") else "text")
        try:
            line = bare.decode("utf-8")
            identity = f"{stem(path)}-{number}"
            yield document_from_json(parse_line(line), identity) if form == "jsonl" else Document(identity, line)
        except UnicodeDecodeError as error:
            reason = f"not UTF-8 at byte {error.start} of the line"
            yield Rejected(source, number, reason, bare.decode("utf-8", "replace"))
        except InputError as error:
            yield Rejected(source, number, error.message, bare.decode("utf-8", "replace"))


def arriving(items: Iterable[Row], most: int = 256) -> Iterator[list[Row]]:
    """What has come so far, at most `most` items at a time: a slow stream is answered at once, a fast one in bulk."""
    arrived: queue.Queue[Row | BaseException | None] = queue.Queue(most)

    def feed() -> None:
        try:
            for item in items:
                arrived.put(item)
            arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - handed over and raised by the reader
            arrived.put(error)

    threading.Thread(target=feed, daemon=True, name="intake").start()
    while True:
        chunk = [arrived.get()]
        while len(chunk) < most and not arrived.empty():
            chunk.append(arrived.get())
        ready = [item for item in chunk if isinstance(item, Document | Rejected)]
        if ready:
            yield ready
        for item in chunk:
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
