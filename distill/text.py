"""Plain text, one Document a line; and the tokens a text is made of when a format wants tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from distill.document import Document, Span
from distill.errors import InputError
from distill.files import open_lines, stem, whole_or_not_at_all
from distill.words import is_ideograph, is_spaceless, words
from distill.written import Written

SPLITS = ("spaces", "words")
_CHUNK = re.compile(r"[^ \t\r\n]+")
_BREAKS = re.compile(r"[\r\n]+")


def read_text(path: str | Path) -> Iterator[Document]:
    """Every line that holds more than white space is a Document, named by its line number."""
    name = stem(path)
    for number, line in open_lines(path):
        if line.strip():
            yield Document(f"{name}-{number}", line)


def write_text(documents: Iterable[Document], path: str | Path) -> Written:
    """The texts alone, a line each; line breaks inside a text become spaces and are counted."""
    report = Written()
    with whole_or_not_at_all(path) as out:
        for document in documents:
            line = _BREAKS.sub(" ", document.text)
            report.lost["unlabelled format"] += len(document.entities)
            report.lost["respaced"] += line != document.text
            if not line.strip():
                report.lost["empty"] += 1
                continue
            out.write(bom_if_needed(report, line) + encodable(line, document) + "\n")
            report.documents += 1
    return report


def bom_if_needed(report: Written, line: str) -> str:
    """A byte order mark for a file whose first character is one: readers take the first away."""
    return "\ufeff" if report.documents == 0 and line.startswith("\ufeff") else ""


def encodable(line: str, document: Document) -> str:
    """The line, or an InputError where it holds a lone surrogate, which UTF-8 cannot carry."""
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"document {document.id!r} holds a lone surrogate, which only jsonl can carry; write jsonl or mend the text"
        ) from None
    return line


def is_joined(left: str, right: str) -> bool:
    """Whether tokens that end and begin with these characters stand together without a space.

    They do where both are Chinese, Japanese or Thai, full-width punctuation included.
    """
    return _is_eastern(left) and _is_eastern(right)


def _is_eastern(char: str) -> bool:
    # CJK symbols and punctuation, and the full-width forms: what stands between ideographs in a Chinese text.
    return is_spaceless(char) or "\u3001" <= char <= "\u303f" or "\uff01" <= char <= "\uffef"


def join(tokens: Iterable[str]) -> tuple[str, list[Span]]:
    """The text that tokens make, joined by one space or by nothing, and the span of every token."""
    parts: list[str] = []
    spans: list[Span] = []
    length, before = 0, ""
    for token in tokens:
        if before and not is_joined(before, token[0]):
            parts.append(" ")
            length += 1
        parts.append(token)
        spans.append(Span(length, length + len(token)))
        length, before = length + len(token), token[-1]
    return "".join(parts), spans


def tokens_of(document: Document, split: str = "spaces") -> list[Span]:
    """The tokens of a Document, such that as many entities as possible begin and end at one.

    `spaces`: white space divides, ideographs stand alone, and an entity's boundary divides further where words or
    spaceless characters meet; so a CoNLL text gives its own tokens back. `words`: BERT's words throughout.
    """
    text = document.text
    edges = {edge for entity in document.entities for edge in entity.span}
    found: list[Span] = []
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        if split == "spaces" and chunk[0].isascii() and edges.isdisjoint(range(start + 1, end)):
            found.append(Span(start, end))
        else:
            found.extend(_pieces(text, start, end, edges, split))
    return found


def _pieces(text: str, start: int, end: int, edges: set[int], split: str) -> list[Span]:
    """One chunk without blanks, divided; exotic white space at the edge of a piece belongs to none."""
    inner = range(start + 1, end)
    joints = {at for at in inner if is_joined(text[at - 1], text[at])}
    borders = {start + edge for span in words(text[start:end]) for edge in span}
    wanted = borders if split == "words" else {at for at in joints if not _is_run(text[at - 1], text[at])}
    marks = sorted({start, end} | ((wanted | (edges & (borders | joints))) & set(inner)))
    if len(marks) == 2 and split == "spaces":
        return [Span(start, end)]
    stripped = (_stripped(text, *cut) for cut in pairwise(marks))
    return [span for span in stripped if span]


def _is_run(left: str, right: str) -> bool:
    """Kana beside kana, Thai beside Thai: joined, but letters of one word rather than words."""
    return not any(is_ideograph(char) or not is_spaceless(char) for char in (left, right))


def _stripped(text: str, start: int, end: int) -> Span | None:
    """The stretch without white space of any kind at its edges, or None where nothing remains."""
    bare = text[start:end].strip()
    start = text.index(bare, start)
    return Span(start, start + len(bare)) if bare else None
