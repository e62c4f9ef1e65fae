"""What labelling costs beyond the server: throughput against the ideal, memory, and how soon a restart asks.

    python benchmarks/labelling.py throughput --documents 6400 --delay 0.3 --in-flight 64
    python benchmarks/labelling.py memory --documents 1000000
    python benchmarks/labelling.py restart --documents 100000

The server of `throughput` is a process of its own on loopback that answers every request after `--delay` seconds. The
exit code is 1 where the figures miss what is promised: 95 % of the ideal, memory that does not grow, 3 s to a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distill.errors import TeacherError
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.teacher import Conversation, Reply, ScriptedTeacher

SHARE, GROWTH, RESTART = 0.95, 10.0, 3.0  # of the ideal; MiB; seconds

TEXT = "In row {n} Mira Solberg left Fjord Bank in Oslo for the {n}th time , and nobody at the harbour knew why ."
ANSWER = (
    "Step 1. A resignation.\nStep 2. Mira Solberg, Fjord Bank, Oslo\nStep 3. A person, a bank, a town.\n"
    'Step 4. The definitions say so.\nResult: {"PER": ["Mira Solberg"], "ORG": ["Fjord Bank"], "LOC": ["Oslo"]}'
)
BODY = json.dumps({
    "model": "loopback",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 50},
}).encode()  # fmt: skip
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Client(asyncio.Protocol):
    """A client of the server, in as little code as will do: the server's time is no part of what is measured."""

    def __init__(self, delay: float) -> None:
        self._delay, self._data = delay, b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if found and len(body) >= int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1]):  # type: ignore[index]
            self._data = b""
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, HEAD + BODY)


def serve(delay: float, port: Any) -> None:
    """The whole life of the server's process."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Client(delay), "127.0.0.1", 0, backlog=512)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def serving(delay: float) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(delay, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()


def documents(folder: Path, count: int) -> Path:
    path = folder / "in.jsonl"
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"id": f"d{n}", "text": TEXT.format(n=n)}) + "\n" for n in range(count))
    return path


def throughput(folder: Path, count: int, delay: float, in_flight: int) -> dict[str, Any]:
    """The share of the ideal: as many answers as fit through so many places in the time."""
    import teachers.chat  # noqa: F401 - a second of imports is no part of a request

    with serving(delay) as url:
        options = LabelOptions(
            inputs=(documents(folder, count),), out=folder / "L.jsonl", model="loopback", base_url=url,
            concurrency=in_flight,
        )  # fmt: skip
        began, cpu = time.perf_counter(), time.process_time()
        report = label(options)
        seconds, busy = time.perf_counter() - began, time.process_time() - cpu
    ideal = -(-count // in_flight) * delay
    return {"documents": report.documents, "seconds": seconds, "ideal": ideal, "share": ideal / seconds,
            "cpu_ms_a_request": 1000 * busy / count}  # fmt: skip


def memory(folder: Path, count: int) -> dict[str, Any]:
    """The peak after a twentieth of the documents, and at the end."""
    source, peaks, asked = documents(folder, count), [], 0

    def answer(_: Conversation) -> Reply:
        nonlocal asked
        asked += 1
        if asked % max(1, count // 20) == 0:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return Reply(ANSWER)

    teacher = Forgetful(answer)
    began = time.perf_counter()
    report = label(LabelOptions(inputs=(source,), out=folder / "L.jsonl", teacher="replay"), teacher)
    seconds = time.perf_counter() - began
    return {"documents": report.documents, "mib_at_a_twentieth": peaks[0], "mib_at_the_end": peaks[-1],
            "documents_a_second": count / seconds}  # fmt: skip


class Forgetful(ScriptedTeacher):
    """A scripted teacher that does not remember what it was asked: a million conversations are memory too."""

    async def answer(self, conversation: Conversation) -> Reply:
        assert callable(self.script)
        said = self.script(conversation)
        assert isinstance(said, Reply)
        return said


def restart(folder: Path, count: int) -> dict[str, Any]:
    """Seconds from the call to the first question, over so many documents that are done."""
    source, first = documents(folder, count + 1), 0.0

    def dies(conversation: Conversation) -> Reply:
        nonlocal first
        if conversation.id == f"d{count}":
            first = time.perf_counter()
            raise TeacherError("no more")
        return Reply(ANSWER)

    options = LabelOptions(inputs=(source,), out=folder / "L.jsonl", teacher="replay")
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        try:
            label(options, Forgetful(dies))
        except TeacherError:
            seconds.append(first - began)
    return {"documents": count, "first_run": seconds[0], "restarts": seconds[1:], "best": min(seconds[1:])}


def kept(what: str, found: dict[str, Any]) -> bool:
    """Whether the promise is kept."""
    if what == "throughput":
        return bool(found["share"] >= SHARE)
    if what == "memory":
        return bool(found["mib_at_the_end"] - found["mib_at_a_twentieth"] <= GROWTH)
    return bool(found["best"] <= RESTART)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("throughput", "memory", "restart"))
    parser.add_argument("--documents", type=int, default=6400)
    parser.add_argument("--delay", type=float, default=0.3)
    parser.add_argument("--in-flight", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.what == "throughput":
            found = throughput(folder, given.documents, given.delay, given.in_flight)
        else:
            found = {"memory": memory, "restart": restart}[given.what](folder, given.documents)
    found["kept"] = kept(given.what, found)
    json.dump(found, sys.stdout, indent=1)
    print()
    sys.exit(0 if found["kept"] else 1)


if __name__ == "__main__":
    main()
