"""Data sets: which format a file is in, its reader and its writer, and what a trainer may expect of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from distill.document import Document, Entity, flat
from distill.errors import CallError, InputError, did_you_mean
from distill.files import STREAM, existing, first_lines, once, unpacked
from distill.labels import LabelSet, conform
from distill.layout import ConllColumns, looks_like_conll
from distill.libraries import resolve
from distill.written import Written

FORMATS: dict[str, str] = {
    "jsonl": "distill.jsonl:read_jsonl",
    "conll": "distill.conll:read_conll",
    "text": "distill.text:read_text",
    "bbc": "distill.shards:read_bbc",
    "pile": "distill.shards:read_pile",
    "parquet": "distill.parquet:read_parquet",
}
"""Readers by the name of the format: a path in, Documents out as a stream."""

WRITERS: dict[str, str] = {
    "jsonl": "distill.corpora:write_lines",
    "conll": "distill.conll:write_conll",
    "text": "distill.text:write_text",
}
"""Writers by the name of the format: Documents and a path in, `Written` out."""

SUFFIXES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".conll": "conll", ".iob": "conll", ".iob2": "conll", ".bio": "conll",
    ".parquet": "parquet",
}  # fmt: skip
_WRITTEN_SUFFIXES = {suffix: name for suffix, name in SUFFIXES.items() if name in WRITERS}
OVERLAPS = ("error", "outermost")


def read_documents(
    path: str | Path, format: str | None = None, columns: ConllColumns | None = None
) -> Iterator[Document]:
    """The Documents of a file, streamed; its suffix tells the format, or else its first lines.

    `-` is standard input. `columns` says how a CoNLL file is laid out where that cannot be found out.
    """
    existing(path)
    name = format or format_of(path)
    reader = resolve(_known(name, FORMATS), "all")
    if columns is not None and name != "conll":
        raise CallError(f"columns are those of a CoNLL file; {path} is read as {name}")
    documents: Iterator[Document] = reader(path, columns) if columns is not None else reader(path)
    return documents


def write_documents(documents: Iterable[Document], path: str | Path, format: str | None = None) -> Written:
    """Write a data set, the whole file or none of it, and say what the format could not carry."""
    name = format or target_format(path)
    written: Written = resolve(_known(name, WRITERS), "all")(documents, path)
    return written


def write_lines(documents: Iterable[Document], path: str | Path) -> Written:
    """JSONL, which carries everything."""
    from distill.jsonl import write_jsonl

    report = Written()

    def counted() -> Iterator[Document]:
        for document in documents:
            report.entities += len(document.entities)
            yield document

    report.documents = write_jsonl(counted(), path)
    return report


def format_of(path: str | Path) -> str:
    """The format that the suffix tells, or else the first lines; an InputError where neither does."""
    if _suffix(path) in SUFFIXES:
        return SUFFIXES[_suffix(path)]
    if Path(path).is_dir():
        return folder_format(path)
    if once(path) and str(path) != STREAM:
        raise InputError("can be read only once, so its format cannot be told; name it, or send it to -", path=path)
    lines = [line for line in first_lines(path) if line.strip()]
    if not lines or lines[0].lstrip().startswith("{"):
        return "jsonl"
    if lines[0].strip() == "[" or lines[0].lstrip().startswith("[{"):
        raise InputError("is one JSON array; write it as JSONL, an object a line", path=path)
    if looks_like_conll(lines):
        return "conll"
    if _suffix(path) == ".txt" or str(path) == STREAM:
        return "text"
    raise InputError(f"cannot tell its format; name it, one of {', '.join(FORMATS)}", path=path)


def folder_format(path: str | Path) -> str:
    """bbc for a folder of folders of .txt files, pile for a folder of JSONL shards."""
    if next(Path(path).glob("*/*.txt"), None):
        return "bbc"
    if next(Path(path).glob("*.jsonl*"), None):
        return "pile"
    raise InputError("a folder that holds neither CATEGORY/*.txt (bbc) nor *.jsonl shards (pile)", path=path)


def target_format(path: str | Path) -> str:
    """The format that the suffix of a file to write tells: text for .txt, jsonl where it tells none."""
    if SUFFIXES.get(_suffix(path), "jsonl") not in WRITERS:
        raise CallError(f"{path}: {_suffix(path)[1:]} is read, not written; give a name that ends with .jsonl")
    return _WRITTEN_SUFFIXES.get(_suffix(path)) or ("text" if _suffix(path) == ".txt" else "jsonl")


def check_jsonl_target(path: str | Path) -> None:
    """Raise CallError for a file that would hold JSONL and have another format's name, by which it is read."""
    name = SUFFIXES.get(_suffix(path), "jsonl")
    if name != "jsonl":
        raise CallError(f"{path} would hold JSONL, and be read as {name}; give a name that ends with .jsonl")


