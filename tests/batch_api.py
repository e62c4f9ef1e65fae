"""Files and batches on loopback, as a Batch API answers them: results out of order, some of them errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chat_server import capitals, text_of
from loopback import running


class BatchApi(ThreadingHTTPServer):
    """`bad` texts become errors, `absent` ones have no result; batches end when `ended` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.online: list[dict[str, Any]] = []
        self.bad, self.absent = "", ""
        self.ended, self.refuse = False, False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def results(self, batch: str) -> tuple[bytes, bytes]:
        """The output and the error file of a batch, the last request first."""
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for line in reversed(self.files[self.batches[batch]["input_file_id"]].splitlines()):
            row = json.loads(line)
            text = text_of(row["body"])
            if self.absent and self.absent in text:
                continue
            status, body = 200, completion(text)
            if self.bad and self.bad in text:
                status, body = 400, {"error": {"message": "not this one"}}
            done = {"id": "r", "custom_id": row["custom_id"], "error": None}
            (good if status == 200 else bad).append(done | {"response": {"status_code": status, "body": body}})
        return tuple("".join(json.dumps(row) + "\n" for row in rows).encode() for rows in (good, bad))  # type: ignore[return-value]


def completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": capitals(text)}}
    return {"model": "loopback", "choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BatchApi

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def _send(self, body: Any, status: int = 200) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/files"):
            (content,) = re.findall(rb'filename=.*?\r\n\r\n(\{.*?\n)\r\n--', raw, re.DOTALL)
            name = f"file-{len(self.server.files)}"
            self.server.files[name] = content
            return self._send({"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "f",
                               "purpose": "batch", "status": "processed"})  # fmt: skip
        body = json.loads(raw)
        if self.path.endswith("/batches"):
            if self.server.refuse:
                return self._send({"error": {"message": "come back later"}}, 503)
            name = f"batch-{len(self.server.batches)}"
            self.server.batches[name] = body
            return self._send(self._batch(name))
        self.server.online.append(body)
        return self._send(completion(text_of(body)))

    def do_GET(self) -> None:
        found = re.search(r"/batches/([^/?]+)", self.path)
        if found:
            return self._send(self._batch(found.group(1)))
        if "/batches" in self.path:
            data = [self._batch(name) for name in self.server.batches]
            return self._send({"object": "list", "data": data, "has_more": False})
        (name,) = re.findall(r"/files/([^/]+)/content", self.path)
        which, _, batch = name.partition("-of-")
        return self._send(self.server.results(batch)[which == "err"])

    def _batch(self, name: str) -> dict[str, Any]:
        batch, ended = self.server.batches[name], self.server.ended
        return {
            "id": name, "object": "batch", "endpoint": batch["endpoint"], "input_file_id": batch["input_file_id"],
            "completion_window": "24h", "created_at": 1, "status": "completed" if ended else "in_progress",
            "metadata": batch.get("metadata"), "request_counts": {"total": 4, "completed": 3, "failed": 1},
            "output_file_id": f"out-of-{name}" if ended else None, "error_file_id": f"err-of-{name}" if ended else None,
        }  # fmt: skip


@contextmanager
def batching() -> Iterator[BatchApi]:
    with running(BatchApi()) as server:
        yield server
