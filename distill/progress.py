"""Progress on stderr: a bar where a person looks on, nothing where a file does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What long work tells of itself."""

    def advance(self, by: int = 1) -> None:
        """So many more units are done."""

    def note(self, text: str) -> None:
        """A few words beside the bar, such as the last loss."""


class Silent:
    """Progress that nobody watches."""

    def advance(self, by: int = 1) -> None:
        """Nothing to show."""

    def note(self, text: str) -> None:
        """Nothing to show."""


class _Bar:
    def __init__(self, bar: object, task: object) -> None:
        self._bar, self._task = bar, task

    def advance(self, by: int = 1) -> None:
        self._bar.advance(self._task, by)  # type: ignore[attr-defined]

    def note(self, text: str) -> None:
        self._bar.update(self._task, note=text)  # type: ignore[attr-defined]


def speaks() -> bool:
    """Whether this process speaks: of several that train together (torchrun, accelerate launch) only the first."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Progress]:
    """A rich bar on a terminal's stderr, Silent elsewhere. `total` counts units, None where it is not known."""
    if not (speaks() and sys.stderr.isatty()):
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar, bar.add_task(what, total=total, note=""))


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr; results go to stdout."""
    if speaks():
        print(text, file=sys.stderr, flush=True)
