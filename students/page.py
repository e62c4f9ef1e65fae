"""One self-contained page of texts with their entities highlighted: no script, no font, nothing from a network."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from distill.document import Document, Entity, flat

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_GOLDEN_ANGLE = 137.508  # neighbouring labels get hues far apart
_UNSURE = 0.5

_STYLE = Path(__file__).with_name("page.css")


class Page:
    """The page's renderer; the summary is written last and shown first."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.hues = {label: round(212 + _GOLDEN_ANGLE * number) % 360 for number, label in enumerate(labels)}
        self.counts: Counter[str] = Counter()
        self.documents = 0

    def head(self) -> str:
        """The page up to its first text."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">\n"
            f"<title>Entities</title><style>\n{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>\n"
        )

    def part(self, document: Document) -> str:
        """One text as a card; the direction of writing follows the text."""
        self.documents += 1
        pieces, done = [], 0
        for entity in flat(document).document.entities:
            self.counts[entity.label] += 1
            pieces += [escaped(document.text[done : entity.start]), self._mark(document, entity)]
            done = entity.end
        pieces.append(escaped(document.text[done:]))
        name = f'<h2 dir="auto">{escaped(document.id)}</h2>'
        return f'<article>{name}<p class="text" dir="auto">{"".join(pieces)}</p></article>\n'

    def _mark(self, document: Document, entity: Entity) -> str:
        score = 1.0 if entity.score is None else entity.score
        label, kind = escaped(entity.label), ' class="unsure"' if score < _UNSURE else ""
        said = f"{label}, score {score:.3f}, {entity.start} to {entity.end}"
        look = f'{kind} style="--h:{self._hue(entity.label)}" title="{said}"'
        return f'<mark{look}>{escaped(document.text[entity.start : entity.end])}<b>{label}</b></mark>'

    def _hue(self, label: str) -> int:
        return self.hues.setdefault(label, round(212 + _GOLDEN_ANGLE * len(self.hues)) % 360)

    def tail(self) -> str:
        """The summary, and the page's end."""
        legend = "".join(
            f'<li style="--h:{hue}">{escaped(label)}<span>{self.counts[label]}</span></li>'
            for label, hue in self.hues.items()
        )
        texts = f"{self.documents} text{'' if self.documents == 1 else 's'}"
        total = sum(self.counts.values())
        found = f"{total} entit{'y' if total == 1 else 'ies'}"
        said = f"{texts}, {found}. Hover for scores; dashed means below {_UNSURE:g}."
        return (
            f'<header><h1>Named entities</h1><p class="soft">{said}</p><ul class="legend">{legend}</ul></header>\n'
            "</main></body></html>\n"
        )


def escaped(text: str) -> str:
    """Text that is only text in a page; control characters and lone surrogates become visible signs."""
    return html.escape(_CONTROL.sub(_sign, text), quote=True)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
