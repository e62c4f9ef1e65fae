"""Thresholds: the score an entity of a label needs, or else it is not reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from distill.document import Entity
from distill.errors import CallError, did_you_mean


def thresholds(given: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """`LABEL=0.6` as numbers by label; CallError for a label the student does not know, or no score."""
    found: dict[str, float] = {}
    for each in given:
        label, sign, number = each.rpartition("=")
        if not sign:
            raise CallError(f"--threshold is LABEL=SCORE, such as {labels[0]}=0.6, not {each!r}")
        if label not in labels:
            raise CallError(f"--threshold: this student does not know {label!r}{did_you_mean(label, labels)}")
        if label in found:
            raise CallError(f"--threshold names {label} twice")
        found[label] = _score(number, each)
    return found


def _score(number: str, given: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise CallError(f"--threshold {given}: a score lies between 0 and 1")
    return value


def kept(entities: Iterable[Entity], limits: Mapping[str, float]) -> tuple[Entity, ...]:
    """The entities whose score reaches the limit of their label."""
    return tuple(each for each in entities if (1.0 if each.score is None else each.score) >= limits.get(each.label, 0))
