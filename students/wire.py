"""The wire under the service: HTTP as uvicorn reads it, with bounds on what is no body and on how long it takes."""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from students.gate import said

HEAD = 1 << 16
"""Bytes that a request's line and headers may have, or its trailers, beside what comes with the last of them."""
_FRAME = 17  # bytes of a chunked body for each byte of what it says
_NOT_PASSED_ON = frozenset({b"upgrade", b"connection", b"http2-settings"})


class Wire(HttpToolsProtocol):
    """One connection; closed where no head is whole within the seconds that uvicorn keeps an idle one.

    So it is where a request is answered before its body has come and the rest of the body takes longer than that. The
    wish for another protocol is not heard: Java's client has it with every request.
    """

    _beside = 0  # bytes of this request that are no body
    _body = 0  # bytes of body in what was read last
    _whole = True  # the request
    _reading = True  # a head, not a body
    _elsewhere = False  # the head asks for another protocol
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what is no body has no end."""
        self._unset_keepalive_if_required()
        self._read(data)
        if not self._whole and not self.transport.is_closing():
            self._beside = max(0, self._beside + len(data) - _FRAME * self._body)
            if self._beside > HEAD:
                self._refuse("431 Request Header Fields Too Large", f"the headers are longer than {HEAD} bytes")
        self._body = 0

    def _read(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _stay(self, rest: bytes) -> None:
        """Read a head that asks for another protocol once more, as if it did not."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("Invalid HTTP request received.")
            return
        kept = b"".join(b"%b: %b\r\n" % each for each in self.headers if each[0] not in _NOT_PASSED_ON)
        version = self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        self._read(b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, kept) + rest)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers to bytes that are no HTTP, as every other refusal."""
        self._refuse("400 Bad Request", msg)

    def on_message_begin(self) -> None:
        """The first bytes of a head."""
        super().on_message_begin()
        self._beside, self._whole, self._reading, self._elsewhere = 0, False, True, False
        if self._timer is None:
            self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers behind a body are read and forgotten."""
        if self._reading:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._reading = False
        self._rest()
        self._elsewhere = self.parser.should_upgrade()
        if not self._elsewhere:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._elsewhere:
            return
        self._whole = True
        self._rest()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that was not needed, but not for ever."""
        super().on_response_complete()
        if not self._whole and not self._reading and self._timer is None and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        elif not self._whole:  # another request's answer is still to come
            self._wait()

    def _refuse(self, status: str, sentence: str) -> None:
        body = said(sentence)
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status.encode(), len(body), body)
        )
        self.transport.close()
