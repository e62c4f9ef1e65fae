"""Documents as JSONL: one object a line, read and written as a stream."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

from distill.document import Document, Entity, Span
from distill.errors import InputError
from distill.files import open_lines, stem, whole_or_not_at_all

DOCUMENT_KEYS = frozenset({"id", "text", "entities", "meta"})
_OTHERS = frozenset({"label", "labels", "spans", "ents", "annotations"})  # where Doccano, spaCy and CLUENER have theirs
_UNITS = ("utf8", "utf16")  # what offsets count where somebody asked `predict` or the service for it, by the meta
_DEEPEST = 100  # lists and objects in one another; Python writes some 1,000, less what is open at the time
_DIGITS = 4000  # of an integer; Python itself reads no more than 4,300, and advises to change that
_NO_ARRAY = "; a JSON array is no JSONL: write an object a line, as `jq -c '.[]'` does"
ENTITY_KEYS = frozenset({"start", "end", "label", "score", "fragments", "how"})


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):  # NaN, Infinity, and 1e999, which would become Infinity
        raise ValueError(f"{number} is no JSON number")
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, for `json`; InputError where one of two values under the same key would be dropped in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the key {twice!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


_DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite, parse_int=_integer, object_pairs_hook=once)


def dump_line(value: Any) -> str:
    """JSON on one line, readable Unicode; escaped where the value holds a lone surrogate UTF-8 cannot carry.

    Raises InputError for NaN and the infinities, which JSON does not have.
    """
    try:
        line = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), allow_nan=False)
    except ValueError as error:
        raise InputError(f"cannot be written as JSON: {error}") from None
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(", ", ": "))
    return line


def parse_line(line: str, path: str | Path | None = None, number: int | None = None) -> dict[str, Any]:
    """One JSON object, or an InputError with the place."""
    try:
        value = _DECODER.decode(line.removeprefix("\ufeff"))  # the mark of a file that was put behind another
    except InputError as error:
        raise error.at(path, number) if path else error from None
    except (ValueError, RecursionError) as error:
        told = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        hint = _NO_ARRAY if line.lstrip().startswith("[") else ""
        raise InputError(f"not a JSON object: {told}{hint}", path=path, line=number) from None
    if not isinstance(value, dict):
        hint = _NO_ARRAY if isinstance(value, list) else ""
        raise InputError(f"expected a JSON object, found {type(value).__name__}{hint}", path=path, line=number)
    return value


def entity_to_json(entity: Entity) -> dict[str, Any]:
    """The long form; what is absent is not written."""
    row: dict[str, Any] = {"start": entity.start, "end": entity.end, "label": entity.label}
    if entity.score is not None:
        row["score"] = entity.score
    if entity.fragments:
        row["fragments"] = [list(fragment) for fragment in entity.fragments]
    if entity.how is not None:
        row["how"] = entity.how
    return row


def document_to_json(document: Document) -> dict[str, Any]:
    """The object that stands on one line of a JSONL file."""
    row: dict[str, Any] = {"id": document.id, "text": document.text}
    row["entities"] = [entity_to_json(entity) for entity in document.entities]
    if document.meta:
        row["meta"] = dict(document.meta)
    return row


def entity_from_json(row: Any) -> Entity:
    """An entity in the long form (an object) or the short one (`[start, end, label]`)."""
    if isinstance(row, list) and len(row) == 3:
        row = {"start": row[0], "end": row[1], "label": row[2]}
    if not isinstance(row, dict):
        raise InputError(f"an entity is an object or [start, end, label], not {row!r}")
    unknown = sorted(set(row) - ENTITY_KEYS)
    if unknown:
        raise InputError(f"entity has unknown key {unknown[0]!r}; known: {', '.join(sorted(ENTITY_KEYS))}")
    start, end, label = row.get("start"), row.get("end"), row.get("label")
    if not (_is_offset(start) and _is_offset(end) and isinstance(label, str)):
        raise InputError(f"an entity needs integers start and end and a string label, found {row!r}")
    score = row.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        raise InputError(f"an entity's score is a number in [0, 1], found {score!r}")
    how = row.get("how")
    if how is not None and not isinstance(how, str):
        raise InputError(f"an entity's how is a string, found {how!r}")
    return Entity(start, end, label, score, _fragments(row.get("fragments")), how)


def _is_offset(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _fragments(rows: Any) -> tuple[Span, ...]:
    if rows is None or rows == []:
        return ()
    pairs = isinstance(rows, list) and all(isinstance(row, list) and len(row) == 2 for row in rows)
    if not pairs or not all(_is_offset(offset) for row in rows for offset in row):
        raise InputError(f"fragments are a list of [start, end], found {rows!r}")
    return tuple(Span(start, end) for start, end in rows)


def document_from_json(row: dict[str, Any], fallback_id: str = "") -> Document:
    """A Document from its JSON object; keys that are not ours travel on in the meta."""
    text, identity = row.get("text"), row.get("id")
    entities = [] if row.get("entities") is None else row["entities"]
    meta = {} if row.get("meta") is None else row["meta"]
    if not isinstance(text, str):
        raise InputError(f'a document needs a string "text", found {text!r}')
    if not isinstance(entities, list) or not isinstance(meta, dict):
        raise InputError('"entities" is a list and "meta" an object')
    extra = {key: value for key, value in row.items() if key not in DOCUMENT_KEYS}
    if "entities" not in row:
        _refuse_other_spans(extra)
    if identity is not None and (isinstance(identity, bool) or not isinstance(identity, str | int)):
        raise InputError(f'"id" is a string, found {identity!r}')
    clash = next((key for key in extra if key in meta and meta[key] != extra[key]), None)
    if clash is not None:
        raise InputError(f'"{clash}" stands beside "meta" and in it, with two values; one of them would be lost')
    identity = fallback_id if identity is None else str(identity)
    kept = {**extra, **meta}
    _check_depth(kept)
    if kept.get("offsets") in _UNITS:
        unit = kept.pop("offsets")
        if entities and not text.isascii():
            raise InputError(f"meta says that offsets count {unit}; give code points (`predict --offsets codepoint`)")
    return Document(identity, text, tuple(entity_from_json(entity) for entity in entities), kept)


def _check_depth(value: dict[str, Any]) -> None:
    """InputError for what could be read here and not be written where more calls are open."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inside = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [each for several in inside for each in several]
        if not level:
            return
    raise InputError(f"nested more than {_DEEPEST} deep")


