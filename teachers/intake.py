"""Intake: the documents to label, numbered, a bad line among them being no end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.document import Document
from distill.errors import InputError
from distill.intake import behind, read_rows
from distill.jsonl import document_to_json, dump_line
from distill.rejects import BadRow

PROBE = 1 << 16  # bytes of each end of a file that tell it from others; reading all of a large one would take minutes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the input that is no document, or a sentence of CoNLL."""

    id: str
    line: str
    reason: str


def read_inputs(paths: Sequence[Path]) -> Iterator[Document | BadLine]:
    """The documents of all inputs in order; bad rows among them are no end."""
    for _, item in skimmed(paths, lambda _: True):
        if item is not None:
            yield item


def skimmed(paths: Sequence[Path], wanted: Callable[[int], bool]) -> Iterator[tuple[int, Document | BadLine | None]]:
    """All documents with their numbers from 1; those not wanted are counted, and only read where that needs reading."""
    before = 0
    for path in paths:
        number = 0
        for number, row in enumerate(read_rows(path, None, behind(before, wanted)), 1):
            yield before + number, _bad(row) if isinstance(row, BadRow) else row
        before += number


def _bad(row: BadRow) -> BadLine:
    return BadLine(row.id, row.raw, str(row.error))


class Twins:
    """Finds an id that comes again with another text: what is known by id alone would be taken for both."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    @property
    def ids(self) -> Container[str]:
        """The ids that were seen."""
        return self._texts.keys()

    def checked(self, item: Document | BadLine) -> Document | BadLine:
        """The item, or a bad line in place of the second document of an id."""
        if isinstance(item, BadLine):
            return item
        text = hashlib.blake2b(item.text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if self._texts.setdefault(item.id, text) == text:
            return item
        return BadLine(item.id, dump_line(document_to_json(item)), f"id {item.id!r} stood before with another text")


def identity(path: Path) -> dict[str, Any]:
    """What tells a file from another or changed one: its size and a hash of both its ends."""
    if not path.is_file():
        raise InputError("no such file", path=path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(PROBE)
        file.seek(max(0, size - PROBE))
        tail = file.read(PROBE)
    return {"file": path.name, "size": size, "sha256": hashlib.sha256(head + tail).hexdigest()}
