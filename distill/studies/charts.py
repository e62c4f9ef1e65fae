"""Charts as SVG without a line of style: colours come from the page's classes, so they follow light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 320.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 8.0, 8.0, 20.0


@dataclass(frozen=True)
class Line:
    """A line of a chart: its class, its points, and whether each has a dot (and an interval)."""

    kind: str
    points: Points
    dots: bool = False
    bars: Sequence[tuple[float, float] | None] = ()


@dataclass(frozen=True)
class Axis:
    """A range with its ticks; `log` spaces it by factors."""

    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int | None = None
    log: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / ((math.log(self.high) - math.log(self.low)) or 1)
        return (value - self.low) / ((self.high - self.low) or 1)

    def text(self, value: float) -> str:
        if self.digits is None or value == 0:
            return f"{value:g}"
        shown = f"{value:.{self.digits}f}"
        return shown.replace("0.", ".", 1) if abs(value) < 1 else shown


def axis_for(values: Sequence[float], most: int = 4, *, tight: bool = False) -> Axis:
    """A linear axis around the values with ticks on round numbers; a tight one does not go on to the next tick."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.01, high + 0.01
    step = _round_step((high - low) / most)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(round(i * step, 10) for i in range(first, last + 1))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if not tight:
        return Axis(ticks[0], ticks[-1], ticks, digits)
    margin = (high - low) * 0.04
    inside = tuple(tick for tick in ticks if low - margin <= tick <= high + margin)
    return Axis(low - margin, high + margin, inside, digits)


def _round_step(rough: float) -> float:
    scale = 10.0 ** math.floor(math.log10(rough))
    return next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= rough * 0.999)


def epochs_axis(last: int) -> Axis:
    """Epochs from 1; few ticks, whole numbers."""
    step = max(1, round(_round_step(max(last - 1, 1) / 5)))
    ticks = (1, *(epoch for epoch in range(step, last + 1, step) if epoch > 1))
    return Axis(1, max(last, 2), tuple(float(tick) for tick in ticks))


def values_axis(values: Sequence[float]) -> Axis:
    """The values of a parameter, spaced by factors where they span more than one power of two."""
    low, high = min(values), max(values)
    log = low > 0 and high / low > 2.5
    axis, ticks = Axis(low, high, (), log=log), list[float]()
    for value in sorted(set(values)):  # those that have room for their text
        if not ticks or axis.place(value) - axis.place(ticks[-1]) > 0.09:
            ticks.append(value)
    return Axis(low, high, tuple(ticks), log=log)


def chart(lines: Sequence[Line], x: Axis, y: Axis, title: str, *, height: float = HEIGHT) -> str:
    """Lines over two axes; `title` is what a screen reader says."""
    inner = [f'<svg class="chart" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{html.escape(title)}">']
    box = _Box(x, y, height)
    for tick in y.ticks:
        at = box.y_at(tick)
        inner.append(f'<path class="grid" d="M{LEFT:g} {at:.1f}H{WIDTH - RIGHT:g}"/>')
        inner.append(f'<text class="tick end" x="{LEFT - 6:g}" y="{at + 3.5:.1f}">{y.text(tick)}</text>')
    for tick in x.ticks:
        place = f'x="{box.x_at(tick):.1f}" y="{height - BOTTOM + 15:g}"'
        inner.append(f'<text class="tick middle" {place}>{x.text(tick)}</text>')
    inner += [part for line in lines for part in box.drawn(line)]
    return "".join([*inner, "</svg>"])


@dataclass(frozen=True)
class _Box:
    x: Axis
    y: Axis
    height: float

    def x_at(self, value: float) -> float:
        return LEFT + 4 + self.x.place(value) * (WIDTH - LEFT - RIGHT - 8)

    def y_at(self, value: float) -> float:
        return self.height - BOTTOM - self.y.place(value) * (self.height - TOP - BOTTOM)

    def drawn(self, line: Line) -> list[str]:
        places = [(self.x_at(x), self.y_at(y)) for x, y in line.points]
        found = []
        for (_, value), (at, _y), bar in zip(line.points, places, line.bars or [None] * len(places), strict=True):
            if bar is not None and value is not None:
                low, high = (self.y_at(min(max(edge, self.y.low), self.y.high)) for edge in bar)
                found.append(f'<path class="bar {line.kind}" d="M{at:.1f} {low:.1f}V{high:.1f}"/>')
        if len(places) > 1:
            way = " ".join(f"{'L' if i else 'M'}{at:.1f} {to:.1f}" for i, (at, to) in enumerate(places))
            found.append(f'<path class="line {line.kind}" d="{way}"/>')
        if line.dots or len(places) == 1:
            for (x, y), (at, to) in zip(line.points, places, strict=True):
                told = f"<title>{self.x.text(x)}: {y:.4f}</title>"
                found.append(f'<circle class="dot {line.kind}" cx="{at:.1f}" cy="{to:.1f}" r="3">{told}</circle>')
        return found


def ruler(axis: Axis) -> str:
    """The texts of a column of strips, in its head: at the place of every tick, as a share of the column's width."""
    texts = (
        f'<text class="tick middle" x="{axis.place(tick) * 100:.2f}%" y="12">{axis.text(tick)}</text>'
        for tick in axis.ticks
    )
    return f'<svg class="ruler" aria-hidden="true">{"".join(texts)}</svg>'


def strip(
    values: Sequence[float], interval: tuple[float, float] | None, mean: float, axis: Axis, *, zero: bool = False
) -> str:
    """One row of a forest plot, as wide as its cell: interval, seeds as small dots, the mean as a large one.

    The drawing is stretched sideways; dots are lines of no length with round ends, so they stay round.
    """

    def at(value: float) -> str:
        return f"{min(max(axis.place(value), 0), 1) * 1000:.1f}"

    parts = [f'<path class="grid" d="M{at(tick)} -5V33"/>' for tick in axis.ticks]
    if zero:
        parts.append(f'<path class="zero" d="M{at(0)} -5V33"/>')
    if interval is not None:
        parts.append(f'<path class="bar arm" d="M{at(interval[0])} 14H{at(interval[1])}"/>')
    parts += [f'<path class="seed" d="M{at(value)} 14h0"/>' for value in values]
    parts.append(f'<path class="mean" d="M{at(mean)} 14h0"/>')
    told = f"{mean:.4f}" + (f", {interval[0]:.4f} to {interval[1]:.4f}" if interval else "")
    head = f'<svg class="strip" viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" aria-label="{told}">'
    return head + "".join(parts) + "</svg>"
