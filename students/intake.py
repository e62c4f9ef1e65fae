"""What predict reads, row by row, and as it comes."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path

from distill.document import Document
from distill.files import existing, once, open_lines
from distill.intake import Row, line_rows, read_rows
from distill.rejects import BadRow


def rows(path: Path, form: str | None = None) -> Iterator[Row]:
    """Documents and bad rows of a file in a format, or of standard input (`-`), in order and as they come.

    A format that is not given is told by the suffix or the first lines; standard input, or another pipe, is JSONL where
    its first line begins with `{` and text otherwise.
    """
    existing(path)
    stream = once(path) and form != "conll"
    found = line_rows(open_lines(path, "surrogateescape"), path, form) if stream else read_rows(path, form)
    return (row for row in found if row is not None)


_FEED = "intake"


class _Weighed(queue.Queue[Row | BaseException | None]):
    """A queue that is full by the weight of its items: a few large ones, or many small ones."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._weight = 0

    def _qsize(self) -> int:
        return self._weight

    def _put(self, item: Row | BaseException | None) -> None:
        super()._put(item)
        self._weight += _weight(item)

    def _get(self) -> Row | BaseException | None:
        item = super()._get()
        self._weight -= _weight(item)
        return item


def _weight(item: Row | BaseException | None) -> int:
    return 1 + (len(item.text) // 1000 if isinstance(item, Document) else 0)


def arriving(items: Iterable[Row], most: int = 1024) -> Iterator[list[Row]]:
    """What has come so far: a slow stream is answered at once, a fast one in bulk.

    About `most` sentences at a time, of which a long text counts as many.
    """
    arrived = _Weighed(most)

    def feed() -> None:
        try:
            for item in items:
                arrived.put(item)
            arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - handed over and raised by the reader
            arrived.put(error)

    threading.Thread(target=feed, daemon=True, name=_FEED).start()
    while True:
        chunk = [arrived.get()]
        weight = _weight(chunk[0])
        while weight < most and not arrived.empty():
            chunk.append(arrived.get())
            weight += _weight(chunk[-1])
        ready = [item for item in chunk if isinstance(item, Document | BadRow)]
        if ready:
            yield ready
        for item in chunk:
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item


def let_go() -> None:
    """Leave standard input to the thread that may still wait for it.

    The thread holds its lock meanwhile, and Python, which closes it as it ends, would abort.
    """
    if isinstance(sys.stdin, TextIOWrapper) and any(each.name == _FEED for each in threading.enumerate()):
        sys.stdin.detach()
        sys.stdin = None
