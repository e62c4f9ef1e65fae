"""Rows: what becomes of a document, either labelled or rejected with the reason and the raw answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from distill.alignment import Alignment, AlignmentRules, Mention, align
from distill.document import Document
from distill.jsonl import document_to_json, entity_to_json
from distill.labels import LabelSet
from teachers.answers import Answer, UnparsedAnswer, parse_answer
from teachers.choice import Shape
from teachers.enumerations import divided
from teachers.filters import Filters
from teachers.forms import opened
from teachers.intake import BadLine
from teachers.teacher import Reply

Kind = Literal["bad input", "no answer", "refused", "unparsed", "truncated"]

OURS = ("teacher", "prompt", "chunks", "reasoning", "notes", "alignment", "lost", "conflicts")
REFUSALS = frozenset({"refusal", "content_filter"})


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document without usable labels: why, and all that is known of it."""

    kind: Kind
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply as it was understood: its answer, or of what kind of trouble it is, and why."""

    reply: Reply
    about: str
    kind: Kind | None
    reason: str
    answer: Answer | None = None


Row = dict[str, Any] | Rejected
"""A labelled document as JSON, or a rejected one."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How answers are read: their shape, the labels that count, the rules of alignment, the filters of open types."""

    teacher: str
    prompt: str
    shape: Shape
    labels: LabelSet | None
    rules: AlignmentRules
    filters: Filters | None = None

    def read(self, document: Document, heard: Sequence[Heard]) -> Row:
        """The labelled document, or why a reply labels nothing: where one of several does not, none of them counts."""
        for each in heard:
            if each.kind:
                reason = each.reason + (f" (asked about {each.about!r})" if each.about else "")
                entities = self._labelled(document, each.answer, each.reply)["entities"] if each.answer else ()
                return rejected(document, each.kind, reason, each.reply, entities)
        if len(heard) == 1 and heard[0].answer:
            return self._labelled(document, heard[0].answer, heard[0].reply)
        answers = [each.answer for each in heard if each.answer]
        whole = Answer(
            tuple(mention for answer in answers for mention in answer.mentions),
            tuple(note for answer in answers for note in answer.notes),
            "\n".join(answer.reasoning for answer in answers if answer.reasoning),
        )
        thought = "\n".join(each.reply.thought.strip() for each in heard if each.reply.thought.strip())
        return self._labelled(document, whole, Reply(thought=thought))

    def heard(self, reply: Reply, about: str = "") -> Heard:
        """What one reply says; `about` is the type that was asked about, which a list of names does not repeat."""
        if reply.error:
            return Heard(reply, about, "no answer", reply.error)
        if reply.finish in REFUSALS:
            return Heard(reply, about, "refused", f"the teacher refused ({reply.finish})")
        found = opened(reply)
        try:
            answer = parse_answer(found.text, self.shape, self.labels)
        except UnparsedAnswer as error:
            kind: Kind = "truncated" if reply.finish == "length" or "cut off" in str(error) else "unparsed"
            why = f" (finish_reason {reply.finish})" if not reply.text and reply.finish not in ("", "stop") else ""
            return Heard(reply, about, kind, f"{error}{why}")
        if self.shape == "names":
            answer = replace(answer, mentions=tuple(Mention(mention.text, about) for mention in answer.mentions))
        if answer.truncated or reply.finish == "length":
            why = next((note for note in answer.notes if note.startswith("the answer was")), "")
            why = why or "the server's limit of tokens cut the answer off"
            return Heard(reply, about, "truncated", why, answer)
        return Heard(found, about, None, "", answer)

    def _labelled(self, document: Document, answer: Answer, reply: Reply) -> dict[str, Any]:
        if self.shape == "list" and _exchanged(document.text, answer.mentions):
            turned = tuple(Mention(mention.label, mention.text) for mention in answer.mentions)
            answer = replace(answer, mentions=turned, notes=(*answer.notes, "mention and type exchanged"))
        if (apart := divided(document.text, answer.mentions)) != answer.mentions:
            answer = replace(answer, mentions=apart, notes=(*answer.notes, "several mentions in one string"))
        known: list[Mention] = []
        why: dict[int, str] = {}
        for position, mention in enumerate(answer.mentions):
            label, reason = self._label(document.text, mention)
            if reason:
                why[position] = reason
            else:
                known.append(Mention(mention.text, label))
        alignment = align(document.text, known, self.rules)
        lost = _lost(answer.mentions, why, alignment)
        meta = {key: value for key, value in document.meta.items() if key not in OURS}
        meta |= {"teacher": self.teacher, "prompt": self.prompt}
        meta |= _if_any("reasoning", "\n".join(part for part in (reply.thought.strip(), answer.reasoning) if part))
        meta |= _if_any("notes", list(answer.notes))
        meta["alignment"] = _counts(alignment, len(lost))
        meta |= _if_any("lost", lost) | _if_any("conflicts", _conflicts(alignment))
        return document_to_json(replace(document, entities=alignment.entities, meta=meta))

    def _label(self, text: str, mention: Mention) -> tuple[str, str]:
        """The label of a mention, and why it has none; a word that the label set knows is never a word for nothing."""
        label = self.labels.canonical(mention.label) if self.labels else None
        reason = "" if label or not self.filters else self.filters.drop(text, mention)
        if self.labels and not label and not reason:
            reason = f"unknown label {mention.label!r}"
        return label or " ".join(mention.label.split()), reason

    def blank(self, document: Document) -> Row:
        """A text without a visible character has no entities; nobody need be asked."""
        return self._labelled(document, Answer((), ("a blank text, not asked",)), Reply())


