"""The service: right answers, limits that say so, a token, and an end that leaves nobody without an answer."""

from __future__ import annotations

import gzip
import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from service import JSON, Caller, running, until

from distill.document import Document
from distill.errors import CallError, InputError
from distill.jsonl import document_from_json
from students.runtime import Student
from students.serve import serve
from students.serve_options import ServeOptions

PROGRAM = """
import sys
from pathlib import Path
from students.serve import serve
from students.serve_options import ServeOptions
print(serve(ServeOptions(bundle=Path(sys.argv[1]), port=0, max_body=1000)))
"""


@pytest.fixture(scope="module")
def call(word_bundle: Path) -> Iterator[Caller]:
    with running(word_bundle) as caller:
        yield caller


def test_one_text_gives_a_document_and_many_give_all_in_order(call: Caller) -> None:
    single = document_from_json(call.tag({"text": "from Oslo to Lima"}).json)
    assert [single.mention(entity) for entity in single.entities] == ["Oslo", "Lima"]
    assert all(0.9 < (entity.score or 0) < 1 for entity in single.entities)
    many = call.tag({"texts": ["", "Oslo", "nowhere", " Lima"]}).json["documents"]
    assert [(row["id"], row["text"], len(row["entities"])) for row in many] == [
        ("1", "", 0), ("2", "Oslo", 1), ("3", "nowhere", 0), ("4", " Lima", 1),
    ]  # fmt: skip
    assert call.tag({"texts": []}).json == {"documents": []}


@pytest.mark.parametrize(("unit", "start"), [("codepoint", 2), ("utf8", 5), ("utf16", 3)])
def test_offsets_count_what_the_caller_counts(call: Caller, unit: str, start: int) -> None:
    row = call.tag({"text": "👋 Oslo", "offsets": unit}).json
    assert (row["entities"][0]["start"], row["entities"][0]["end"]) == (start, start + 4)