def _refuse_other_spans(extra: dict[str, Any]) -> None:
    """InputError where another program's spans would be taken for no entities."""
    for key in _OTHERS & extra.keys():
        value = extra[key]
        if (isinstance(value, list) and value and all(map(_is_span, value))) or _holds_places(value):
            raise InputError(
                f'"{key}" holds what seem to be entities; here they are in "entities", each '
                '{"start": 0, "end": 4, "label": "LOC"}'
            )


def _holds_places(value: Any) -> bool:
    """Whether it is CLUENER's form: a dictionary from type to mention to places."""
    if not isinstance(value, dict) or not value or not all(isinstance(each, dict) for each in value.values()):
        return False
    places = [place for mentions in value.values() for found in mentions.values() for place in _listed(found)]
    return bool(places) and all(
        isinstance(place, list) and len(place) == 2 and all(map(_is_offset, place)) for place in places
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_span(value: Any) -> bool:
    if isinstance(value, dict):
        return _is_offset(value.get("start")) and _is_offset(value.get("end")) and "label" in value
    triple = isinstance(value, list) and len(value) == 3 and isinstance(value[2], str)
    return triple and _is_offset(value[0]) and _is_offset(value[1])


def read_jsonl(path: str | Path) -> Iterator[Document]:
    """Documents of a JSONL file (plain or .gz), streamed; an error names the file and the line."""
    for number, line in open_lines(path):
        if line.strip():
            row = parse_line(line, path, number)
            try:
                yield document_from_json(row, fallback_id=f"{stem(path)}-{number}")
            except InputError as error:
                raise error.at(path, number) from None


def write_jsonl(documents: Iterable[Document], path: str | Path) -> int:
    """Write Documents, the whole file or none of it; returns how many."""
    count = 0
    with whole_or_not_at_all(path) as out:
        for count, document in enumerate(documents, 1):  # noqa: B007 - the last value is the count
            out.write(dump_line(document_to_json(document)) + "\n")
    return count
