"""Intake: the documents to label, numbered, with a bad line as a row of its own instead of an end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.corpora import format_of, read_documents
from distill.document import Document
from distill.errors import InputError
from distill.files import open_lines, stem
from distill.jsonl import document_from_json, document_to_json, dump_line, parse_line

_NO_UTF8 = re.compile("[\udc80-\udcff]")
PROBE = 1 << 16  # bytes of each end of a file that tell it from others; reading all of a large one would take minutes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the input that is no document."""

    id: str
    line: str
    reason: str


def read_inputs(paths: Sequence[Path]) -> Iterator[Document | BadLine]:
    """The documents of all inputs in order. JSONL goes on after a bad line; other formats have no line to go on at."""
    for _, item in skimmed(paths, lambda _: True):
        if item is not None:
            yield item


def skimmed(paths: Sequence[Path], wanted: Callable[[int], bool]) -> Iterator[tuple[int, Document | BadLine | None]]:
    """All documents with their numbers from 1; those not wanted are counted, and only read where that needs reading."""
    number = 0
    for path in paths:
        if format_of(path) == "jsonl":
            for line_number, line in open_lines(path, "surrogateescape"):
                if line and not line.isspace():
                    number += 1
                    yield number, _read_line(path, line_number, line) if wanted(number) else None
        else:
            for number, document in enumerate(read_documents(path), number + 1):  # noqa: B020 - counts on
                yield number, document


class Twins:
    """Finds an id that comes again with another text: what is known by id alone would be taken for both."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    def checked(self, item: Document | BadLine) -> Document | BadLine:
        """The item, or a bad line in place of the second document of an id."""
        if isinstance(item, BadLine):
            return item
        text = hashlib.blake2b(item.text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if self._texts.setdefault(item.id, text) == text:
            return item
        return BadLine(item.id, dump_line(document_to_json(item)), f"id {item.id!r} stood before with another text")


def _read_line(path: Path, number: int, line: str) -> Document | BadLine:
    fallback = f"{stem(path)}-{number}"
    if not line.isascii() and _NO_UTF8.search(line):
        shown = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return BadLine(fallback, shown, str(InputError("not UTF-8; convert the line", path=path, line=number)))
    try:
        return document_from_json(parse_line(line, path, number), fallback_id=fallback)
    except InputError as error:
        return BadLine(fallback, line, str(error if error.path else error.at(path, number)))


def identity(path: Path) -> dict[str, Any]:
    """What tells a file from another or changed one: its size and a hash of both its ends."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(PROBE)
        file.seek(max(0, size - PROBE))
        tail = file.read(PROBE)
    return {"file": path.name, "size": size, "sha256": hashlib.sha256(head + tail).hexdigest()}
