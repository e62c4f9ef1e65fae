"""A service under test, on a free port of this machine, and a caller that speaks plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from students.asking import Limits
from students.runtime import Student
from students.serving import Service, application
from students.wire import wire

JSON = {"Content-Type": "application/json"}


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Calls one service; `service` is its inside, for a look at what it counts."""

    def __init__(self, port: int, service: Service | None = None) -> None:
        self.port, self.service = port, service
        self.url = f"http://127.0.0.1:{port}/"
        self._line = self.line()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def __call__(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str | None = None
    ) -> Reply:
        """One request on the line that is kept open."""
        method = method or ("GET" if body is None else "POST")
        self._line.request(method, path, body, dict(JSON if headers is None else headers))
        reply = self._line.getresponse()
        return Reply(reply.status, reply.headers, reply.read())

    def tag(self, value: Any, **headers: str) -> Reply:
        return self("/tag", json.dumps(value).encode(), {**JSON, **headers})

    def begun(self, body: bytes, sent: int = 0) -> socket.socket:
        """A request of which only the head and `sent` bytes of the body have gone out."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        head = f"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body[:sent])
        return line


@contextmanager
def running(
    bundle: Path, token: str | None = None, kind: type[Student] = Student, patience: float = 60.0, **limits: Any
) -> Iterator[Caller]:
    """A service in a thread of this process, with two threads of its own; `patience` is the wire's."""
    given = {"max_body": 100_000, "max_text": 5_000, "queue": 64, "timeout": 60.0, **limits}
    service = Service(kind.load(bundle, threads=1), Limits(**given), 2)
    config = uvicorn.Config(
        application(service, token), http=wire(patience), log_config=None, ws="none",
        lifespan="on", access_log=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with Caller(listener.getsockname()[1], service) as caller:
                yield caller
        finally:
            server.should_exit = True
            thread.join(60)
    assert not thread.is_alive()


def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for something that must come to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
