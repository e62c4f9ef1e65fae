"""Rows of columns: parquet files, and data sets of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.document import Document, Entity
from distill.errors import InputError
from distill.files import stem
from distill.jsonl import document_from_json
from distill.libraries import resolve
from distill.tags import decode, detect_scheme
from distill.text import join

TEXTS = ("text", "sentence", "passage", "content")
TAGS = ("ner_tags", "tags", "labels")
HUB = "hub:"


def read_parquet(path: str | Path) -> Iterator[Document]:
    """The rows of a parquet file, a batch at a time; see `documents_of_rows`. Needs pyarrow (extra `pile`)."""
    library = resolve("pyarrow", "pile")
    try:
        file = resolve("pyarrow.parquet", "pile").ParquetFile(str(path))
        rows = (row for batch in file.iter_batches(1024) for row in batch.to_pylist())
        yield from documents_of_rows(rows, path)
    except library.ArrowException as error:
        raise InputError(f"not a parquet file: {error}", path=path) from None


def read_hub(name: str) -> Iterator[Document]:
    """The rows of `hub:OWNER/NAME[:SPLIT]` (train if not given), streamed by `datasets` (extra `pile`)."""
    where, _, split = name.removeprefix(HUB).partition(":")
    load = resolve("datasets:load_dataset", "pile")
    try:
        rows = load(where, split=split or "train", streaming=True)
    except (ValueError, OSError, RuntimeError) as error:
        raise InputError(f"cannot be loaded: {error}", path=name) from None
    names = _tag_names(rows.features or {})
    yield from documents_of_rows(rows, f"{where}:{split or 'train'}", names)


def documents_of_rows(
    rows: Iterable[Mapping[str, Any]], path: str | Path, tag_names: Sequence[str] = ()
) -> Iterator[Document]:
    """A Document a row: a text column, or `tokens` with tags (words, or numbers that `tag_names` resolves).

    `id`, `entities` and `meta` are ours as in JSONL; every other column travels in the meta.
    """
    for number, row in enumerate(rows, 1):
        try:
            yield _document(dict(row), f"{stem(path)}-{number}", tag_names)
        except InputError as error:
            raise error.at(path, number) from None


def _document(row: dict[str, Any], fallback_id: str, tag_names: Sequence[str]) -> Document:
    if isinstance(row.get("tokens"), list):
        return _of_tokens(row, fallback_id, tag_names)
    column = next((name for name in TEXTS if isinstance(row.get(name), str)), None)
    if column is None:
        raise InputError(f"no column of texts; expected tokens or one of {', '.join(TEXTS)}, found {', '.join(row)}")
    row["text"] = row.pop(column)
    return document_from_json(row, fallback_id)


def _of_tokens(row: dict[str, Any], fallback_id: str, tag_names: Sequence[str]) -> Document:
    text, places = join([token for token in row["tokens"] if token])
    column = next((name for name in TAGS if row.get(name) is not None), None)
    identity = str(row.get("id") if row.get("id") is not None else fallback_id)
    if column is None:
        return Document(identity, text)
    if len(row[column]) != len(places):
        raise InputError(f"{len(places)} tokens that are not empty, but {len(row[column])} tags in {column}")
    tags = [_tag(each, tag_names, column) for each in row[column]]
    spans = decode(tags, detect_scheme([tags])).spans
    found = (Entity(places[s.start].start, places[s.end - 1].end, s.label) for s in spans)
    return Document(identity, text, tuple(found))


def _tag(tag: Any, names: Sequence[str], column: str) -> str:
    if isinstance(tag, str):
        return tag
    if isinstance(tag, int) and 0 <= tag < len(names):
        return names[tag]
    raise InputError(f"tag {tag!r} in {column} is a number without a name; a hub data set or words are needed")


def _tag_names(features: Mapping[str, Any]) -> Sequence[str]:
    """The names behind the numbers of a tag column, where the data set says them."""
    for column in TAGS:
        inner = getattr(features.get(column), "feature", None)
        names: Sequence[str] | None = getattr(inner, "names", None)
        if names:
            return names
    return ()
