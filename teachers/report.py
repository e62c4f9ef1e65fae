"""The report of a labelling run: how every document and every mention ended, and what was asked for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from teachers.prices import Price
from teachers.purse import dollars
from teachers.teacher import Reply

SHOWN = 5  # of a long tail the first few are shown, and how many more there are


@dataclass
class LabelReport:
    """Counts over the whole output, parts of it from earlier runs included; requests and tokens are this run's."""

    out: Path
    rejected_out: Path
    documents: int = 0
    empty: int = 0
    exact: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    unused: list[str] = field(default_factory=list)
    """Ids of recorded answers that belong to no document of the input."""
    resumed: int = 0
    asked: int = 0
    answered: int = 0
    from_store: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_saved: int = 0
    spent: float = 0.0
    saved: float = 0.0
    unpriced: int = 0
    uncounted: int = 0
    """Answers whose tokens the server did not count."""
    price: Price | None = None
    priced: bool = False
    """Whether a price is to be expected; few local servers have one."""
    dropped_empty: bool = False

    @property
    def exit_code(self) -> int:
        """1 where some rows were rejected."""
        return 1 if self.rejected else 0

    @property
    def mentions(self) -> int:
        return self.exact + self.repaired.total() + self.lost.total()

    def count_row(self, row: Mapping[str, Any]) -> None:
        """A labelled document, from this run or read again from an earlier one."""
        meta = row["meta"]
        alignment = meta["alignment"]
        self.documents += 1
        self.empty += not row["entities"]
        self.exact += alignment["exact"]
        self.repaired.update(alignment["repaired"])
        self.conflicts += len(meta.get("conflicts", ()))
        self.notes.update(meta.get("notes", ()))
        self.entities.update(entity["label"] for entity in row["entities"])
        for lost in meta.get("lost", ()):
            unknown = lost["why"].startswith("unknown label")
            self.lost["unknown label" if unknown else lost["why"]] += 1
            if unknown:
                self.unknown_labels[lost["label"]] += 1

    def count_reply(self, reply: Reply) -> None:
        """What one reply cost, or saved."""
        self.asked += reply.requests if reply.source == "asked" else 0
        if reply.source == "store":
            self.from_store += 1
            self.tokens_saved += reply.tokens_in + reply.tokens_out
            self.saved += self._cost(reply)
        elif reply.source == "asked" and not reply.error:
            self.answered += 1
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out
            self.spent += self._cost(reply)
            self.unpriced += reply.cost is None
            self.uncounted += not reply.tokens_in

    def _cost(self, reply: Reply) -> float:
        if reply.cost is not None or self.price is None:
            return reply.cost or 0.0
        return self.price.cost(reply.tokens_in, reply.tokens_out)

    def lines(self) -> list[str]:
        """The report for people."""
        empty = f", {self.empty} without entities" + (" left out" if self.dropped_empty else "") if self.empty else ""
        shown = [
            f"{self.out}: {_many(self.documents, 'document')} labelled{empty}"
            + (f", {self.resumed} of them in earlier runs" if self.resumed else ""),
            f"mentions   {self.mentions}: {self.exact} exact, {self.repaired.total()} repaired{_in(self.repaired)}, "
            f"{self.lost.total()} lost{_in(self.lost)}",
        ]
        if self.conflicts:
            shown.append(f"conflicts  {_many(self.conflicts, 'span')} with two labels, both kept")
        if self.unknown_labels:
            unknown = _in(self.unknown_labels)[2:-1]
            shown.append(f"labels     the set does not know: {unknown}; an alias would keep them")
        if self.notes:
            shown.append(f"mended     {_in(self.notes)[2:-1]}")
        if self.unused:
            named = ", ".join(self.unused[:SHOWN]) + (", ..." if len(self.unused) > SHOWN else "")
            answers = "1 recorded answer is" if len(self.unused) == 1 else f"{len(self.unused)} recorded answers are"
            shown.append(f"unused     {answers} of no document ({named})")
        if self.asked or self.from_store:
            shown.append(
                f"requests   {self.asked} asked, {self.from_store} answers from the store; "
                f"tokens {self.tokens_in} in, {self.tokens_out} out, {self.tokens_saved} saved"
            )
        if self.uncounted:
            priced = ", whose price is an estimate" if self.price else ""
            shown.append(f"           the server counted no tokens of {_many(self.uncounted, 'answer')}{priced}")
        if self.spent or self.saved:
            shown.append(f"money      {dollars(self.spent)} spent, {dollars(self.saved)} saved by the store")
        if self.priced and self.unpriced:
            answers = _many(self.unpriced, "answer")
            shown.append(f"           the price of {answers} is not known; --prices FILE tells it")
        if self.rejected:
            shown.append(f"rejected   {self.rejected.total()}{_in(self.rejected)}: {self.rejected_out}")
        return shown

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "out": str(self.out), "rejected_out": str(self.rejected_out) if self.rejected else None,
            "documents": self.documents, "empty": self.empty, "resumed": self.resumed,
            "mentions": {"exact": self.exact, "repaired": dict(self.repaired), "lost": dict(self.lost)},
            "entities": dict(sorted(self.entities.items())), "conflicts": self.conflicts,
            "unknown_labels": dict(self.unknown_labels), "mended": dict(self.notes), "rejected": dict(self.rejected),
            "answers_of_no_document": len(self.unused),
            "requests": {"asked": self.asked, "answered": self.answered, "from_store": self.from_store},
            "tokens": {"in": self.tokens_in, "out": self.tokens_out, "saved": self.tokens_saved},
            "dollars": {"spent": self.spent, "saved": self.saved, "answers without a price": self.unpriced},
            "answers_without_tokens": self.uncounted,
        }  # fmt: skip


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _in(counts: Counter[str]) -> str:
    """` (a 3, b 1)`, the most frequent first, or nothing."""
    if not counts:
        return ""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f", {len(ranked) - SHOWN} more" if len(ranked) > SHOWN else ""
    return " (" + ", ".join(f"{name} {count}" for name, count in ranked[:SHOWN]) + more + ")"
