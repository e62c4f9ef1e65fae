"""Labelling through a server on loopback, as the tests call it."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

from chat_server import KEY, ChatServer

from teachers.chat import ChatTeacher, Clock, Endpoint
from teachers.options import LabelOptions
from teachers.remembering import Remembering
from teachers.store import Store
from teachers.teacher import Teacher


def options(folder: Path, server: ChatServer, count: int = 20, **more: Any) -> LabelOptions:
    source = folder / "in.jsonl"
    if not source.exists():
        rows = [{"id": f"d{n}", "text": f"In row {n} Anna met Bert the {n}th."} for n in range(count)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {
        "inputs": (source,), "out": folder / "L.jsonl", "model": "loopback", "base_url": server.url,
        "api_key_env": "LOOPBACK_KEY", "timeout": 5.0,
    }  # fmt: skip
    return LabelOptions(**{**given, **more})


def impatient(folder: Path, server: ChatServer, concurrency: int) -> Teacher:
    """The teacher that the options would build, with a clock on which waits are short."""
    endpoint = Endpoint("loopback", server.url, concurrency=concurrency, timeout=5.0)
    clock = Clock(sleep=lambda seconds: asyncio.sleep(seconds / 100), random=random.Random(1))
    return Remembering(ChatTeacher(endpoint, KEY, clock), Store(folder / "answers.sqlite"), endpoint.request)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
