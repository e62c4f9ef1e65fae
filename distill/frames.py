"""Zstandard files as a stream of bytes: all frames, one after the other, and an error where the last one is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, cast

from distill.libraries import resolve

CHUNK = 1 << 17
WINDOW = 1 << 31  # what `zstd --long=31` writes


class BrokenFrame(Exception):
    """The file is no zstandard file, or it is cut off."""


@contextmanager
def open_frames(path: Path) -> Iterator[IO[bytes]]:
    """The unpacked bytes, a chunk at a time; needs zstandard (extra `pile`)."""
    library = resolve("zstandard", "pile")
    try:
        with path.open("rb") as packed:
            yield cast(IO[bytes], BufferedReader(_Frames(packed, library), CHUNK))
    except library.ZstdError as error:
        raise BrokenFrame(str(error)) from None


class _Frames(RawIOBase):
    """The library's own reader ends in silence where a frame is cut off; this one does not."""

    def __init__(self, packed: IO[bytes], library: Any) -> None:
        self._packed, self._library = packed, library
        self._frame: Any = None
        self._rest = b""  # packed bytes behind the last frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with unpacked bytes; 0 at the end of the last whole frame."""
        while not self._ready:
            chunk = self._rest or self._packed.read(CHUNK)
            if not chunk:
                if self._frame is not None:
                    raise BrokenFrame("it is cut off")
                return 0
            self._unpack(chunk)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _unpack(self, chunk: bytes) -> None:
        self._frame = self._frame or self._library.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        self._ready = memoryview(self._frame.decompress(chunk))
        self._rest = b""
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
