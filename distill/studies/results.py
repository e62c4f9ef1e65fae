"""Results: what the rows and counts of a study say about its arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from distill.errors import InputError
from distill.files import open_lines
from distill.jsonl import parse_line
from distill.scores import Counts as LabelCounts
from distill.studies.folder import Row, StudyFolder
from distill.studies.plan import Plan
from distill.studies.runs import Run, Runs
from distill.studies.statistics import (
    Counts,
    Difference,
    Floats,
    Spread,
    arm_draws,
    difference,
    document_draws,
    holm,
    sign_flip,
    spread,
)

NO_DIFFERENCE = Difference(0.0, 0.0, 0.0, 1.0)
"""What two arms differ by that are the same in every run: chance has no part in it."""


@dataclass(frozen=True)
class RunResult:
    """A finished run: its row, and its strict counts by label on what is reported on (None while it is not scored)."""

    run: Run
    row: Row
    labels: Mapping[str, LabelCounts] | None

    @property
    def total(self) -> LabelCounts | None:
        return None if self.labels is None else sum(self.labels.values(), LabelCounts())


@dataclass(frozen=True)
class Gap:
    """An arm less its baseline: the bootstrap, p after Holm, and the exact sign-flip p over the seeds both have."""

    difference: Difference
    p: float
    flip: float | None
    pairs: int


@dataclass(frozen=True)
class ArmResult:
    """What is known of an arm. `dev` and `judged` are spreads of F1 over seeds, None where there is none."""

    name: str
    baseline: str
    same_as: str | None
    values: Mapping[str, Any]
    runs: tuple[RunResult, ...]
    dev: Spread | None
    judged: Spread | None
    gap: Gap | None
    paper: float | None

    def mean(self, figure: str) -> float | None:
        """The mean over seeds of a row's number; None where a run has none."""
        values = [value for each in self.runs if isinstance(value := each.row.get(figure), int | float)]
        return fmean(values) if values and len(values) == len(self.runs) else None

    def label_f1(self, label: str) -> float | None:
        """The mean F1 of a label over the scored runs."""
        found = [each.labels[label].f1 for each in self.runs if each.labels is not None and label in each.labels]
        return fmean(found) if found else None

    def ratio(self, name: str) -> float | None:
        """The mean micro precision or recall over the scored runs."""
        found = [getattr(each.total, name) for each in self.runs if each.total is not None]
        return fmean(found) if found else None


@dataclass(frozen=True)
class Results:
    """A study as it stands: `judged` names the data that its figures are on."""

    title: str
    about: str
    judged: str
    documents: int
    planned: int
    seeds: tuple[int, ...]
    arms: tuple[ArmResult, ...]
    comparisons: int
    samples: int
    paper: str
    failures: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        return sorted({label for arm in self.arms for each in arm.runs for label in each.labels or ()})

    @property
    def runs(self) -> list[RunResult]:
        """Every finished run once."""
        return [each for arm in self.arms if arm.same_as is None for each in arm.runs]

    def arm(self, name: str) -> ArmResult:
        return next(arm for arm in self.arms if arm.name == name)


def results_of(
    plan: Plan, runs: Runs, folder: StudyFolder, samples: int, failures: Sequence[str] = ()
) -> Results:
    """Everything that the report shows, from rows and counts alone."""
    rows, scores = folder.rows(), _Scores()
    known = {run.key: RunResult(run, rows[run.key], None) for run in runs.runs if run.key in rows}
    for key, each in known.items():
        path = folder.scores / f"{key}.jsonl"
        if path.exists():
            known[key] = replace(each, labels=scores.add(key, path))
    gaps = _gaps(plan, runs, scores, samples)
    arms = tuple(
        _arm_result(name, plan, runs, [known[run.key] for run in runs.of(name) if run.key in known], gaps)
        for name in (arm.name for arm in plan.arms)
    )
    return Results(
        plan.title, plan.about, plan.judged[0], scores.documents, len(runs.runs), plan.seeds, arms, len(gaps), samples,
        plan.source, tuple(failures),
    )  # fmt: skip


