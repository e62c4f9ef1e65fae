"""The results in words: as a table on the terminal, as Markdown, as CSV and as plain data."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from distill.reports import count, table
from distill.studies.results import ArmResult, Gap, Results
from distill.studies.statistics import least_shuffle, least_sign_flip

NONE = "-"
NOT_HAD = "not at hand"
MOST_EPOCHS = 12  # columns of the table of learning curves
_MEANS = ("rows.distilled", "rows.gold", "epochs", "steps", "tokens", "seconds")


def fine(value: float | None, sign: bool = False) -> str:
    """`.8453`, or with a sign `+.0021`: seeds differ in the third decimal."""
    if value is None:
        return NONE
    shown = f"{value:+.4f}" if sign else f"{value:.4f}"
    return shown.replace("0.", ".", 1) if abs(value) < 1 else shown


def probability(value: float | None) -> str:
    """`.031`, or `< .001`."""
    if value is None:
        return NONE
    return "< .001" if value < 0.001 else f"{value:.3f}"[1:] if value < 0.9995 else "1"


def range_of(low_high: tuple[float, float] | None, sign: bool = False) -> str:
    """`.8412 to .8494`."""
    return NONE if low_high is None else f"{fine(low_high[0], sign)} to {fine(low_high[1], sign)}"


def shown_name(arm: ArmResult) -> str:
    """The arm's name, and whose runs it shares."""
    return f"{arm.name} (= {arm.same_as})" if arm.same_as else arm.name


def arms_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the first table: an arm a row."""
    head = ["arm", "seeds", "dev F1", f"{results.judged} F1", "deviation", "95 %", "P", "R"]
    rows = []
    for arm in results.arms:
        lead = arm.judged or arm.dev
        row = [
            shown_name(arm), str(len(arm.runs)), fine(arm.dev.mean if arm.dev else None),
            fine(arm.judged.mean if arm.judged else None), fine(lead.deviation if lead else None),
            range_of(lead.interval if lead else None), fine(arm.ratio("precision")), fine(arm.ratio("recall")),
        ]  # fmt: skip
        rows.append([*row, *([NOT_HAD if arm.paper is None else fine(arm.paper)] if results.paper else [])])
    return [*head, *(["paper F1"] if results.paper else [])], rows


def gaps_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of differences."""
    head = ["arm", "less", "difference", "95 % together", "p (Holm)", "p (seeds alone)"]
    rows = []
    for arm, gap in gaps_of(results):
        found = gap.difference
        rows.append([
            arm.name, arm.baseline, fine(found.value, sign=True), range_of((found.low, found.high), sign=True),
            probability(gap.p), probability(gap.flip),
        ])  # fmt: skip
    return head, rows


def gaps_of(results: Results) -> list[tuple[ArmResult, Gap]]:
    """Every arm that is compared with another, once."""
    return [(arm, arm.gap) for arm in results.arms if arm.gap is not None and arm.same_as is None]


def labels_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """F1 of every label, the mean over seeds."""
    rows = [[arm.name, *(fine(arm.label_f1(label)) for label in results.labels)] for arm in own(results) if arm.judged]
    return ["arm", *results.labels], rows


def costs_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """What a run of every arm took, the mean over seeds."""
    head = ["arm", "distilled rows", "gold rows", "epochs", "steps", "tokens", "seconds"]
    return head, [[arm.name, *(_mean(arm, name) for name in _MEANS)] for arm in own(results)]


def _mean(arm: ArmResult, name: str) -> str:
    if name.startswith("rows."):
        values = [v for each in arm.runs if (v := (each.row.get("rows") or {}).get(name[5:])) is not None]
        found = fmean(values) if values and len(values) == len(arm.runs) else None
    else:
        found = arm.mean(name)
    return NONE if found is None else count(round(found))


def own(results: Results) -> list[ArmResult]:
    """Arms that have runs of their own."""
    return [arm for arm in results.arms if arm.same_as is None and arm.runs]


def curve(arm: ArmResult, name: str = "curve") -> list[float]:
    """A figure by epoch, the mean over seeds; empty where a run lacks it."""
    found = [each.row.get(name) or [] for each in arm.runs]
    if not found or any(len(each) != len(found[0]) or None in each for each in found):
        return []
    return [fmean(values) for values in zip(*found, strict=True)]


