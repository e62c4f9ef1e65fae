"""A server on loopback that speaks /v1/chat/completions, and misbehaves as it is told."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import running

KEY = "sk-loopback-0123456789abcdef"
Fault = str | None


def text_of(body: dict[str, Any]) -> str:
    """The document in a request, taken out of its tags; the question of a conversation, which has none."""
    last: str = body["messages"][-1]["content"]
    found = re.search(r"<(text\d*)>\n(.*)\n</\1>\Z", last, re.DOTALL)
    return found.group(2) if found else last


def capitals(text: str) -> str:
    """The answer of a simple teacher: every capitalised word is a person."""
    return "Step 1. A text.\nResult: " + json.dumps({"PER": re.findall(r"\b[A-Z]\w+", text)})


def conforming(schema: dict[str, Any], text: str) -> Any:
    """What a simple teacher says under a schema: every capitalised word is a person, every string says so."""
    people = re.findall(r"\b[A-Z]\w+", text)
    if schema["type"] == "string":
        return "Capitals are people."
    if schema["type"] == "array":
        items = schema["items"]
        return [{"mention": each, "type": "person"} for each in people] if items["type"] == "object" else people
    assert set(schema["required"]) == set(schema["properties"]) and schema["additionalProperties"] is False
    labels = schema["properties"]
    found = {name: conforming(inner, text) for name, inner in labels.items()}
    return {name: value if name != "LOC" else [] for name, value in found.items()} if "PER" not in labels else {
        name: people if name == "PER" else [] for name in labels
    }


REFUSED = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."


class ChatServer(ThreadingHTTPServer):
    """`answer` makes the text of a completion; `fault(number, text)` names what goes wrong with a request.

    A `response_format` it ignores, as long as `forms` does not say that it follows or refuses it.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer: Callable[[str], str], fault: Callable[[int, str], Fault], delay: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.fault, self.delay = answer, fault, delay
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.keys: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.busy = self.busiest = 0
        self.forms = "ignores"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.paths[self.path] += 1
            self.server.keys[self.headers.get("Authorization", "")] += 1
            number = len(self.server.bodies)
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        if self.server.delay:
            time.sleep(self.server.delay)
        with self.server.lock:  # before the answer: a client that has it may be faster than this thread
            self.server.busy -= 1
        text = text_of(body)
        fault = self.server.fault(number, text)
        if "response_format" in body and not fault and self.server.forms != "ignores":
            self._formal(body["response_format"]["json_schema"]["schema"], text)
            return
        getattr(self, f"_{fault}", self._status)(fault or "", text)

    def _send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def completion(self, content: Any, finish: str = "stop", **message: Any) -> bytes:
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return json.dumps({"id": "x", "model": "loopback", "choices": [choice], "usage": usage}).encode()

    def _status(self, fault: str, text: str) -> None:
        """A good answer, or an error with the status that the fault begins with: `429`, `400 some words`."""
        if fault:
            status, _, said = fault.partition(" ")
            key = self.headers.get("Authorization", "")
            error = {"message": said or f"no, and your header was {key}", "code": said or None, "type": None}
            headers = {"Retry_After": "0.01"} if status == "429" else {}
            return self._send(int(status), json.dumps({"error": error}).encode(), **headers)
        with self.server.lock:
            self.server.answered[text] += 1
        return self._send(200, self.completion(self.server.answer(text)))

    def _formal(self, schema: dict[str, Any], text: str) -> None:
        """An answer that the schema allows, or a refusal in OpenAI's words."""
        if self.server.forms == "refuses":
            error = {"message": REFUSED, "type": "invalid_request_error", "param": None, "code": None}
            return self._send(400, json.dumps({"error": error}).encode())
        with self.server.lock:
            self.server.answered[text] += 1
        return self._send(200, self.completion(json.dumps(conforming(schema, text))))

    def _drop(self, fault: str, text: str) -> None:
        self.close_connection = True
        self.connection.close()

    def _half(self, fault: str, text: str) -> None:
        """A body that ends before its stated length."""
        body = self.completion("{}")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:20])
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def _slow(self, fault: str, text: str) -> None:
        """A body that trickles for longer than anybody waits."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100")
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.02)

    def _cut(self, fault: str, text: str) -> None:
        self._send(200, self.completion("{}")[:40])

    def _html(self, fault: str, text: str) -> None:
        self._send(200, b"<html>Sign in</html>", "text/html")

    def _page(self, fault: str, text: str) -> None:
        """What a proxy says when a request is too long for it."""
        self._send(413, b"<html><style>h1 {}</style><h1>Request Entity\nToo Large</h1></html>", "text/html")

    def _tomorrow(self, fault: str, text: str) -> None:
        self._send(429, b'{"error": {"message": "enough for today"}}', Retry_After="86400")

    def _moved(self, fault: str, text: str) -> None:
        self._send(301, b"", "text/html", Location="/v2/chat/completions")

    def _uncounted(self, fault: str, text: str) -> None:
        """Some servers do not count tokens."""
        body = json.loads(self.completion(self.server.answer(text)))
        self._send(200, json.dumps({"choices": body["choices"]}).encode())

    def _tools(self, fault: str, text: str) -> None:
        self._send(200, self.completion(None, "tool_calls", tool_calls=[]))

    def _list(self, fault: str, text: str) -> None:
        self._send(200, b'["not", "an", "object"]')

    def _choiceless(self, fault: str, text: str) -> None:
        self._send(200, b'{"choices": []}')

    def _number(self, fault: str, text: str) -> None:
        self._send(200, self.completion(17))

    def _refusal(self, fault: str, text: str) -> None:
        self._send(200, self.completion(None, refusal="I would rather not."))

    def _empty(self, fault: str, text: str) -> None:
        self._send(200, self.completion(""))

    def _length(self, fault: str, text: str) -> None:
        self._send(200, self.completion('{"PER": ["An', "length"))

    def _twin(self, fault: str, text: str) -> None:
        """The id of another answer, and a key twice: JSON allows it."""
        self._send(200, self.completion("{}").replace(b'"id": "x"', b'"id": "x", "id": "other"'))

    def _huge(self, fault: str, text: str) -> None:
        """Two megabytes of thoughts before the answer."""
        self._send(200, self.completion("I think. " * 233_000 + "\nResult: {}"))

    def _garbage(self, fault: str, text: str) -> None:
        self._send(200, self.completion("I see nobody here."))


@contextmanager
def serving(
    answer: Callable[[str], str] = capitals, fault: Callable[[int, str], Fault] = lambda number, text: None,
    delay: float = 0.0,
) -> Iterator[ChatServer]:  # fmt: skip
    with running(ChatServer(answer, fault, delay)) as server:
        yield server
