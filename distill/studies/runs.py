"""Runs: an arm with a seed, from its command line to its row."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.cores import cores
from distill.errors import InputError
from distill.studies.arms import Arm, arguments, identity, key_of
from distill.studies.folder import Row, StudyFolder, read_report
from distill.studies.plan import Commands, Plan

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Run:
    """One arm under one seed: `key` names it in files, `folder` is its run folder."""

    arm: Arm
    seed: int
    key: str
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.arm.name}, seed {self.seed}"


@dataclass(frozen=True)
class Runs:
    """Every run of a study, each once: arms that do not differ share theirs, `same_as` says which do."""

    runs: tuple[Run, ...]
    identities: Mapping[str, Mapping[str, Any]]
    same_as: Mapping[str, str]

    def of(self, arm: str) -> list[Run]:
        """The runs that an arm's figures come from, by seed."""
        name = self.same_as.get(arm, arm)
        return [run for run in self.runs if run.arm.name == name]


def runs_of(plan: Plan, commands: Commands, folder: StudyFolder) -> Runs:
    """All runs of a plan, seed by seed so that every arm has its first seed early."""
    identities = {arm.name: identity(arm, commands[arm.command.replace(" ", ".")]) for arm in plan.arms}
    first: dict[str, str] = {}
    same_as = {}
    for name, known in identities.items():
        other = first.setdefault(json.dumps(known, sort_keys=True), name)
        if other != name:
            same_as[name] = other
    places = _places([arm for arm in plan.arms if arm.name not in same_as])
    runs = tuple(
        Run(arm, seed, key_of(identities[arm.name], seed), folder.runs / f"{places[arm.name]}-{seed}")
        for seed in plan.seeds for arm in plan.arms if arm.name not in same_as
    )  # fmt: skip
    return Runs(runs, identities, same_as)


def _places(arms: list[Arm]) -> dict[str, str]:
    """A name for the folders of every arm: its own, as far as every file system takes it."""
    found: dict[str, str] = {}
    for arm in arms:
        plain = re.sub(r"[^a-z0-9.=]+", "-", arm.name.lower()).strip("-.") or "arm"
        if plain in found.values():
            raise InputError(f"the arms {arm.name!r} and another would share the folder {plain}; rename one")
        found[arm.name] = plain
    return found


def epochs_for(like: Row, steps_of: Row) -> int:
    """The epochs after which an arm has made the steps of another; both rows are of the same seed."""
    return max(1, round(float(like["epochs"] * steps_of["steps"] / like["steps"])))


def command_of(run: Run, commands: Commands, epochs: int | None) -> list[str]:
    """The run's command line after the program's name."""
    options = commands[run.arm.command.replace(" ", ".")]
    values = {**run.arm.values, "seed": run.seed, "out": run.folder}
    if epochs is not None:
        values["epochs"] = epochs
    return [*run.arm.command.split(), *arguments(values, options)]


def row_of(run: Run, command: list[str], seconds: float, late: bool) -> Row:
    """What a study keeps of a finished run; all of a report comes from such rows and the counts of scoring.

    Read from the run folder: `report.json` with `best.f1`, `best_epoch`, `epochs`, `steps`, `rows`, `tokens`,
    `seconds`, `notes` and, where there is one, `metrics.jsonl` with `dev.f1`, `w0`, `w1` and `loss` by epoch. What a
    command does not write is null. `late` says that the run began when the study had been scored before.
    """
    report, metrics, config = read_report(run.folder)
    best = report.get("best") or {}
    return {
        "run": run.key, "arm": run.arm.name, "seed": run.seed, "folder": run.folder.name, "dev": best.get("f1"),
        **{name: report.get(name) for name in ("best_epoch", "epochs", "steps", "rows", "tokens", "seconds")},
        "wall": round(seconds, 1), "late": late,
        "curve": [(row.get("dev") or {}).get("f1") for row in metrics],
        **{name: [row.get(name) for row in metrics] for name in ("w0", "w1", "loss")},
        "notes": report.get("notes") or [], "command": shown(command), "machine": machine(config),
        "versions": config.get("versions"), "commit": config.get("commit"),
    }  # fmt: skip


def shown(command: list[str]) -> str:
    """A command line with files by their names alone: where they lie is nobody's business."""
    return " ".join(re.sub(r"(?<==)/\S*/", "", part) for part in command)


def machine(config: Mapping[str, Any]) -> str:
    """The processor, its cores and the device that the run used, where it says so."""
    lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPU_INFO.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    device = config.get("identity", {}).get("--device")
    return f"{model or platform.machine()}, {cores()} cores" + (f", {device}" if device else "")
