"""What a student is checked on at export, under the labels it was trained with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import CallError, InputError
from students.evidence import evidence

LABELS = 'other = "drop"\n[PLACE]\naliases = ["LOC"]\n[PER]\n'
ROW = {"id": "a", "text": "Ada met Bo in Oslo", "entities": [[0, 3, "PER"], [8, 10, "ANIMAL"], [14, 18, "LOC"]]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run trained with `--labels`, and its dev file in other words than the labels' ids."""
    files = {"labels": tmp_path / "labels.toml", "dev": tmp_path / "dev.jsonl"}
    files["labels"].write_text(LABELS, encoding="utf-8")
    files["dev"].write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    data: dict[str, Any] = {
        use: [{"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]
        for use, path in files.items()
    }
    options = {name: str(path) for name, path in files.items()}
    (tmp_path / "config.json").write_text(json.dumps({"options": options, "data": data}), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("verify", [(), ("dev.jsonl",)])
def test_what_training_took_by_aliases_export_takes_too(
    run: Path, verify: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (document,) = evidence(run, [run / name for name in verify], ("PLACE", "PER"), "").documents
    assert [(entity.start, entity.label) for entity in document.entities] == [(0, "PER"), (14, "PLACE")]
    assert "1 entities to check on have labels that the training left out" in capsys.readouterr().err


def test_without_the_label_file_labels_are_the_students_own(run: Path) -> None:
    (run / "labels.toml").unlink()
    with pytest.raises(CallError, match=r"label file .*labels\.toml is gone .* --verify"):
        evidence(run, (), ("PLACE", "PER"), "")
    with pytest.raises(InputError, match=r"does not know: ANIMAL \(1\), LOC \(1\); .* These are the student's"):
        evidence(run, (run / "dev.jsonl",), ("PLACE", "PER"), "")
    assert evidence(run, (run / "dev.jsonl",), ("LOC", "PER", "ANIMAL"), "").documents
