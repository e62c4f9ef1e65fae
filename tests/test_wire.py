"""The wire below the client: whatever a server does with HTTP/1.1, an answer comes back whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from chat_server import serving
from hypothesis import given
from hypothesis import strategies as st
from online import options

from distill.errors import TeacherError
from teachers.chat import ChatTeacher, Clock, Endpoint
from teachers.envelope import BadEnvelope, Envelope
from teachers.labelling import label
from teachers.teacher import Conversation, Message, Reply

BODY = b'{"choices": [{"message": {"content": "Result: {}"}, "finish_reason": "stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
COUNTED = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def chunked(body: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted({cut % len(body) for cut in cuts} - {0}), len(body)]
    chunks = [body[start:end] for start, end in pairwise(edges)]
    told = b"".join(b"%x;of=interest\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + told + b"0\r\nX-Trailer: 1\r\n\r\n"


def read(sent: bytes, cuts: list[int]) -> Envelope:
    envelope, edges = Envelope(), [0, *sorted(cut % len(sent) for cut in cuts), len(sent)]
    for start, end in pairwise(edges):
        envelope.feed(sent[start:end])
    return envelope


@given(st.lists(st.integers(0, 500)), st.lists(st.integers(0, 500), max_size=5), st.sampled_from("lcir"))
def test_an_answer_is_read_whole_however_it_is_cut(cuts: list[int], chunks: list[int], kind: str) -> None:
    sent = {
        "l": COUNTED, "c": chunked(BODY, chunks), "i": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + COUNTED,
        "r": COUNTED.replace(b"\r\n", b"\n"),
    }[kind]  # fmt: skip
    envelope = read(sent, cuts)
    assert (envelope.whole, envelope.status, envelope.body, envelope.reusable) == (True, 200, BODY, True)
    assert (b"Content-Type", b"application/json") in envelope.headers


@given(st.integers(0, 1000), st.sampled_from([COUNTED, chunked(BODY, [20, 40])]))
def test_an_answer_that_ends_too_soon_is_never_taken_for_whole(cut: int, sent: bytes) -> None:
    envelope = read(sent[: cut % len(sent)] or b"H", [])
    assert not envelope.whole
    with pytest.raises(BadEnvelope, match="hung up"):
        envelope.end()


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    envelope = read(b"HTTP/1.0 200 OK\r\n\r\n" + BODY, [])
    assert not envelope.whole
    envelope.end()
    assert (envelope.whole, envelope.body, envelope.reusable) == (True, BODY, False)


@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from([COUNTED, chunked(BODY, [9])]))
def test_nonsense_is_named_and_nothing_else_is_raised(noise: bytes, at: int, sent: bytes) -> None:
    try:
        read(sent[: at % len(sent)] + noise + sent[at % len(sent) :], [at]).end()
    except BadEnvelope as error:
        assert str(error)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "begins 'SSH-2.0-OpenSSH_9.2'"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "no certain length"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "no certain length"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", "chunk of no certain length"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "longer than it says"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer encoding"),
        (HEAD + b"no colon\r\n\r\n", "broken header"),
        (HEAD + b"X: " + b"x" * 70_000, "does not end"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(sent: bytes, says: str) -> None:
    with pytest.raises(BadEnvelope, match=says):
        Envelope().feed(sent)


Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(int(length.split(b":")[1]))


def asked(client: Client, count: int = 1, timeout: float = 5.0, pause: float = 0.0) -> list[Reply]:
    """The replies to `count` conversations, one after another, with a server that treats its clients so."""

    async def run() -> list[Reply]:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        teacher = ChatTeacher(Endpoint("m", url, timeout=timeout), None, Clock(sleep=lambda _: asyncio.sleep(0.01)))
        replies = []
        try:
            for n in range(count):
                replies.append(await teacher.answer(Conversation(f"d{n}", (Message("user", "Ann sang."),))))
                await asyncio.sleep(pause)
        finally:
            await teacher.close()
            server.close()
            await asyncio.sleep(0.02)  # the server's side of the connections ends as well
        return replies

    return asyncio.run(run())


def server_of(answers: list[bytes], connections: list[int], close_after: int = 1_000_000) -> Client:
    """Answers in turn; every connection ends after so many."""
    turn = iter(answers)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        try:
            for _ in range(close_after):
                await request(reader)
                connections[-1] += 1
                writer.write(next(turn))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, StopIteration):
            pass
        finally:
            writer.close()

    return client


def test_a_connection_carries_many_requests() -> None:
    connections: list[int] = []
    replies = asked(server_of([COUNTED, chunked(BODY, [7]), COUNTED], connections), 3)
    assert [reply.text for reply in replies] == ["Result: {}"] * 3
    assert connections == [3]


@pytest.mark.parametrize("answer", [COUNTED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), COUNTED + b"!"])
def test_a_connection_that_ends_or_says_too_much_is_not_used_again(answer: bytes) -> None:
    connections: list[int] = []
    replies = asked(server_of([answer] * 3, connections), 3)
    assert [(reply.text, reply.requests) for reply in replies] == [("Result: {}", 1)] * 3
    assert connections == [1, 1, 1]


def test_a_server_that_drops_idle_connections_costs_no_second_request() -> None:
    connections: list[int] = []
    replies = asked(server_of([COUNTED] * 3, connections, close_after=1), 3, pause=0.1)
    assert [reply.requests for reply in replies] == [1, 1, 1]


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    turn = iter(range(10))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await request(reader)
                number = next(turn)
                await asyncio.sleep(0.4 if number == 0 else 0)
                writer.write(COUNTED.replace(b"Result: {}", b"Result: %d." % number))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    replies = asked(client, 3, timeout=0.2, pause=0.3)
    found = [(reply.text, reply.requests) for reply in replies]
    assert found == [("Result: 1.", 2), ("Result: 2.", 1), ("Result: 3.", 1)]


def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(BODY)
    answer = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    (reply,) = asked(server_of([answer], []))
    assert reply.text == "Result: {}"


def test_a_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        report = label(options(tmp_path, server, 5, base_url="http://models.invalid/v1", api_key_env=None))
        assert (report.documents, len(server.bodies)) == (5, 5)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_counts_if_it_is_trusted_and_its_refusal_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, key = tmp_path / "own.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", own],
        check=True, capture_output=True,
    )  # fmt: skip
    with serving() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        given = options(tmp_path, server, 5, base_url=server.url.replace("http:", "https:"), api_key_env=None)
        with pytest.raises(TeacherError, match=r"certificate is not trusted \(self-signed certificate") as caught:
            label(given)
        assert "\n" not in str(caught.value) and "SSL_CERT_FILE" in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        assert label(given).documents == 5
