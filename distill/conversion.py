"""From one format to another, saying what the other could not carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from distill.clashes import keep_apart
from distill.conll import write_conll
from distill.corpora import FORMATS, WRITERS, format_of, read_documents, target_format, write_documents
from distill.document import Document
from distill.layout import ConllColumns
from distill.options import Options, option
from distill.tags import SCHEMES
from distill.text import SPLITS
from distill.written import Written


@dataclass(frozen=True)
class ConvertOptions(Options):
    """What `convert` is told."""

    source: Path = option(help="what to read; - is standard input", argument=True, flag="in")
    target: Path = option(help="what to write; - is standard output", argument=True, flag="out")
    from_format: str | None = option(
        None, "format of IN; told by its suffix or first lines", choices=tuple(FORMATS), flag="from"
    )
    to_format: str | None = option(None, "format of OUT; told by its suffix", choices=tuple(WRITERS), flag="to")
    scheme: str = option("IOB2", "tag scheme to write (conll)", choices=tuple(SCHEMES))
    split: str = option("spaces", "what a token is (conll): stretches between spaces, or BERT's words", choices=SPLITS)
    ids: bool = option(False, "write ids as comments (conll)")
    token_column: int | None = option(None, "column of the tokens to read (conll), from 0")
    tag_column: int | None = option(None, "column of the tags to read (conll), from 0 or from the end below 0")
    segmentation_digits: bool = option(False, "take the last digit from every token (Weibo's conll)")
    json: bool = option(False, "print the report as JSON")

    @property
    def columns(self) -> ConllColumns | None:
        """The layout of a CoNLL file, None where nothing is said about it."""
        columns = ConllColumns(self.token_column, self.tag_column, None, self.segmentation_digits)
        return None if columns == ConllColumns() else columns


@dataclass(frozen=True)
class Conversion:
    """What `convert` did: how many entities it was given, and what it wrote."""

    source: Path
    target: Path
    given: int
    written: Written

    @property
    def complete(self) -> bool:
        """Whether every Document and every entity arrived."""
        return self.written.complete

    def __str__(self) -> str:
        return f"{self.target}: {self.written}"

    def to_json(self) -> dict[str, object]:
        """What `--json` prints."""
        return {"target": str(self.target), "given_entities": self.given} | self.written.to_json()


def convert(options: ConvertOptions) -> Conversion:
    """Write IN's Documents to OUT, the whole file or none of it, and count what the format could not carry."""
    keep_apart([("IN", options.source)], [("OUT", options.target)])
    name = options.from_format or format_of(options.source)
    given: Counter[str] = Counter()

    def counted() -> Iterable[Document]:
        for document in read_documents(options.source, name, options.columns):
            given["entities"] += len(document.entities)
            yield document

    written = _writer(options)(counted())
    return Conversion(options.source, options.target, given["entities"], written)


def _writer(options: ConvertOptions) -> Callable[[Iterable[Document]], Written]:
    name = options.to_format or target_format(options.target)
    if name == "conll":
        return lambda documents: write_conll(
            documents, options.target, options.scheme, split=options.split, ids=options.ids
        )
    return lambda documents: write_documents(documents, options.target, name)