def _exchanged(text: str, mentions: Sequence[Mention]) -> bool:
    """Whether types stand in the text alone more often than mentions do: `{"city": "Oslo"}` for `{"Oslo": "city"}`."""
    folded = text.casefold()
    turned = [(each.label in text) - (each.text.casefold() in folded) for each in mentions if each.label]
    return sum(turned) > 0


def _lost(mentions: Sequence[Mention], why: dict[int, str], alignment: Alignment) -> list[dict[str, str]]:
    """Every lost mention with its reason, in the order of the answer."""
    outcomes = iter(alignment.outcomes)
    lost = []
    for position, mention in enumerate(mentions):
        reason = why.get(position)
        if reason is None:
            outcome = next(outcomes)
            reason = (outcome.how or "not in the text") if outcome.status == "lost" else None
        if reason is not None:
            lost.append({"mention": mention.text, "label": mention.label, "why": reason})
    return lost


def _counts(alignment: Alignment, lost: int) -> dict[str, Any]:
    """How the mentions of one answer ended: a measure of its quality that stays with the document."""
    statuses = Counter(outcome.status for outcome in alignment.outcomes)
    repaired = Counter(_repair(outcome.how) for outcome in alignment.outcomes if outcome.status == "repaired")
    return {"exact": statuses["exact"], "repaired": dict(sorted(repaired.items())), "lost": lost}


def _repair(how: str) -> str:
    """The name of a repair; a fuzzy one tells its similarity as well, which the entity keeps."""
    return how.rstrip("0123456789. ")


def _conflicts(alignment: Alignment) -> list[dict[str, Any]]:
    return [
        {"start": each.span.start, "end": each.span.end, "mention": each.text, "labels": list(each.labels),
         "kept": each.kept}
        for each in alignment.conflicts
    ]  # fmt: skip


def _if_any(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def rejected(
    document: Document, kind: Kind, reason: str, reply: Reply | None = None, entities: Sequence[Any] = ()
) -> Rejected:
    """A rejected row: the raw answer is in it, and what a truncated one had said so far."""
    row: dict[str, Any] = {"id": document.id, "kind": kind, "reason": reason, "text": document.text}
    if reply is not None and not reply.error:
        row["response"] = reply.text
    if entities:
        row["entities"] = [entity if isinstance(entity, dict) else entity_to_json(entity) for entity in entities]
    return Rejected(kind, row)


def rejected_line(bad: BadLine) -> Rejected:
    """The row of a line that is no document."""
    return Rejected("bad input", {"id": bad.id, "kind": "bad input", "reason": bad.reason, "line": bad.line})
