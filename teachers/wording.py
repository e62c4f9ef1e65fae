"""Wording: the label that a teacher means where it adorns the word."""

from __future__ import annotations

import re

from distill.labels import LabelSet

_MARKS = " \t*_`:：\"'“”<>"
_IN_BRACKETS = re.compile(r"\s*[(（]([^()（）]*)[)）]\s*\Z")
_POSITION = re.compile(r"[BIESLU]-(?=\w)")


def canonical(word: str, labels: LabelSet) -> str | None:
    """The label that `**PER**`, `PER (person)`, `B-PER` or `Persons` means; None where two are named, or none."""
    if label := labels.canonical(word):
        return label
    if len(word) > 100:  # a sentence
        return None
    plain = word.strip(_MARKS)
    bracket = _IN_BRACKETS.search(plain)
    gloss = labels.canonical(bracket.group(1)) if bracket else None
    plain = plain[: bracket.start()] if bracket else plain
    plain = _POSITION.sub("", plain.strip(_MARKS), count=1)
    label = labels.canonical(plain)
    if not label and plain[-1:] in ("s", "S"):
        label = labels.canonical(plain[:-1])
    return label if not gloss or gloss == label else None
