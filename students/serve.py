"""serve: a bundle's student over HTTP, for this machine alone unless told otherwise."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from distill.cores import cores
from distill.errors import CallError
from distill.libraries import resolve
from distill.progress import say
from students.asking import Limits
from students.runtime import Student
from students.serve_options import ServeOptions, is_loopback

_EXTRA = "serve"
_CONNECTIONS = 1024  # beside the requests in hand; each costs a file and some memory


@dataclass(frozen=True)
class ServeReport:
    """What was done between start and stop."""

    requests: int
    texts: int
    faults: int

    def __str__(self) -> str:
        ending = f", {self.faults} faults" if self.faults else ""
        return f"stopped: {self.requests} requests, {self.texts} texts{ending}"


def serve(options: ServeOptions) -> ServeReport:
    """Answer over HTTP until SIGTERM or Ctrl-C, then finish what is in hand.

    Raises CallError where others could reach the address without a token, or where it is taken.
    """
    token, host = _token(options), options.host.strip("[]")  # as addresses stand in a URL
    if token is None and not is_loopback(host) and not options.allow_open_host:
        raise CallError(
            f"others can reach {host}; name a variable that holds a token with --token-env, or say "
            "--allow-open-host"
        )
    service_class, application = (resolve(f"students.serving:{name}", _EXTRA) for name in ("Service", "application"))
    resolve("uvicorn", _EXTRA)
    with _listening(host, options.port) as listener:
        threads = options.threads or cores()
        student = Student.load(options.bundle, threads=1)
        student.tag(["The first answer takes longest."])
        limits = Limits(options.max_body, options.max_text, options.queue, options.timeout)
        service = service_class(student, limits, threads)
        server = _server(application(service, token), options)
        gc.freeze()  # what is here by now stays: the collector need not look through it again
        gc.set_threshold(20_000)  # nor through each request's objects while it is in hand; few are in rings
        with _stopped_by_signals(server):
            say(f"{options.bundle} answers at {address(listener)} with {threads} threads; Ctrl-C stops it")
            server.run(sockets=[listener])
            service.turns.close()  # a second Ctrl-C ends the server before it does so itself
    metrics = service.metrics
    return ServeReport(metrics.requests.total(), metrics.texts, metrics.faults)


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _token(options: ServeOptions) -> str | None:
    if options.token_env is None:
        return None
    token = os.environ.get(options.token_env, "").strip()
    if not token:
        raise CallError(f"the environment variable {options.token_env} (--token-env) is empty or not set")
    if any(ord(char) < 0x20 or char == "\x7f" for char in token):
        raise CallError(f"the token in {options.token_env} has a line break or the like, which no header can carry")
    return token


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        why = str(error.strerror or error).partition(" (while")[0]
        raise CallError(f"cannot listen on {host} port {port}: {why}; try another --port or --host") from None
    with listener:
        yield listener


def _server(app: Any, options: ServeOptions) -> Any:
    import uvicorn

    wire = resolve("students.wire:wire", _EXTRA)(options.timeout)
    config = uvicorn.Config(
        app, http=wire, log_config=None, log_level="critical", access_log=False,
        ws="none", lifespan="on", server_header=False,
        proxy_headers=False, limit_concurrency=options.queue + _CONNECTIONS, timeout_keep_alive=30,
        timeout_graceful_shutdown=int(options.timeout) + 1,
    )  # fmt: skip
    return uvicorn.Server(config)


@contextmanager
def _stopped_by_signals(server: Any) -> Iterator[None]:
    """SIGTERM and Ctrl-C are the ordinary end of a service; uvicorn raises them once more when it is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
