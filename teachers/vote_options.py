"""The options of `vote`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option

OVERLAPS = ("resolve", "keep")


@dataclass(frozen=True)
class VoteOptions(Options):
    """What `vote` is told."""

    inputs: tuple[Path, ...] = option((), "label files over the same texts, one a teacher", argument=True)
    out: Path = option(help="where the vote goes (JSONL)")
    at_least: float | None = option(
        None, "share of the teachers that must agree; without it more than half", above=0, at_most=1
    )
    overlaps: str = option(
        "resolve", "winners that overlap: resolve (votes, then length, then order) or keep", choices=OVERLAPS
    )
    labels: Path | None = option(None, "label set: aliases count as their label before the vote")
    calibration: Path | None = option(None, "curve that turns agreement into a probability of being right (JSON)")
    gold: Path | None = option(None, "documents labelled by people, to fit a calibration on")
    calibration_out: Path | None = option(None, "where the calibration fitted on --gold goes (JSON)")
    json: bool = option(False, "print the report as JSON")
