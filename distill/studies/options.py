"""The options of `ner-distill study`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option

PRESETS = (
    "huang-table2", "huang-table3", "rait-sizes", "rait-strategies", "rait-examples", "rait-mixing", "rait-asking",
    "rait-pools",
)  # fmt: skip
SCALES = ("full", "quick")
KEEPS = ("all", "best", "none")
DATA = ("distilled", "more", "gold", "dev", "test")  # data sets that a call may name


@dataclass(frozen=True)
class StudyOptions(Options):
    """What `study` needs to know."""

    study: Path | None = option(None, "the study: arms, seeds, data (TOML)", argument=True, flag="study.toml")
    preset: str | None = option(None, "a study of the papers instead of a file", choices=PRESETS)
    scale: str = option("full", "quick: what the study's [quick] table makes of it, for two cores", choices=SCALES)
    out: Path = option(help="the study's folder; the same call on it goes on, with more arms or seeds too")
    distilled: tuple[Path, ...] = option((), "documents labelled by a teacher")
    more: tuple[Path, ...] = option((), "documents of another source labelled by a teacher (groups C and E: BBC)")
    gold: tuple[Path, ...] = option((), "documents labelled by people")
    dev: tuple[Path, ...] = option((), "what epochs are chosen on")
    test: tuple[Path, ...] = option((), "what is reported on; opened when all training is done")
    labels: Path | None = option(None, "labels.toml for every arm")
    student: str | None = option(None, "the student of every arm that does not name its own")
    seeds: int | None = option(None, "this many seeds, from 1, instead of the study's", at_least=1)
    jobs: int | None = option(None, "runs at once; otherwise one a GPU, or as many as the cores allow", at_least=1)
    keep: str = option("best", "which students stay: all, the best epoch's, or none once scored", choices=KEEPS)
    samples: int = option(10_000, "bootstrap samples", at_least=100)
    dry_run: bool = option(False, "say which runs there would be, with their commands, and leave")
    json: bool = option(False, "print the results as JSON")
