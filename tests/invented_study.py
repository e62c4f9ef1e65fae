"""A small study of arms that are not there."""

from __future__ import annotations

import json
from pathlib import Path

TOML = """
title = "invented"
about = "Invented arms of invented quality."
baseline = "plain"
seeds = 2
[data]
gold = "gold.jsonl"
dev = "dev.jsonl"
test = "test.jsonl"
[options]
gold = "gold"
dev = "dev"
[arms.plain]
quality = 0.6
[arms."k=2"]
quality = 0.9
k = 2
step-rows = 20
[arms.twin]
like = "k=2"
"""


def write(folder: Path, text: str = TOML) -> Path:
    """A study file with its data."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, number in (("gold", 5), ("dev", 5), ("test", 60)):
        rows = (json.dumps({"id": f"{name}-{i}", "text": "oslo"}) + "\n" for i in range(number))
        (folder / f"{name}.jsonl").write_text("".join(rows))
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
