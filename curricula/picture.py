"""The schedules as a picture: one panel a family, the share of distilled data over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from curricula.schedules import Schedule
from distill.errors import CallError, InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, PLAIN, ACCENT = "#22262b", "#e3e6ea", "#2f6f9f", "#e07b39"
PANELS = {
    "Simple Mix": ("mix",),
    "Sigmoid": ("sigmoid",),
    "Cosine": ("cosine",),
    "Power decay": ("power",),
    "Baselines": ("all", "distilled", "gold"),
}
OWN = {"Your own": ("points", "function")}
FORMATS = (".png", ".svg", ".pdf")


def draw(schedules: Sequence[Schedule], epochs: int, path: Path) -> Path:
    """Draw the schedules over `epochs` epochs into `path`; steep ones are darker.

    Simple Mix has a panel, each family with a parameter has one with all its values, the constant schedules share one,
    and those of the user's own the last, where there are any. Raises CallError for a kind of file that cannot be drawn,
    InputError for a path that cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise CallError(f"--plot draws {', '.join(FORMATS)}, not {path.suffix or 'a file without a suffix'}")
    shown = PANELS | (OWN if any(one.name.split()[0] in OWN["Your own"] for one in schedules) else {})
    figure = Figure(figsize=(2.64 * len(shown), 3.9), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True)
    for axes, (title, families) in zip(panels, shown.items(), strict=True):
        members = [one for one in schedules if one.name.split()[0] in families]
        _panel(axes, members, epochs, title)
    panels[0].set_ylabel("share of the distilled data, $w_0$", color=INK)
    figure.supxlabel("epoch", color=INK, fontsize=10)
    kind, drawn = path.suffix.lower(), BytesIO()
    figure.savefig(drawn, format=kind[1:], metadata={"Date": None} if kind == ".svg" else None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.getbuffer())
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=path) from None
    return path


def _panel(axes: Axes, members: Sequence[Schedule], epochs: int, title: str) -> None:
    for place, one in enumerate(members):
        curve, style = one.curve(epochs), _style(one, place, len(members), epochs)
        axes.plot(range(epochs), [w0 for w0, _ in curve], **style)
        if title in OWN and any(abs(w0 + w1 - 1) > 1e-9 for w0, w1 in curve):
            style |= {"linestyle": "dotted", "marker": None, "label": f"{style['label']}, $w_1$"}
            axes.plot(range(epochs), [w1 for _, w1 in curve], **style)
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.set_xlim(0, max(epochs - 1, 1))
    axes.set_ylim(-0.02, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=1 if title in OWN else 4 if len(members) > 5 else 3,
        fontsize=7.5,
        frameon=False, handlelength=1.3, columnspacing=1.0, labelcolor=INK,
    )  # fmt: skip


def _style(one: Schedule, place: int, among: int, epochs: int) -> dict[str, Any]:
    """How a schedule is drawn: by its parameter's rank, dashed where it would hide another."""
    shades = mpl.colormaps["viridis_r"]
    label = one.name.partition(" ")[2].replace("=", " = ") or one.name
    style: dict[str, Any] = {
        "color": shades(0.15 + 0.8 * place / (among - 1)) if among > 1 else PLAIN,
        "linewidth": 1.8, "clip_on": False, "marker": "o" if epochs <= 30 else None, "markersize": 2.6,
        "label": label.replace("mix", "distilled, then gold"),
    }  # fmt: skip
    if one.name == "all":
        dashes = {"color": ACCENT, "linestyle": (0, (3, 2.5)), "marker": None}
        style |= {"label": "all ($w_1$ = 1 too)", "zorder": 4, **dashes}
    return style