def _arm_result(name: str, plan: Plan, runs: Runs, own: list[RunResult], gaps: Mapping[str, Gap]) -> ArmResult:
    arm, original = plan.arm(name), runs.same_as.get(name)
    dev = [each.row["dev"] for each in own if each.row.get("dev") is not None]
    judged = [each.total.f1 for each in own if each.total is not None]
    return ArmResult(
        name, arm.baseline, original, arm.values, tuple(own), spread(dev) if dev else None,
        spread(judged) if judged else None, gaps.get(original or name), plan.paper.get(name),
    )  # fmt: skip


class _Scores:
    """The counts of every scored run over the same documents."""

    def __init__(self) -> None:
        self._ids: list[str] | None = None
        self.totals: dict[str, Floats] = {}

    @property
    def documents(self) -> int:
        return len(self._ids or ())

    def add(self, key: str, path: Path) -> dict[str, LabelCounts]:
        """Read a run's counts; returns its sums by label."""
        ids, totals, labels = [], [], dict[str, LabelCounts]()
        for number, line in open_lines(path):
            row = parse_line(line, path, number)
            counts = {label: LabelCounts(*numbers) for label, numbers in row["strict"].items()}
            for label, each in counts.items():
                labels[label] = labels.get(label, LabelCounts()) + each
            whole = sum(counts.values(), LabelCounts())
            ids.append(row["id"])
            totals.append((whole.correct, whole.predicted + whole.gold))
        if self._ids is not None and ids != self._ids:
            raise InputError("holds other documents than the scores beside it; remove it and call again", path=path)
        self._ids = ids
        self.totals[key] = np.array(totals, dtype=np.float64).reshape(len(totals), 2)
        return labels


def _gaps(plan: Plan, runs: Runs, scores: _Scores, samples: int) -> dict[str, Gap]:
    """Every arm that is not its own baseline, against it, corrected for how many they are."""
    keys = list(scores.totals)
    scored = {arm.name: [run for run in runs.of(arm.name) if run.key in scores.totals] for arm in plan.arms}
    compared = [
        arm for arm in plan.arms
        if arm.name not in runs.same_as and scored[arm.name] and scored[arm.baseline]
        and runs.same_as.get(arm.baseline, arm.baseline) != arm.name
    ]  # fmt: skip
    if not compared:
        return {}
    counts = Counts(*(np.stack([scores.totals[key][:, column] for key in keys]) for column in (0, 1)))
    f1, drawn = counts.f1(), document_draws(counts, samples, seed=0)
    places = {key: place for place, key in enumerate(keys)}
    means, draws = {}, {}
    for number, arm in enumerate(plan.arms):
        own = [places[run.key] for run in scored[arm.name]]
        if own:
            means[arm.name] = float(f1[own].mean())
            draws[arm.name] = arm_draws(drawn[:, own], 0, number)
    found = [
        NO_DIFFERENCE if _alike(scored[arm.name], scored[arm.baseline], scores)
        else difference(means[arm.name] - means[arm.baseline], draws[arm.name] - draws[arm.baseline], len(compared))
        for arm in compared
    ]  # fmt: skip
    corrected = holm([each.p for each in found])
    by_seed = {arm: {run.seed: float(f1[places[run.key]]) for run in own} for arm, own in scored.items()}
    return {
        arm.name: _gap(each, p, by_seed[arm.name], by_seed[arm.baseline])
        for arm, each, p in zip(compared, found, corrected, strict=True)
    }


def _alike(one: Sequence[Run], other: Sequence[Run], scores: _Scores) -> bool:
    """Whether two arms have the same seeds, and by seed the same counts on every document."""
    mine, theirs = ({run.seed: scores.totals[run.key] for run in runs} for runs in (one, other))
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[seed], theirs[seed]) for seed in mine)


def _gap(found: Difference, p: float, own: Mapping[int, float], other: Mapping[int, float]) -> Gap:
    pairs = [own[seed] - other[seed] for seed in own if seed in other]
    return Gap(found, p, sign_flip(pairs) if pairs else None, len(pairs))
