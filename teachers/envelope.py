"""Envelopes: one answer of an HTTP/1.1 server, read from its bytes as they come in."""

from __future__ import annotations

import re
from collections.abc import Callable

HEAD = 65_536  # bytes of a head, at most

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: .*)?")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_EMPTY = (204, 304)


class BadEnvelope(Exception):
    """What the server sends is no answer, or ends before it is whole."""


class Envelope:
    """One answer while it comes in; `whole` when all of it has."""

    def __init__(self) -> None:
        self.whole, self.status, self.headers = False, 0, list[tuple[bytes, bytes]]()
        self.reusable = False
        """Whether the connection may carry another request."""
        self._data, self._at, self._size = bytearray(), 0, 0
        self._parts: list[bytes] = []
        self._read: Callable[[], bool] = self._head

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Take what came; True once the answer is whole. Raises BadEnvelope."""
        self._data += data
        while not self.whole and self._read():
            pass
        if self.whole and len(self._data) > self._at:
            self.reusable = False  # more than was asked for
        return self.whole

    def end(self) -> None:
        """The server hangs up: the end of an answer that states no length. Raises BadEnvelope for any other."""
        if self.whole:
            return
        if self._read != self._rest:
            raise BadEnvelope("the server hung up before its answer was whole" if self._data else "the server hung up")
        self._parts.append(bytes(self._data[self._at :]))
        self.whole = True

    def _head(self) -> bool:
        """Status and headers; interim answers (100 and the like) are passed over."""
        end = _END.search(self._data, max(self._at, self._size))
        if end is None:
            if len(self._data) - self._at > HEAD:
                raise BadEnvelope("an answer whose head does not end")
            self._size = max(0, len(self._data) - 3)  # no need to look at these again
            return False
        first, *lines = (line.rstrip(b"\r") for line in bytes(self._data[self._at : end.start()]).split(b"\n"))
        status = _STATUS.fullmatch(first)
        if status is None:
            raise BadEnvelope(f"an answer that begins {first[:40].decode('ascii', 'backslashreplace')!r}: not HTTP/1.1")
        self._at, self.status = end.end(), int(status.group(2))
        self.headers = [_header(line) for line in lines]
        if self.status >= 200:  # the first that is final
            self._frame(status.group(1) == b"1")
        return True

    def _frame(self, modern: bool) -> None:
        """How the body ends."""
        words = set(self._values(b"connection"))
        self.reusable = b"close" not in words and (modern or b"keep-alive" in words)
        coding, lengths = self._values(b"transfer-encoding"), set(self._values(b"content-length"))
        if self.status in _EMPTY:
            self.whole = True
        elif coding == [b"chunked"]:
            self._read = self._chunk
        elif coding:
            raise BadEnvelope("an answer in a transfer encoding that nobody asked for")
        elif lengths:
            (length, *others) = lengths
            if others or not length.isdigit() or len(length) > 15:  # a petabyte
                raise BadEnvelope("an answer of no certain length")
            self._size, self._read = int(length), self._counted
        else:
            self.reusable, self._read = False, self._rest

    def _values(self, name: bytes) -> list[bytes]:
        values = (value for key, value in self.headers if key.lower() == name)
        return [part.strip().lower() for value in values for part in value.split(b",")]

    def _counted(self) -> bool:
        if len(self._data) - self._at < self._size:
            return False
        self._take()
        self.whole = True
        return True

    def _take(self) -> None:
        end = self._at + self._size
        self._parts.append(bytes(self._data[self._at : end]))
        self._at = end

    def _rest(self) -> bool:
        return False

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            if len(self._data) - self._at > HEAD:
                raise BadEnvelope("an answer with an endless line between its chunks")
            return None
        line = bytes(self._data[self._at : end]).rstrip(b"\r")
        self._at = end + 1
        return line

    def _chunk(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise BadEnvelope("an answer with a chunk of no certain length")
        self._size = int(size, 16)
        self._read = self._chunk_body if self._size else self._trailer
        return True

    def _chunk_body(self) -> bool:
        if len(self._data) - self._at < self._size:
            return False
        self._take()
        self._read = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line:
            raise BadEnvelope("an answer with a chunk that is longer than it says")
        self._read = self._chunk if line is not None else self._read
        return line is not None

    def _trailer(self) -> bool:
        line = self._line()
        self.whole = line == b""
        return line is not None


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise BadEnvelope("an answer with a broken header")
    return name, value.strip()
