"""Shots: the worked examples that a prompt shows, and which of them a document gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from distill.corpora import read_documents
from distill.document import Document
from distill.errors import CallError
from distill.labels import LabelSet, conform

BUILT_IN = Path(__file__).parent / "prompts" / "shots.jsonl"


@dataclass(frozen=True, slots=True)
class Shot:
    """One example as a template sees it: its text, the answer as a dictionary and as a list of pairs, four steps."""

    text: str
    answer: str
    pairs: str
    context: str
    candidates: str
    types: str
    justification: str
    labels: frozenset[str] = frozenset()


Choice = Callable[[Document], Sequence[Shot]]
"""Which shots a document gets."""


def fixed(shots: Sequence[Shot], count: int) -> Choice:
    """The first `count`, the same for every document: the start of the prompt never changes, which servers cache."""
    chosen = tuple(shots[:count])
    return lambda _: chosen


def drawn(shots: Sequence[Shot], count: int, seed: int) -> Choice:
    """`count` at random for each document, never its own text; the same ones in every run with this seed."""

    def choose(document: Document) -> Sequence[Shot]:
        others = [shot for shot in shots if shot.text != document.text]
        return Random(f"{seed}:{document.id}").sample(others, min(count, len(others)))

    return choose



def shots_for(labels: LabelSet | None, path: Path | None, count: int | None, by: str, seed: int) -> Choice:
    """The choice of shots, fixed or random, that the options ask for; `nearest` stands in `teachers.neighbours`."""
    shots, wanted = examples(labels, path, count)
    return drawn(shots, wanted, seed) if by == "random" else fixed(shots, wanted)


def examples(labels: LabelSet | None, path: Path | None, count: int | None) -> tuple[list[Shot], int]:
    """All shots there are to choose from, and how many a document is to get.

    Without a file these are the four that come with the prompts; if the labels are others and no number was asked
    for, there are none. Open types (no label set) have none of their own.
    """
    documents = list(read_documents(path or BUILT_IN))
    unknown = labels is None or labels.unknown(entity.label for document in documents for entity in document.entities)
    if path is None and unknown:
        if count:
            known = ", ".join(labels.ids) if labels else "open types"
            raise CallError(f"the built-in shots do not know {known}; give your own with --shots-from")
        documents = []
    wanted = count if count is not None else min(4, len(documents))
    if wanted > len(documents):
        raise CallError(f"--shots {wanted}, but {path or 'the built-in file'} has {len(documents)}")
    if labels is not None:
        documents, _ = conform(documents, labels, path or BUILT_IN)
    return [shot_of(document, labels) for document in documents], wanted


def shot_of(document: Document, labels: LabelSet | None) -> Shot:
    """A labelled Document as an example; steps that its meta does not tell are made of its entities."""
    mentions = [(document.mention(entity), entity.label) for entity in sorted(document.entities)]
    answer: dict[str, list[str]] = {label: [] for label in (labels.ids if labels else ())}
    for mention, label in mentions:
        answer.setdefault(label, []).append(mention)
    steps = {
        "context": "A text with named entities." if mentions else "A text without named entities.",
        "candidates": ", ".join(mention for mention, _ in mentions) or "none",
        "types": "; ".join(f"{mention} {label}" for mention, label in mentions) or "none",
        "justification": "The context and the definitions say so.",
    }
    told = {name: value for name in steps if isinstance(value := document.meta.get(name), str) and value}
    found = {label: texts for label, texts in answer.items() if texts}
    pairs = [{mention: label} for mention, label in dict.fromkeys(mentions)]
    dictionary, listed = (json.dumps(each, ensure_ascii=False) for each in (found, pairs))
    return Shot(document.text, dictionary, listed, labels=frozenset(found), **{**steps, **told})
