"""The run folder of a student: what `train` writes, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill import runs


@dataclass(frozen=True)
class RunFolder(runs.RunFolder):
    """Paths of a training."""

    def write_verdicts(self, rows: list[dict[str, Any]]) -> None:
        """Keep what was found of the teachers."""
        self._write("vetting.json", rows)

    @property
    def best(self) -> Path:
        return self.path / "student"

    @property
    def last(self) -> Path:
        return self.path / "student-last"

    @property
    def unfinished(self) -> bool:
        """Whether a training began here and has not come to its report."""
        return (self.path / "config.json").is_file() and not (self.path / "report.json").is_file()

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.safetensors"
