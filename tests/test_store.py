"""The store and the waits: what is durable, what is shared, and how a busy server is treated."""

from __future__ import annotations

import asyncio
import gc
import random
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import CallError, TeacherError
from teachers.patience import Backoff, Throttle, retry_after
from teachers.remembering import Remembering
from teachers.store import Request, Store
from teachers.teacher import Conversation, Message, Reply, ScriptedTeacher

ROOT = Path(__file__).resolve().parent.parent
REPLY = Reply(text="{} 😀", finish="stop", thought="hm", tokens_in=5, tokens_out=2, cost=0.25, model="m-1")


def asked(text: str = "Ann", sample: int = 0, attempt: int = 0) -> Conversation:
    return Conversation("d", (Message("user", text),), sample, attempt)


def request(conversation: Conversation, **changed: str) -> Request:
    parts = {"endpoint": "http://x/v1", "model": "m", "parameters": "{}", **changed}
    return Request(parts["endpoint"], parts["model"], parts["parameters"], conversation.messages)


def test_an_answer_comes_back_from_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = Store(path)
    odd = Reply(text="a lone \ud83d surrogate", finish="stop")
    asyncio.run(store.keep(request(asked()), asked(), REPLY))
    asyncio.run(store.keep(request(asked("odd")), asked("odd"), odd))
    store.close()
    store = Store(path)
    found = store.find(request(asked()), asked())
    assert found is not None
    assert (found.text, found.thought, found.tokens_in, found.cost, found.source) == ("{} 😀", "hm", 5, 0.25, "store")
    again = store.find(request(asked("odd")), asked("odd"))
    assert again is not None
    assert again.text == odd.text
    store.close()


def test_what_differs_is_another_answer(tmp_path: Path) -> None:
    store = Store(tmp_path / "answers.sqlite")
    asyncio.run(store.keep(request(asked()), asked(), REPLY))
    assert store.find(request(asked()), asked(sample=1)) is None
    assert store.find(request(asked()), asked(attempt=1)) is None
    assert store.find(request(asked("Bo")), asked("Bo")) is None
    for part in ("endpoint", "model", "parameters"):
        assert store.find(request(asked(), **{part: "other"}), asked()) is None
    store.close()


def test_a_failure_is_recorded_and_asked_again(tmp_path: Path) -> None:
    replies = iter([Reply(error="HTTP 500"), Reply(text="{}", requests=1)])
    teacher = ScriptedTeacher(lambda conversation: next(replies))
    store = Store(tmp_path / "answers.sqlite", clock=lambda: 7.0)
    remembering = Remembering(teacher, store, request)
    assert asyncio.run(remembering.answer(asked())).error == "HTTP 500"
    assert asyncio.run(remembering.answer(asked())).source == "asked"
    assert asyncio.run(remembering.answer(asked())).source == "store"
    asyncio.run(remembering.close())
    assert teacher.closed
    connection = sqlite3.connect(tmp_path / "answers.sqlite")
    assert connection.execute("SELECT document, at, error FROM failures").fetchall() == [("d", 7.0, "HTTP 500")]
    connection.close()


WRITER = """
import asyncio, sys
from teachers.store import Request, Store
from teachers.teacher import Conversation, Message, Reply
async def main():
    store = Store(sys.argv[1])
    async def one(n):
        turn = (Message("user", f"{sys.argv[2]}-{n}"),)
        await store.keep(Request("e", "m", "{}", turn), Conversation("d", turn), Reply(text="{}"))
        print(n, flush=True)
    await asyncio.gather(*(one(n) for n in range(300)))
    store.close()
asyncio.run(main())
"""


def test_processes_share_a_store_and_what_was_said_to_be_kept_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    killed = processes[0]
    assert killed.stdout
    killed.stdout.readline()
    killed.kill()
    kept = [len(process.communicate(timeout=60)[0].splitlines()) for process in processes]
    assert kept[1:] == [300, 300]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM answers").fetchone()[0] >= 600 + kept[0] + 1
    connection.close()


def test_a_file_that_is_no_store_of_ours_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (a)")
    connection.commit()
    with pytest.raises(CallError, match="not a store of answers"):
        Store(other)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(CallError, match="format 9"):
        Store(other)


def test_a_failure_that_nobody_waits_for_any_more_is_no_complaint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "answers.sqlite")
    other = sqlite3.connect(tmp_path / "answers.sqlite", isolation_level=None)
    other.execute("DROP TABLE answers")
    other.execute("BEGIN IMMEDIATE")  # the store waits, for now

    async def run() -> None:
        keeping = asyncio.ensure_future(store.keep(request(asked()), asked(), REPLY))
        await asyncio.sleep(0.05)
        keeping.cancel()
        await asyncio.wait({keeping})
        other.execute("COMMIT")
        await asyncio.to_thread(store.close)
        await asyncio.sleep(0)

    asyncio.run(run())
    other.close()
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_a_store_that_fails_while_writing_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = Store(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE answers")
    connection.close()
    with pytest.raises(TeacherError, match="the store cannot be written"):
        asyncio.run(store.keep(request(asked()), asked(), REPLY))
    store.close()


@given(st.integers(1, 60), st.none() | st.floats(0, 1e6), st.integers())
def test_waits_grow_to_a_limit_and_are_never_shorter_than_the_server_asks(
    tried: int, told: float | None, seed: int
) -> None:
    backoff = Backoff(first=0.5, longest=60.0, obeyed=600.0)
    wait = backoff.wait(tried, random.Random(seed), told)
    if told is None:
        assert min(60.0, 0.5 * 2.0 ** (tried - 1)) / 2 <= wait <= 60.0
    else:
        assert min(told, 600.0) <= wait <= 601.0


def test_the_server_says_when_in_seconds_or_as_a_date() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert retry_after({"retry-after": "2.5"}, 0.0) == 2.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}, 0.0) == 0.25
    assert retry_after({"retry-after": format_datetime(now, usegmt=True)}, now.timestamp() - 30) == 30
    assert retry_after({"retry-after": format_datetime(now, usegmt=True)}, now.timestamp() + 30) == 0
    for nonsense in ("", "soon", "nan", "-1", "inf"):
        assert retry_after({"retry-after": nonsense}, 0.0) is None


def test_a_busy_server_gets_fewer_requests_and_slowly_more_again() -> None:
    moments = iter(range(0, 100, 2))
    throttle = Throttle(8, lambda: float(next(moments)))
    throttle.complained()
    throttle.complained()
    assert throttle.limit == 8 * 0.75**2
    for _ in range(40):
        throttle.served()
    assert throttle.limit == 8
    at_once = Throttle(8, lambda: 5.0)
    for _ in range(20):
        at_once.complained()
    assert at_once.limit == 6


def test_no_more_than_the_limit_are_under_way_and_a_cancelled_wait_loses_no_place() -> None:
    async def main() -> int:
        throttle = Throttle(3, lambda: 0.0)
        busiest = 0

        async def one() -> None:
            nonlocal busiest
            async with throttle.turn():
                busiest = max(busiest, throttle.busy)
                await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(one()) for _ in range(50)]
        await asyncio.sleep(0)
        for task in tasks[10:40:2]:
            task.cancel()
        await asyncio.wait(tasks)
        assert throttle.busy == 0
        return busiest

    assert asyncio.run(main()) == 3
