"""The schedules as numbers: a table for people, lists for programs."""

from __future__ import annotations

from collections.abc import Sequence

from curricula.schedules import Schedule, Shares


def as_lists(schedules: Sequence[Schedule], epochs: int) -> dict[str, list[list[float]]]:
    """`{"mix": [[w0, w1], ...], "sigmoid k=32": ...}`, one pair an epoch."""
    return {one.name: [list(shares) for shares in one.curve(epochs)] for one in schedules}


def as_table(schedules: Sequence[Schedule], epochs: int) -> str:
    """A table with a row for each schedule and w0 at up to eleven epochs, and one for w1 where it is not 1 - w0."""
    chosen = sorted({round(i * (epochs - 1) / 10) for i in range(11)})
    width = max(len(one.name) for one in schedules) + 3
    lines = [f"share of the distilled data (w0) at epoch t of T = {epochs}; gold has w1 = 1 - w0, in `all` 1", ""]
    lines.append(" " * width + "".join(f"{f't={t}':>7}" for t in chosen))
    for one in schedules:
        curve: list[Shares] = one.curve(epochs)
        lines.append(one.name.ljust(width) + "".join(f"{curve[t][0]:7.3f}" for t in chosen))
        if one.name != "all" and any(abs(w0 + w1 - 1) > 1e-9 for w0, w1 in curve):
            lines.append(f"{one.name} w1".ljust(width) + "".join(f"{curve[t][1]:7.3f}" for t in chosen))
    return "\n".join(lines)
