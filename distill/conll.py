"""CoNLL files: a token a line with its tag in a column, an empty line after every sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from distill.document import Document, Entity, Span, flat
from distill.errors import InputError
from distill.files import once, open_lines, stem, whole_or_not_at_all
from distill.layout import ConllColumns, Layout, is_boundary, is_comment, layout_of
from distill.progress import say
from distill.rejects import BadRow, shown, source_name, undecodable
from distill.tags import SchemeWitness, TagSpan, decode, is_tag, known_scheme, spans_to_tags
from distill.text import bom_if_needed, encodable, join, tokens_of
from distill.written import Written

ConllReport = Written
Lines = Callable[[], Iterable[tuple[int, str]]]
Bytes = Literal["strict", "surrogateescape"]
_COMMENT_ID = re.compile(r"#\s*(?:sent_)?id\b\s*=?\s*(\S.*?)\s*$")


class Row(NamedTuple):
    """One token's line: its number in the file and its fields."""

    line: int
    fields: Sequence[str]


@dataclass
class Sentence:
    """The rows between two empty lines, the id a comment gives them, and the first thing that is wrong with them."""

    rows: list[Row] = field(default_factory=list)
    id: str = ""
    lines: list[str] = field(default_factory=list)
    fault: InputError | None = None

    def blame(self, message: str, line: int) -> None:
        """Something is wrong on this line; the first such line counts."""
        if self.fault is None or line < (self.fault.line or 0):
            self.fault = InputError(message, line=line)


def read_conll(
    path: str | Path, columns: ConllColumns | None = None, repairs: Counter[str] | None = None
) -> Iterator[Document]:
    """Every sentence is a Document; its text is the tokens joined by one space (by nothing in Chinese).

    The file is gone through twice before the first Document: for its layout, and for its tag scheme. A line with
    the wrong number of columns and a tag that is no tag are an InputError with the line. Tags that do not follow
    from the one before are repaired as conlleval does and counted in `repairs[path]`, or else said on stderr.
    """
    for row in _rows(path, columns or ConllColumns(), repairs, "strict"):
        if isinstance(row, BadRow):
            raise InputError(row.reason, path=path, line=row.line)
        yield row


def conll_rows(
    path: str | Path, columns: ConllColumns | None = None, repairs: Counter[str] | None = None
) -> Iterator[Document | BadRow]:
    """The same for those who go on: a sentence that holds a bad line is a BadRow, as a whole.

    A file without a layout, or with tags of two schemes, is an InputError all the same.
    """
    return _rows(path, columns or ConllColumns(), repairs, "surrogateescape")


def _rows(
    path: str | Path, wanted: ConllColumns, repairs: Counter[str] | None, errors: Bytes
) -> Iterator[Document | BadRow]:
    lines = _again(path, errors)
    layout = layout_of((line for _, line in lines()), wanted, path)
    scheme = known_scheme(wanted.scheme) if wanted.scheme else _scheme(lines, layout, path, errors == "strict")
    repaired, name = 0, stem(path)
    for number, sentence in enumerate(_sentences(lines(), layout), 1):
        identity = sentence.id or f"{name}-{number}"
        tokens = _tokens(sentence, layout, wanted)
        spans, more = _decoded(sentence, layout, scheme)
        if sentence.fault is not None:
            raw = "\n".join(shown(line) for line in sentence.lines)
            yield BadRow(identity, source_name(path), sentence.fault.line or 0, sentence.fault.message, raw)
            continue
        repaired += more
        yield _document(identity, tokens, spans)
    if repairs is not None:
        repairs[str(path)] += repaired
    elif repaired:
        say(f"{path}: {repaired} tags did not follow from the one before and were read as {scheme} beginnings")


def _again(path: str | Path, errors: Bytes) -> Lines:
    """Something that gives the file's lines as often as asked; those of standard input or another pipe are kept."""
    if not once(path):
        return lambda: open_lines(path, errors)
    kept = list(open_lines(path, errors))
    return lambda: kept


def _document(identity: str, tokens: Sequence[str], spans: Iterable[TagSpan]) -> Document:
    text, places = join(tokens)
    entities = (Entity(places[span.start].start, places[span.end - 1].end, span.label) for span in spans)
    return Document(identity, text, tuple(entities))


def _tokens(sentence: Sentence, layout: Layout, wanted: ConllColumns) -> list[str]:
    tokens = []
    for row in sentence.rows:
        token = row.fields[layout.token]
        if wanted.segmentation_digits and len(token) > 1 and token[-1].isdigit():
            token = token[:-1]
        if not token:
            sentence.blame("empty token; every line holds a token and its tag", row.line)
        tokens.append(token)
    return tokens


def _decoded(sentence: Sentence, layout: Layout, scheme: str) -> tuple[list[TagSpan], int]:
    tags = [layout.tag_of(row.fields) for row in sentence.rows]
    try:
        return decode(tags, scheme)
    except InputError:
        _blame_tags(sentence, layout, scheme)
        return [], 0


def _blame_tags(sentence: Sentence, layout: Layout, scheme: str | None) -> None:
    """The first line whose tag is refused, by the scheme or by all of them."""
    for row in sentence.rows:
        tag = layout.tag_of(row.fields)
        try:
            decode([tag], scheme) if scheme else SchemeWitness().see([tag])
        except InputError as error:
            sentence.blame(error.message, row.line)
            return


