"""Scores: counts that add up, ratios derived from them, and intervals over documents.

Three kinds, which never add up with each other: `strict` (same boundaries, same label; agrees with seqeval's
`mode="strict", scheme=IOB2`), `partial` (an overlap with the same label counts half) and `strings` (the papers' sets of
mentions). Every ratio is 0 where its denominator is 0, as in seqeval.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from distill.document import Document, Entity
from distill.errors import InputError
from distill.words import is_spaceless, words

KINDS = ("strict", "partial", "strings")
HALF = 0.5  # what an overlap is worth beside an exact match (UniNER's partial match)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Ratios(NamedTuple):
    """Precision, recall and F1 in [0, 1], and the number of gold entities behind them."""

    precision: float
    recall: float
    f1: float
    gold: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Correct, predicted and gold entities; a partial match makes half a correct one."""

    correct: float = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.correct + other.correct, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """Correct among predicted, 0 where nothing was predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Correct among gold, 0 where there is no gold."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0 where there is neither gold nor prediction."""
        total = self.predicted + self.gold
        return 2 * self.correct / total if total else 0.0

    @property
    def ratios(self) -> Ratios:
        return Ratios(self.precision, self.recall, self.f1, self.gold)


@dataclass(frozen=True)
class Score:
    """Counts per label, of one kind; `Score()` is the zero that every sum starts from.

    `unparsed` counts answers that could not be read and were scored as empty (`strings` only).
    """

    labels: Mapping[str, Counts] = field(default_factory=dict)
    kind: str = ""
    unparsed: int = 0

    def __add__(self, other: Score) -> Score:
        if self.kind and other.kind and self.kind != other.kind:
            raise ValueError(f"a {self.kind} and a {other.kind} score cannot be added")
        labels = dict(self.labels)
        for label, counts in other.labels.items():
            labels[label] = labels.get(label, Counts()) + counts
        return Score(labels, self.kind or other.kind, self.unparsed + other.unparsed)

    @property
    def total(self) -> Counts:
        """All labels' counts together."""
        return sum(self.labels.values(), Counts())

    @property
    def micro(self) -> Ratios:
        """Ratios of the total."""
        return self.total.ratios

    @property
    def macro(self) -> Ratios:
        """The plain mean over the labels that occur in gold or predictions."""
        return self._mean(dict.fromkeys(self.labels, 1))

    @property
    def weighted(self) -> Ratios:
        """The mean over labels weighted by their gold entities, 0 where there is no gold."""
        return self._mean({label: counts.gold for label, counts in self.labels.items()})

    @property
    def f1(self) -> float:
        """Micro F1, the one figure a report leads with."""
        return self.micro.f1

    def _mean(self, weights: Mapping[str, int]) -> Ratios:
        whole = sum(weights.values())
        if not whole:
            return Ratios(0.0, 0.0, 0.0, self.total.gold)
        parts = [(weights[label] / whole, counts) for label, counts in sorted(self.labels.items())]
        precision = sum(weight * counts.precision for weight, counts in parts)
        recall = sum(weight * counts.recall for weight, counts in parts)
        return Ratios(precision, recall, sum(weight * counts.f1 for weight, counts in parts), self.total.gold)


def strict(gold: Iterable[Entity], found: Iterable[Entity]) -> Score:
    """Same boundaries (fragments included) and label; an entity that stands twice counts once."""
    expected, predicted = set(gold), set(found)
    correct = Counter(entity.label for entity in expected & predicted)
    return _score("strict", correct, predicted, expected)


def partial(text: str, gold: Iterable[Entity], found: Iterable[Entity]) -> Score:
    """One to one: exact matches count 1; then, left to right, a shared word with the same label counts 0.5.

    In Chinese, Japanese and Thai a shared character does (UniNER's partial match, RA-IT appendix).
    """
    expected, predicted = set(gold), set(found)
    exact = expected & predicted
    correct: dict[str, float] = dict(Counter(entity.label for entity in exact))
    if len(exact) < min(len(expected), len(predicted)):
        for label, count in _overlaps(text, sorted(expected - exact), sorted(predicted - exact)).items():
            correct[label] = correct.get(label, 0) + count * HALF
    return _score("partial", correct, predicted, expected)


def string_sets(gold: Iterable[tuple[str, str]], found: Iterable[tuple[str, str]] | None) -> Score:
    """The figure that UniNER and RA-IT publish: sets of normalised (mention, label) pairs of one text.

    `found` is None where the answer could not be parsed: it counts as empty and as `unparsed`.
    """
    expected = {(normalised(mention), label) for mention, label in gold}
    predicted = {(normalised(mention), label) for mention, label in found or ()}
    correct = Counter(label for _, label in expected & predicted)
    sizes = [Counter(label for _, label in pairs) for pairs in (predicted, expected)]
    return Score(_counts(correct, *sizes), "strings", int(found is None))


def normalised(mention: str) -> str:
    """A mention as the papers compare it: lower case, without ASCII punctuation, English articles and extra spaces."""
    bare = mention.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def mentions(document: Document) -> list[tuple[str, str]]:
    """A Document's entities as `string_sets` wants them."""
    return [(document.mention(entity), entity.label) for entity in document.entities]


