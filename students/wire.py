"""The wire under the service: HTTP as uvicorn reads it, with bounds on what is no body and on how long it takes."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from students.gate import Message, said

HEAD = 1 << 16
"""Bytes that a request's line and headers may have, or its trailers, beside what comes with the last of them."""
_FRAME = 17  # bytes of a chunked body for each byte of what it says
_SLICE = 1 << 11  # bytes read at a time: whoever sends request after request has few of them waiting as such
_CLOSE = (b"connection", b"close")
_NOT_PASSED_ON = frozenset({b"upgrade", b"connection", b"http2-settings"})


class _Flow(FlowControl):
    """Lets nothing more come in while what came is kept unread."""

    full = False

    def stop(self) -> None:
        self.full = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if not self.full:
            super().resume_reading()


class _Sender:
    """Sends the head of an answer with its body, which comes in one part: whatever is sent alone wakes the caller."""

    def __init__(self, cycle: Any) -> None:
        self._cycle, self._head = cycle, b""

    async def __call__(self, message: Message) -> None:
        cycle = self._cycle
        if message["type"] == "http.response.start":
            cycle.response_started, cycle.waiting_for_100_continue = True, False
            self._head = self._headed(message["status"], [*cycle.default_headers, *message.get("headers", ())])
            return
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.transport.write(self._head if cycle.scope["method"] == "HEAD" else self._head + message.get("body", b""))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _headed(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        if _CLOSE in headers:
            self._cycle.keep_alive = False
        elif not self._cycle.keep_alive:
            headers.append(_CLOSE)
        return b"".join((STATUS_LINE[status], *[b"%b: %b\r\n" % each for each in headers], b"\r\n"))


class Wire(HttpToolsProtocol):
    """One connection; closed where no head is whole within the seconds that uvicorn keeps an idle one.

    So it is where a request is answered before its body has come and the rest of the body takes longer than that, and
    where an answer is not taken within `patience` seconds. While requests wait for another's answer, nothing is read.
    The wish for another protocol is not heard: Java's client has it with every request.
    """

    flow: _Flow
    patience = 30.0
    _beside = 0  # bytes of this request that are no body
    _body = 0  # bytes of body in what was read last
    _whole = True  # the request
    _reading = True  # a head, not a body
    _elsewhere = False  # the head asks for another protocol
    _unread = b""
    _refusal: tuple[str, str] | None = None  # of what came behind requests that are not answered yet
    _asked: Any = None  # the request that is being answered
    _timer: asyncio.TimerHandle | None = None
    _unsent: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        transport.set_write_buffer_limits(high=0)  # so that one hears of every byte that is not taken
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._rest()
        self._taken()
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        """Tell the request in hand, which is not the last one where several came, that nobody waits for it."""
        if self._asked is not None and not self._asked.response_complete:
            self._asked.disconnected = True
            self._asked.message_event.set()

    def pause_writing(self) -> None:
        """Something of an answer is not taken yet."""
        super().pause_writing()
        self._taken()
        self._unsent = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """All that was sent is taken."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._unsent is not None:
            self._unsent.cancel()
            self._unsent = None

    def data_received(self, data: bytes) -> None:
        """Read on, slice by slice, and keep the rest where requests wait for another's answer."""
        self._unset_keepalive_if_required()
        if self._refusal is not None:
            return
        data = self._unread + data
        self._unread = b""
        for at in range(0, len(data), _SLICE):
            if self.pipeline:
                self._unread = data[at:]
                self.flow.stop()
            if self._unread or self._refusal is not None or self.transport.is_closing():
                return
            self._sliced(data[at : at + _SLICE])

    def _sliced(self, data: bytes) -> None:
        """Read, unless what is no body has no end."""
        self._read(data)
        if self._reading and not self._whole and self._timer is None:
            self._wait()
        if not self._whole and self._refusal is None:
            self._beside = max(0, self._beside + len(data) - _FRAME * self._body)
            if self._beside > HEAD:
                self._refuse("431 Request Header Fields Too Large", f"the headers are longer than {HEAD} bytes")
        self._body = 0

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._asked = cycle
        super()._start_asgi_task(cycle, lambda scope, receive, _: app(scope, receive, _Sender(cycle)))

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
        self._whole = self._reading = True
        self._rest()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on to what came behind; wait for the rest of a body that was not needed, but not for ever."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._refusal is not None:
            self._refuse(*self._refusal)
        elif self._unread and not self.pipeline:
            self.flow.full = False
            self.flow.resume_reading()
            self.data_received(b"")
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
        """Close with a refusal, once the requests before are answered; what still comes in is read and forgotten."""
        self._refusal = status, sentence
        asked = self._asked
        if asked is not None and not asked.response_complete and (self._reading or asked is not self.cycle):
            return
        self._forget()
        body = said(sentence)
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status.encode(), len(body), body)
        )
        self.transport.write_eof()  # closed with something unread, the system would take the answer back
        self._rest()
        self._timer = self.loop.call_later(self.timeout_keep_alive, self.transport.close)


def wire(patience: float) -> type[Wire]:
    """The Wire that waits so many seconds for an answer to be taken."""
    return type("PatientWire", (Wire,), {"patience": patience})
