"""Examples to learn from: windows of ids, the first pieces a window owns, and their words' tags."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from distill.document import Document, Entity
from distill.errors import InputError
from distill.sentences import sentences
from students.decode import TagSet
from students.encode import Encoded, Encoder, Ids

Floats = npt.NDArray[np.float32]
_SENTENCES = 1.5  # in a text of a corpus of sentences, at the most and on average


class Example(NamedTuple):
    """A window: `ids` with special tokens, and of each word it owns the index `at` its first piece, tag and weight.

    `beliefs`, shape (words, tags), are the shares of each tag where they are to be learnt in the place of one tag.
    """

    ids: Ids
    at: Ids
    tags: Ids
    weights: Floats
    beliefs: Floats | None = None


@dataclass
class Examples:
    """The windows of a data set by row, and what did not fit: these counts go into the report.

    `windowed` counts rows cut into several windows, `snapped` entities that end inside a word and took the whole
    word, `lost` entities without a word of their own (by label), `empty` rows without a token.
    """

    rows: list[list[Example]] = field(default_factory=list)
    windowed: int = 0
    snapped: int = 0
    empty: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        return sum(len(window.ids) for row in self.rows for window in row)


def sentence_length(texts: Sequence[str], sources: Sequence[Examples]) -> int:
    """Tokens of the median text to learn from, where these are sentences; 0 where they are longer texts, or none."""
    parts = sum(len(sentences(text)) for text in texts)
    lengths = [sum(len(window.ids) for window in row) for source in sources for row in source.rows]
    return int(np.median(lengths)) if lengths and parts < _SENTENCES * len(texts) else 0


def examples(
    documents: Sequence[Document],
    encoder: Encoder,
    tags: TagSet,
    *,
    weighted: bool = False,
    beliefs: Sequence[Floats | None] | None = None,
) -> Examples:
    """Encode flat Documents once, for all epochs.

    `weighted` takes the entities' scores and the documents' `meta.weight` into the loss; otherwise every word counts 1.
    `beliefs` has for each document the shares of the tags of its words, shape (words, tags), or None.
    """
    result = Examples()
    for number, document in enumerate(documents):
        encoded = encoder.encode(document.text)
        targets = word_tags(document.entities, encoded, tags)
        result.snapped += targets.snapped
        result.lost.update(entity.label for entity in targets.lost)
        weights = _weights(document, targets.owner) if weighted else np.ones(len(encoded.words), np.float32)
        windows = _windows(encoded, targets.tags, weights, encoder, None if beliefs is None else beliefs[number])
        result.windowed += len(windows) > 1
        result.empty += not windows
        result.rows.append(windows)
    return result


class Targets(NamedTuple):
    """The tag of each word, the entity each word belongs to (-1 for none), and what did not fit."""

    tags: Ids
    owner: Ids
    snapped: int
    lost: list[Entity]


def word_tags(entities: Sequence[Entity], encoded: Encoded, tags: TagSet) -> Targets:
    """BIO tags of the words of one text; an entity takes every word it touches that no earlier one has.

    An entity that touches no word (only white space), none with pieces, or none that is free is lost.
    """
    starts = np.asarray([word.start for word in encoded.words], np.int64)
    ends = np.asarray([word.end for word in encoded.words], np.int64)
    found, owner = np.zeros(len(starts), np.int32), np.full(len(starts), -1, np.int32)
    position = {label: i for i, label in enumerate(tags.labels)}
    snapped, lost = 0, []
    for number, entity in enumerate(entities):
        low = int(np.searchsorted(ends, entity.start, side="right"))
        high = int(np.searchsorted(starts, entity.end))
        free = [word for word in range(low, high) if owner[word] < 0]
        seen = [word for word in free if encoded.first[word] >= 0]
        if not seen:
            lost.append(entity)
            continue
        snapped += bool(starts[low] < entity.start or ends[high - 1] > entity.end)
        owner[free] = number
        found[free] = 2 * position[entity.label] + 2
        found[seen[0]] -= 1
    return Targets(found, owner, snapped, lost)


def row_weight(document: Document) -> float:
    """The Document's `meta.weight`, 1 where it has none; InputError where that is no number from 0 on."""
    row = document.meta.get("weight", 1.0)
    if isinstance(row, bool) or not isinstance(row, int | float) or not 0 <= row < math.inf:
        raise InputError(f"document {document.id!r}: meta.weight is {row!r}, not a number from 0 on")
    return row


def _weights(document: Document, owner: Ids) -> Floats:
    scores = [1.0 if entity.score is None else entity.score for entity in document.entities]
    row = row_weight(document)
    return np.asarray([row * (scores[o] if o >= 0 else 1.0) for o in owner.tolist()], np.float32)


def _windows(
    encoded: Encoded, tags: Ids, weights: Floats, encoder: Encoder, beliefs: Floats | None
) -> list[Example]:
    real = np.flatnonzero(encoded.first >= 0)
    first = encoded.first[real]
    result = []
    for window in encoder.windows(encoded):
        low, high = np.searchsorted(first, (window.own_start, window.own_end))
        words = real[low:high]
        at = (first[low:high] - window.start + len(encoder.prefix)).astype(np.int32)
        believed = None if beliefs is None else beliefs[words]
        result.append(Example(encoder.row(encoded, window), at, tags[words], weights[words], believed))
    return result
