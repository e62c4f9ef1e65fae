"""The service as an ASGI application: a student answers over HTTP, each request by itself and in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from students import interface
from students.answering import Answer
from students.apipage import api_page
from students.asking import Limits, Question, Refused, asked
from students.bell import Bell
from students.bundle import MODEL
from students.gate import FAULT, Gate, Receive, Send, answer, reply, said
from students.metrics import MEDIA_TYPE, Metrics
from students.runtime import Student
from students.turns import Turns
from students.webpage import page, script, style

_LOOK = 0.5  # seconds after which a request is old enough to ask whether the caller is still there
_SWALLOWED = 1 << 26  # bytes of a refused body that are read and forgotten, so that the caller hears why
_QUIET = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}  # FastAPI's own telemetry


class Service:
    """`POST /tag` as an ASGI application, and what it shares with the other endpoints.

    The student, the turns of its threads, the limits and the counters. FastAPI describes this endpoint and does not
    serve it: its layers would take as long as everything else that the loop does for a request.
    """

    def __init__(self, student: Student, limits: Limits, threads: int) -> None:
        self.student, self.limits = student, limits
        self.turns, self._bell = Turns(threads, student.company()), Bell()
        self.inside = 0
        manifest = student.manifest
        self.facts = {"version": _version(), "model": manifest.files[MODEL]["sha256"], "precision": manifest.precision}
        self.metrics = Metrics(self.facts)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it in a sentence."""
        try:
            body = await self._tagged(scope, receive)
        except Refused as error:
            await answer(send, error.status, error.sentence, error.headers)
        else:
            await reply(send, 200, body)

    async def _tagged(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        headers = dict(reversed(scope["headers"]))  # the first of a name counts
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":  # and so no page of another site can ask in a person's name
            raise Refused(415, "send JSON, with the header Content-Type: application/json")
        if headers.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
            raise Refused(415, "send the body as it is, without Content-Encoding", {"Accept-Encoding": "identity"})
        if self.inside >= self.limits.queue:
            raise Refused(429, f"{self.inside} requests are in hand; come back in a second", {"Retry-After": "1"})
        self.inside += 1
        try:
            async with asyncio.timeout(self.limits.timeout):
                question = asked(await _body(headers, receive, self.limits.max_body), self.limits)
                return await self._answered(receive, question)
        except TimeoutError:
            sentence = f"not done in {self.limits.timeout:g} seconds; ask for less at a time, or later"
            raise Refused(503, sentence, {"Retry-After": "5"}) from None
        finally:
            self.inside -= 1

    async def _answered(self, receive: Receive, question: Question) -> bytes:
        found = Answer(self.student, question)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        job = self.turns.add(found.steps(), partial(self._bell.ring, done), found.quick())
        watch = loop.call_later(_LOOK, lambda: watches.append(loop.create_task(_left(receive, done))))
        watches: list[asyncio.Task[None]] = []
        try:
            await done
        except BaseException:
            self.turns.cancel(job)
            raise
        finally:
            watch.cancel()
            for each in watches:
                each.cancel()
        self.metrics.answered(question.texts, found.labels)
        return found.body()

    def health(self) -> dict[str, Any]:
        """What the service is, for probes and for the page."""
        limits = {"text": self.limits.max_text, "body": self.limits.max_body}
        labels = list(self.student.manifest.labels)
        return {"status": "ok", **self.facts, "labels": labels, "limits": limits, "in_hand": self.inside}


def application(service: Service, token: str | None = None) -> Gate:
    """The service's endpoints behind their gate."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.turns.close()

    telemetry: Any = _QUIET
    app = FastAPI(
        title="ner-distill", version=_version(), description=interface.ABOUT, docs_url=None, redoc_url=None,
        redirect_slashes=False, lifespan=lifespan, telemetry=telemetry,
    )  # fmt: skip
    _add_pages(app)
    _add_endpoints(app, service)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(Exception, _fault)
    interface.complete(app.openapi(), service.limits, token is not None)
    for route in app.routes:  # probes like to ask without the answer's body; the OpenAPI need not say so
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")

    async def either(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        tags = scope["type"] == "http" and scope["path"] == "/tag" and scope["method"] == "POST"
        await (service if tags else app)(scope, receive, send)

    return Gate(either, service.metrics, token)


def _add_endpoints(app: FastAPI, service: Service) -> None:
    @app.post("/tag", **interface.TAG)
    async def tag() -> None:
        """Never reached: what the OpenAPI says of it."""

    @app.get("/health", **interface.HEALTH)
    async def health() -> Response:
        return JSONResponse(service.health())

    @app.get("/metrics", **interface.METRICS)
    async def metrics() -> Response:
        return Response(service.metrics.rendered(service.inside), media_type=MEDIA_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(api_page(app.openapi()), media_type="text/html")


def _add_pages(app: FastAPI) -> None:
    files = {"/": (page, "text/html"), "/page.css": (style, "text/css"), "/page.js": (script, "text/javascript")}
    for path, (read, kind) in files.items():
        app.add_api_route(path, _sender(read(), kind), include_in_schema=False)


def _sender(content: str, kind: str) -> Any:
    async def send() -> Response:
        return Response(content, media_type=kind)

    return send


async def _body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The body, or Refused where it is too long: at once where the caller still waits to send it."""
    length = headers.get(b"content-length", b"")
    too_long = length.isdigit() and int(length) > most
    sentence = f"the body is longer than {most} bytes"
    if too_long and headers.get(b"expect"):
        raise Refused(413, sentence)
    parts, size, more = [], 0, True
    while more and size <= max(most, _SWALLOWED):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(499, "left before the body was whole")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size <= most and not too_long:
            parts.append(part)
    if size > most:
        raise Refused(413, sentence)
    return b"".join(parts)


async def _left(receive: Receive, done: asyncio.Future[None]) -> None:
    """Once the body is read, the next that comes in is that the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not done.done():
        done.set_exception(Refused(499, "nobody waits for the answer"))


async def _no_such(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = "no such page; GET /docs lists them" if error.status_code == 404 else str(error.detail)
    return Response(said(sentence), error.status_code, error.headers, "application/json")


async def _fault(_: Request, __: Exception) -> Response:
    return Response(said(FAULT), 500, media_type="application/json")  # and the gate tells of it


def _version() -> str:
    try:
        return version("ner-distill")
    except PackageNotFoundError:  # run from a checkout
        return "0"
