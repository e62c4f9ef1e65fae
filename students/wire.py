"""The wire under the service: HTTP as uvicorn reads it, with a bound on the size and the time of what heads a body."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from students.gate import said

HEAD = 1 << 16
"""Bytes that a request's line and headers may have, beside what comes with the last of them."""


class Wire(HttpToolsProtocol):
    """One connection; closed where no head is whole within the seconds that uvicorn keeps an idle one."""

    _head = 0
    _reading = True  # a head, not a body
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
        """Read on, unless this head has no end."""
        super().data_received(data)
        if self._reading and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD:
                self._refuse("431 Request Header Fields Too Large", f"the headers are longer than {HEAD} bytes")

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers to bytes that are no HTTP, as every other refusal."""
        self._refuse("400 Bad Request", msg)

    def on_message_begin(self) -> None:
        """The first bytes of a head."""
        super().on_message_begin()
        self._head, self._reading = 0, True
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._reading = False
        self._rest()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _refuse(self, status: str, sentence: str) -> None:
        body = said(sentence)
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status.encode(), len(body), body)
        )
        self.transport.close()
