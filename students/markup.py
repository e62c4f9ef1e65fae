"""Predictions as people and programs want them: JSONL, CoNLL, a table, a page of highlighted text.

A renderer gives a head, a part for each Document and a tail, so that endless streams need no memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from distill.document import Document
from distill.jsonl import document_to_json, dump_line
from distill.words import each_word
from students.offsets import position
from students.page import Page

_SURROGATE = re.compile("[\ud800-\udfff]")


class Renderer(Protocol):
    """Documents as text, one after the other."""

    def head(self) -> str:
        """What stands before the first Document."""

    def part(self, document: Document) -> str:
        """One Document, with its line ends."""

    def tail(self) -> str:
        """What stands after the last Document."""


class Lines:
    """JSONL, with offsets in the unit asked for; one that is not code points is named in the meta."""

    def __init__(self, offsets: str = "codepoint") -> None:
        self.offsets = offsets

    def head(self) -> str:
        """Nothing."""
        return ""

    def part(self, document: Document) -> str:
        """One line."""
        row = document_to_json(document)
        if self.offsets != "codepoint":
            at = position(document.text, self.offsets)
            row["entities"] = [{**each, "start": at(each["start"]), "end": at(each["end"])} for each in row["entities"]]
            row["meta"] = {**row.get("meta", {}), "offsets": self.offsets}
        for each in row["entities"]:
            if "score" in each:
                each["score"] = round(each["score"], 6)
        return dump_line(row) + "\n"

    def tail(self) -> str:
        """Nothing."""
        return ""


class Conll:
    """A word and its IOB2 tag a line, an empty line after each Document; the id as a comment."""

    def head(self) -> str:
        """Nothing."""
        return ""

    def part(self, document: Document) -> str:
        """The Document's words, in the grain the student sees."""
        first = {entity.start: entity for entity in document.entities}
        lines, inside = [f"# id = {' '.join(document.id.split())}\n"], None
        for start, end in each_word(document.text):
            begun = first.get(start)
            inside = begun or (inside if inside and start < inside.end else None)
            tag = f"{'B' if begun else 'I'}-{inside.label}" if inside else "O"
            lines.append(f"{document.text[start:end]}\t{tag}\n")
        return plain("".join(lines)) + "\n"

    def tail(self) -> str:
        """Nothing."""
        return ""


class Table:
    """A row an entity for reading on a terminal; a Document without one gets a row too."""

    def head(self) -> str:
        """The names of the columns."""
        return f"{'label':<8} {'score':>5}  {'from-to':<11}  {'mention':<32}  document\n"

    def part(self, document: Document) -> str:
        """The Document's rows."""
        name = visible(document.id)
        rows = [
            f"{visible(entity.label):<8} {1 if entity.score is None else entity.score:5.3f}  "
            f"{f'{entity.start}-{entity.end}':<11}  {visible(document.mention(entity)):<32}  {name}\n"
            for entity in document.entities
        ]
        return "".join(rows) or f"{'-':<8} {'':>5}  {'':<11}  {'':<32}  {name}\n"

    def tail(self) -> str:
        """Nothing."""
        return ""


def plain(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate becomes U+FFFD, one for one."""
    return _SURROGATE.sub("\ufffd", text)


def visible(text: str) -> str:
    """Text that does nothing to a terminal: what is not printable becomes a space or U+FFFD."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def renderer(format: str, labels: Sequence[str], offsets: str = "codepoint") -> Renderer:
    """The renderer of a format's name; `labels` give the page its colours."""
    if format == "html":
        return Page(labels)
    if format == "jsonl":
        return Lines(offsets)
    return Conll() if format == "conll" else Table()
