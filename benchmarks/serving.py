"""The service under load on loopback, beside the runtime alone: texts a second, processor time a text, memory, errors.

The callers share the machine with the service, so the clock flatters the runtime; processor time does not.

    python benchmarks/serving.py --bundle BUNDLE --texts gold.jsonl --clients 64 --requests 20000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from distill.cores import cores, instruction_set
from distill.jsonl import read_jsonl
from students.runtime import Student

SENTENCES = (
    "Mira Solberg of Fjord Bank left Oslo on Monday and met the mayor of Lima .",
    "The team of Quito visited Cairo , where Acme opened an office in May .",
    "Nothing was said about the price .",
)
HEAD = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PROGRAM = """
import sys
from pathlib import Path
from students.serve import serve
from students.serve_options import ServeOptions
print(serve(ServeOptions(bundle=Path(sys.argv[1]), port=0, queue=int(sys.argv[2]))))
"""


@dataclass
class Load:
    """What a crowd of callers met."""

    clients: int
    requests: int
    texts_each: int
    statuses: Counter[int] = field(default_factory=Counter)
    failures: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    memory: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


async def crowd(port: int, load: Load, bodies: list[bytes], look: int) -> None:
    """`clients` lines, each kept open; a line takes the next request when its last was answered."""
    numbers = iter(range(load.requests))

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            body, begun = bodies[number % len(bodies)], time.perf_counter()
            writer.write(HEAD % len(body) + body)
            status, answer = await reply(reader)
            load.statuses[status] += 1
            load.failures += status != 200 or b'"entities"' not in answer
            load.latencies.append(time.perf_counter() - begun)
            if number % max(1, load.requests // 20) == 0:
                load.memory.append(resident(look))
        writer.close()

    await asyncio.gather(*(caller() for _ in range(load.clients)))


async def reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def resident(process: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor(process: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(bundle: Path, queue: int) -> Iterator[tuple[int, int]]:
    """A service in its own process: its id and its port."""
    command = [sys.executable, "-c", PROGRAM, str(bundle), str(queue)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stderr
        line = process.stderr.readline().decode()
        try:
            yield process.pid, int(line.partition("127.0.0.1:")[2].partition("/")[0])
        finally:
            process.terminate()
            process.wait(60)


def loaded(bundle: Path, load: Load, texts: list[str]) -> Load:
    """The crowd against the service."""
    groups = [texts[i : i + load.texts_each] for i in range(0, len(texts), load.texts_each)]
    rows = [{"texts": group} if load.texts_each > 1 else {"text": group[0]} for group in groups]
    bodies = [json.dumps(row).encode() for row in rows]
    with served(bundle, load.clients * 2) as (process, port):
        asyncio.run(crowd(port, Load(load.clients, load.clients * 2, load.texts_each), bodies, process))  # warm
        begun, used = time.perf_counter(), processor(process)
        asyncio.run(crowd(port, load, bodies, process))
        load.seconds, load.processor = time.perf_counter() - begun, processor(process) - used
    return load


def alone(bundle: Path, texts: list[str], count: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor that the runtime needs for `count` texts in one stream."""
    student = Student.load(bundle)
    student.tag(texts[:50])
    begun, used = time.perf_counter(), time.process_time()
    for _ in student.tag_stream(texts[i % len(texts)] for i in range(count)):
        pass
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--texts", type=Path, help="documents; otherwise three sentences")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--texts-each", type=int, default=1, help="texts in a request")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    texts = [document.text for document in read_jsonl(given.texts)] if given.texts else list(SENTENCES) * 32
    load = loaded(given.bundle, Load(given.clients, given.requests, given.texts_each), texts)
    count = load.requests * load.texts_each
    clock, own = alone(given.bundle, texts, min(count, 5_000))
    share = min(count, 5_000) / count
    latencies = sorted(load.latencies)
    row = {
        **{key: value for key, value in asdict(load).items() if key not in ("memory", "latencies", "statuses")},
        "statuses": dict(load.statuses), "texts a second": count / load.seconds,
        "runtime's texts a second": count * share / clock, "share by clock": clock / share / load.seconds,
        "share by processor": own / share / load.processor, "service ms a text": 1e3 * load.processor / count,
        "runtime ms a text": 1e3 * own / share / count, "median ms": 1e3 * latencies[len(latencies) // 2],
        "99 % ms": 1e3 * latencies[int(len(latencies) * 0.99)], "memory first": load.memory[0],
        "memory last": load.memory[-1], "cores": cores(), "instructions": instruction_set(),
    }  # fmt: skip
    if given.json:
        print(json.dumps(row))
    else:
        for name, value in row.items():
            print(f"{name:<26} {value:.3f}" if isinstance(value, float) else f"{name:<26} {value}")


if __name__ == "__main__":
    main()