def score_document(gold: Document, found: Document, kind: str = "strict") -> Score:
    """The score of one Document of one kind."""
    if kind == "strict":
        return strict(gold.entities, found.entities)
    if kind == "partial":
        return partial(gold.text, gold.entities, found.entities)
    if kind == "strings":
        return string_sets(mentions(gold), mentions(found))
    raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")


def total(scores: Iterable[Score]) -> Score:
    """The sum of many scores; the same as `sum(scores, Score())`, in linear time with thousands of labels."""
    labels: dict[str, Counts] = {}
    rest = Score()
    for score in scores:
        for label, counts in score.labels.items():
            labels[label] = labels.get(label, Counts()) + counts
        rest += Score({}, score.kind, score.unparsed)
    return Score(labels, rest.kind, rest.unparsed)


def pairs(gold: Iterable[Document], found: Iterable[Document]) -> Iterator[tuple[Document, Document]]:
    """Documents of the same id, in gold's order.

    An id that stands twice, is missing on either side, or belongs to another text is an InputError.
    """
    expected, answers = _by_id(gold, "gold"), _by_id(found, "found")
    missing = [id for id in expected if id not in answers]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(expected)} gold documents have no prediction, the first is {missing[0]!r}; "
            "predict them too, with no entities where there are none"
        )
    surplus = [id for id in answers if id not in expected]
    if surplus:
        raise InputError(f"{len(surplus)} predicted documents are not in gold, the first is {surplus[0]!r}")
    for id, document in expected.items():
        if document.text != answers[id].text:
            raise InputError(f"document {id!r} has one text in gold, another in the predictions; score the same text")
        yield document, answers[id]


def _by_id(documents: Iterable[Document], what: str) -> dict[str, Document]:
    known: dict[str, Document] = {}
    for document in documents:
        if document.id in known:
            raise InputError(f"document id {document.id!r} stands twice in {what}; ids must be unique")
        known[document.id] = document
    return known


def scores_by_document(gold: Iterable[Document], found: Iterable[Document], kind: str = "strict") -> dict[str, Score]:
    """The score of every Document by id, which `total` adds up and `bootstrap_interval` draws from."""
    return {document.id: score_document(document, answer, kind) for document, answer in pairs(gold, found)}


def score_documents(gold: Iterable[Document], found: Iterable[Document], kind: str = "strict") -> Score:
    """The score of a whole data set, paired by id."""
    return total(scores_by_document(gold, found, kind).values())


def bootstrap_interval(
    scores: Iterable[Score], seed: int = 0, level: float = 0.95, n: int = 1000
) -> tuple[float, float]:
    """The percentile interval of micro F1 when the documents are drawn anew `n` times with replacement.

    `scores` holds one Score a document. (0, 0) where there is no document. Documents with equal counts are drawn
    together, which gives the same distribution in a fraction of the time.
    """
    import numpy as np

    totals = Counter((part.correct, part.predicted + part.gold) for part in (score.total for score in scores))
    if not totals:
        return 0.0, 0.0
    values = np.array(sorted(totals), dtype=np.float64)
    sizes = np.array([totals[key] for key in sorted(totals)], dtype=np.int64)
    draws = np.random.default_rng(seed).multinomial(sizes.sum(), sizes / sizes.sum(), size=n)
    correct, both = (draws @ values).T
    f1 = np.divide(2 * correct, both, out=np.zeros(n), where=both > 0)
    low, high = np.quantile(f1, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _overlaps(text: str, gold: Sequence[Entity], found: Sequence[Entity]) -> Counter[str]:
    """How many of the sorted gold entities find a partner of their label that shares a word, one to one.

    Both are sorted by start, so what ends before a gold entity begins is never looked at again.
    """
    unit_of = _units(text)
    free = [(entity.label, units) for entity in found if (units := _covered(entity, unit_of))]
    matched: Counter[str] = Counter()
    for entity in gold:
        own = _covered(entity, unit_of)
        if not own:
            continue
        while free and free[0][1][-1] < own[0]:
            del free[0]
        for index, (label, units) in enumerate(free):
            if units[0] > own[-1]:
                break
            if label == entity.label and not set(own).isdisjoint(units):
                matched[label] += 1
                del free[index]
                break
    return matched


def _units(text: str) -> dict[int, int]:
    """What each position of the text counts as: the start of its word, or itself where words have no spaces."""
    return {
        position: position if is_spaceless(text[position]) else span.start
        for span in words(text)
        for position in range(span.start, span.end)
    }


def _covered(entity: Entity, unit_of: Mapping[int, int]) -> list[int]:
    spans = entity.fragments or (entity.span,)
    return sorted({unit_of[at] for start, end in spans for at in range(start, end) if at in unit_of})


def _score(kind: str, correct: Mapping[str, float], predicted: Iterable[Entity], gold: Iterable[Entity]) -> Score:
    sizes = [Counter(entity.label for entity in entities) for entities in (predicted, gold)]
    return Score(_counts(correct, *sizes), kind)


def _counts(correct: Mapping[str, float], predicted: Counter[str], gold: Counter[str]) -> dict[str, Counts]:
    return {
        label: Counts(correct.get(label, 0), predicted[label], gold[label]) for label in sorted({*predicted, *gold})
    }
