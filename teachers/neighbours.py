"""Neighbours: the worked examples most like a text, by the cosine of their sentence embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from distill.document import Document
from teachers.embeddings import Embed
from teachers.shots import Choice, Shot

DIGITS = 5  # cosines that differ by less are equal: how texts are batched changes the last digits


def nearest(shots: Sequence[Shot], count: int, embed: Embed, per_label: int | None = None) -> Choice:
    """The `count` examples nearest to a document, never its own text, the most similar last.

    Last because what stands next to the question weighs most. Each label stands in `per_label` of them at most, so
    that they stay diverse; where that leaves fewer than `count`, there are fewer. Equal ones stay in the file's order.
    """
    vectors = embed([shot.text for shot in shots]) if shots and count else None

    def choose(document: Document) -> Sequence[Shot]:
        if vectors is None:
            return ()
        cosines = (vectors @ embed([document.text])[0]).tolist()
        ranked = sorted(range(len(shots)), key=lambda index: (-round(cosines[index], DIGITS), index))
        others = [shots[index] for index in ranked if shots[index].text != document.text]
        return capped(others, count, per_label)[::-1]

    return choose


def capped(ranked: Sequence[Shot], count: int, per_label: int | None) -> list[Shot]:
    """The first `count` whose labels were not yet shown `per_label` times; one without entities counts as a label."""
    shown: Counter[str] = Counter()
    chosen: list[Shot] = []
    for shot in ranked:
        labels = shot.labels or {""}
        if len(chosen) < count and (per_label is None or all(shown[label] < per_label for label in labels)):
            chosen.append(shot)
            shown.update(labels)
    return chosen
