"""The wire: what carries a client's requests to a server, each at once in one piece, over connections that stay open.

The `openai` package speaks through httpx, whose own transport takes a third of the processor time of a request and a
dozen rounds of the event loop, in which the next request waits. This one does what a labelling needs: HTTP/1.1, TLS,
whole answers. It knows no proxies; httpx's own goes through those.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

from teachers.envelope import BadEnvelope, Envelope

IDLE = 4.0  # seconds after which an unused connection is not trusted: servers close theirs after five and more
EYEBALLS = 0.25  # seconds before the next address of a host is tried as well (RFC 8305)

Origin = tuple[str, str, int]


class Wire:
    """A transport for an asynchronous client of `http`, which is httpx or its successor."""

    def __init__(self, http: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._http, self._clock = http, clock
        self._idle: dict[Origin, list[_Connection]] = {}
        self._certificates: ssl.SSLContext | None = None

    async def handle_async_request(self, request: Any) -> Any:
        """The server's answer, with its body."""
        origin = _origin(request.url)
        sent = _written(request, await request.aread())
        if sent is None:
            raise self._http.LocalProtocolError("a header holds the end of a line", request=request)
        try:
            connection = self._waiting(origin) or await self._connected(origin)
        except (OSError, UnicodeError, OverflowError, IndexError) as error:  # the last two: asyncio with a wild port
            raise self._http.ConnectError(str(error), request=request) from error
        try:
            envelope = await connection.ask(sent)
        except BadEnvelope as error:
            raise self._http.RemoteProtocolError(str(error), request=request) from error
        except OSError as error:
            raise self._http.ReadError(str(error), request=request) from error
        if connection.open:
            connection.since = self._clock()
            self._idle.setdefault(origin, []).append(connection)
        return self._http.Response(envelope.status, headers=envelope.headers, content=envelope.body, request=request)

    async def aclose(self) -> None:
        """Hang up."""
        for connections in self._idle.values():
            for connection in connections:
                connection.hang_up()
        self._idle.clear()
        await asyncio.sleep(0)  # what was hung up is gone a round later

    def _waiting(self, origin: Origin) -> _Connection | None:
        """The connection that was used last, so that those too many fall idle."""
        connections = self._idle.get(origin, [])
        while connections:
            connection = connections.pop()
            if connection.open and self._clock() - connection.since < IDLE:
                return connection
            connection.hang_up()
        return None

    async def _connected(self, origin: Origin) -> _Connection:
        scheme, host, port = origin
        context = self._trusted() if scheme == "https" else None
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, host, port, ssl=context, happy_eyeballs_delay=EYEBALLS
        )
        return connection

    def _trusted(self) -> ssl.SSLContext:
        """Read once, and only if need be: it takes longer than a request."""
        if self._certificates is None:
            self._certificates = ssl.create_default_context()
            self._certificates.set_alpn_protocols(["http/1.1"])
        return self._certificates


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self) -> None:
        self.open, self.since = False, 0.0
        self._transport: Any = None
        self._envelope: Envelope | None = None
        self._answer: asyncio.Future[Envelope] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = transport, True

    async def ask(self, sent: bytes) -> Envelope:
        """The answer; a connection whose answer nobody waits for any more is not used again."""
        self._envelope, self._answer = Envelope(), asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        try:
            return await self._answer
        except BaseException:
            self.hang_up()
            raise

    def data_received(self, data: bytes) -> None:
        if self._envelope is None or self._answer is None or self._answer.done():
            self.hang_up()  # nobody asked
            return
        try:
            if not self._envelope.feed(data):
                return
        except BadEnvelope as error:
            self._answer.set_exception(error)
            return
        if not self._envelope.reusable:
            self.hang_up()
        self._answer.set_result(self._envelope)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self._envelope is None or self._answer is None or self._answer.done():
            return
        try:
            self._envelope.end()
        except BadEnvelope as broken:
            self._answer.set_exception(error or broken)
        else:
            self._answer.set_result(self._envelope)

    def hang_up(self) -> None:
        self.open = False
        self._transport.abort()


def _origin(url: Any) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def _written(request: Any, body: bytes) -> bytes | None:
    """The request in one piece; None where a header would be more than one."""
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in lines):
        return None
    return b"\r\n".join([*lines, b"", body])
