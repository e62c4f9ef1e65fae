"""A labelling that is stopped or killed: it goes on where it was, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import KEY, ChatServer, serving
from online import options, rows

from distill.errors import CallError, TeacherError
from distill.jsonl import read_jsonl
from teachers.labelling import label

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def started(
    folder: Path, server: ChatServer, count: int = 120, concurrency: int = 8, timeout: float = 20.0
) -> subprocess.Popen[str]:
    given = options(folder, server, count)
    code = (
        "import sys; from pathlib import Path\n"
        "from distill.command import reported\n"
        "from teachers.labelling import label\n"
        "from teachers.options import LabelOptions\n"
        f"made = LabelOptions(inputs=(Path({str(given.inputs[0])!r}),), out=Path({str(given.out)!r}),\n"
        f"    model='loopback', base_url={server.url!r}, api_key_env='LOOPBACK_KEY',\n"
        f"    concurrency={concurrency}, timeout={timeout})\n"
        "def call():\n    report = label(made)\n    print('\\n'.join(report.lines()))\n    return report.exit_code\n"
        "sys.exit(reported(call))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def test_killed_runs_ask_nothing_twice_that_was_stored_and_end_with_the_same_file(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()

    def fault(number: int, text: str) -> str | None:
        return "400 not this one" if " 33 " in text or " 77 " in text else None

    with serving(fault=fault) as server:
        label(options(whole, server, 120))
    stored: set[str] = set()
    with serving(fault=fault, delay=0.02) as server:
        for kill_after in (15, 50, 85):
            process = started(broken, server)
            wait_for(lambda after=kill_after: len(server.answered) >= after)  # type: ignore[misc]
            process.kill()
            process.communicate()
            stored_now = stored_texts(broken / "answers.sqlite")
            assert stored <= stored_now
            stored, before = stored_now, server.answered.copy()
        process = started(broken, server)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert all(server.answered[text] == before[text] for text in stored), "a stored answer was asked for again"
        assert all(count <= 4 for count in server.answered.values())
    assert (broken / "L.jsonl").read_bytes() == (whole / "L.jsonl").read_bytes()
    assert (broken / "L.rejected.jsonl").read_bytes() == (whole / "L.rejected.jsonl").read_bytes()
    assert "118 documents labelled" in out


@pytest.mark.slow
@pytest.mark.parametrize("count", [200, 2000])
def test_every_fault_and_five_kills_lose_nothing_and_ask_nothing_twice(tmp_path: Path, count: int) -> None:
    faults = ["429"] * 20 + ["500"] * 10 + ["drop"] * 5 + ["cut"] * 5 + ["half", "html", "list", "choiceless", "number"]
    faults += ["refusal", "empty", "length", "garbage", "twin", "huge", "slow"]
    chance = random.Random(11)
    lottery: list[str | None] = [*faults, *[None] * (100 - len(faults))]
    with serving(fault=lambda number, text: chance.choice(lottery), delay=0.02) as server:
        before: dict[str, int] = {}
        for share in (0.1, 0.25, 0.4, 0.6, 0.75):
            process, kill_after = started(tmp_path, server, count, 32, 1.5), share * count
            wait_for(lambda after=kill_after: len(server.answered) >= after)  # type: ignore[misc]
            process.kill()
            process.communicate()
            stored = stored_texts(tmp_path / "answers.sqlite", good=True)
            assert all(server.answered[text] == times for text, times in before.items() if text in stored)
            before = {text: server.answered[text] for text in stored}
        process = started(tmp_path, server, count, 32, 1.5)
        _, err = process.communicate(timeout=1800)
        assert process.returncode in (0, 1), err
        assert all(server.answered[text] == times for text, times in before.items())
    kept = [document.id for document in read_jsonl(tmp_path / "L.jsonl")]
    refused = [row["id"] for row in rows(tmp_path / "L.rejected.jsonl")] if process.returncode else []
    assert sorted([*kept, *refused]) == sorted(f"d{n}" for n in range(count))
    assert len(kept) >= 0.95 * count
    assert kept == sorted(kept, key=lambda name: int(name[1:]))


def stored_texts(path: Path, good: bool = False) -> set[str]:
    """The texts of all stored answers, or of those that label something."""
    query = "SELECT messages FROM answers JOIN requests USING (key)" + (" WHERE text LIKE '%Result:%'" if good else "")
    store = sqlite3.connect(path)
    try:
        found = store.execute(query).fetchall()
    finally:
        store.close()
    return {json.loads(messages)[-1][1].split("\n")[1] for (messages,) in found}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_under_way_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    with serving(delay=0.1) as server:
        process = started(tmp_path, server)
        wait_for(lambda: len(server.answered) >= 20)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the same command goes on" in err
        assert "Traceback" not in err
        assert len(stored_texts(tmp_path / "answers.sqlite")) == len(server.bodies), "an answer was paid for and lost"
        process = started(tmp_path, server)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert len(server.bodies) == 120


def test_a_run_goes_on_only_with_the_call_that_began_it(tmp_path: Path) -> None:
    with serving() as server:
        begun = options(tmp_path, server, max_requests=5)
        with pytest.raises(TeacherError):
            label(begun)
        with pytest.raises(CallError, match=r"L\.jsonl\.partial was begun with another prompt, prompt text"):
            label(replace(begun, prompt="standard"))
        with pytest.raises(CallError, match="another model"):
            label(replace(begun, model="other"))
        (tmp_path / "in.jsonl").write_text('{"id": "new", "text": "Anna"}\n')
        with pytest.raises(CallError, match="another input"):
            label(begun)
