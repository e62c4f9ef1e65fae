"""What predict reads, row by row, and as it comes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from distill.document import Document
from distill.files import STREAM, existing, open_lines
from distill.intake import Row, line_rows, read_rows
from distill.rejects import BadRow


def rows(path: Path, form: str | None = None) -> Iterator[Row]:
    """Documents and bad rows of a file in a format, or of standard input (`-`), in order and as they come.

    A format that is not given is told by the suffix or the first lines; standard input is JSONL where its first line
    begins with `{` and text otherwise.
    """
    existing(path)
    stream = str(path) == STREAM and form != "conll"
    found = line_rows(open_lines(path, "surrogateescape"), path, form) if stream else read_rows(path, form)
    return (row for row in found if row is not None)


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
        ready = [item for item in chunk if isinstance(item, Document | BadRow)]
        if ready:
            yield ready
        for item in chunk:
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