def read_all(path: str | Path, format: str | None = None, columns: ConllColumns | None = None) -> list[Document]:
    """A whole data set; an id that stands twice is an InputError. An empty file is an empty data set."""
    documents = list(read_documents(path, format, columns))
    twice = [id for id, count in Counter(document.id for document in documents).items() if count > 1]
    if twice:
        raise InputError(
            f"{len(twice)} ids stand more than once, the first is {twice[0]!r}; ids must be unique", path=path
        )
    return documents


@dataclass
class FlatCorpus:
    """Documents a tagger can learn from, and what was left out on the way, by label."""

    documents: list[Document]
    overlapping: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def read_gold_flat(path: str | Path, labels: LabelSet | None = None, overlaps: str = "error") -> FlatCorpus:
    """Everything a trainer wants of a file: unique ids, the set's labels, entities that do not overlap.

    Labels the set does not know are one InputError, or dropped and counted where it says so. With
    `overlaps="error"` (gold) the first two entities that overlap are an InputError; with "outermost" (distilled)
    the flat view is taken and what it dropped is counted.
    """
    if overlaps not in OVERLAPS:
        raise CallError(f"overlaps is one of {', '.join(OVERLAPS)}, not {overlaps!r}")
    corpus = FlatCorpus(read_all(path))
    if labels is not None:
        corpus.documents, corpus.unknown = conform(corpus.documents, labels, path)
    return flattened(corpus, path, overlaps)


def flattened(corpus: FlatCorpus, path: str | Path, overlaps: str) -> FlatCorpus:
    """The corpus in its flat view; see `read_gold_flat`. An entity that stands twice is only one."""
    documents = []
    dropped: Counter[str] = Counter()
    for document in corpus.documents:
        single = document.with_entities(dict.fromkeys(document.entities))
        view = flat(single)
        if view.dropped and overlaps == "error":
            raise overlap_error(single, view.dropped[0], path)
        dropped.update(entity.label for entity in view.dropped)
        documents.append(view.document)
    return replace(corpus, documents=documents, overlapping=corpus.overlapping + dropped)


def overlap_error(document: Document, entity: Entity, path: str | Path) -> InputError:
    """The two entities that a flat tagger cannot both learn, and what can be done."""
    here = f"document {document.id!r}: {_shown(document, entity)}"
    if entity.fragments:
        return InputError(f"{here} is discontinuous, which a tagger cannot learn; take it out of the gold", path=path)
    other = next(
        each for each in document.entities
        if each is not entity and each.start < entity.end and entity.start < each.end and not each.fragments
    )  # fmt: skip
    return InputError(
        f"{here} overlaps {_shown(document, other)}; a tagger learns only one of them, take the other out of the gold",
        path=path,
    )


def _shown(document: Document, entity: Entity) -> str:
    mention = document.mention(entity)
    short = mention if len(mention) <= 40 else mention[:39] + "…"
    return f"{entity.label} [{entity.start}, {entity.end}) {short!r}"


def _known(name: str, table: dict[str, str]) -> str:
    if name not in table:
        raise CallError(f"unknown format {name!r}{did_you_mean(name, table)}")
    return table[name]


def _suffix(path: str | Path) -> str:
    return Path(unpacked(path)).suffix.lower()
