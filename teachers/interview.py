"""Interviews: a document is asked about type by type in the turns of UniNER and RA-IT, with examples found for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from distill.document import Document
from distill.errors import CallError
from distill.labels import LabelSet
from teachers.bm25 import THRESHOLD, Okapi
from teachers.chunks import Chunk
from teachers.conversations import Wording, inquiries, question
from teachers.embeddings import embedded, embedder
from teachers.examples import Pool, pool_of
from teachers.options import LabelOptions
from teachers.passages import Vocabulary, passages_of
from teachers.records import read_records
from teachers.repertoire import language_of
from teachers.retrieval import Query, Strategy, at_random, draw, keep, nothing, searching
from teachers.teacher import Conversation
from teachers.transcripts import messages_of

SHOTS = 2  # RA-IT's k
CANDIDATES = 128  # RA-IT's K: diverse examples are drawn from so many neighbours

Ask = Callable[[Document], Sequence[Conversation]]


def interviewer(options: LabelOptions, labels: LabelSet, divide: Callable[[str], Sequence[Chunk]]) -> Ask:
    """How a document is asked about: one conversation a label, in the set's order and by its name in words.

    Raises InputError for a name that cannot be asked about, and CallError where the pool of examples is empty.
    """
    words = Vocabulary(labels)
    kinds = words.names()
    for kind in kinds:
        question(kind, Wording())
    pool = _pool(options, labels, divide)
    choose = _strategy(options, pool)

    def ask(document: Document) -> Sequence[Conversation]:
        wording = _wording(document.text, options)
        shown = [pool.example(place) for place in choose(Query(document.id, document.text))]
        turns = inquiries(document.text, kinds, wording, shown)
        return [
            Conversation(document.id, messages_of(each), about=kind) for kind, each in zip(kinds, turns, strict=True)
        ]

    return ask


def _wording(text: str, options: LabelOptions) -> Wording:
    language = language_of(text) if options.language == "auto" else options.language
    return Wording("zh" if language == "zh" else "en", options.style)


def _pool(options: LabelOptions, labels: LabelSet, divide: Callable[[str], Sequence[Chunk]]) -> Pool:
    """The examples of --shots-from, cut into passages as the documents are; types the set does not know stay."""
    if options.shots_from is None or _none(options):
        return Pool(())
    words = Vocabulary(labels, lenient=True)
    passages = partial(passages_of, words=words, divide=divide, lost=Counter())
    return pool_of(passage for record in read_records(Path(options.shots_from)) for passage in passages(record))


def _none(options: LabelOptions) -> bool:
    """Whether nothing is to be shown: said so, or no file was named to take examples from."""
    return options.shots_by == "none" or options.shots == 0 or (options.shots_by == "fixed" and not options.shots_from)


def _strategy(options: LabelOptions, pool: Pool) -> Strategy:
    if _none(options):
        return nothing
    if not len(pool):
        why = ", ".join(f"{count} {reason}" for reason, count in pool.left_out.items()) or "no passage at all"
        raise CallError(f"the pool of examples is empty ({why}); give labelled documents with --shots-from")
    count, texts = options.shots or SHOTS, pool.texts
    if options.shots_by == "fixed":
        return lambda _: range(min(count, len(texts)))
    if options.shots_by == "random":
        return at_random(texts, count, options.seed)
    model, diverse = embedder(options.embedder), options.shots_by == "diverse"
    found = searching(texts, embedded(texts, model), model, max(count, CANDIDATES) if diverse else count)
    if diverse:
        return draw(found, count, options.seed)
    return keep(found, Okapi(texts).scores, THRESHOLD) if options.shots_by == "filtered" else found
