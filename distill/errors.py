"""What can go wrong, drawn as one tree.

    NerDistillError                 one line on stderr, no traceback
    ├── CallError                   exit 2: an option, a TOML key, a folder used with other options
    │   └── MissingLibraryError     exit 2: an extra that is not installed
    ├── InputError                  exit 2: a file, a line of it, and what to do
    ├── TeacherError                exit 2: the teacher cannot go on (wrong key, unknown model, quota)
    ├── CheckFailed                 exit 1: all was done, and a check did not hold
    └── Interrupted                 exit 130: stopped by hand, and how to go on

Everything else that is raised is a fault of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike


class NerDistillError(Exception):
    """An error that explains itself in one line."""

    exit_code = 2


class CallError(NerDistillError):
    """A mistake in the call: an option, a TOML key, a folder that belongs to another call."""


class MissingLibraryError(CallError):
    """A library that this command needs is not installed."""


class InputError(NerDistillError):
    """A mistake in a file: says the file, the line where there is one, and the remedy."""

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = message, path, line
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else f"line {line}: " if line else ""
        super().__init__(where + message)

    def at(self, path: str | PathLike[str], line: int | None = None) -> InputError:
        """The same error with its place, for readers that learn the place last."""
        return InputError(self.message, path=self.path or path, line=self.line or line)


class TeacherError(NerDistillError):
    """The teacher cannot go on: a wrong key, an unknown model, an exhausted quota."""


class CheckFailed(NerDistillError):
    """All was done, and a check did not hold."""

    exit_code = 1


class Interrupted(NerDistillError):
    """Stopped by hand; the message says how to go on."""

    exit_code = 130


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean a, b?` for the names close to `wrong`, or else the known ones."""
    names = sorted(known)
    close = get_close_matches(wrong, names, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(names)}" if names else ""
