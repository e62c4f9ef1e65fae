"""Many callers at once: everyone is answered rightly, and nothing piles up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bundles import make_word_bundle

ROOT = Path(__file__).parents[1]
BENCHMARK = ROOT / "benchmarks" / "serving.py"


def under_load(folder: Path, *options: str) -> dict[str, Any]:
    bundle = make_word_bundle(folder / "bundle")
    command = [sys.executable, str(BENCHMARK), "--bundle", str(bundle), "--json", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def test_a_small_crowd_is_answered_without_an_error(tmp_path: Path) -> None:
    row = under_load(tmp_path, "--clients", "16", "--requests", "320")
    assert (row["statuses"], row["failures"]) == ({"200": 320}, 0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_64_callers_and_20000_requests_without_an_error_and_in_flat_memory(tmp_path: Path) -> None:
    row = under_load(tmp_path, "--clients", "64", "--requests", "20000")
    assert (row["statuses"], row["failures"]) == ({"200": 20_000}, 0)
    assert row["memory last"] - row["memory first"] < 20_000_000
