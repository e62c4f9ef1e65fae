"""Careful answers and their true spans: our own sentences, recorded answers, and the gold labels of other corpora."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bracketed import SENTENCES
from slips import as_dictionary

from distill.alignment import Mention, align
from distill.corpora import read_documents
from distill.document import Span
from teachers.answers import parse_answer


@dataclass(frozen=True)
class Case:
    """A text, the answer of a careful teacher, its mentions, and their spans."""

    text: str
    answer: str
    mentions: tuple[Mention, ...]
    truth: tuple[Span, ...]


def careful(text: str, answer: str) -> Case | None:
    """A case if the answer, as it stands, aligns exactly; None otherwise."""
    mentions = parse_answer(answer, "dictionary").mentions
    aligned = align(text, mentions)
    if any(outcome.status != "exact" for outcome in aligned.outcomes):
        return None
    return Case(text, answer, mentions, tuple(outcome.entities[0].span for outcome in aligned.outcomes))


def written() -> Iterator[Case]:
    """Cases of our own: what stands between brackets is a mention, `[LOC Paris]`."""
    for sentence in SENTENCES:
        text, mentions = "", []
        for part in sentence.replace("]", "[").split("["):
            label, _, name = part.partition(" ")
            named = label in ("LOC", "ORG", "PER", "MISC")
            text += name if named else part
            mentions += [Mention(name, label)] if named else []
        case = careful(text, as_answer(mentions))
        assert case, sentence
        yield case


def as_answer(mentions: Sequence[Mention]) -> str:
    return f"Step 1. News.\nResult: {json.dumps(as_dictionary(tuple(mentions)), ensure_ascii=False)}"


RECORDED = (
    ("conll1000/cot.jsonl", "conll1000/cot.responses.jsonl"),
    ("conll1000/standard.jsonl", "conll1000/standard.responses.jsonl"),
    ("bbc/sentences966.jsonl", "bbc/sentences966.cot.responses.jsonl"),
)


def recorded(folder: Path) -> Iterator[Case]:
    """What a strong teacher really answered, where it aligns exactly as it is."""
    for texts, answers in RECORDED:
        text = {row["id"]: row["text"] for row in _rows(folder / texts)}
        for row in _rows(folder / answers):
            case = careful(text[row["id"]], row["response"])
            if case and case.mentions:
                yield case


def gold(text: str, spans: Iterable[tuple[int, int, str]]) -> Case:
    """The gold labels of a text as a careful answer: one dictionary, mentions in text order; truth is the gold span."""
    lists: dict[str, list[Span]] = {}
    for start, end, label in sorted(spans):
        lists.setdefault(label, []).append(Span(start, end))
    mentions = tuple(Mention(text[span.start : span.end], label) for label in lists for span in lists[label])
    return Case(text, as_answer(mentions), mentions, tuple(span for each in lists.values() for span in each))


def _marked(folder: Path, path: str) -> Iterator[Case]:
    for document in read_documents(folder / path):
        yield gold(document.text, [(*entity.span, entity.label) for entity in document.entities])


def _cluener(folder: Path, path: str) -> Iterator[Case]:
    for row in _rows(folder / path):
        found = [(a, b + 1, label) for label, names in row["label"].items() for at in names.values() for a, b in at]
        yield gold(row["text"], found)


def _weibo(folder: Path, path: str) -> Iterator[Case]:
    """Each character with its place in its word (`口0`), then the tag."""
    for sentence in (folder / path).read_text(encoding="utf-8").split("\n\n"):
        rows = [line.rsplit("\t", 1) for line in sentence.split("\n") if "\t" in line]
        found: list[tuple[int, int, str]] = []
        for at, (_, tag) in enumerate(rows):
            if tag[0] == "I" and found and found[-1][1] == at:
                found[-1] = (found[-1][0], at + 1, found[-1][2])
            elif tag[0] in "BI":
                found.append((at, at + 1, tag[2:]))
        yield gold("".join(token[0] for token, _ in rows), found)


def _named(text: str, labels: dict[str, str]) -> Case | None:
    """Gold that is names without offsets: truth is where the names stand, if they all do."""
    names = sorted((text.find(name), name) for name in labels)
    return careful(text, as_answer([Mention(name, labels[name]) for _, name in names]))


def _boson(folder: Path, path: str) -> Iterator[Case]:
    yield from filter(None, (_named(row["sentence"], row["label"]) for row in _rows(folder / path)))


def _wikigold(folder: Path, path: str) -> Iterator[Case]:
    rows = json.loads((folder / path).read_text(encoding="utf-8"))
    yield from filter(None, (_named(row["sentence"], ast.literal_eval(row["label"])) for row in rows))


def _pile(folder: Path, path: str) -> Iterator[Case]:
    """An answer for each type that was asked about, a list in quotes."""
    for row in _rows(folder / path):
        labels = {name: label for label, names in row["answers"].items() for name in json.loads(names)}
        yield from filter(None, [_named(row["text"], labels)])


def _skyner(folder: Path, path: str) -> Iterator[Case]:
    for row in _rows(folder / path):
        yield from filter(None, [_named(row["text"], dict(row["entities"]))])


_CROSSNER = ("ai", "literature", "music", "politics", "science")
CORPORA: dict[str, tuple[Callable[[Path, str], Iterator[Case]], tuple[str, ...]]] = {
    "crossner": (_marked, tuple(f"crossner/{each}/dev.txt" for each in _CROSSNER)),
    "wnut17": (_marked, ("wnut17/emerging.dev.conll", "wnut17/wnut17train.conll")),
    "cluener": (_cluener, ("zh/cluener/train.json",)),
    "conll": (_marked, ("conll2003/dev.jsonl",)),
    "movie": (_marked, ("mit/movie.train.txt",)),
    "restaurant": (_marked, ("mit/restaurant.train.txt",)),
    "wikigold": (_wikigold, ("wikigold/train.json",)),
    "boson": (_boson, ("zh/boson/train.jsonl",)),
    # Held out: no rule of alignment was made with an eye on these two.
    "pile": (_pile, ("pile/pile_ner_slice.jsonl",)),
    "skyner": (_skyner, ("zh/skyner/sky_ner_harvested.jsonl",)),
    "weibo": (_weibo, ("zh/weibo/weiboNER_2nd_conll.train",)),
}  # fmt: skip


def corpus(name: str, folder: Path, most: int, seed: int) -> list[Case]:
    """A seeded sample of the documents of a corpus that have labels."""
    read, paths = CORPORA[name]
    cases = [case for path in paths for case in read(folder, path) if case.mentions]
    return Random(seed).sample(cases, min(most, len(cases)))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
