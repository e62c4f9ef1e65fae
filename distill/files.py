"""Opening and replacing files: every reader's errors are one line, every output appears whole or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import re
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, TextIO, cast

from distill.errors import CallError, InputError
from distill.frames import BrokenFrame, open_frames

_UNWRITABLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTEMPTY,
    errno.EBUSY, errno.EXDEV,
)  # fmt: skip
_REFUSED = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR,
    errno.EMFILE, errno.ENFILE,
)  # fmt: skip
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RETOLD = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")  # how Rust and shutil say which error of the system it was
STREAM = "-"  # as a path: standard input for a reader, standard output for a writer
_PACKED = (".gz", ".zst")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # what such a file may begin with; its lines would be rubbish, not bad rows
_PACKS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")  # what gzip and zstandard begin with
_ZIPPED = (b"PK\x03\x04", b"PK\x05\x06", b"BZh91AY&SY", b"\xfd7zXZ", b"7z\xbc\xaf")  # others
_LOOKED_AT = 10  # lines: the first may be too short to tell
_HIGH = bytes({*range(32)} - {*b"\t\n\r"})  # the other half of a letter in UTF-16: NUL in Latin, 4 in Cyrillic


def existing(path: str | Path, what: str = "file") -> Path:
    """The path, or one line that says what is missing and where it was looked for."""
    found = Path(path)
    if str(path) != STREAM and not found.exists():
        raise InputError(f"no such {what}", path=path)
    return found


def stem(path: str | Path) -> str:
    """The name that fallback ids begin with: the file's, without `.gz` or `.zst` and its last suffix."""
    if str(path) == STREAM:
        return "stdin"
    name = unpacked(path)
    return name[: -len(Path(name).suffix)] if Path(name).suffix else name


def unpacked(path: str | Path) -> str:
    """The file's name without the suffix of its compression, so that the one before it tells the format."""
    name = Path(path).name
    return name[: -len(Path(name).suffix)] if Path(name).suffix in _PACKED else name


def open_lines(path: str | Path, errors: Literal["strict", "surrogateescape"] = "strict") -> Iterator[tuple[int, str]]:
    """Numbered lines (from 1) of a UTF-8 text file, plain, gzip or zstandard, without their newline.

    Only `\\n` and `\\r\\n` end a line: a text may hold U+2028, U+0085 or a form feed. A line that
    is not UTF-8 ends the reading, or with `surrogateescape` comes with its wrong bytes as U+DC80 to U+DCFF.
    """
    existing(path)
    number = 0
    try:
        with _open_binary(Path(path)) as lines:
            for number, raw in enumerate(lines, 1):
                if number == 1 and raw.startswith(_PACKS):
                    raise InputError("is packed; unpack it first, or name it .gz or .zst, which it is", path=path)
                if number == 1 and raw.startswith(_ZIPPED):
                    raise InputError("is an archive; unpack it first", path=path)
                if number <= _LOOKED_AT and is_utf16(raw, number == 1):
                    raise InputError("is UTF-16, not UTF-8; convert the file first", path=path)
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors)
                yield number, line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start} of the line; convert the file first"
        raise InputError(message, path=path, line=number) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"broken gzip file: {error}", path=path, line=number + 1) from None
    except BrokenFrame as error:
        raise InputError(f"broken zstandard file: {error}", path=path, line=number + 1) from None
    except OSError as error:
        raise unreadable(error, path) from None


def read_whole(path: str | Path, what: str = "file") -> str:
    """The text of a small UTF-8 file, without its byte order mark, or one line that says why it cannot be read."""
    try:
        return existing(path, what).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start}; convert the file first", path=path) from None
    except OSError as error:
        raise unreadable(error, path) from None


def read_toml(path: str | Path, what: str = "file") -> dict[str, Any]:
    """The table that a TOML file holds."""
    try:
        return tomllib.loads(read_whole(path, what))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", path=path) from None


def unreadable(error: OSError, path: str | Path) -> InputError:
    """What the system says of a file that it does not give, in one line."""
    folder = isinstance(error, IsADirectoryError)
    why = "is a folder, expected a file" if folder else f"cannot be read: {str(error.strerror or error).lower()}"
    return InputError(why, path=path)


def is_utf16(line: bytes, first: bool = True) -> bool:
    """Whether a line, `first` in its file, is UTF-16: by a byte order mark, or by what stands beside its letters.

    A text may hold a NUL, but no control characters at more than half of its even or of its odd places.
    """
    if first and line.startswith(_UTF16):
        return True
    halves = (line[:400:2], line[1:400:2])
    counts = [len(half) - len(half.translate(None, _HIGH)) for half in halves]
    return b"\0" in line and any(4 <= n > len(half) / 2 for n, half in zip(counts, halves, strict=True))


