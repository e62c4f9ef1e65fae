"""Sittings: what a system answered about each gold text, from label files, conversations or recorded answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.alignment import AlignmentRules, Mention, align
from distill.document import Document, Entity
from distill.errors import InputError, did_you_mean
from distill.files import open_lines
from distill.jsonl import document_from_json, parse_line
from distill.labels import LabelSet
from distill.scores import mentions
from teachers.answers import UnparsedAnswer, parse_answer
from teachers.choice import Shape
from teachers.conversations import Pair, understood
from teachers.ledger import rejected_path
from teachers.records import read_rows
from teachers.retrieval import plain

_EVERYWHERE = AlignmentRules("all", 1.0)


@dataclass
class Sitting:
    """One text's answers: the mentions as they were written, where they stand, and what could not be used.

    `nowhere` counts mentions that stand nowhere in the text, `unparsed` answers that said nothing.
    """

    strings: list[Pair] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    nowhere: int = 0
    unparsed: int = 0


def read_sittings(
    path: Path, gold: Sequence[Document], labels: LabelSet, left_out: frozenset[str]
) -> dict[str, Sitting]:
    """The answers by the id of their gold Document.

    Raises InputError for a row about another text, and for a type that the label set does not know.
    """
    hearing = _Hearing(gold, labels, left_out)
    for number, row in read_rows(path):
        try:
            hearing.hear(row)
        except InputError as error:
            raise error.at(path, number) from None
    return hearing.sittings


def read_rejected(path: Path, gold: Sequence[Document]) -> Counter[str]:
    """Why documents of gold were rejected when a label file was made, from the file that `label` left beside it."""
    beside = rejected_path(path)
    if not beside.is_file():
        return Counter()
    known = {document.id for document in gold}
    rows = (parse_line(line, beside, number) for number, line in open_lines(beside) if line.strip())
    return Counter(str(row.get("kind")) for row in rows if row.get("id") in known)


class _Hearing:
    """Collects rows of every form under the gold Documents they are about."""

    def __init__(self, gold: Sequence[Document], labels: LabelSet, left_out: frozenset[str]) -> None:
        self.sittings: dict[str, Sitting] = {}
        self._gold = {document.id: document for document in gold}
        self._by_text = {plain(document.text): document for document in gold}
        self._labels, self._left_out = labels, left_out

    def hear(self, row: Any) -> None:
        """One row: a conversation, a recorded answer, or a labelled Document."""
        if not isinstance(row, dict):
            raise InputError(f"expected a JSON object, found {type(row).__name__}")
        if "conversations" in row:
            heard = understood(row["conversations"])
            document, start = self._about(heard.text, row)
            for kind, said in heard.answers.items():
                self._answer(document, kind, said, start, heard.text)
        elif isinstance(row.get("response"), str):
            self._recorded(row)
        else:
            self._labelled(document_from_json(row))

    def _about(self, text: str, row: Mapping[str, Any]) -> tuple[Document, int]:
        """The gold Document that a conversation is about, by its id or else its text, and where its passage begins."""
        meta = row.get("meta")
        for name in (meta.get("document") if isinstance(meta, Mapping) else None, row.get("id")):
            named = self._gold.get(str(name))
            if named is not None and text in named.text:
                return named, named.text.index(text)
        known = self._by_text.get(plain(text))
        if known is None or text not in known.text:
            raise InputError("a conversation about a text that is not in gold")
        return known, known.text.index(text)

    def _recorded(self, row: Mapping[str, Any]) -> None:
        document = self._document(str(row.get("id")), row.get("text"))
        kind = row.get("type")
        if kind is None:
            self._list(document, row["response"])
        elif isinstance(kind, str):
            self._answer(document, kind, row["response"])
        else:
            raise InputError(f'"type" is the type that was asked about, found {kind!r}')

    def _document(self, identity: str, text: Any = None) -> Document:
        document = self._gold.get(identity)
        if document is None:
            raise InputError(f"document {identity!r} is not in gold{did_you_mean(identity, list(self._gold)[:200])}")
        if isinstance(text, str) and text != document.text:
            raise InputError(f"document {identity!r} has one text in gold, another here; score the same text")
        return document

    def _answer(self, document: Document, kind: str, said: str, start: int = 0, passage: str | None = None) -> None:
        """The answer to the question about one type, for the whole text or a passage of it."""
        label = self._label(kind)
        sitting = self.sittings.setdefault(document.id, Sitting())
        if label is None:
            return
        found = [Mention(mention.text, label) for mention in self._said(sitting, said, "names")]
        self._place(sitting, found, document.text if passage is None else passage, start)

    def _list(self, document: Document, said: str) -> None:
        """The answer to the question about all types; a type that was not asked about is a mistake of the model."""
        sitting = self.sittings.setdefault(document.id, Sitting())
        answer = self._said(sitting, said, "list")
        kinds = ((mention.text, self._labels.canonical(mention.label) or mention.label) for mention in answer)
        known = [Mention(text, kind) for text, kind in kinds if kind not in self._left_out]
        self._place(sitting, known, document.text, 0)

    @staticmethod
    def _said(sitting: Sitting, said: str, shape: Shape) -> Sequence[Mention]:
        """The mentions of a whole answer; one that is no list, or was cut off, is counted and gives none."""
        try:
            answer = parse_answer(said, shape)
        except UnparsedAnswer:
            answer = None
        if answer is None or answer.truncated:
            sitting.unparsed += 1
            return ()
        return answer.mentions

    def _place(self, sitting: Sitting, found: Sequence[Mention], text: str, start: int) -> None:
        """A mention counts wherever it stands."""
        different = {(plain(mention.text), mention.label): mention for mention in reversed(found)}
        alignment = align(text, list(different.values())[::-1], _EVERYWHERE)
        sitting.entities += (
            Entity(entity.start + start, entity.end + start, entity.label) for entity in alignment.entities
        )
        sitting.strings += ((mention.text, mention.label) for mention in found)
        sitting.nowhere += len(alignment.lost)

    def _labelled(self, found: Document) -> None:
        """A row of a label file, with the mentions that its labelling lost."""
        document = self._document(found.id, found.text)
        if document.id in self.sittings:
            raise InputError(f"document {document.id!r} stands twice; ids must be unique")
        sitting = self.sittings.setdefault(document.id, Sitting())
        known, dropped = self._labels.apply(found)
        strange = sorted({entity.label for entity in dropped} - self._left_out)
        if strange and self._labels.other == "error":
            raise self._unknown(strange[0])
        sitting.entities += known.entities
        sitting.strings += mentions(known)
        for lost in found.meta.get("lost") or ():
            label = self._labels.canonical(str(lost.get("label", "")))
            if label is not None:
                sitting.strings.append((str(lost.get("mention", "")), label))
                sitting.nowhere += 1
        unparsed = found.meta.get("unparsed") or 0
        sitting.unparsed += unparsed if isinstance(unparsed, int) else len(unparsed)

    def _label(self, kind: str) -> str | None:
        label = self._labels.canonical(kind)
        if label is None and kind not in self._left_out and self._labels.other == "error":
            raise self._unknown(kind)
        return label

    def _unknown(self, kind: str) -> InputError:
        known = [each.name or each.id for each in self._labels]
        return InputError(f"type {kind!r} is not one of {self._labels.source}{did_you_mean(kind, known)}")
