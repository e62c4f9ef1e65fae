"""The service as an ASGI application: a student answers over HTTP, each request by itself and in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from students import interface
from students.answering import Answer
from students.apipage import api_page
from students.asking import Limits, Question, Refused, asked
from students.bundle import MODEL
from students.gate import FAULT, Gate, said
from students.metrics import MEDIA_TYPE, Metrics
from students.runtime import Student
from students.turns import Turns
from students.webpage import page, script, style

_LOOK = 0.5  # seconds between two looks whether the caller is still there
_SWALLOWED = 1 << 26  # bytes of a refused body that are read and forgotten, so that the caller hears why
_QUIET = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}  # FastAPI's own telemetry


class Service:
    """What the endpoints share: the student, the turns of its threads, the limits and the counters."""

    def __init__(self, student: Student, limits: Limits, threads: int) -> None:
        self.student, self.limits = student, limits
        self.turns, self.company = Turns(threads), student.company()
        self.inside = 0
        manifest = student.manifest
        self.facts = {"version": _version(), "model": manifest.files[MODEL]["sha256"], "precision": manifest.precision}
        self.metrics = Metrics(self.facts)

    async def tag(self, request: Request) -> Response:
        """The answer to one request, or Refused."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # and so no page of another site can ask in a person's name
            raise Refused(415, "send JSON, with the header Content-Type: application/json")
        if self.inside >= self.limits.queue:
            raise Refused(429, f"{self.inside} requests are in hand; come back in a second", {"Retry-After": "1"})
        self.inside += 1
        try:
            async with asyncio.timeout(self.limits.timeout):
                question = asked(await _body(request, self.limits.max_body), self.limits)
                return Response(await self._answered(request, question), media_type="application/json")
        except TimeoutError:
            sentence = f"not done in {self.limits.timeout:g} seconds; ask for less at a time, or later"
            raise Refused(503, sentence, {"Retry-After": "5"}) from None
        except ClientDisconnect:
            raise Refused(499, "left before the body was whole") from None
        finally:
            self.inside -= 1

    async def _answered(self, request: Request, question: Question) -> bytes:
        answer = Answer(self.student, question, self.company)
        job = self.turns.add(answer.steps())
        done = asyncio.wrap_future(job.done)
        try:
            while not (await asyncio.wait((done,), timeout=_LOOK))[0]:
                if await request.is_disconnected():
                    raise Refused(499, "nobody waits for the answer")
            done.result()
        finally:
            self.turns.cancel(job)
            answer.give_up()
            done.cancel()
        self.metrics.answered(question.texts, answer.labels)
        return answer.body()

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
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(Exception, _fault)
    interface.complete(app.openapi(), service.limits, token is not None)
    return Gate(app, service.metrics, token)


def _add_endpoints(app: FastAPI, service: Service) -> None:
    app.add_route("/tag", service.tag, methods=["POST"])  # a plain route: FastAPI's own takes longer

    @app.post("/tag", **interface.TAG)  # never reached: what the OpenAPI says of it
    async def tag(request: Request) -> Response:
        return await service.tag(request)

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


async def _body(request: Request, most: int) -> bytes:
    """The body, or Refused where it is too long: at once where the caller still waits to send it."""
    length = request.headers.get("content-length", "")
    too_long = length.isdecimal() and int(length) > most
    sentence = f"the body is longer than {most} bytes"
    if too_long and "expect" in request.headers:
        raise Refused(413, sentence)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= most and not too_long:
            parts.append(part)
        elif size > _SWALLOWED:
            break
    if size > most:
        raise Refused(413, sentence)
    return b"".join(parts)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Response(said(error.sentence), error.status, error.headers, "application/json")


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