def _open_binary(path: Path) -> AbstractContextManager[IO[bytes]]:
    if str(path) == STREAM:
        return nullcontext(_standard_input())
    if path.suffix == ".zst":
        return open_frames(path)
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _standard_input() -> IO[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("standard input is closed; give a file, or send something to it")
    return sys.stdin.buffer


def once(path: str | Path) -> bool:
    """Whether what a path gives can be read only once: standard input, or another pipe."""
    return str(path) == STREAM or Path(path).is_fifo() or Path(path).is_socket()


def first_lines(path: str | Path, most: int = 200) -> list[str]:
    """The first lines of a file, or those of standard input that have come, which stay to be read.

    They tell the format; wrong bytes in them are for the reader to complain of.
    """
    if str(path) != STREAM:
        return [line for _, line in islice(open_lines(path, "surrogateescape"), most)]
    stream = _standard_input()
    if not isinstance(stream, BufferedReader):
        return []
    head = stream.peek().decode("utf-8", "replace").removeprefix("\ufeff")
    lines = head.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] or lines)[:most]]


def refuse_stream(option: str, path: Path, why: str) -> None:
    """CallError where standard output was asked for and cannot be, instead of a file of that name."""
    if str(path) == STREAM:
        raise CallError(f"{option} - would be standard output, and {why}; give a name")


def real(path: str | Path) -> Path:
    """Where links lead; a ring of them leads nowhere, and stands for itself."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):  # which of the two depends on the Python
        return Path(path).absolute()


_OPEN_FILES = ("/dev/std", "/dev/fd/", "/proc/")  # names for what this process has open, a file perhaps


def in_place(path: str | Path) -> bool:
    """Whether nothing may take this file's place: a device, a pipe, or a name for standard output."""
    target = Path(path)
    return target.exists() and not target.is_dir() and (not target.is_file() or str(target).startswith(_OPEN_FILES))


@contextmanager
def whole_or_not_at_all(path: str | Path) -> Iterator[TextIO]:
    """A text file that takes its place in one step when the block ends, and never exists half written.

    `-` is standard output, which is written as it comes, and so is what is no file of the disk. A link stays one.
    """
    if in_place(path):
        with _opened(Path(path)) as device:
            yield device
        return
    if str(path) == STREAM:
        sys.stdout.flush()
        stream = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n", write_through=True)
        try:
            yield stream
        finally:
            stream.detach()
        return
    target = real(path) if Path(path).is_symlink() else Path(path)
    try:
        if target.is_dir():  # said before the work of the block, not when the file takes its place
            raise InputError("cannot be written: it is a folder; name a file in it", path=path)
        if target.suffix == ".zst":
            raise InputError("cannot be written: .zst is only read; give .gz, or no packing", path=path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=path) from None
    try:
        with os.fdopen(handle, "wb") as raw, _encoded(raw, target.suffix == ".gz") as out:
            yield out
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise InputError(f"cannot be written: {error.strerror}", path=path) from None
        raise
    finally:
        Path(name).unlink(missing_ok=True)


def trouble(error: Exception) -> str | None:
    """One line for what the machine refused: a full disk, a file without permission, a name too long; else None.

    Libraries may wrap the system's error, and tell its number in their own words.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code is None:
        told = _RETOLD.search(str(error))
        code = int(told[1] or told[2]) if told else None
    name = getattr(error, "filename", None)
    if code in _FULL:
        return f"{name or 'the output'} cannot be written: {os.strerror(code)}"
    return f"{name}: {os.strerror(code)}" if code in _REFUSED and name else None


@contextmanager
def filling(path: Path, remedy: str) -> Iterator[None]:
    """Names the file or folder that a library writes where the disk does not take it, and what to do."""
    try:
        yield
    except Exception as error:
        told = trouble(error)
        if told is None:
            raise
        raise InputError(f"cannot be written: {told.rpartition(': ')[2]}; {remedy}", path=path) from None


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=path) from None


@contextmanager
def _encoded(raw: IO[bytes], compressed: bool) -> Iterator[TextIO]:
    """UTF-8 text over bytes; compressed without a name or a time, so that equal data gives equal files."""
    packed = cast(IO[bytes], gzip.GzipFile("", "wb", fileobj=raw, mtime=0)) if compressed else raw
    with TextIOWrapper(packed, encoding="utf-8", newline="\n") as out:
        yield out
        out.flush()
        if compressed:
            packed.close()
        raw.flush()
        os.fsync(raw.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
