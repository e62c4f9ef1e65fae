"""A folder for one process at a time."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path


def locked(folder: Path) -> int | None:
    """An open file with the system's lock on a folder, which ends with the process; close it to let go.

    None where the system or the disk has no such locks; BlockingIOError where another holds it.
    """
    try:
        fcntl = import_module("fcntl")
    except ImportError:
        return None
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return file
