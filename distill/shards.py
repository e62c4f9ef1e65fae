"""Corpora of many files: folders of BBC articles, and shards of the Pile, read one after the other as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from distill.document import Document
from distill.errors import InputError
from distill.files import is_utf16
from distill.jsonl import read_jsonl

SHARDS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")


def read_bbc(path: str | Path) -> Iterator[Document]:
    """CATEGORY/NUMBER.txt under a folder, in order: the id is `business/001`, the meta holds the category.

    A file (`articles.jsonl.gz`) is read as JSONL. Old copies of the corpus are Latin-1 here and there.
    """
    if Path(path).is_file():
        yield from read_jsonl(path)
        return
    found = sorted(Path(path).glob("*/*.txt"))
    if not found:
        raise InputError("holds no CATEGORY/*.txt", path=path)
    for each in found:
        category = each.parent.name
        yield Document(f"{category}/{each.stem}", _text(each).strip(), meta={"category": category})


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if is_utf16(raw):
        raise InputError("is UTF-16, not UTF-8; convert the file first", path=path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n")


def read_pile(path: str | Path) -> Iterator[Document]:
    """JSONL shards, plain, `.gz` or `.zst`: one, or all of a folder in the order of their names.

    A row is `{"text", "meta": {"pile_set_name"}}`; its id is shard and line, so that it is found again.
    """
    for shard in shards_of(path):
        yield from map(named, read_jsonl(shard))


def shards_of(path: str | Path) -> list[Path]:
    """A shard itself, or all of a folder in the order of their names; an InputError where it holds none."""
    if Path(path).is_file():
        return [Path(path)]
    shards = sorted(each for pattern in SHARDS for each in Path(path).glob(pattern))
    if not shards:
        raise InputError("holds no *.jsonl, *.jsonl.gz or *.jsonl.zst", path=path)
    return shards


def named(document: Document) -> Document:
    """A shard's Document under the Pile's own id, where it has one."""
    identity = document.meta.get("doc_id")
    return replace(document, id=str(identity)) if isinstance(identity, str | int) else document
