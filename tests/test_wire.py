"""The wire under the service: what is no HTTP, what has no end, and what never comes."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from service import Caller, running, until

from students.wire import HEAD, Wire

BODY = b'{"text": "Oslo"}'
POST = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@contextmanager
def line_to(call: Caller) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", call.port), timeout=60) as line:
        yield line


def reply(line: socket.socket) -> tuple[int, bytes]:
    found = http.client.HTTPResponse(line)
    found.begin()
    return found.status, found.read()


def soon(wire: Wire) -> None:
    wire._timer = wire.loop.call_later(0.2, wire._late)


def test_a_head_without_end_is_refused_and_one_that_does_not_come_is_not_waited_for(
    word_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(word_bundle) as call:
        with socket.create_connection(("127.0.0.1", call.port), timeout=60) as line:
            line.sendall((b"POST /tag HTTP/1.1\r\nX: ").ljust(HEAD + 1, b"a"))
            assert line.recv(100).startswith(b"HTTP/1.1 431 ")
        with monkeypatch.context() as patch:
            patch.setattr(Wire, "_wait", soon)
            for begun in (b"", b"POST /tag HTTP/1.1\r\nHost: x\r\n"):
                with socket.create_connection(("127.0.0.1", call.port), timeout=60) as line:
                    line.sendall(begun)
                    assert line.recv(100) == b""
        assert call.tag({"text": "Oslo"}).status == 200


def test_what_is_no_http_is_refused_as_everything_else_is(word_bundle: Path) -> None:
    chunked = b"POST /tag HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n"
    with running(word_bundle) as call:
        for sent in (b"no http\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\xfc", chunked):
            with socket.create_connection(("127.0.0.1", call.port), timeout=60) as line:
                line.sendall(sent)
                reply = http.client.HTTPResponse(line)
                reply.begin()
                assert (reply.status, reply.headers["content-type"]) == (400, "application/json")
                assert list(json.loads(reply.read())) == ["error"]
        assert call.tag({"text": "Oslo"}).status == 200


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
@pytest.mark.parametrize("packets", [1, 2, 200])
def test_a_wish_for_another_protocol_is_not_heard_and_costs_nothing(
    word_bundle: Path, protocol: bytes, packets: int
) -> None:
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMAAABk\r\n" % protocol
    whole = POST + wish + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with running(word_bundle) as call, line_to(call) as line:
        for _ in range(2):  # and the line stays as it was
            step = -(-len(whole) // packets) if packets != 2 else len(whole) - len(BODY)
            for start in range(0, len(whole), step):
                line.sendall(whole[start : start + step])
            status, body = reply(line)
            assert status == 200 and json.loads(body)["entities"]
        line.sendall(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert reply(line)[0] == 400


def test_trailers_are_forgotten_and_those_without_end_refused(word_bundle: Path) -> None:
    begun = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n"
    with running(word_bundle) as call:
        with line_to(call) as line:
            line.sendall(begun + b"Content-Type: text/plain\r\n\r\n")
            assert reply(line)[0] == 200
        for endless in (b"x: yyyy\r\n" * HEAD, b"x: " + b"y" * 4 * HEAD):
            with line_to(call) as line:
                line.sendall(begun)
                try:
                    line.sendall(endless)
                    assert line.recv(100).startswith(b"HTTP/1.1 431 ")
                except ConnectionError:
                    pass  # closed before all was sent
        assert call.tag({"text": "Oslo"}).status == 200


def test_the_rest_of_a_body_that_was_refused_is_not_waited_for(
    word_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(word_bundle) as call:
        monkeypatch.setattr(Wire, "_wait", soon)
        with line_to(call) as line:
            line.sendall(b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            assert reply(line)[0] == 415
            line.sendall(b"x")
            assert line.recv(100) == b""


PAGE = b"GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n"


def test_who_does_not_take_the_answers_is_dropped_and_harms_nobody(word_bundle: Path) -> None:
    asked = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with running(word_bundle, patience=1.0) as call:
        for request in (PAGE, asked):
            with line_to(call) as line, pytest.raises(ConnectionError):
                while True:
                    line.sendall(request * 1000)
            with Caller(call.port) as other:
                assert other.tag({"text": "Oslo"}).status == 200


def test_a_last_answer_that_is_not_taken_is_not_kept(word_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[int] = []
    lost = Wire.connection_lost

    def connection_lost(wire: Wire, exc: Exception | None) -> None:
        dropped.append(wire.client[1] if wire.client else 0)
        lost(wire, exc)

    monkeypatch.setattr(Wire, "connection_lost", connection_lost)
    body = json.dumps({"text": " " * 8_000_000}).encode()  # more than the system takes by itself
    with running(word_bundle, patience=1.0, max_body=10**7, max_text=10**7) as call, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", call.port))
        line.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: b"ner_texts_total 1\n" in call("/metrics").body)
        until(lambda: line.getsockname()[1] in dropped)
        line.settimeout(60)
        assert len(line.makefile("rb").read()) < 8_000_000


def test_many_requests_at_once_are_answered_in_order_and_few_of_them_wait_as_such(
    word_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    complete = Wire.on_headers_complete

    def on_headers_complete(wire: Wire) -> None:
        complete(wire)
        waiting.append(len(wire.pipeline))

    monkeypatch.setattr(Wire, "on_headers_complete", on_headers_complete)
    bodies = [b'{"text": "%d"}' % number for number in range(2000)]
    sent = b"".join(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
    with running(word_bundle) as call, line_to(call) as line:
        sender = threading.Thread(target=line.sendall, args=(sent,))
        sender.start()
        with line.makefile("rb") as answers:
            found = [_next(answers) for _ in bodies]
        sender.join()
    assert [json.loads(body)["text"] for _, body in found] == [str(number) for number in range(2000)]
    assert {status for status, _ in found} == {200} and max(waiting) < 50


def test_what_is_wrong_behind_a_request_waits_for_its_answer(word_bundle: Path) -> None:
    asked = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with running(word_bundle) as call:
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nno length\r\n"
        endless = b"GET / HTTP/1.1\r\nX: ".ljust(2 * HEAD, b"a")
        for wrong, status in ((b"no http\r\n\r\n", 400), (chunked, 400), (endless, 431)):
            with line_to(call) as line, line.makefile("rb") as answers:
                line.sendall(asked * 3 + wrong)
                assert [_next(answers)[0] for _ in range(4)] == [200, 200, 200, status]
                assert answers.read(1) == b""


def _next(answers: BinaryIO) -> tuple[int, bytes]:
    status, length = int(answers.readline().split()[1]), 0
    while (line := answers.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
    return status, answers.read(length)