def _scheme(lines: Lines, layout: Layout, path: str | Path, strict: bool) -> str:
    """The scheme of all sentences; one that is wrong has no say, or stops it here where that is asked for."""
    witness = SchemeWitness()
    for sentence in _sentences(lines(), layout):
        tags = [layout.tag_of(row.fields) for row in sentence.rows]
        if not all(map(is_tag, set(tags))):
            _blame_tags(sentence, layout, None)
        if sentence.fault is None:
            witness.see(tags)
        elif strict:
            raise sentence.fault.at(path)
    try:
        return witness.verdict()
    except InputError as error:
        raise error.at(path) from None


def _sentences(lines: Iterable[tuple[int, str]], layout: Layout) -> Iterator[Sentence]:
    """Sentences with at least one row; one that holds a line with another number of columns says so."""
    sentence = Sentence()
    for number, line in lines:
        if not line.strip(" \t") or (is_boundary(line) and not sentence.lines):
            if sentence.lines:
                yield sentence
            sentence = Sentence()
            continue
        fields = layout.split(line)
        comment = is_comment(line) and not sentence.lines
        chance = comment and not layout.tabs  # a comment of as many words as there are columns, told by its last word
        fault = undecodable(line) or _returned(line)
        if len(fields) == layout.width and not fault and not (chance and not is_tag(layout.tag_of(fields))):
            sentence.rows.append(Row(number, fields))
        elif comment and not fault:
            named = _COMMENT_ID.match(line)
            sentence.id = named[1] if named else sentence.id
            continue
        else:
            sentence.blame(fault or _miscounted(len(fields), layout), number)
        sentence.lines.append(line)
    if sentence.lines:
        yield sentence


def _returned(line: str) -> str | None:
    return "a carriage return within the line; end lines with \\n or \\r\\n" if "\r" in line else None


def _miscounted(found: int, layout: Layout) -> str:
    return (
        f"{found} columns, the file has {layout.width}; every line holds as many, "
        f"{'tabs' if layout.tabs else 'blanks'} between them"
    )


def write_conll(
    documents: Iterable[Document], path: str | Path, scheme: str = "IOB2", *, split: str = "spaces", ids: bool = False
) -> ConllReport:
    """Token, tab, tag; an empty line after every Document. Says what the format could not carry.

    `split` is how a text becomes tokens (`distill.text.tokens_of`); `ids` writes each id as a comment before it.
    """
    report = ConllReport()
    known_scheme(scheme)
    with whole_or_not_at_all(path) as out:
        for document in documents:
            tokens = tokens_of(document, split)
            spans = _carried(document, tokens, report)
            texts = [document.text[start:end] for start, end in tokens]
            if not texts or is_boundary(texts[0]):
                report.lost["empty"] += 1
                report.lost["left out"] += len(spans)
                continue
            report.lost["respaced"] += join(texts)[0] != document.text
            tags = spans_to_tags(spans, len(texts), scheme)
            block = "".join(f"{token}\t{tag}\n" for token, tag in zip(texts, tags, strict=True))
            head = f"# id = {document.id}\n" if ids and _fits_a_comment(document.id) else ""
            out.write(bom_if_needed(report, block) + encodable(head + block, document) + "\n")
            report.documents += 1
            report.entities += len(spans)
            report.lost["id"] += not head
    return report


def _carried(document: Document, tokens: Sequence[Span], report: Written) -> list[TagSpan]:
    """The entities as spans of tokens; what tags cannot say is counted in the report."""
    starts = {token.start: index for index, token in enumerate(tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(tokens)}
    placed: dict[Entity, TagSpan] = {}
    for entity in document.entities:
        bare = _trimmed(entity, document.text)
        why = _obstacle(entity, bare, starts, ends)
        if why:
            report.lost[why] += 1
        elif bare:
            placed[entity] = TagSpan(starts[bare.start], ends[bare.end], entity.label)
    view = flat(document.with_entities(entity for entity in document.entities if entity in placed))
    report.lost["overlapping"] += len(view.dropped)
    report.lost["meta"] += bool(document.meta)
    for entity in view.document.entities:
        report.lost["trimmed"] += _trimmed(entity, document.text) != entity.span
        report.lost["score"] += entity.score is not None
    return [placed[entity] for entity in view.document.entities]


def _fits_a_comment(identity: str) -> bool:
    return bool(identity) and identity == identity.strip() and "\n" not in identity and "\r" not in identity


def _trimmed(entity: Entity, text: str) -> Span | None:
    bare = text[entity.start : entity.end].strip()
    start = text.index(bare, entity.start)
    return Span(start, start + len(bare)) if bare else None


def _obstacle(entity: Entity, bare: Span | None, starts: dict[int, int], ends: dict[int, int]) -> str:
    if entity.fragments:
        return "discontinuous"
    if entity.label != entity.label.strip() or any(char in entity.label for char in "\t\r\n"):
        return "label"
    if bare is None or bare.start not in starts or bare.end not in ends:
        return "inside a word"
    return ""
