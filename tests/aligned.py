"""One mention in a text: how it ends, and what it is found at."""

from __future__ import annotations

from distill.alignment import AlignmentRules, Mention, Outcome, align


def one(text: str, said: str, similarity: float = 0.9) -> Outcome:
    (outcome,) = align(text, [Mention(said, "X")], AlignmentRules(similarity=similarity)).outcomes
    return outcome


def found(text: str, said: str) -> str | None:
    outcome = one(text, said)
    return text[outcome.entities[0].start : outcome.entities[0].end] if outcome.entities else None
