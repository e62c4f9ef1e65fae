"""The report of a tuning: what was learnt from, what was left out, and how well it answers what it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.reports import count, figure
from distill.runs import kept_fields


@dataclass(frozen=True)
class TuneReport:
    """Losses are means over learnt tokens; the F1 is that of string sets (UniNER, RA-IT)."""

    folder: Path
    steps: int
    epochs: float
    rows: int
    held_out: int
    questions: int
    left_out: int
    learnt: int
    loss: float | None
    eval_loss: float | None
    f1: float | None
    unparsed: float | None
    seconds: float
    own_template: bool

    @property
    def exit_code(self) -> int:
        """1 where conversations were left out."""
        return 1 if self.left_out else 0

    def __str__(self) -> str:
        template = "the base's own chat template" if self.own_template else "our plain chat template"
        lines = [
            f"{self.folder}: {count(self.steps)} steps, {self.epochs:g} epochs over {count(self.rows)} conversations "
            f"({count(self.learnt)} learnt tokens), {self.seconds:.0f} s, {template}",
        ]
        if self.left_out:
            lines.append(f"{count(self.left_out)} conversations left out, see {self.folder / 'left-out.jsonl'}")
        if self.f1 is not None:
            lines.append(
                f"held out: string-set F1 {figure(self.f1)} over {count(self.questions)} questions, "
                f"{int(self.unparsed or 0)} answers unparsed; loss {self.eval_loss:.4f}"
            )
        return "\n".join([*lines, f"next: ner-distill rait merge {self.folder} --out FOLDER"])

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {**self.kept(), "folder": str(self.folder)}

    def kept(self) -> dict[str, Any]:
        """What `report.json` holds."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}

    @classmethod
    def from_json(cls, folder: Path, kept: Mapping[str, Any]) -> TuneReport:
        """The report of a run that ended before; InputError where it is not what such a run writes."""
        return cls(folder, **kept_fields(cls, kept, folder, "rait tune"))
