"""What a teacher's answer says, as tests of its reading compare it."""

from __future__ import annotations

from distill.labels import Label, LabelSet
from teachers.answers import parse_answer
from teachers.choice import Shape

KNOWN = LabelSet((Label("PER", "person"), Label("LOC", "location"), Label("ORG", "organization"), Label("MISC")))
SAID = [("PER", "Ann"), ("LOC", "Rome")]


def said(text: str, shape: Shape = "dictionary", labels: LabelSet | None = KNOWN) -> list[tuple[str, str]]:
    """Labels and mentions of an answer that is whole."""
    answer = parse_answer(text, shape, labels)
    assert not answer.truncated
    return [(mention.label, mention.text) for mention in answer.mentions]
