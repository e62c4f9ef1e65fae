"""The gate around the service: who may enter, what every answer carries, what is counted, and what a fault says.

A fault is told by its kind and its place in the code, never by its message: that might quote a text.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from distill.progress import say
from students.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = frozenset({"/", "/health", "/docs", "/openapi.json", "/page.css", "/page.js"})
"""Paths that need no token: they say nothing of anybody's texts."""
KNOWN = OPEN | {"/tag", "/metrics"}
FAULT = "a fault of the service; its log says where"
_LEFT = 499  # nginx's word for a caller who did not wait
_SECURITY = (
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
     b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store"),
)  # fmt: skip


class Gate:
    """An ASGI application around another one."""

    def __init__(self, inner: App, metrics: Metrics, token: str | None) -> None:
        self._inner, self._metrics = inner, metrics
        self._token = None if token is None else token.encode("utf-8", "surrogateescape")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_SECURITY]
            await send(message)

        try:
            if self._may_enter(scope):
                await self._inner(scope, receive, dressed)
            else:
                asks = {"www-authenticate": "Bearer"}
                await answer(dressed, 401, "a token is needed: Authorization: Bearer TOKEN", asks)
        except asyncio.CancelledError:  # stopped in a hurry
            if not status:
                await answer(dressed, 503, "the service is stopping", {"Retry-After": "5"})
            raise
        except Exception as error:  # noqa: BLE001 - the last place where a fault can be kept from quoting texts
            self._metrics.fault()
            say(told(error))
            if not status:
                await answer(dressed, 500, FAULT)
        finally:
            path = scope["path"] if scope["path"] in KNOWN else "other"
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
            self._metrics.request(path, method, status or _LEFT, time.perf_counter() - begun)

    def _may_enter(self, scope: Mapping[str, Any]) -> bool:
        if self._token is None or scope["path"] in OPEN:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        kind, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return hmac.compare_digest(token.strip(), self._token) and kind.lower() == b"bearer"


def said(sentence: str) -> bytes:
    """The body of every answer that is none."""
    return json.dumps({"error": sentence}).encode() + b"\n"


async def answer(send: Send, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
    """Send a refusal or a fault."""
    lines = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await reply(send, status, said(sentence), lines)


async def reply(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send JSON."""
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def told(error: BaseException) -> str:
    """A fault as one line: its kind and the way to it, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    way = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"fault: {type(error).__name__} at {way}"
