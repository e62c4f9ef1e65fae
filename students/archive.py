"""A bundle as one file: a tar of plain files, gzipped, in one fixed form, so that equal bundles are equal bytes.

Reading trusts nothing: every header must be, byte for byte, the one this module writes for its name and size. So there
is no way to say link, device, folder, owner, sparse or extended header, and nothing is ever unpacked onto the disk.
The file ends with a seal, a gzip member that holds nothing and names the sha256 of all bytes before it: gzip's own
header may be changed, and even its data, without any change in what they unfold to.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from distill.errors import InputError
from distill.files import unreadable

SUFFIX = ".tar.gz"
TOP = "bundle/"
"""Where the files lie when somebody unpacks it."""
LARGEST_FILE = 1 << 31  # an ONNX file cannot be larger
LARGEST = 1 << 32
MOST_FILES = 1000
_BLOCK, _RECORD, _CHUNK = tarfile.BLOCKSIZE, tarfile.RECORDSIZE, 1 << 20
_SIZE = re.compile(rb"[0-7]{11}\0")
_KINDS = {
    b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"S": "a sparse file", b"L": "a long name", b"K": "a long name", b"x": "an extended header",
    b"g": "an extended header",
}  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether the path's name is that of a bundle in one file; some sticks keep only capitals."""
    return path.name.lower().endswith(SUFFIX)


@dataclass(frozen=True)
class Member:
    """A file in the archive, whose bytes are read in pieces, in order, before the next member."""

    name: str
    size: int
    chunks: Iterator[bytes]


def header(name: str, size: int) -> bytes:
    """The one header that a file of this name and size may have."""
    info = tarfile.TarInfo(TOP + name)
    info.size, info.mode = size, 0o755 if name.endswith(".sh") else 0o644
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8")


def seal(digest: str) -> bytes:
    """The end of an archive whose other bytes have this sha256: an empty gzip member with a comment."""
    return b"\x1f\x8b\x08\x10\0\0\0\0\0\xff" + f"sha256 {digest}".encode() + b"\0\x03\0" + bytes(8)


def pack(folder: Path, names: Sequence[str], out: Path) -> None:
    """Write the named files of a folder, in that order, as one archive that appears whole or not at all.

    Until it is whole it lies in that folder, which must be on the disk of `out`.
    """
    handle, fresh = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "w+b") as raw:
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                written = sum(_pack_one(cast(IO[bytes], packed), folder / name, name) for name in names)
                packed.write(b"\0" * (2 * _BLOCK + -(written + 2 * _BLOCK) % _RECORD))
            raw.seek(0)
            raw.write(seal(hashlib.file_digest(raw, "sha256").hexdigest()))
            raw.flush()
            os.fsync(raw.fileno())
        Path(fresh).chmod(0o644)
        Path(fresh).replace(out)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=out) from None
    finally:
        Path(fresh).unlink(missing_ok=True)


def _pack_one(out: IO[bytes], path: Path, name: str) -> int:
    data = path.read_bytes()
    padding = -len(data) % _BLOCK
    out.write(header(name, len(data)))
    out.write(data)
    out.write(b"\0" * padding)
    return _BLOCK + len(data) + padding


def members(path: Path) -> Iterator[Member]:
    """The archive's files in order; InputError where it is cut off, goes on for ever or holds anything but files."""
    names: set[str] = set()
    total = 0
    with _opened(path) as stream:
        while (block := _exactly(stream, _BLOCK, path)) != b"\0" * _BLOCK:
            name, size = _read_header(block, path)
            total += size
            if name in names:
                raise InputError(f"holds {name} twice; do not trust this bundle", path=path)
            names.add(name)
            if size > LARGEST_FILE or total > LARGEST or len(names) > MOST_FILES:
                limits = f"{LARGEST_FILE >> 30} GiB a file, {LARGEST >> 30} GiB or {MOST_FILES} files in all"
                raise InputError(f"unfolds beyond {limits}; do not trust this bundle", path=path)
            chunks = _chunks(stream, size, path)
            yield Member(name, size, chunks)
            for _ in chunks:
                pass
        _check_end(stream, path)
    _check_seal(path)


def _read_header(block: bytes, path: Path) -> tuple[str, int]:
    kind = _KINDS.get(block[156:157])
    name, prefix = (block[low:high].split(b"\0")[0] for low, high in ((0, 100), (345, 500)))
    try:
        full = (prefix + b"/" + name if prefix else name).decode("ascii")
    except UnicodeDecodeError:
        full = ""
    shown = full[:80]
    if kind:
        raise InputError(f"holds {kind}, {shown!r}; do not trust this bundle", path=path)
    bare = full.removeprefix(TOP)
    sound = bool(_SIZE.fullmatch(block[124:136])) and bool(bare) and full != bare
    size = int(block[124:135], 8) if sound else 0
    if not sound or not _is_header(block, bare, size):
        raise InputError(f"has an entry that export did not write, {shown!r}; do not trust this bundle", path=path)
    return bare, size


def _is_header(block: bytes, name: str, size: int) -> bool:
    try:
        return header(name, size) == block
    except ValueError:  # a name that no such header can hold
        return False


def _chunks(stream: IO[bytes], size: int, path: Path) -> Iterator[bytes]:
    left = size
    while left:
        data = _exactly(stream, min(left, _CHUNK), path)
        left -= len(data)
        yield data
    if any(_exactly(stream, -size % _BLOCK, path)):
        raise InputError("damaged: something stands between its files; copy the bundle again", path=path)


def _check_end(stream: IO[bytes], path: Path) -> None:
    rest = _read(stream, _RECORD + 1, path)
    if len(rest) < _BLOCK or len(rest) > _RECORD or any(rest):
        raise InputError("damaged: does not end where it should; copy the bundle again", path=path)


def _check_seal(path: Path) -> None:
    """What was read says the same as when it was packed; here whether it is the same, byte for byte."""
    with path.open("rb") as raw:
        left, digest = path.stat().st_size - len(seal("0" * 64)), hashlib.sha256()
        while left > 0 and (data := _read(raw, min(left, _CHUNK), path)):
            digest.update(data)
            left -= len(data)
        if _read(raw, -1, path) != seal(digest.hexdigest()):
            raise InputError("damaged: its checksum does not hold; copy the bundle again", path=path)


def _exactly(stream: IO[bytes], size: int, path: Path) -> bytes:
    data = _read(stream, size, path)
    if len(data) < size:
        raise InputError("damaged: cut off; copy the bundle again", path=path)
    return data


def _read(stream: IO[bytes], size: int, path: Path) -> bytes:
    try:
        return stream.read(size)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"damaged: {error}; copy the bundle again", path=path) from None
    except EOFError:
        raise InputError("damaged: cut off; copy the bundle again", path=path) from None
    except OSError as error:
        raise unreadable(error, path) from None


def _opened(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():
        raise InputError("is a pipe or a device; a bundle is a folder or a file, which is read twice", path=path)
    try:
        return cast(IO[bytes], gzip.open(path, "rb"))
    except FileNotFoundError:
        raise InputError("no such bundle", path=path) from None
    except OSError as error:
        raise unreadable(error, path) from None
