"""Building: label files become the conversations that a model is tuned on, or asked with, as a stream."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from distill.errors import CallError, InputError
from distill.files import STREAM, whole_or_not_at_all
from distill.jsonl import dump_line
from distill.labels import read_labels
from distill.progress import progress
from distill.sample import ticket_of
from teachers.benches import Bench, bench
from teachers.build_report import BuildReport
from teachers.chunks import Chunk, chunks_of, counted_by
from teachers.chunks import estimated as estimated_tokens
from teachers.conversations import Example, Turn, Wording
from teachers.embeddings import Embedder
from teachers.examples import Pool, pool_of, strategy_for
from teachers.fitting import Asked, Fit, estimated
from teachers.negatives import Negatives, same
from teachers.passages import Divide, Passage, Vocabulary, passages_of, read_definitions, unknown_types
from teachers.rait_options import RaitBuildOptions
from teachers.records import Record, read_records
from teachers.repertoire import language_of
from teachers.retrieval import Query, Strategy, nothing


def build(options: RaitBuildOptions, model: Embedder | None = None) -> BuildReport:
    """Write the conversations of all passages; the file appears whole or not at all. A given `model` embeds them.

    Passages are read twice, first for the frequencies of their types, and are not kept in memory unless examples are
    to be retrieved for them.
    """
    _check(options)
    source = _Source(options)
    report = BuildReport(options.out)
    frequencies, kept = source.survey()
    strategy, pool = _retrieval(options, source, kept, model)
    report.pool, report.pool_left_out = len(pool), pool.left_out
    asker = _Asker(options, source.words, frequencies)
    with whole_or_not_at_all(options.out) as out, progress("building", source.documents) as shown:
        for at, passage in enumerate(kept if kept is not None else source.passages(Counter())):
            places = strategy(Query(passage.id, passage.text, at))
            report.add_passage(passage, len(places))
            for row in asker.rows(passage, [pool.example(place) for place in places], report):
                ids = [pool.passages[place].id for place in places]
                row["meta"] |= {"examples": ids} if ids else {}
                out.write(dump_line(row) + "\n")
            shown.advance()
        source.told(report, frequencies, asker.fit)
        if not report.conversations:
            raise InputError(f"no conversation to write: {report.why_none()}", path=options.inputs[0])
    return report


def _check(options: RaitBuildOptions) -> None:
    if not options.inputs:
        raise CallError("rait build needs an INPUT: a label file of open types")
    read = (*options.inputs, *options.shots_from)
    if any(str(path) == STREAM for path in read):
        raise CallError("rait build reads its input twice; give a file in place of -")
    if options.out in read:
        raise CallError(f"--out {options.out} is also read; write the conversations into another file")
    if options.labels and options.benchmark:
        raise CallError("--labels and --benchmark both name the types; give one of them")
    if options.negative_types == "all" and not (options.labels or options.benchmark):
        raise CallError("--negative-types all needs to know all types: give --labels or --benchmark")


@dataclass
class _Source:
    """The input as passages, as often as it is read."""

    options: RaitBuildOptions
    documents: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        options = self.options
        self.bench: Bench | None = bench(options.benchmark) if options.benchmark else None
        labels = read_labels(options.labels) if options.labels else self.bench.labels if self.bench else None
        definitions = read_definitions(options.definitions) if options.definitions else {}
        left_out = self.bench.left_out if self.bench else frozenset()
        self.words = Vocabulary(labels, left_out, definitions)
        self.divide = _divider(options)
        self._highest = self._lowest_tickets()

    def survey(self) -> tuple[Counter[str], list[Passage] | None]:
        """How many different mentions each type has; and the passages, where they are to be looked for examples.

        Raises InputError that lists all types the label set does not know.
        """
        frequencies: Counter[str] = Counter()
        wanted = self.options.shots_by != "none" and self.options.shots > 0
        kept: list[Passage] | None = [] if wanted else None
        for passage in self.passages(self.lost):
            frequencies.update(kind for _, kind in passage.pairs)
            if kept is not None:
                kept.append(passage)
        words = self.words
        if words.unknown and words.labels is not None and words.labels.other == "error":
            raise unknown_types(words, self.options.inputs)
        return frequencies, kept

    def passages(self, lost: Counter[str]) -> Iterator[Passage]:
        """All passages of the input, in order."""
        self.documents = 0
        for record in self._records(self.options.inputs):
            if self._highest is None or self._ticket(record) <= self._highest:
                self.documents += 1
                yield from passages_of(record, self.words, self.divide, lost)

    def pool(self, paths: Sequence[Path]) -> Iterator[Passage]:
        """The passages of other files; types that the label set does not know stay as they are."""
        words = Vocabulary(self.words.labels, self.words.left_out, self.words.definitions, lenient=True)
        for record in self._records(paths):
            yield from passages_of(record, words, self.divide, Counter())

    def told(self, report: BuildReport, frequencies: Counter[str], fit: Fit) -> BuildReport:
        """The report with all that was counted on the way."""
        report.documents, report.types = self.documents, len(frequencies)
        report.frequent = frequencies.most_common(5)
        report.lost += self.lost + fit.lost
        report.divided, report.examples_left_out = fit.divided, fit.examples_left_out
        report.undefined = len(self.words.undefined)
        return report

    def _records(self, paths: Sequence[Path]) -> Iterator[Record]:
        for path in paths:
            yield from self.bench.read(path) if self.bench else read_records(path)

    def _ticket(self, record: Record) -> int:
        return ticket_of(record.text, self.options.seed.to_bytes(16, "big", signed=True))

    def _lowest_tickets(self) -> int | None:
        """The highest ticket that is drawn where only some texts are wanted."""
        if self.options.n is None:
            return None
        tickets = {self._ticket(record) for record in self._records(self.options.inputs)}
        return max(heapq.nsmallest(self.options.n, tickets), default=0)


def _divider(options: RaitBuildOptions) -> Divide:
    most = options.chunk_tokens
    if not most:
        return lambda text: [Chunk(0, text)]
    tokens = counted_by(options.chunk_tokenizer) if options.chunk_tokenizer else estimated_tokens
    short: Callable[[str], bool] = (lambda _: False) if options.chunk_tokenizer else (lambda text: _short(text, most))
    return lambda text: [Chunk(0, text)] if short(text) else chunks_of(text, most, tokens)


def _short(text: str, most: int) -> bool:
    """Whether a bound that is quick to find says that a text has no more than so many estimated tokens."""
    if len(text) <= most:
        return True
    accented = sum(len(word) for word in text.split() if not word.isascii())  # every letter of these may be a token
    return estimated(text) + accented <= most


def _retrieval(
    options: RaitBuildOptions, source: _Source, kept: list[Passage] | None, model: Embedder | None
) -> tuple[Strategy, Pool]:
    if kept is None:
        return nothing, Pool(())
    candidates = source.pool(options.shots_from) if options.shots_from else kept
    pool = pool_of(candidates, options.pool_size, options.seed)
    return strategy_for(options, [passage.text for passage in kept], pool, model), pool


class _Asker:
    """Turns a passage into conversations."""

    def __init__(self, options: RaitBuildOptions, words: Vocabulary, frequencies: Counter[str]) -> None:
        self._options = options
        self._names = words.names()
        self._negatives = Negatives(frequencies, options.negative_types == "uniform")
        tokens = counted_by(options.chunk_tokenizer) if options.chunk_tokenizer else None
        self.fit = Fit(options.cut_off, (lambda text: len(tokens(text))) if tokens else estimated)

    def rows(self, passage: Passage, examples: Sequence[Example], report: BuildReport) -> Iterator[dict[str, Any]]:
        """The passage's conversations as rows of the output."""
        wording = self._wording(passage)
        asked = self._asked(passage, report)
        if not asked and self._options.queries != "free":
            report.lost["a passage that nothing is asked about"] += 1
            return
        conversations = list(self._conversations(passage, asked, wording, examples))
        for number, turns in enumerate(conversations, 1):
            name = passage.id if len(conversations) == 1 else f"{passage.id}/{number}"
            report.add_conversation(wording.language)
            yield {"id": name, "conversations": turns, "meta": {"document": passage.document}}

    def _wording(self, passage: Passage) -> Wording:
        language = self._options.language
        if language == "auto" and self._options.benchmark:
            language = bench(self._options.benchmark).language
        elif language == "auto":
            language = "zh" if language_of(passage.text) == "zh" else "en"
        return Wording(language, self._options.style, passage.dataset or self._options.dataset)

    def _conversations(
        self, passage: Passage, asked: Sequence[Asked], wording: Wording, examples: Sequence[Example]
    ) -> Iterator[list[Turn]]:
        text, queries = passage.text, self._options.queries
        if queries == "each":
            for part in [[one] for one in asked] if self._options.alone else [asked]:
                yield from self.fit.lessons(text, part, wording, examples)
        else:
            kinds = [kind for kind, _ in asked] if queries == "all" else []
            yield from self.fit.lesson_at_once(text, passage.pairs, kinds, wording, examples)

    def _asked(self, passage: Passage, report: BuildReport) -> list[Asked]:
        """The types asked about, with their mentions: those of the passage, and those it lacks."""
        options, answers = self._options, passage.answers()
        random = Random(f"{options.seed}:questions:{passage.id}")
        if options.negative_types == "all":
            named = [*self._names, *(kind for kind in answers if kind not in self._names)]
            absent = [kind for kind in named if kind not in answers]
        else:
            absent = self._absent(passage, answers, random)
            named = [*answers, *absent]
            random.shuffle(named)
        report.add_questions(answers, len(absent), sum(kind in passage.negatives for kind in absent))
        return [(kind, answers.get(kind, [])) for kind in named]

    def _absent(self, passage: Passage, answers: dict[str, list[str]], random: Random) -> list[str]:
        """The passage's own negatives, and as many drawn ones as are wanted beyond them."""
        options = self._options
        if options.negative_types == "none":
            return []
        present = {same(kind) for kind in answers}
        own = [kind for kind in passage.negatives if same(kind) not in present]
        wanted = options.negatives * len(answers)
        number = int(wanted) + (random.random() < wanted % 1)
        if not answers and options.negatives:
            number = max(1, round(options.negatives))
        return own + self._negatives.draw(number - len(own), [*answers, *own], random)
