"""Clashes: what a command reads must not be what it writes, whatever names lead there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from distill.errors import CallError
from distill.files import STREAM, real

Named = tuple[str, Path | None]
"""An option, as the user knows it, and its file where it was given."""


def keep_apart(read: Iterable[Named], written: Sequence[Named]) -> None:
    """Raise CallError before anything is done where a file to write is also read, or written twice.

    A file that is there already and lies in a folder that is read counts as read.
    """
    targets = [(name, path) for name, path in written if path is not None and str(path) != STREAM]
    for name, path in read:
        for option, target in targets:
            if path is not None and str(path) != STREAM and same(path, target):
                raise CallError(f"{option} {target} is also read ({name}); give it another name")
            if path is not None and path.is_dir() and target.exists() and inside(target, path):
                raise CallError(f"{option} {target} lies in {path}, which is read ({name}); write it elsewhere")
    for place, (option, target) in enumerate(targets):
        for other, earlier in targets[:place]:
            if same(earlier, target):
                raise CallError(f"{option} {target} is also what {other} writes; give it another name")


def named(name: str, paths: Iterable[Path]) -> list[Named]:
    """The same name for each of several files."""
    return [(name, path) for path in paths]


def same(one: Path, other: Path) -> bool:
    """By name, where one is not there yet, and by file, which has several names on some disks."""
    return real(one) == real(other) or (one.exists() and other.exists() and one.samefile(other))


def inside(path: Path, folder: Path) -> bool:
    """Whether the path lies in the folder, however deep."""
    return real(path).is_relative_to(real(folder))
