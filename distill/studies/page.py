"""The results as one page without script or network: tables, and charts that follow light and dark."""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files

from distill.studies.charts import Axis, Line, axis_for, chart, epochs_axis, ruler, strip, values_axis
from distill.studies.results import ArmResult, Results
from distill.studies.writing import (
    arms_rows,
    costs_rows,
    curve,
    fine,
    gaps_of,
    labels_rows,
    made,
    method,
    notes_of,
    opening,
    own,
    probability,
    range_of,
    series_of,
    shown_name,
)

_PLACE = re.compile(r"\{\{([a-z ]+)\}\}")
_SHARES = Axis(0, 1, (0, 0.5, 1), 1)


def as_page(results: Results) -> str:
    """report.html."""
    folder = files("distill").joinpath("studies")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    sections = (_failed, _arms, _gaps, _labels, _courses, _parameters, _costs, _notes)
    parts = {
        "title": _text(results.title), "style": style, "style hash": _hash(style), "opening": _text(opening(results)),
        "about": "".join(f"<p>{_text(each)}</p>" for each in results.about.split("\n\n") if each),
        "sections": "\n".join(filter(None, (section(results) for section in sections))),
        "made": "".join(f"<p>{_text(each)}</p>" for each in made(results)),
    }  # fmt: skip
    return _PLACE.sub(lambda place: parts[place[1]], folder.joinpath("page.html").read_text(encoding="utf-8"))


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _failed(results: Results) -> str:
    return "".join(f'<p class="failed">Failed: {_text(each)}</p>' for each in results.failures)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A card with a table; head and cells are HTML already, and a cell may bring its own `<td>`."""
    lines = "".join(f"<tr>{_cell(row[0], 'th')}{''.join(_cell(cell, 'td') for cell in row[1:])}</tr>" for row in rows)
    heads = "".join(_cell(cell, "th") for cell in head)
    shown = f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody>"
    return f'<div class="card scroll"><table>{shown}</table></div>'


def _cell(inner: str, kind: str) -> str:
    return inner if inner.startswith(("<td", "<th")) else f"<{kind}>{inner}</{kind}>"


def _plain(head_rows: tuple[list[str], list[list[str]]]) -> str:
    """A table of text, the best figure of every column of F1 marked."""
    head, rows = head_rows
    return _table([_text(each) for each in head], [[_text(each) for each in row] for row in rows])


def _far(inner: str, kind: str = "td") -> str:
    """A cell that narrow screens leave out."""
    return f'<{kind} class="far">{inner}</{kind}>'


def _ruled(axis: Axis) -> str:
    """The head of a column of strips."""
    return f'<th class="wide">{ruler(axis)}</th>'


def _arms(results: Results) -> str:
    leads = [lead for arm in results.arms if (lead := arm.judged or arm.dev)]
    if not leads:
        return ""
    edges = [edge for lead in leads for edge in (*lead.values, *_clipped(lead.interval, lead.mean))]
    axis, best = axis_for(edges, 5, tight=True), max(lead.mean for lead in leads)
    head, texts = arms_rows(results)
    judged = head[3] if results.documents else head[2]
    far = [_far(each, "th") for each in ("95 %", "deviation", "seeds", "dev F1", "P", "R")]
    shown = [_ruled(axis), judged, *far]
    rows = []
    for arm, text in zip(results.arms, texts, strict=True):
        lead = arm.judged or arm.dev
        if lead is None:
            continue
        mean = f'<td class="best">{fine(lead.mean)}</td>' if lead.mean == best else fine(lead.mean)
        line = strip(lead.values, lead.interval, lead.mean, axis)
        rows.append([
            _text(shown_name(arm)), f'<td class="wide">{line}</td>', mean,
            *(_far(_text(text[column])) for column in (5, 4, 1, 2, 6, 7)), *text[8:],
        ])  # fmt: skip
    paper = f'<p class="note">The paper: {_text(results.paper)}</p>' if results.paper else ""
    note = '<p class="legend">Large dot: mean. Small dots: seeds. Line: 95 % over seeds (Student).</p>'
    return f"<h2>Arms</h2>{note}{_table(['arm', *shown, *head[8:]], rows)}{paper}"


def _clipped(interval: tuple[float, float] | None, mean: float) -> tuple[float, ...]:
    """An interval as far as the axis goes for it: with two or three seeds it may be wider than all else."""
    return () if interval is None else (max(interval[0], mean - 0.05), min(interval[1], mean + 0.05))


def _gaps(results: Results) -> str:
    found = gaps_of(results)
    if not found:
        return ""
    edges = [edge for _, gap in found for edge in (gap.difference.low, gap.difference.high)]
    axis = axis_for([0.0, *edges], 5, tight=True)
    rows = []
    for arm, gap in found:
        each = gap.difference
        line = strip((), (each.low, each.high), each.value, axis, zero=True)
        rows.append([
            _text(arm.name), f'<td class="wide">{line}</td>', fine(each.value, sign=True),
            _far(range_of((each.low, each.high), sign=True)), probability(gap.p), _far(probability(gap.flip)),
            _far(_text(arm.baseline)),
        ])  # fmt: skip
    head = ["arm", _ruled(axis), "difference", _far("95 % together", "th"), "p (Holm)", _far("p (seeds alone)", "th"),
            _far("less", "th")]  # fmt: skip
    notes = "".join(f'<p class="note">{_text(each)}</p>' for each in method(results).split("\n\n"))
    return f"<h2>Differences in {_text(results.judged)} F1</h2>{_table(head, rows)}{notes}"


def _labels(results: Results) -> str:
    if not results.labels:
        return ""
    head, rows = labels_rows(results)
    columns = list(zip(*(row[1:] for row in rows), strict=True))
    best = [max((each for each in column if each != "-"), default="") for column in columns]
    shown = [
        [_text(row[0]), *(f'<td class="best">{each}</td>' if each == top else each
                          for each, top in zip(row[1:], best, strict=True))]
        for row in rows
    ]  # fmt: skip
    return f"<h2>F1 by label</h2>{_table([_text(each) for each in head], shown)}"


def _courses(results: Results) -> str:
    """A card an arm: dev F1 by epoch over that of its baseline, and the shares that its schedule gave."""
    arms = [arm for arm in own(results) if curve(arm)]
    values = [value for arm in arms for value in curve(arm)]
    if not values:
        return ""
    # The first epochs of a hard start would flatten all the rest.
    floor = max(min(values), max(values) - 0.3)
    axis, last = axis_for([floor, max(values)]), max(len(curve(arm)) for arm in arms)
    cards = "".join(_course(arm, results.arm(arm.baseline), axis, last) for arm in arms)
    legend = (
        '<p class="legend"><i></i>dev F1, mean over seeds<i class="base"></i>the arm it is compared with'
        '<i class="distilled"></i>share of distilled data, w0<i class="gold"></i>share of gold data, w1</p>'
    )
    return f'<h2>Learning curves and schedules</h2>{legend}<div class="cards">{cards}</div>'


def _course(arm: ArmResult, baseline: ArmResult, y: Axis, last: int) -> str:
    x = epochs_axis(last)
    lines = [Line("base", _above(curve(baseline), y))] if baseline.name != arm.name else []
    lines += [Line("arm one", _above(each.row["curve"], y)) for each in arm.runs if len(arm.runs) > 1]
    lines.append(Line("arm", _above(curve(arm), y)))
    drawn = chart([line for line in lines if line.points], x, y, f"dev F1 of {arm.name} by epoch")
    shares = [Line(kind, _numbered(curve(arm, name))) for kind, name in (("distilled", "w0"), ("gold", "w1"))]
    schedule = ""
    if all(line.points for line in shares):
        drawn_shares = chart(shares, x, _SHARES, f"shares of data for {arm.name} by epoch", height=84)
        schedule = f"<h4>shares by epoch</h4>{drawn_shares}"
    lead = arm.judged or arm.dev
    figure = f'<span class="figure">{fine(lead.mean)}</span>' if lead else ""
    head = f"{figure}<h3>{_text(arm.name)}</h3><h4>dev F1 by epoch</h4>"
    return f'<section class="card">{head}{drawn}{schedule}</section>'


def _numbered(values: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(epoch), value) for epoch, value in enumerate(values, 1)]


def _above(values: Sequence[float], y: Axis) -> list[tuple[float, float]]:
    """The points that the axis has room for."""
    return [(epoch, value) for epoch, value in _numbered(values) if value >= y.low]


def _parameters(results: Results) -> str:
    cards = []
    for name, series in series_of(results):
        leads = [(value, lead) for value, arm in series if (lead := arm.judged or arm.dev)]
        bars = [_clipped(lead.interval, lead.mean) for _, lead in leads]
        y = axis_for([edge for (_, lead), bar in zip(leads, bars, strict=True) for edge in (lead.mean, *bar)])
        line = Line(
            "arm", [(value, lead.mean) for value, lead in leads], dots=True,
            bars=[(bar[0], bar[1]) if bar else None for bar in bars],
        )  # fmt: skip
        x = values_axis([value for value, _ in leads])
        drawn = chart([line], x, y, f"F1 against {name}")
        title = f"{series[0][1].name} … {series[-1][1].name}"
        cards.append(f'<section class="card"><h3>{_text(title)}</h3><h4>F1 against {_text(name)}</h4>{drawn}</section>')
    if not cards:
        return ""
    return f'<h2>F1 against the schedule\'s parameter</h2><div class="cards">{"".join(cards)}</div>'


def _costs(results: Results) -> str:
    return f"<h2>Cost of a run</h2>{_plain(costs_rows(results))}" if own(results) else ""


def _notes(results: Results) -> str:
    lines = "".join(f"<li>{_text(each)}</li>" for each in notes_of(results))
    return f'<h2>What the runs say</h2><div class="card"><ul>{lines}</ul></div>' if lines else ""
