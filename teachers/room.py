"""Room: that an output has one writer, and its folder can be written and is not full, before money is spent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import IO

from distill.errors import CallError

LEAST = 64 * 2**20  # bytes: some ten thousand answers, and the log that SQLite keeps while it writes

Flock = Callable[[IO[bytes]], None]


def check_room(folders: Iterable[Path], free: Callable[[Path], int] | None = None) -> None:
    """Raise CallError where a folder cannot be written or its disk is nearly full."""
    for folder in dict.fromkeys(each.absolute() for each in folders):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(bytes(4096))
                probe.flush()
                os.fsync(probe.fileno())
            left = free(folder) if free else shutil.disk_usage(folder).free
        except OSError as error:
            raise CallError(f"{folder}: cannot be written: {error.strerror}; nothing was asked") from None
        if left < LEAST:
            wanted = LEAST / 2**20
            raise CallError(f"{folder}: {left / 2**20:.0f} MiB are free and a run wants {wanted:.0f}; make room first")


def flock() -> Flock | None:
    """The operating system's lock, which ends with the process; None where there is none of this kind."""
    try:
        fcntl = import_module("fcntl")
    except ImportError:
        return None
    return lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def locked(path: Path, lock: Flock | None) -> tuple[IO[bytes], Callable[[], None]]:
    """The file opened for appending by this process alone, and what gives it free.

    Without a lock of the operating system a file beside it stands for one; after a crash a person must delete it.
    """
    taken = path.with_name(path.name + ".lock")
    if lock is None:
        try:
            os.close(os.open(taken, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            raise CallError(
                f"{path}: another run is writing it; give this one another --out, or delete {taken.name} if none is"
            ) from None
    file = path.open("ab+")
    try:
        if lock is not None:
            lock(file)
    except OSError:
        file.close()
        raise CallError(f"{path}: another run is writing it; give this one another --out") from None
    return file, (lambda: None) if lock is not None else (lambda: taken.unlink(missing_ok=True))
