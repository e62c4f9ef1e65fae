"""Rejects: a row of an input that is no Document, with its place and the reason; to stop at or to go on behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from distill.errors import InputError
from distill.files import STREAM

_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class BadRow:
    """What stands where a Document should: the id it would have had, where it stands, why it is none, and what it is.

    A row of CoNLL is a sentence; `line` is the one that is wrong, and `raw` all of its lines.
    """

    id: str
    source: str
    line: int
    reason: str
    raw: str

    @property
    def error(self) -> InputError:
        """The same as an error, for those who stop here."""
        return InputError(self.reason, path=self.source, line=self.line)


def source_name(path: str | Path) -> str:
    """A file as people know it."""
    return "stdin" if str(path) == STREAM else str(path)


def undecodable(line: str) -> str:
    """Why a line read with `surrogateescape` is no text, or nothing where it is one."""
    if line.isascii() or not _ESCAPED.search(line):
        return ""
    try:
        line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start} of the line; convert it first"
    return ""


def shown(line: str) -> str:
    """A line read with `surrogateescape`, as far as it can be shown."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if undecodable(line) else line
