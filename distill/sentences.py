"""Sentences and paragraphs of a text, with their offsets; nothing of the text is lost but white space between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from distill.document import Document, Entity, Span

_PARAGRAPH = re.compile(r"\n\s*\n|\n")
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9À-ÖØ-Þ])|[。！？]+[”’」』）]*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sir|St|Lt|Col|Gen|Capt|Sgt|Rev|Hon|Jr|Sr|vs|No|Inc|Ltd|Co|Corp|etc|e\.g|i\.e|[A-Z])\.)$"
)


def paragraphs(text: str) -> list[Span]:
    """Stretches between line breaks."""
    return list(_cut(text, 0, len(text), [match.end() for match in _PARAGRAPH.finditer(text)]))


def sentences(text: str) -> list[Span]:
    """Stretches that end with a full stop before a capital, not behind an abbreviation or an initial."""
    found: list[Span] = []
    for start, end in paragraphs(text):
        cuts = [
            match.end() for match in _END.finditer(text, start, end)
            if not _ABBREVIATION.search(text, max(start, match.end() - 8), match.end())
        ]  # fmt: skip
        found += _cut(text, start, end, cuts)
    return found


def _cut(text: str, start: int, end: int, cuts: list[int]) -> Iterator[Span]:
    for cut in (*cuts, end):
        piece = text[start:cut]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            yield Span(begin, begin + len(piece.strip()))
        start = cut


def pieces(document: Document, unit: str) -> Iterator[tuple[Document, int]]:
    """The document's sentences or paragraphs as Documents, with how many entities begin in each and end elsewhere.

    Ids get a number, the meta says where the piece stood (`piece_of`: id and offset).
    """
    if unit == "document":
        yield document, 0
        return
    for number, span in enumerate((sentences if unit == "sentence" else paragraphs)(document.text), 1):
        inside = [each for each in document.entities if span.start <= each.start < span.end]
        whole = [_moved(each, -span.start) for each in inside if each.end <= span.end]
        meta = {**document.meta, "piece_of": {"id": document.id, "start": span.start}}
        piece = Document(f"{document.id}-{number}", document.text[span.start : span.end], tuple(whole), meta)
        yield piece, len(inside) - len(whole)


def _moved(entity: Entity, by: int) -> Entity:
    fragments = tuple(Span(start + by, end + by) for start, end in entity.fragments)
    return Entity(entity.start + by, entity.end + by, entity.label, entity.score, fragments, entity.how)
