"""Schemathesis against the service's own OpenAPI: every answer is one that the interface names, and none is a fault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from service import running

CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 413, 415, 422]
"""


SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    ("count", "token"),
    [(10, "secret"), pytest.param(2_000, "secret", marks=SLOW), pytest.param(2_000, None, marks=SLOW)],
)
def test_every_answer_is_within_the_interface(
    word_bundle: Path, tmp_path: Path, count: int, token: str | None
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with running(word_bundle, token) as call:
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "--no-color",
            "run", f"{call.url}openapi.json", "--max-examples", str(count), "--seed", "1", "--workers", "1",
            "--generation-database", "none", *(["--header", f"Authorization: Bearer {token}"] if token else []),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout.decode()[-3000:]
        assert call.service and call.service.metrics.faults == 0
