"""The options of `ner-distill schedules`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option


@dataclass(frozen=True)
class SchedulesOptions(Options):
    """What to show of the schedules."""

    epochs: int = option(20, "epochs of the training, T", at_least=1)
    schedule: tuple[str, ...] = option((), "show this too: points (0:1, 10:0.5, 20:0) or a function (file.py:name)")
    plot: Path | None = option(None, "draw the curves into this picture (.png, .svg or .pdf)")
    json: bool = option(False, "print {name: [[w0, w1], ...]} instead of a table")
