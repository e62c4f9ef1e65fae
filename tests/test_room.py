"""Before money is spent: a full disk, a folder that cannot be written, a second writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.errors import CallError
from teachers.ledger import Ledger
from teachers.report import LabelReport
from teachers.room import LEAST, check_room


def test_a_nearly_full_disk_is_an_error(tmp_path: Path) -> None:
    check_room([tmp_path, tmp_path / "new"], lambda folder: LEAST)
    with pytest.raises(CallError, match="0 MiB are free and a run wants 64; make room first"):
        check_room([tmp_path], lambda folder: 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CallError, match=r"cannot be written: .*; nothing was asked"):
        check_room([tmp_path / "file" / "folder"])


def test_without_the_systems_locks_a_file_keeps_a_second_writer_out(tmp_path: Path) -> None:
    first, second = (Ledger(tmp_path / "L.jsonl", {"a": 1}, lock=None) for _ in range(2))
    first.begin(LabelReport(tmp_path, tmp_path))
    with pytest.raises(CallError, match=r"another run is writing it.*delete L\.jsonl\.partial\.lock"):
        second.begin(LabelReport(tmp_path, tmp_path))
    second.close()
    assert (tmp_path / "L.jsonl.partial.lock").exists()
    first.finish()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["L.jsonl"]
