"""The store: every request and every answer in one SQLite file, durable before anything is made of it.

A key is a hash of endpoint, model, parameters and messages; with the sample number and the attempt it names one
answer. Many processes may share a store. Keys of an API, headers and passwords never come here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from distill.errors import CallError, TeacherError
from teachers.teacher import Conversation, Message, Reply

FORMAT = 1
PATIENCE = 60.0  # seconds to wait for another process that writes
AT_ONCE = 512  # answers in one transaction at most: a group commit costs one fsync

TABLES = (
    """CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, model TEXT NOT NULL, parameters TEXT NOT NULL, messages TEXT NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL, sample INTEGER NOT NULL, attempt INTEGER NOT NULL, document TEXT NOT NULL, because TEXT NOT NULL,
    at REAL NOT NULL, text TEXT NOT NULL, thought TEXT NOT NULL, finish TEXT NOT NULL, model TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cost REAL, PRIMARY KEY (key, sample, attempt)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS failures (
    key TEXT NOT NULL, sample INTEGER NOT NULL, attempt INTEGER NOT NULL, document TEXT NOT NULL, at REAL NOT NULL,
    error TEXT NOT NULL
)""",
    """CREATE TABLE IF NOT EXISTS refusals (
    endpoint TEXT NOT NULL, model TEXT NOT NULL, at REAL NOT NULL, said TEXT NOT NULL, PRIMARY KEY (endpoint, model)
) WITHOUT ROWID""",
)


@dataclass(frozen=True)
class Request:
    """What a server is asked, but for who asks it; equal requests have equal keys."""

    endpoint: str
    model: str
    parameters: str
    messages: tuple[Message, ...]

    @cached_property
    def key(self) -> str:
        parts = [self.endpoint, self.model, self.parameters, [list(message) for message in self.messages]]
        return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Write:
    statement: str
    values: tuple[Any, ...]
    done: Callable[[BaseException | None], None]


class Store:
    """One SQLite file. Reading is immediate; writing returns when the answer is on the disk."""

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = Path(path), clock
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                self._reader = opened.enter_context(closing(_connect(self.path)))
                _prepare(self._reader, self.path)
                self._writer = _connect(self.path)
                opened.pop_all()
        except (sqlite3.Error, OSError) as error:
            raise CallError(f"{path}: cannot be used as a store: {error}") from None
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()

    def find(self, request: Request, conversation: Conversation) -> Reply | None:
        """The stored answer to this very request, sample and attempt."""
        row = self._reader.execute(
            "SELECT text, finish, thought, tokens_in, tokens_out, cost, model FROM answers"
            " WHERE key = ? AND sample = ? AND attempt = ?",
            (request.key, conversation.sample, conversation.attempt),
        ).fetchone()
        if row is None:
            return None
        text, finish, thought, tokens_in, tokens_out, cost, model = map(_unpack, row)
        return Reply(text, finish, thought, tokens_in, tokens_out, cost=cost, model=model, source="store")

    def spent_since(self, moment: float) -> float:
        """US dollars that the answers stored since then cost, as far as their price was known."""
        (total,) = self._reader.execute("SELECT total(cost) FROM answers WHERE at >= ?", (moment,)).fetchone()
        return float(total)

    def mean_out(self, like: Request, most: int = 1000) -> tuple[int, float]:
        """The mean tokens out of the first `most` answers of this endpoint with these parameters; how many they are."""
        count, mean = self._reader.execute(
            "SELECT count(*), coalesce(avg(tokens_out), 0.0) FROM ("
            " SELECT tokens_out FROM answers JOIN requests USING (key) WHERE requests.endpoint = ?"
            " AND requests.model = ? AND requests.parameters = ? AND tokens_out > 0 LIMIT ?)",
            (like.endpoint, like.model, like.parameters, most),
        ).fetchone()
        return int(count), float(mean)

    def refusal(self, endpoint: str, model: str) -> str:
        """What the server said when it refused to answer in a form, or nothing."""
        row = self._reader.execute(
            "SELECT said FROM refusals WHERE endpoint = ? AND model = ?", (endpoint, model)
        ).fetchone()
        return str(row[0]) if row else ""

    def note_refusal(self, endpoint: str, model: str, said: str) -> None:
        """Remember that the server refuses forms; no answer waits for it."""
        self._put("INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)", (endpoint, model, self._clock(), said))

    async def keep(self, request: Request, conversation: Conversation, reply: Reply) -> None:
        """Write an answer, or a failure, and return when it is durable."""
        key, place = request.key, (conversation.sample, conversation.attempt, conversation.id)
        if reply.error:
            failure = (key, *place, self._clock(), reply.error)
            await self._written("INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?)", failure)
            return
        messages = json.dumps([list(message) for message in request.messages])
        self._put("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?)",
                  (key, request.endpoint, request.model, request.parameters, messages))  # fmt: skip
        await self._written(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (key, *place, conversation.because, self._clock(), reply.text, reply.thought, reply.finish,
             reply.model, reply.tokens_in, reply.tokens_out, reply.cost),
        )  # fmt: skip

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._reader.close()

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        self._queue.put(_Write(statement, values, _ignored))

    async def _written(self, statement: str, values: tuple[Any, ...]) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def done(error: BaseException | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future, error)

        self._queue.put(_Write(statement, values, done))
        await asyncio.shield(future)

    def _write_all(self) -> None:
        """The writer's thread: whatever has come in goes to the disk in one transaction."""
        last = False
        while not last:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < AT_ONCE:
                batch.append(self._queue.get())
            last = None in batch
            self._commit(self._writer, [write for write in batch if write is not None])
        self._writer.close()

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Write]) -> None:
        failed: BaseException | None = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                connection.execute(write.statement, tuple(map(_pack, write.values)))
            connection.execute("COMMIT")
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failed = TeacherError(
                f"{self.path}: the store cannot be written: {error}; make room, the same command goes on"
            )
        for write in batch:
            write.done(failed)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")  # an answer is on the disk before it is used
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, and prove that the file can be written before money is spent.

    All in one transaction that starts as a writer: a process that opens the same new file meanwhile sees all of it or
    nothing.
    """
    _log_ahead(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, FORMAT):
            raise CallError(f"{path}: a store of format {version}; this version reads format {FORMAT}")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version == 0 and tables:
            raise CallError(f"{path}: a database, but not a store of answers")
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Turn to write-ahead logging; SQLite does not wait by itself where another process is turning the same file."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _ignored(error: BaseException | None) -> None:
    """The request shares the fate of its answer, which somebody waits for."""


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # seen: who waited for it may have been cancelled, and asyncio need not complain


def _pack(value: Any) -> Any:
    """Text as SQLite can hold it; JSON can carry lone surrogates, and UTF-8 cannot."""
    try:
        if isinstance(value, str):
            value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
    return value


def _unpack(value: Any) -> Any:
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