def test_the_answer_is_the_runtimes_own_however_long_the_text_and_whoever_else_asks(
    call: Caller, word_bundle: Path
) -> None:
    texts = ["Oslo", "the mayor of Oslo met the team of Lima . " * 40, "x" * 900, "a b c", "Lima " + "y" * 99 + " Oslo"]
    own = Student.load(word_bundle).tag(texts)

    def ask(_: int) -> list[Document]:
        with Caller(call.port) as other:
            return [document_from_json(row) for row in other.tag({"texts": texts}).json["documents"]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    for answer in answers:
        assert answer == own
        scores = [[entity.score for entity in document.entities] for document in answer]
        assert scores == [[round(entity.score or 0, 6) for entity in document.entities] for document in own]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "not JSON"), (b'{"text": ', 400, "not JSON"), (b"\xff\xfe", 400, "not UTF-8"),
        (b"[" * 50_000, 400, "too deep"), (b'{"text": ' + b"1" * 5000 + b"}", 400, "too long"),
        (b'["Oslo"]', 422, "found a list"), (b"{}", 422, "either"), (b'{"text": "a", "texts": []}', 422, "either"),
        (b'{"text": null}', 422, "found null"), (b'{"texts": "Oslo"}', 422, "list of strings"),
        (b'{"texts": ["a", 5]}', 422, "text 2 is a string"), (b'{"txet": "a"}', 422, "did you mean text"),
        (b'{"\\ud800": "a"}', 422, "unknown key"), (b'{"text": "a", "offsets": "bytes"}', 422, "utf16"),
        (b'{"text": "a", "offsets": [[]]}', 422, "utf16"), (b'{"text": "a", "text": "b"}', 422, "twice"),
        (b'{"text": "' + b"a" * 5001 + b'"}', 413, "5001 characters"),
        (b'{"texts": [' + b'"",' * 10_000 + b'""]}', 413, "10001 texts"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_never_a_fault(call: Caller, body: bytes, status: int, said: str) -> None:
    reply = call("/tag", body)
    assert (reply.status, list(reply.json)) == (status, ["error"])
    assert said in reply.json["error"]


@pytest.mark.parametrize("keep", ["keep-alive", "close"])
def test_a_body_of_10_megabytes_is_refused_and_the_caller_hears_it(call: Caller, keep: str) -> None:
    line = call.line()
    line.request("POST", "/tag", b'{"text": "' + b"a" * 10_000_000 + b'"}', {**JSON, "Connection": keep})
    assert line.getresponse().status == 413
    line.close()
    pieces = (b"a" * 65536 for _ in range(160))  # no length is said beforehand
    line.request("POST", "/tag", pieces, {**JSON, "Connection": keep}, encode_chunked=True)
    assert line.getresponse().status == 413
    line.close()


@pytest.mark.parametrize("text", ["", " \t\n ", "\ud83d Oslo", "a\x00b\x1bc\u202e", "\U0010ffff" * 50, "\u0301" * 100])
def test_hostile_texts_come_back_as_they_were(call: Caller, text: str) -> None:
    for offsets in ("codepoint", "utf8", "utf16"):
        reply = call.tag({"text": text, "offsets": offsets})
        assert (reply.status, reply.json["text"]) == (200, text)


def test_only_json_is_taken_so_no_other_site_can_ask(call: Caller) -> None:
    for kind in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert call("/tag", b'{"text": "Oslo"}', kind).status == 415
    assert call("/tag", b'{"text": "Oslo"}', {"Content-Type": "Application/JSON; charset=utf-8"}).status == 200
    assert call("/tag", b'{"text": "Oslo"}', {**JSON, "Content-Encoding": "identity"}).status == 200
    assert call("/tag", gzip.compress(b'{"text": "Oslo"}'), {**JSON, "Content-Encoding": "gzip"}).status == 415
    assert "access-control-allow-origin" not in call("/tag", b"{}", {**JSON, "Origin": "http://x"}).headers


def test_what_does_not_exist_is_said_in_json(call: Caller) -> None:
    assert call("/nothing").status == 404
    reply = call("/tag")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert reply.json["error"]


def test_a_probe_may_ask_for_the_head_of_a_page(call: Caller) -> None:
    for path in ("/", "/health", "/metrics", "/docs", "/openapi.json"):
        whole, head = call(path), call(path, method="HEAD")
        assert (head.status, head.body) == (200, b"") and head.headers["content-type"] == whole.headers["content-type"]
    assert call("/tag", method="HEAD").status == 405


def test_a_full_house_asks_to_come_back_and_the_door_opens_again(word_bundle: Path) -> None:
    body = b'{"text": "Oslo"}'
    with running(word_bundle, queue=1) as call:
        assert call.service
        with call.begun(body) as line:
            until(lambda: call.service and call.service.inside)
            reply = call("/tag", body)
            assert (reply.status, reply.headers["retry-after"]) == (429, "1")
            assert call("/health").json["in_hand"] == 1
            line.sendall(body)
            assert line.recv(4096).startswith(b"HTTP/1.1 200")
        until(lambda: call("/tag", body).status == 200)


def test_what_takes_too_long_is_given_up(word_bundle: Path) -> None:
    with running(word_bundle, timeout=0.2, max_body=1_000_000) as call:
        with call.begun(b'{"text": "Oslo"}', 5) as line:  # a caller who never finishes
            head = line.recv(4096)
        assert head.startswith(b"HTTP/1.1 503") and b"retry-after: 5" in head.lower()
        reply = call.tag({"texts": ["a " * 2000] * 48})
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        until(lambda: call.tag({"text": "Oslo"}).status == 200)


def test_a_caller_who_leaves_leaves_nothing_behind(word_bundle: Path) -> None:
    body = json.dumps({"texts": ["a " * 2000] * 49}).encode()
    with running(word_bundle, max_body=1_000_000) as call:
        with call.begun(body, len(body)):
            until(lambda: call.service and call.service.inside)
        until(lambda: call.service and not call.service.inside)
        assert call.tag({"text": "Oslo"}).status == 200


def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_fault(word_bundle: Path) -> None:
    with running(word_bundle) as call:
        assert call.service
        call.begun(b'{"text": "Oslo"}', sent=5).close()
        until(lambda: call.service and call.service.metrics.requests["/tag", "POST", 499])
        assert call.service.metrics.faults == 0


def test_a_token_is_asked_for_where_texts_and_figures_are(word_bundle: Path) -> None:
    with running(word_bundle, token=b"\xe9".decode("utf-8", "surrogateescape")) as call:  # as the environment gives it
        assert call.tag({"text": "Oslo"}, Authorization="Bearer \xe9").status == 200
    with running(word_bundle, token="sésame-42") as call:
        for given in ({}, {"Authorization": "Bearer sesame"}, {"Authorization": "Basic s\xe9same-42"}):
            reply = call.tag({"text": "Oslo"}, **given)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
            assert call("/metrics", headers=given).status == 401
        right = "sésame-42".encode().decode("latin-1")
        assert call.tag({"text": "Oslo"}, Authorization=f"Bearer {right}").status == 200
        assert [call(path).status for path in ("/", "/health", "/docs", "/openapi.json")] == [200] * 4
        assert call("/openapi.json").json["paths"]["/tag"]["post"]["security"] == [{"token": []}]


def test_others_reach_it_only_with_a_token_or_when_told_twice(
    word_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7", "example"):
        with pytest.raises(CallError, match=r"--token-env.*--allow-open-host"):
            serve(ServeOptions(bundle=word_bundle, host=host))
    monkeypatch.setenv("EMPTY", " ")
    with pytest.raises(CallError, match="EMPTY"):
        serve(ServeOptions(bundle=word_bundle, token_env="EMPTY"))
    monkeypatch.setenv("LINES", "c2VzYW1l\nNDI=")  # as base64 breaks what is long
    with pytest.raises(CallError, match="line break"):
        serve(ServeOptions(bundle=word_bundle, token_env="LINES"))
    with pytest.raises(CallError, match="at most"):
        ServeOptions(bundle=word_bundle, timeout=math.inf)
    with pytest.raises(CallError, match=r"cannot listen on 192\.0\.2\.7"):
        serve(ServeOptions(bundle=word_bundle, host="192.0.2.7", allow_open_host=True))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CallError, match="--port or --host"):
        serve(ServeOptions(bundle=word_bundle, port=taken.getsockname()[1]))
    with pytest.raises(InputError, match="no such bundle"):
        serve(ServeOptions(bundle=word_bundle / "none", port=0))
    with pytest.raises((InputError, CallError), match=r"no such bundle|cannot listen on ::1"):  # no IPv6 everywhere
        serve(ServeOptions(bundle=word_bundle / "none", port=0, host="[::1]"))


def test_the_figures_count_and_quote_nothing(word_bundle: Path) -> None:
    with running(word_bundle) as call:
        call.tag({"texts": ["Oslo and Lima", "Zanzibarine"]})
        call.tag({"text": 5})
        call("/Zanzibarine?text=Zanzibarine")
        call("/tag")  # no request to tag
        text = call("/metrics").body.decode()
    assert "Zanzibarine" not in text
    for line in (
        'ner_requests_total{path="/tag",method="POST",status="200"} 1',
        'ner_requests_total{path="/tag",method="POST",status="422"} 1',
        'ner_requests_total{path="other",method="GET",status="404"} 1',
        "ner_texts_total 2", "ner_characters_total 24", 'ner_entities_total{label="LOC"} 2', "ner_tag_seconds_count 2",
        "ner_faults_total 0", 'ner_tag_seconds_bucket{le="+Inf"} 2',
    ):  # fmt: skip
        assert line in text.splitlines(), text


def test_a_fault_is_told_by_its_place_and_never_quotes_a_text(
    word_bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken(Student):
        def taken_apart(self, document: Document) -> NoReturn:
            raise ValueError(document.text)

    with running(word_bundle, kind=Broken) as call:
        reply = call.tag({"text": "Zanzibarine"})
        assert (reply.status, list(reply.json)) == (500, ["error"])
        assert "ner_faults_total 1" in call("/metrics").body.decode()
    said = "".join(capfd.readouterr())
    assert "ValueError at" in said and "taken_apart" in said and "Zanzibarine" not in said


def test_sigterm_finishes_what_is_in_hand_and_ends_well(word_bundle: Path) -> None:
    body = b'{"text": "Oslo Zanzibarine"}'
    with _apart(PROGRAM, word_bundle) as (process, call), call.begun(body, 5) as line:
        until(lambda: call("/health").json["in_hand"] == 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: _refuses(call))
        line.sendall(body[5:])
        assert b"200 OK" in line.recv(4096)
        assert _ended(process).startswith("stopped: ")


HURRIED = f"""
import threading, time
from students.runtime import Student
reads = Student.taken_apart
Student.taken_apart = lambda *given: (time.sleep(4), reads(*given))[1]
{PROGRAM}
print([each.name for each in threading.enumerate()])
"""


def test_two_signals_end_it_at_once_and_its_threads_too(word_bundle: Path) -> None:
    body = b'{"text": "Oslo"}'
    with _apart(HURRIED, word_bundle) as (process, call), call.begun(body, len(body)) as line:
        until(lambda: call("/health").json["in_hand"] == 1)
        process.send_signal(signal.SIGINT)
        until(lambda: _refuses(call))
        process.send_signal(signal.SIGINT)
        assert b" 503 " in line.recv(4096)
        assert _ended(process).endswith(" requests, 0 texts\n['MainThread']\n")


@contextmanager
def _apart(program: str, bundle: Path) -> Iterator[tuple[subprocess.Popen[str], Caller]]:
    """A service in a process of its own, and a caller."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command, pipe = [sys.executable, "-c", program, str(bundle)], subprocess.PIPE
    with subprocess.Popen(command, env=environment, stderr=pipe, stdout=pipe, text=True) as process:
        assert process.stderr
        port = int(process.stderr.readline().partition("127.0.0.1:")[2].partition("/")[0])
        with Caller(port) as call:
            yield process, call


def _ended(process: subprocess.Popen[str]) -> str:
    """What a process has printed that ends well and without a complaint."""
    assert process.wait(30) == 0 and process.stdout and process.stderr
    assert process.stderr.read() == ""
    return process.stdout.read()


def _refuses(call: Caller) -> bool:
    try:
        socket.create_connection(("127.0.0.1", call.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
