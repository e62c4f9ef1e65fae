"""The schoolbook: conversations as one model's tokens, split into what is learnt and what is held out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from distill.alignment import Mention
from distill.errors import CallError, InputError
from teachers.answers import UnparsedAnswer, parse_answer
from teachers.dialogue import NO_LOSS, Dialogue, Unsayable
from teachers.transcripts import Transcript, read_transcripts
from teachers.tune_options import TuneOptions


@dataclass
class Rows:
    """Encoded conversations, packed: a few bytes a token."""

    ids: array[int] = field(default_factory=lambda: array("i"))
    labels: array[int] = field(default_factory=lambda: array("i"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    learnt: int = 0

    def __len__(self) -> int:
        return len(self.ends)

    def add(self, ids: Sequence[int], labels: Sequence[int]) -> None:
        self.ids.extend(ids)
        self.labels.extend(labels)
        self.ends.append(len(self.ids))
        self.learnt += sum(label != NO_LOSS for label in labels)

    def dataset(self) -> Any:
        """As `datasets` has it: the columns input_ids and labels."""
        import numpy as np
        import pyarrow as pa
        from datasets import Dataset

        offsets = pa.array(np.concatenate([[0], np.frombuffer(self.ends, np.int64)]))
        columns = {
            name: pa.LargeListArray.from_arrays(offsets, pa.array(np.frombuffer(values, np.int32)))
            for name, values in (("input_ids", self.ids), ("labels", self.labels))
        }
        return Dataset(pa.table(columns))


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out question by itself, as the model will be asked it, and the mentions of its answer."""

    about: str
    prompt: list[int]
    mentions: tuple[Mention, ...]


@dataclass
class Schoolbook:
    """What is learnt, what is held out, and what had to be left out with the reason."""

    train: Rows
    dev: Rows
    questions: list[Question]
    left_out: list[dict[str, Any]]


def read_schoolbook(options: TuneOptions, dialogue: Dialogue, reads: int | None = None) -> Schoolbook:
    """Encode all conversations, for a model that `reads` so many tokens at most.

    Raises InputError for one of which nothing would be learnt, before any training.
    """
    book = Schoolbook(Rows(), Rows(), [], [])
    held = held_out(options)
    encoder = _Encoder(options, dialogue, book, reads)
    asked: list[Transcript] = []
    for transcript in read_transcripts(options.conversations, options.loss == "turns"):
        dev = transcript.text in held
        if encoder.add(transcript, book.dev if dev else book.train) and dev:
            asked.append(transcript)
    if (path := _dev_file(options.dev)) is not None:
        found = read_transcripts([path], options.loss == "turns")
        asked += [transcript for transcript in found if encoder.add(transcript, book.dev)]
    if not len(book.train):
        why = f" ({book.left_out[0]['id']}: {book.left_out[0]['reason']})" if book.left_out else ""
        raise CallError(f"nothing to learn: {len(book.left_out)} conversations left out{why}, {len(book.dev)} held out")
    book.questions = _questions(asked, dialogue, options, reads)
    return book


def held_out(options: TuneOptions) -> frozenset[str]:
    """The texts that a share of `--dev` holds out with all their conversations; the seed draws them."""
    share = 0.0 if _dev_file(options.dev) else float(options.dev)
    texts = {transcript.text for transcript in read_transcripts(options.conversations)} if share else set()
    count = min(max(round(share * len(texts)), 1), len(texts) - 1) if len(texts) > 1 else 0
    return frozenset(Random(f"{options.seed}/dev").sample(sorted(texts), count))


def _dev_file(dev: str) -> Path | None:
    """The file that --dev names, or None where it is a share."""
    try:
        share = float(dev)
    except ValueError:
        path = Path(dev)
        if not path.is_file():
            raise InputError("no such file; --dev is a file of conversations, or a share (0.05)", path=dev) from None
        return path
    if not 0 <= share < 1:
        raise CallError(f"--dev is a file, or a share from 0 to below 1, not {dev}")
    return None


@dataclass
class _Encoder:
    options: TuneOptions
    dialogue: Dialogue
    book: Schoolbook
    reads: int | None

    def add(self, transcript: Transcript, rows: Rows) -> bool:
        """Encode into `rows`; False where it is left out, and why is written down."""
        try:
            found = self.dialogue.encode(transcript.messages, transcript.answers)
        except Unsayable as error:
            return self._left_out(transcript, str(error))
        if len(found.ids) > self.options.cut_off:
            return self._left_out(transcript, f"{len(found.ids)} tokens, more than --cut-off {self.options.cut_off}")
        if self.reads is not None and len(found.ids) > self.reads:
            return self._left_out(transcript, f"{len(found.ids)} tokens, more than the {self.reads} the model can read")
        if all(label == NO_LOSS for label in found.labels):
            raise transcript.error("no token of it would be learnt")
        rows.add(found.ids, found.labels)
        return True

    def _left_out(self, transcript: Transcript, why: str) -> bool:
        row = {"id": transcript.id, "file": str(transcript.path), "line": transcript.line, "reason": why}
        self.book.left_out.append(row)
        return False


def _questions(
    asked: Sequence[Transcript], dialogue: Dialogue, options: TuneOptions, reads: int | None
) -> list[Question]:
    """`--dev-most` of the held-out questions, drawn by the seed.

    Those whose own answer is no list are none, nor those that leave the model no room for `--max-tokens`.
    """
    every = [(transcript, at) for transcript in asked for at in transcript.answers]
    chosen = Random(f"{options.seed}/questions").sample(every, min(options.dev_most, len(every)))
    found = [question for transcript, at in chosen if (question := _question(transcript, at, dialogue))]
    return [each for each in found if reads is None or len(each.prompt) + options.max_tokens <= reads]


def _question(transcript: Transcript, at: int, dialogue: Dialogue) -> Question | None:
    mentions = mentions_of(transcript.messages[at].content)
    if mentions is None or not at:
        return None
    asked, opening = transcript.messages[at - 1], transcript.messages[: transcript.answers[0] - 1]
    return Question(asked.content, dialogue.prompt((*opening, asked)), tuple(mentions))


def mentions_of(answer: str) -> list[Mention] | None:
    """The mentions of an answer, about one type or all of them; None where it is no whole list."""
    for shape in ("list", "names"):
        try:
            found = parse_answer(answer, shape)
        except UnparsedAnswer:
            continue
        if not found.truncated:
            return list(found.mentions)
    return None


def pairs(mentions: Iterable[Mention], about: str) -> list[tuple[str, str]]:
    """Mentions as string sets want them; the question stands for a type that the answer does not name."""
    return [(mention.text, mention.label or about) for mention in mentions]
