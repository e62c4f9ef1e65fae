"""The wire under the service: what is no HTTP, what has no end, and what never comes."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from service import Caller, running

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
