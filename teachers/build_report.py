"""The report of `rait build`: what was made, and what was left out, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.reports import count
from teachers.passages import Passage


@dataclass
class BuildReport:
    """Counts over the whole output. `questions` are positive (with mentions) or negative (answered `[]`)."""

    out: Path
    documents: int = 0
    passages: int = 0
    conversations: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    positive: int = 0
    negative: int = 0
    own_negative: int = 0
    mentions: int = 0
    types: int = 0
    frequent: Sequence[tuple[str, int]] = ()
    pool: int = 0
    pool_left_out: Counter[str] = field(default_factory=Counter)
    shown: Counter[int] = field(default_factory=Counter)
    """Passages by the number of examples that they got."""
    examples_left_out: int = 0
    divided: int = 0
    undefined: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def add_passage(self, passage: Passage, examples: int) -> None:
        """One passage and the examples it got."""
        self.passages += 1
        self.mentions += len(passage.pairs)
        self.shown[examples] += 1

    def add_conversation(self, language: str) -> None:
        """One conversation written."""
        self.conversations += 1
        self.languages[language] += 1

    def add_questions(self, answers: Mapping[str, Sequence[str]], absent: int, own: int) -> None:
        """The questions of one passage; `own` of the negative ones came with it."""
        self.positive += len(answers)
        self.negative += absent
        self.own_negative += own

    def why_none(self) -> str:
        """Why nothing was written."""
        return _listed(self.lost) or "the input holds no passages"

    def __str__(self) -> str:
        lines = [
            f"{self.out}: {_many(self.conversations, 'conversation')} of {_many(self.passages, 'passage')} in "
            f"{_many(self.documents, 'document')} ({_listed(self.languages)})",
            f"questions  {count(self.positive)} about types with mentions, {count(self.negative)} about absent ones"
            + (f" ({count(self.own_negative)} named by the input)" if self.own_negative else ""),
            f"mentions   {count(self.mentions)} of {_many(self.types, 'type')}"
            + (f": {', '.join(f'{kind} {count(n)}' for kind, n in self.frequent)} ..." if self.frequent else ""),
        ]
        if self.pool:
            with_any = self.passages - self.shown[0]
            lines.append(
                f"examples   {count(self.shown.total() and sum(k * n for k, n in self.shown.items()))} in front of "
                f"{_many(with_any, 'passage')}, {count(self.shown[0])} vanilla; {count(self.pool)} in the pool"
                + (f", left out of it: {_listed(self.pool_left_out)}" if self.pool_left_out else "")
            )
        if self.divided or self.examples_left_out:
            lines.append(
                f"cut-off    {_many(self.divided, 'passage')} asked about in several conversations, "
                f"{_many(self.examples_left_out, 'example')} left out"
            )
        if self.undefined:
            lines.append(f"undefined  {_many(self.undefined, 'type')} without a definition, asked about by name")
        if self.lost:
            lines.append(f"left out   {_listed(self.lost)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "out": str(self.out), "documents": self.documents, "passages": self.passages,
            "conversations": self.conversations, "languages": dict(self.languages),
            "questions": {
                "positive": self.positive, "negative": self.negative, "named by the input": self.own_negative,
            },
            "mentions": self.mentions, "types": self.types, "frequent": dict(self.frequent),
            "pool": {"examples": self.pool, "left out": dict(self.pool_left_out)},
            "examples": {str(number): passages for number, passages in sorted(self.shown.items())},
            "cut-off": {"divided": self.divided, "examples left out": self.examples_left_out},
            "undefined": self.undefined, "left out": dict(self.lost),
        }  # fmt: skip


def _many(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def _listed(counts: Counter[str]) -> str:
    """`a 3, b 1`, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count(number)}" for name, number in ranked)
