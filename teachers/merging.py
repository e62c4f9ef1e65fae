"""Merging: the rows of a document's chunks become the row of the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from distill.document import Document, Entity, Span
from distill.jsonl import document_to_json, entity_from_json
from teachers.chunks import Chunk
from teachers.rows import OURS, Rejected, Row, rejected

TORN = "a sentence longer than a chunk, divided"


def merged(document: Document, chunks: Sequence[Chunk], rows: Sequence[Row]) -> Row:
    """One row with the offsets of the document; the first chunk that was rejected rejects it, and says which it was."""
    for number, row in enumerate(rows, 1):
        if isinstance(row, Rejected):
            return _rejected(document, row, f"chunk {number} of {len(chunks)}")
    labelled = [row for row in rows if isinstance(row, dict)]
    metas = [row["meta"] for row in labelled]
    entities = [
        _moved(entity_from_json(entity), chunk.start)
        for chunk, row in zip(chunks, labelled, strict=True) for entity in row["entities"]
    ]  # fmt: skip
    meta = {key: value for key, value in document.meta.items() if key not in OURS}
    meta |= {"teacher": metas[0]["teacher"], "prompt": metas[0]["prompt"], "chunks": len(chunks)}
    reasoning = "\n\n".join(text for each in metas if (text := each.get("reasoning")))
    notes = [note for each in metas for note in each.get("notes", ())] + [TORN for chunk in chunks if chunk.torn]
    lost = [one for each in metas for one in each.get("lost", ())]
    conflicts = [
        one | {"start": one["start"] + chunk.start, "end": one["end"] + chunk.start}
        for chunk, each in zip(chunks, metas, strict=True) for one in each.get("conflicts", ())
    ]  # fmt: skip
    told = {"reasoning": reasoning, "notes": notes, "lost": lost, "conflicts": conflicts}
    meta["alignment"] = _sum([each["alignment"] for each in metas])
    meta |= {key: value for key, value in told.items() if value}
    return document_to_json(replace(document, entities=tuple(entities), meta=meta))


def _moved(entity: Entity, by: int) -> Entity:
    fragments = tuple(Span(start + by, end + by) for start, end in entity.fragments)
    return replace(entity, start=entity.start + by, end=entity.end + by, fragments=fragments)


def _sum(counts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    repaired: Counter[str] = Counter()
    for each in counts:
        repaired.update(each["repaired"])
    exact, lost = (sum(each[key] for each in counts) for key in ("exact", "lost"))
    return {"exact": exact, "repaired": dict(sorted(repaired.items())), "lost": lost}


def _rejected(document: Document, row: Rejected, which: str) -> Rejected:
    made = rejected(document, row.kind, f"{row.row['reason']} ({which})")
    if "response" in row.row:
        made.row["response"] = row.row["response"]
    return made
