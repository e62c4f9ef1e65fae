"""Records: texts with what was found in them, from every form in which open NER data is published.

A row of JSONL (or of a JSON array) tells its form by its keys:

    {"id", "text", "entities": [{"start", "end", "label"}, ...]}    Documents; meta may hold "negatives" and "dataset"
    {"text", "entities": [[mention, type], ...]}                    Sky-NER
    {"sentence", "label": {mention: type}}                          Boson
    {"text", "label": {type: {mention: [[first, last], ...]}}}      CLUENER
    {"doc_id", "text", "answers": {type: [mention, ...]}}           Pile-NER; an empty list is an explicit negative
    {"id", "conversations": [{"from", "value"}, ...]}               UniNER and RA-IT

Other formats (CoNLL and so on) are read as Documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.alignment import AlignmentRules, Mention, align
from distill.corpora import format_of, read_documents
from distill.document import Document, Entity
from distill.errors import InputError
from distill.files import existing, open_lines, stem, unpacked
from distill.jsonl import document_from_json, parse_line
from distill.layout import ConllColumns
from teachers.conversations import Pair, understood

_EVERYWHERE = AlignmentRules("all", 1.0)


@dataclass(frozen=True, slots=True)
class Record:
    """A text, its mentions with their types in the order of the file, and the types it is known not to hold.

    `entities` are None where the file told no offsets.
    """

    id: str
    text: str
    pairs: tuple[Pair, ...]
    negatives: tuple[str, ...] = ()
    entities: tuple[Entity, ...] | None = None
    dataset: str = ""

    def document(self) -> Document:
        """The record with offsets; a mention without any counts wherever it stands, and nowhere if it does not."""
        if self.entities is not None:
            return Document(self.id, self.text, self.entities)
        found = align(self.text, [Mention(*pair) for pair in self.pairs if pair[0] in self.text], _EVERYWHERE)
        return Document(self.id, self.text, found.entities)


def read_records(path: Path, columns: ConllColumns | None = None) -> Iterator[Record]:
    """The records of a file, streamed (a JSON array is read whole); an InputError names the file and the line."""
    existing(path)
    if columns is not None or (Path(unpacked(path)).suffix != ".json" and format_of(path) != "jsonl"):
        yield from map(record_of, read_documents(path, "conll" if columns else None, columns))
        return
    for number, row in read_rows(path):
        try:
            yield _record(row, f"{stem(path)}-{number}")
        except InputError as error:
            raise error.at(path, number) from None


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The numbered rows of JSONL, or of a JSON array where the file is called .json and is one."""
    array = _array(path) if Path(unpacked(path)).suffix == ".json" else None
    return _lines(path) if array is None else iter(enumerate(array, 1))


def _array(path: Path) -> list[Any] | None:
    """The rows of a JSON array; None for JSONL that is called .json."""
    text = "\n".join(line for _, line in open_lines(path))
    if not text.lstrip().startswith("["):
        return None
    try:
        array = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", path=path) from None
    return array if isinstance(array, list) else []


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in open_lines(path):
        if line.strip():
            yield number, parse_line(line, path, number)


def record_of(document: Document) -> Record:
    """A Document as a record, with what its meta says of negatives and of the data set."""
    pairs = dict.fromkeys((document.mention(entity), entity.label) for entity in document.entities)
    negatives = document.meta.get("negatives") or ()
    if not isinstance(negatives, list | tuple) or not all(isinstance(each, str) for each in negatives):
        raise InputError(f'document {document.id!r}: "negatives" is a list of types')
    dataset = document.meta.get("dataset") or ""
    if not isinstance(dataset, str) or not dataset.isprintable():
        raise InputError(f'document {document.id!r}: "dataset" is a name on one line, not {dataset!r}')
    return Record(document.id, document.text, tuple(pairs), tuple(negatives), document.entities, dataset)


def _record(row: Any, fallback: str) -> Record:
    if not isinstance(row, dict):
        raise InputError(f"expected a JSON object, found {type(row).__name__}")
    identity = row.get("id", row.get("doc_id"))
    name = str(identity) if isinstance(identity, str | int) and not isinstance(identity, bool) else fallback
    if "conversations" in row:
        return _heard(row["conversations"], name)
    if isinstance(row.get("answers"), Mapping):
        answers = {kind: mentions_of(kind, found) for kind, found in row["answers"].items()}
        return _answered(name, _text(row), answers)
    if isinstance(row.get("label"), Mapping):
        return _labelled(name, row)
    entities = row.get("entities")
    if isinstance(entities, list) and entities and all(_is_pair(each) for each in entities):
        return Record(name, _text(row), tuple(dict.fromkeys((mention, kind) for mention, kind in entities)))
    return record_of(document_from_json(row, name))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)


def _text(row: Mapping[str, Any]) -> str:
    text = row.get("text", row.get("sentence"))
    if not isinstance(text, str):
        raise InputError(f'a record needs a string "text", found {text!r}')
    return text


def mentions_of(kind: str, found: Any) -> list[str]:
    """The mentions of an answer: a list of strings, or one as JSON."""
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise InputError(f"the answer about {kind!r} is no JSON list: {found[:60]!r}") from None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InputError(f"the answer about {kind!r} is no list of strings: {str(found)[:60]}")
    return found


def _answered(name: str, text: str, answers: Mapping[str, list[str]], dataset: str = "") -> Record:
    pairs = dict.fromkeys((mention, kind) for kind, found in answers.items() for mention in found)
    negatives = tuple(kind for kind, found in answers.items() if not found)
    return Record(name, text, tuple(pairs), negatives, None, dataset)


def _heard(turns: Any, name: str) -> Record:
    """A conversation in the wording of UniNER or RA-IT."""
    heard = understood(turns)
    answers = {kind: mentions_of(kind, said) for kind, said in heard.answers.items()}
    return _answered(name, heard.text, answers, heard.dataset)


def _labelled(name: str, row: Mapping[str, Any]) -> Record:
    """`label` by mention (Boson) or by type with offsets that include the last character (CLUENER)."""
    text, label = _text(row), row["label"]
    if all(isinstance(kind, str) for kind in label.values()):
        return Record(name, text, tuple(label.items()))
    try:
        entities = [
            Entity(first, last + 1, kind)
            for kind, found in label.items()
            for places in found.values()
            for first, last in places
        ]
    except (AttributeError, TypeError, ValueError):
        raise InputError('"label" is {mention: type} or {type: {mention: [[first, last], ...]}}') from None
    return record_of(Document(name, text, tuple(sorted(entities))))