def curves_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Dev F1 by epoch; where there are many epochs, some that lie evenly."""
    curves = {arm.name: curve(arm) for arm in own(results)}
    last = max((len(each) for each in curves.values()), default=0)
    step = max(1, -(-last // MOST_EPOCHS))
    epochs = [epoch for epoch in range(1, last + 1) if epoch % step == 0 or epoch == last]
    rows = [
        [name, *(fine(each[epoch - 1]) if epoch <= len(each) else "" for epoch in epochs)]
        for name, each in curves.items() if each
    ]  # fmt: skip
    return ["arm", *(str(epoch) for epoch in epochs)], rows


def series_of(results: Results) -> list[tuple[str, list[tuple[float, ArmResult]]]]:
    """Arms that differ in one number alone, such as k or n, in the order of that number."""
    found: list[tuple[str, list[tuple[float, ArmResult]]]] = []
    scored = [arm for arm in own(results) if arm.judged or arm.dev]
    names = {name for arm in scored for name, value in arm.values.items() if _is_number(value)}
    for name in sorted(names):
        groups: dict[str, list[tuple[float, ArmResult]]] = {}
        for arm in scored:
            if _is_number(arm.values.get(name)):
                rest = sorted((key, repr(value)) for key, value in arm.values.items() if key != name)
                key = repr((rest, arm.runs[0].run.arm.steps_of))
                groups.setdefault(key, []).append((float(arm.values[name]), arm))
        several = [group for group in groups.values() if len({value for value, _ in group}) > 1]
        found += [(name, sorted(group, key=lambda each: each[0])) for group in several]
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def series_rows(series: Sequence[tuple[float, ArmResult]]) -> list[list[str]]:
    """F1 against a parameter."""
    rows = []
    for value, arm in series:
        lead = arm.judged or arm.dev
        mean, interval = (lead.mean, lead.interval) if lead else (None, None)
        rows.append([f"{value:g}", arm.name, fine(mean), range_of(interval)])
    return rows


def opening(results: Results) -> str:
    """What the figures are on."""
    finished = len(results.runs)
    seeds = ", ".join(str(seed) for seed in results.seeds)
    text = f"{finished} of {results.planned} runs, seeds {seeds}. "
    if results.documents:
        on = f"{results.judged}: {count(results.documents)} documents"
        flatter = "There is no test file, so the figures flatter."
        how = "It was opened when all training was done." if results.judged == "test" else flatter
        text += f"The epoch is chosen on dev; F1 is strict, micro, on {on}. {how}"
    else:
        text += "Nothing is scored yet: figures are those of dev, on which epochs are chosen."
    late = sum(bool(each.row.get("late")) for each in results.runs)
    return text + (f" {late} runs began after {results.judged} had been opened." if late else "")


def method(results: Results) -> str:
    """How differences are judged, and what seeds alone can show."""
    n = max((len(arm.runs) for arm in results.arms), default=0)
    first = (
        f"Intervals of an arm are Student's t over its seeds. Differences are judged by a hierarchical bootstrap of "
        f"{count(results.samples)} samples: documents are drawn anew, the same for every run, and so are the seeds of "
        f"each arm; arms that are the same in every run differ by nothing. Comparisons: {results.comparisons}; the "
        f"intervals have Bonferroni's level, so that they hold "
        f"together at 95 %, and p is corrected by Holm. What chance does to one run on one document is counted twice, "
        f"so the intervals are rather too wide than too narrow (Owen 2007)."
    )
    second = (
        f"Seeds alone: two-sided, flipping the signs of n paired differences cannot give a p below 2/2^n. Five seeds "
        f"alone cannot reach p < .05 (2/2^5 = .0625), however large the difference; six are needed. With the {n} here "
        f"the least is {probability(least_sign_flip(n))}, and {probability(least_shuffle(n, n))} where runs are "
        f"shuffled unpaired. That is why documents are drawn as well."
    )
    return f"{first}\n\n{second}"


def as_markdown(results: Results) -> str:
    """report.md."""
    parts = [f"# {results.title}", results.about, opening(results), *_failed(results), _table(arms_rows(results))]
    if results.paper:
        parts.append(f"The paper: {results.paper}")
    if results.comparisons:
        parts += ["## Differences", _table(gaps_rows(results)), method(results)]
    if results.labels:
        parts += ["## By label", _table(labels_rows(results))]
    for name, series in series_of(results):
        parts += [f"## F1 against {name}", _table(([name, "arm", "F1", "95 %"], series_rows(series)))]
    if len(curves_rows(results)[0]) > 1:
        parts += ["## Dev F1 by epoch", _table(curves_rows(results))]
    parts += ["## Cost of a run", _table(costs_rows(results)), *_notes(results), *made(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def notes_of(results: Results) -> list[str]:
    """What the runs of every arm had to say, and how many said so."""
    lines = []
    for arm in own(results):
        told = Counter(note for each in arm.runs for note in each.row.get("notes") or ())
        lines += [f"{arm.name}: {note} ({number} of {len(arm.runs)} runs)" for note, number in told.items()]
    return lines


def _notes(results: Results) -> list[str]:
    lines = notes_of(results)
    return ["## What the runs say", "\n".join(f"- {line}" for line in lines)] if lines else []


def _failed(results: Results) -> list[str]:
    return [f"Failed: {each}" for each in results.failures]


def _table(head_rows: tuple[list[str], list[list[str]]]) -> str:
    head, rows = head_rows
    return table(head, [rows], markdown=True)


def made(results: Results) -> list[str]:
    """Machines, versions and commits behind the runs."""
    rows = [each.row for each in results.runs]
    machines = sorted({str(row["machine"]) for row in rows})
    versions = sorted({f"{name} {number}" for row in rows for name, number in (row.get("versions") or {}).items()})
    commits = sorted({str(row["commit"]) for row in rows if row.get("commit")})
    told = {"Machine": machines, "Versions": versions, "Commit": commits}
    return [f"{name}: {'; '.join(each)}" for name, each in told.items() if each]


def as_table(results: Results) -> str:
    """What the terminal shows."""
    head, rows = arms_rows(results)
    parts = [f"{results.title}: {opening(results)}", table(head, [rows])]
    if results.comparisons:
        head, rows = gaps_rows(results)
        parts.append(table(head, [rows]))
    return "\n\n".join(parts)


def as_csv(results: Results) -> str:
    """results.csv: a run a row."""
    labels = results.labels
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([
        "arm", "seed", "dev_f1", f"{results.judged}_precision", f"{results.judged}_recall", f"{results.judged}_f1",
        *(f"f1_{label}" for label in labels), "best_epoch", "epochs", "rows_distilled", "rows_gold", "steps", "tokens",
        "seconds", "late",
    ])  # fmt: skip
    for each in results.runs:
        row, whole = each.row, each.total
        rows = row.get("rows") or {}
        by_label = [each.labels[label].f1 if each.labels and label in each.labels else None for label in labels]
        figures = (whole.precision, whole.recall, whole.f1) if whole else (None, None, None)
        writer.writerow([
            each.run.arm.name, each.run.seed, row["dev"], *figures, *by_label, row["best_epoch"], row["epochs"],
            rows.get("distilled"), rows.get("gold"), row["steps"], row["tokens"], row["seconds"], row.get("late"),
        ])  # fmt: skip
    return out.getvalue()


def as_json(results: Results) -> dict[str, Any]:
    """The results for programs."""
    arms = []
    for arm in results.arms:
        gap = None if arm.gap is None else asdict(arm.gap)
        arms.append({
            "arm": arm.name, "same_as": arm.same_as, "baseline": arm.baseline, "seeds": [r.run.seed for r in arm.runs],
            "dev": asdict(arm.dev) if arm.dev else None, results.judged: asdict(arm.judged) if arm.judged else None,
            "difference": gap, "labels": {label: arm.label_f1(label) for label in results.labels}, "paper": arm.paper,
        })  # fmt: skip
    known = ("title", "judged", "documents", "comparisons", "samples")
    return {**{name: getattr(results, name) for name in known}, "arms": arms}
