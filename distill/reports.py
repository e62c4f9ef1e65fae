"""Scores as people read them: one system label by label, and several systems side by side (the papers' Table 1).

Figures have three decimals and no leading zero (`.959`, `1.000`). Where a label stands neither in gold nor in a
system's predictions, its figure is `-`, not zero.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from distill.errors import CallError
from distill.scores import Ratios, Score

MEANS = ("micro", "macro", "weighted")
RATIOS = ("precision", "recall", "f1")
_HEADS = {"precision": "P", "recall": "R", "f1": "F1"}
_RULE = "-"
Rows = Sequence[Sequence[str]]


def figure(value: float | None) -> str:
    """`.959`, `1.000`, or `-` where there is none."""
    if value is None:
        return _RULE
    shown = f"{value:.3f}"
    return shown[1:] if shown.startswith("0") else shown


def count(value: float) -> str:
    """A count with its thousands apart; halves come from partial matches."""
    return f"{value:,.1f}" if value % 1 else f"{value:,.0f}"


def label_table(score: Score, *, markdown: bool = False) -> str:
    """One system: P, R, F1 and the counts behind them, label by label, then the three means."""
    head = ("label", "P", "R", "F1", "correct", "predicted", "gold")
    rows = [
        (label, *_figures(counts.ratios), count(counts.correct), count(counts.predicted), count(counts.gold))
        for label, counts in sorted(score.labels.items())
    ]
    whole = score.total
    sums = (count(whole.correct), count(whole.predicted), count(whole.gold))
    means = [(name, *_figures(_mean(score, name)), *sums) for name in MEANS]
    return table(head, [rows, means], markdown=markdown) + _unparsed({"": score})


def table_one(
    scores: Mapping[str, Score],
    *,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    markdown: bool = False,
) -> str:
    """Several systems, a column each: micro, macro and weighted P, R, F1, then those of every label.

    `intervals` adds a line with each system's interval of micro F1. Scores of two kinds never share a table.
    """
    one_kind(scores)
    blocks: list[list[tuple[str, ...]]] = []
    for name in MEANS:
        means = [_mean(score, name) for score in scores.values()]
        block = [_row(f"{name} {_HEADS[ratio]}", [getattr(mean, ratio) for mean in means]) for ratio in RATIOS]
        if name == "micro" and intervals:
            spans = (intervals.get(system) for system in scores)
            block.append(("95 %", *(f"{figure(span[0])}–{figure(span[1])}" if span else _RULE for span in spans)))
        blocks.append(block)
    for label in sorted({label for score in scores.values() for label in score.labels}):
        found = [score.labels.get(label) for score in scores.values()]
        blocks.append(
            [_row(f"{label} {_HEADS[ratio]}", [getattr(each, ratio, None) for each in found]) for ratio in RATIOS]
        )
    return table(("", *scores), blocks, markdown=markdown) + _unparsed(scores)


def systems_table(scores: Mapping[str, Score], *, markdown: bool = False) -> str:
    """Several systems, a line each: micro P, R, F1, macro and weighted F1."""
    one_kind(scores)
    head = ("system", "P", "R", "F1", "macro F1", "weighted F1")
    rows = [
        (name, *_figures(score.micro), figure(score.macro.f1), figure(score.weighted.f1))
        for name, score in scores.items()
    ]
    return table(head, [rows], markdown=markdown) + _unparsed(scores)


def score_to_json(score: Score) -> dict[str, Any]:
    """Means and labels as plain numbers, unrounded."""
    found: dict[str, Any] = {"kind": score.kind}
    found |= {name: _mean(score, name)._asdict() for name in MEANS}
    found["labels"] = {
        label: counts.ratios._asdict() | {"correct": counts.correct, "predicted": counts.predicted}
        for label, counts in sorted(score.labels.items())
    }
    if score.kind == "strings":
        found["unparsed"] = score.unparsed
    return found


def one_kind(scores: Mapping[str, Score]) -> None:
    """Refuse strict, partial and string-set scores in one table: their figures do not compare."""
    kinds = {score.kind for score in scores.values() if score.kind}
    if len(kinds) > 1:
        raise CallError(f"{' and '.join(sorted(kinds))} scores do not compare and never share a table")


def table(head: Sequence[str], blocks: Sequence[Rows], *, markdown: bool = False) -> str:
    """Aligned columns, the first to the left and the others to the right; a rule or a blank line between blocks."""
    rows = [tuple(head), *(tuple(row) for block in blocks for row in block)]
    if markdown:
        rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    widths = [max(width_of(row[column]) for row in rows) for column in range(len(head))]
    lines = [_line(row, widths, markdown) for row in rows]
    if markdown:
        rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
        return "\n".join([lines[0], rule, *lines[1:]])
    shown, at = [lines[0], _RULE * sum((*widths, 2 * (len(widths) - 1)))], 1
    for number, block in enumerate(blocks):
        shown += [""] * (number > 0) + lines[at : at + len(block)]
        at += len(block)
    return "\n".join(shown)


def width_of(text: str) -> int:
    """Columns that a terminal gives the text: two for a wide character, none for a combining mark."""
    marks = sum(unicodedata.combining(char) > 0 or unicodedata.category(char) == "Cf" for char in text)
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text) - marks


def _line(row: Sequence[str], widths: Sequence[int], markdown: bool) -> str:
    gaps = [" " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)]
    cells = [cell + gap if at == 0 else gap + cell for at, (cell, gap) in enumerate(zip(row, gaps, strict=True))]
    return "| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip()


def _row(name: str, values: Sequence[float | None]) -> tuple[str, ...]:
    return (name, *(figure(value) for value in values))


def _figures(ratios: Ratios) -> tuple[str, str, str]:
    return figure(ratios.precision), figure(ratios.recall), figure(ratios.f1)


def _mean(score: Score, name: str) -> Ratios:
    means = {"micro": score.micro, "macro": score.macro, "weighted": score.weighted}
    return means[name]


def _unparsed(scores: Mapping[str, Score]) -> str:
    """A line on answers that could not be read, where there are any: they were counted as empty."""
    counts = {name: score.unparsed for name, score in scores.items() if score.unparsed}
    told = [f"{name}: {number}" if name else f"{number}" for name, number in counts.items()]
    return f"\n\nanswers that could not be parsed, counted as empty: {', '.join(told)}" if told else ""
