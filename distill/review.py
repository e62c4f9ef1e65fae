"""The review page: label files as one HTML file that people read, correct and download from, with no network."""

from __future__ import annotations

import hashlib
import html
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from distill.clashes import keep_apart, named
from distill.corpora import read_all
from distill.document import Document
from distill.errors import CallError, InputError
from distill.files import stem, whole_or_not_at_all
from distill.jsonl import document_to_json, entity_to_json
from distill.labels import read_labels
from distill.options import Options, option
from distill.reports import count
from distill.scores import scores_by_document, total

_PLACE = re.compile(r"\{\{([a-z ]+)\}\}")


@dataclass(frozen=True)
class ReviewOptions(Options):
    """What `review` is told."""

    inputs: tuple[Path, ...] = option(
        (), "the label file to review, and others to show beside it", argument=True, flag="files"
    )
    out: Path = option(help="where the page goes (HTML)")
    gold: Path | None = option(None, "documents labelled by people, shown beside")
    labels: Path | None = option(None, "label set: the order of the labels and those that are not in the files yet")
    title: str | None = option(None, "title of the page; else the name of the file")


@dataclass(frozen=True)
class ReviewPage:
    """What `review` wrote."""

    out: Path
    documents: int
    entities: int
    lost: int
    with_gold: int | None
    size: int

    def __str__(self) -> str:
        gold = "" if self.with_gold is None else f", gold beside {count(self.with_gold)}"
        return (
            f"{self.out}: {count(self.documents)} documents, {count(self.entities)} entities, lost mentions: "
            f"{count(self.lost)}{gold}; {self.size / 1e6:.1f} MB, open it in a browser"
        )


@dataclass(frozen=True)
class _Beside:
    """Another reading of the same texts, by id."""

    name: str
    documents: dict[str, Document]


def review(options: ReviewOptions) -> ReviewPage:
    """Write the page for the first label file, with the others and gold beside it.

    Raises InputError where a file has another text under the same id, or no document in common.
    """
    if not options.inputs:
        raise CallError("review needs a label file")
    read = [*named("a label file", options.inputs), ("--gold", options.gold), ("--labels", options.labels)]
    keep_apart(read, [("--out", options.out)])
    first, *more = options.inputs
    documents = read_all(first)
    others = [_beside(path, documents, name) for path, name in zip(more, names_of(more), strict=True)]
    gold = _beside(options.gold, documents, "gold") if options.gold else None
    order = read_labels(options.labels).ids if options.labels else ()
    content = payload(documents, stem(first), others, gold, order)
    page = assemble(options.title or stem(first), content)
    with whole_or_not_at_all(options.out) as out:
        out.write(page)
    return ReviewPage(
        options.out, len(documents), sum(len(document.entities) for document in documents),
        sum(len(document.meta.get("lost") or ()) for document in documents),
        sum(document.id in gold.documents for document in documents) if gold else None,
        len(page.encode("utf-8")),
    )  # fmt: skip


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name a file: its stem, or the whole path where two stems are the same."""
    stems = Counter(stem(path) for path in paths)
    return [stem(path) if stems[stem(path)] == 1 else str(path) for path in paths]


def _beside(path: Path, documents: Sequence[Document], name: str) -> _Beside:
    found = {document.id: document for document in read_all(path)}
    for document in documents:
        other = found.get(document.id)
        if other is not None and other.text != document.text:
            raise InputError(f"document {document.id!r} has another text than in the file to review", path=path)
    if documents and not any(document.id in found for document in documents):
        raise InputError(f"none of the {len(documents)} documents to review is in it", path=path)
    return _Beside(name, found)


def payload(
    documents: Sequence[Document], name: str, others: Sequence[_Beside] = (), gold: _Beside | None = None,
    order: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """All that the page knows; offsets stay code points and the page turns them into its own."""
    rows = []
    for document in documents:
        row = document_to_json(document)
        if gold is not None and document.id in gold.documents:
            row["gold"] = [entity_to_json(entity) for entity in gold.documents[document.id].entities]
        if others:
            row["others"] = [_entities(other, document) for other in others]
        rows.append(row)
    content: dict[str, Any] = {
        "name": name, "labels": _labels(documents, others, gold, order), "others": [other.name for other in others],
        "scores": _scores(documents, name, others, gold), "notes": _notes(documents, others, gold), "documents": rows,
    }  # fmt: skip
    # Edits belong to these documents: another file of the same name does not get them.
    seed = json.dumps([name, [document_to_json(document) for document in documents]])
    return content | {"fingerprint": hashlib.sha256(seed.encode()).hexdigest()[:16]}


def _entities(other: _Beside, document: Document) -> list[dict[str, Any]] | None:
    found = other.documents.get(document.id)
    return None if found is None else [entity_to_json(entity) for entity in found.entities]


def _labels(
    documents: Sequence[Document], others: Sequence[_Beside], gold: _Beside | None, order: Sequence[str]
) -> list[str]:
    """Those of the label set in its order, then the others, the most frequent first: number keys go by it."""
    shown = [document for each in (*others, *([gold] if gold else [])) for document in each.documents.values()]
    counts = Counter(entity.label for document in (*documents, *shown) for entity in document.entities)
    rest = sorted((label for label in counts if label not in order), key=lambda label: (-counts[label], label))
    return [*order, *rest]


def _scores(
    documents: Sequence[Document], name: str, others: Sequence[_Beside], gold: _Beside | None
) -> list[tuple[str, float, float, float]]:
    """Strict micro P, R, F1 of every file, on the documents that it and gold share."""
    if gold is None:
        return []
    rows = []
    for label, found in ((name, {d.id: d for d in documents}), *((each.name, each.documents) for each in others)):
        shared = [identity for identity in found if identity in gold.documents]
        pairs = [gold.documents[identity] for identity in shared], [found[identity] for identity in shared]
        rows.append((label, *total(scores_by_document(*pairs, "strict").values()).micro[:3]))
    return rows


def _notes(documents: Sequence[Document], others: Sequence[_Beside], gold: _Beside | None) -> list[str]:
    """Counts that stand beside the filters."""
    entities = sum(len(document.entities) for document in documents)
    repaired = sum(entity.how is not None for document in documents for entity in document.entities)
    lost = sum(len(document.meta.get("lost") or ()) for document in documents)
    notes = [f"{count(entities)} entities, {count(repaired)} repaired; lost mentions: {count(lost)}"]
    for each in (*others, *([gold] if gold else [])):
        absent = sum(document.id not in each.documents for document in documents)
        if absent:
            notes.append(f"{each.name} lacks {count(absent)} of the documents")
    return notes


def assemble(title: str, content: dict[str, Any]) -> str:
    """One self-contained page; its content policy lets nothing run but its own script, and nothing be fetched."""
    folder = files("distill").joinpath("reviewing")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = "".join(part.read_text(encoding="utf-8") for part in _scripts(folder))
    script = f'"use strict";\n{script}'
    parts = {
        "title": html.escape(title), "style": style, "script": script, "data": embedded(content),
        "style hash": _hash(style), "script hash": _hash(script),
    }  # fmt: skip
    page = folder.joinpath("page.html").read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: parts[place[1]], page)


def _scripts(folder: Traversable) -> list[Traversable]:
    return sorted((part for part in folder.iterdir() if part.name.endswith(".js")), key=lambda part: part.name)


def embedded(content: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or a line of script."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    # Lone surrogates cannot be written as UTF-8; escaped they survive.
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
