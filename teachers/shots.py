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
    """One example as a template sees it: the text, its answer, and the four steps that lead there."""

    text: str
    answer: str
    context: str
    candidates: str
    types: str
    justification: str


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


CHOICES = ("fixed", "random")


def shots_for(labels: LabelSet, path: Path | None, count: int | None, by: str, seed: int) -> Choice:
    """The choice of shots that the options ask for.

    Without a file these are the four that come with the prompts; if the labels are others and no number was asked
    for, there are none.
    """
    documents = list(read_documents(path or BUILT_IN))
    if path is None and labels.unknown(entity.label for document in documents for entity in document.entities):
        if count:
            raise CallError(f"the built-in shots do not know {', '.join(labels.ids)}; give your own with --shots-from")
        documents = []
    wanted = count if count is not None else min(4, len(documents))
    if wanted > len(documents):
        raise CallError(f"--shots {wanted}, but {path or 'the built-in file'} has {len(documents)}")
    conformed, _ = conform(documents, labels, path or BUILT_IN)
    shots = [shot_of(document, labels) for document in conformed]
    return drawn(shots, wanted, seed) if by == "random" else fixed(shots, wanted)


def shot_of(document: Document, labels: LabelSet) -> Shot:
    """A labelled Document as an example; steps that its meta does not tell are made of its entities."""
    mentions = [(document.mention(entity), entity.label) for entity in sorted(document.entities)]
    answer: dict[str, list[str]] = {label: [] for label in labels.ids}
    for mention, label in mentions:
        answer[label].append(mention)
    steps = {
        "context": "A text with named entities." if mentions else "A text without named entities.",
        "candidates": ", ".join(mention for mention, _ in mentions) or "none",
        "types": "; ".join(f"{mention} {label}" for mention, label in mentions) or "none",
        "justification": "The context and the definitions say so.",
    }
    told = {name: value for name in steps if isinstance(value := document.meta.get(name), str) and value}
    found = {label: texts for label, texts in answer.items() if texts}
    return Shot(document.text, json.dumps(found, ensure_ascii=False), **{**steps, **told})
