"""What is in a data set: documents, words, entities, and what a tagger will trip over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from distill.corpora import FORMATS, read_documents
from distill.document import Document, Entity, flat
from distill.options import Options, option
from distill.reports import count, table
from distill.words import words

BANDS = ("top 1 %", "1-10 %", "10-100 %")
MANY_LABELS = 50  # fewer are no open types, and a hundredth of them says nothing


@dataclass(frozen=True)
class StatsOptions(Options):
    """What `stats` is told."""

    source: Path = option(help="the data set; - is standard input", argument=True, flag="file")
    format: str | None = option(
        None, "its format; told by its suffix or first lines", choices=tuple(FORMATS), flag="from"
    )
    json: bool = option(False, "print JSON")


@dataclass
class LabelStats:
    """One label: its entities, how many different mentions they have, and how long they are."""

    entities: int = 0
    documents: int = 0
    mentions: int = 0
    longest: int = 0


@dataclass(frozen=True)
class Band:
    """Labels by how often they occur: how many there are in a band, and their part of all entities."""

    name: str
    labels: int
    entities: int
    part: float


@dataclass
class Stats:
    """Counts over a data set. Words are BERT's; lengths count code points."""

    documents: int = 0
    without_entities: int = 0
    words: int = 0
    characters: int = 0
    longest_words: int = 0
    longest_characters: int = 0
    longest_id: str = ""
    entities: int = 0
    nested: int = 0
    crossing: int = 0
    same_span: int = 0
    discontinuous: int = 0
    repeated_entities: int = 0
    dropped_when_flat: int = 0
    scored: int = 0
    repeated_ids: int = 0
    repeated_texts: int = 0
    labels: dict[str, LabelStats] = field(default_factory=dict)

    @property
    def bands(self) -> list[Band]:
        """Type frequencies as UniNER reports them: the most frequent 1 % of the labels, the next 9 %, the rest."""
        ranked = sorted((label.entities for label in self.labels.values()), reverse=True)
        cuts = [0, *(math.ceil(len(ranked) * share) for share in (0.01, 0.1, 1.0))]
        return [
            Band(name, high - low, sum(ranked[low:high]), sum(ranked[low:high]) / self.entities if ranked else 0.0)
            for name, low, high in zip(BANDS, cuts, cuts[1:], strict=False)
        ]

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self) | {"bands": [asdict(band) for band in self.bands]}

    def __str__(self) -> str:
        rows = [
            (name, count(label.entities), count(label.documents), count(label.mentions), count(label.longest))
            for name, label in sorted(self.labels.items(), key=lambda item: (-item[1].entities, item[0]))
        ]
        head = ("label", "entities", "documents", "different mentions", "longest")
        lines = [(name.replace("_", " "), _shown(value)) for name, value in asdict(self).items() if name != "labels"]
        shown = table(("data set", ""), [lines]) + ("\n\n" + table(head, [rows]) if rows else "")
        return shown + ("\n\n" + self._band_table() if len(self.labels) >= MANY_LABELS else "")

    def _band_table(self) -> str:
        rows = [(band.name, count(band.labels), count(band.entities), f"{band.part:.1%}") for band in self.bands]
        return table(("labels by frequency", "labels", "entities", "of all"), [rows])


def stats(options: StatsOptions) -> Stats:
    """Count what is in a file."""
    return stats_of(read_documents(options.source, options.format))


def stats_of(documents: Iterable[Document]) -> Stats:
    """Count what is in a data set; it is read as a stream, only ids, texts' hashes and mentions are kept."""
    found = Stats()
    ids: Counter[str] = Counter()
    texts: Counter[int] = Counter()
    mentions: dict[str, set[str]] = {}
    for document in documents:
        ids[document.id] += 1
        texts[hash(document.text)] += 1
        _count_text(found, document)
        _count_entities(found, document)
        for label in {entity.label for entity in document.entities}:
            found.labels.setdefault(label, LabelStats()).documents += 1
        for entity in document.entities:
            row, mention = found.labels[entity.label], document.mention(entity)
            row.entities += 1
            row.longest = max(row.longest, len(mention))
            mentions.setdefault(entity.label, set()).add(mention)
    for label, different in mentions.items():
        found.labels[label].mentions = len(different)
    found.repeated_ids = sum(number - 1 for number in ids.values())
    found.repeated_texts = sum(number - 1 for number in texts.values())
    return found


def _count_text(found: Stats, document: Document) -> None:
    length, size = len(words(document.text)), len(document.text)
    found.documents += 1
    found.without_entities += not document.entities
    found.words += length
    found.characters += size
    found.longest_words = max(found.longest_words, length)
    if size > found.longest_characters:
        found.longest_characters, found.longest_id = size, document.id


def _count_entities(found: Stats, document: Document) -> None:
    """Every entity counts at most once among nested (inside a longer one), crossing and same span."""
    unique = sorted(dict.fromkeys(document.entities))
    found.entities += len(document.entities)
    found.repeated_entities += len(document.entities) - len(unique)
    found.scored += sum(entity.score is not None for entity in document.entities)
    found.discontinuous += sum(bool(entity.fragments) for entity in unique)
    found.dropped_when_flat += len(flat(document.with_entities(unique)).dropped)
    for kinds in _relations(unique):
        found.same_span += "same span" in kinds
        found.nested += "nested" in kinds and "same span" not in kinds
        found.crossing += "crossing" in kinds and not kinds & {"same span", "nested"}


def _relations(entities: Sequence[Entity]) -> list[set[str]]:
    """How each of the sorted entities lies to those it overlaps; only neighbours are compared."""
    kinds: list[set[str]] = [set() for _ in entities]
    for index, entity in enumerate(entities):
        for at in range(index + 1, len(entities)):
            if entities[at].start >= entity.end:
                break
            kinds[index].add(_relation(entity, entities[at]))
            kinds[at].add(_relation(entities[at], entity))
    return kinds


def _relation(entity: Entity, other: Entity) -> str:
    """How an entity lies to another one that it overlaps."""
    if entity.span == other.span:
        return "same span"
    if other.start <= entity.start and entity.end <= other.end:
        return "nested"
    return "around" if entity.start <= other.start and other.end <= entity.end else "crossing"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else count(value)
