"""Intake: the rows of a file one by one, for those who go on behind a bad one instead of stopping at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from distill.conll import conll_rows
from distill.corpora import format_of, read_documents
from distill.document import Document
from distill.errors import InputError
from distill.files import open_lines, stem
from distill.jsonl import document_from_json, parse_line
from distill.rejects import BadRow, shown, source_name, undecodable
from distill.shards import named, shards_of

Row = Document | BadRow
BY_LINE = ("jsonl", "text")


def every(number: int) -> bool:
    """All rows are wanted."""
    return number > 0


def read_rows(
    path: str | Path, format: str | None = None, wanted: Callable[[int], bool] = every
) -> Iterator[Row | None]:
    """The Documents and bad rows of a file in order; None for a row whose number, from 1, is not `wanted`.

    A line of JSONL (of a folder's shards too) or text and a sentence of CoNLL are rows. Other formats have no row to
    go on at: there, and where a file as a whole cannot be read, an InputError ends it.
    """
    name = format or format_of(path)
    if name == "pile":
        yield from _shard_rows(shards_of(path), wanted)
        return
    if name in BY_LINE:
        yield from line_rows(open_lines(path, "surrogateescape"), path, name, wanted)
        return
    for number, row in enumerate(conll_rows(path) if name == "conll" else read_documents(path, name), 1):
        yield row if wanted(number) else None


def _shard_rows(shards: Sequence[Path], wanted: Callable[[int], bool]) -> Iterator[Row | None]:
    before = 0
    for shard in shards:
        for row in read_rows(shard, "jsonl", behind(before, wanted)):
            before += 1
            yield named(row) if isinstance(row, Document) else row


def behind(before: int, wanted: Callable[[int], bool]) -> Callable[[int], bool]:
    """The same question about a file that so many rows stand before."""
    return lambda number: wanted(before + number)


def line_rows(
    lines: Iterable[tuple[int, str]], path: str | Path, form: str | None, wanted: Callable[[int], bool] = every
) -> Iterator[Row | None]:
    """Rows of numbered lines of JSONL or text; what is not said the first line tells, which begins with `{` or not."""
    name, count = stem(path), 0
    for number, line in lines:
        if not line or line.isspace():
            continue
        form = form or ("jsonl" if line.lstrip().startswith("{") else "text")
        count += 1
        yield _row(line, path, number, f"{name}-{number}", form) if wanted(count) else None


def _row(line: str, path: str | Path, number: int, identity: str, form: str) -> Row:
    fault = undecodable(line)
    if not fault and form == "text":
        return Document(identity, line)
    try:
        if not fault:
            return document_from_json(parse_line(line), identity)
    except InputError as error:
        fault = error.message
    return BadRow(identity, source_name(path), number, fault, shown(line))
