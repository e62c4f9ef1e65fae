"""Labelling from recorded answers, as the tests call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.report import LabelReport


def written(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def replay(folder: Path, documents: list[Any], answers: dict[str, str], **more: Any) -> LabelReport:
    source = written(folder / "in.jsonl", *documents)
    given = written(folder / "answers.jsonl", *({"id": key, "response": text} for key, text in answers.items()))
    return label(LabelOptions(inputs=(source,), out=folder / "L.jsonl", teacher="replay", responses=given, **more))


def options(folder: Path, source: Path, **more: Any) -> LabelOptions:
    return LabelOptions(inputs=(source,), out=folder / "L.jsonl", teacher="replay", **more)
