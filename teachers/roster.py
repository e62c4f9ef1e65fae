"""The roster: which teacher the options name, what it needs to begin, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.alignment import AlignmentRules
from distill.document import Document
from distill.errors import CallError
from distill.labels import LabelSet, read_labels
from distill.libraries import resolve
from teachers.answers import Shape
from teachers.chunks import Chunk, chunks_of, counted_by, estimated
from teachers.embeddings import embedder
from teachers.filters import Filters
from teachers.intake import identity
from teachers.neighbours import nearest
from teachers.options import LabelOptions
from teachers.purse import Purse
from teachers.repertoire import OPEN, SHAPES, language_of
from teachers.replay import ReplayTeacher
from teachers.rows import Reader
from teachers.servers import server_for, shown_address
from teachers.shots import Choice, examples, shots_for
from teachers.teacher import Conversation, Teacher

BUILT_IN_LABELS = Path(__file__).parent / "prompts" / "labels.toml"
CHUNK = 256  # tokens of a passage (UniversalNER)


@dataclass(frozen=True)
class Lesson:
    """All that a run needs: who answers, what a document is turned into, how its answer is read."""

    teacher: Teacher
    ask: Callable[[Document], Conversation]
    reader: Reader
    divide: Callable[[str], Sequence[Chunk]]
    """The stretches of a text that are asked about one by one."""
    call: Mapping[str, Any]
    """What must be the same for a stopped run to go on."""
    purse: Purse


def lesson_for(options: LabelOptions, teacher: Teacher | None = None) -> Lesson:
    """The lesson that the options describe; a given `teacher` answers in place of the one they name."""
    own_prompt = options.prompt not in SHAPES
    asks = options.teacher == "openai"
    prompt = resolve("teachers.prompting:Prompt", "teach")(options.prompt) if own_prompt or asks else None
    shape: Shape = prompt.shape() if prompt else SHAPES[options.prompt]
    labels = _labels(options, shape)
    rules = AlignmentRules(_occurrences(options, shape), options.similarity)
    name = prompt.name if prompt else options.prompt
    call: dict[str, Any] = {
        "input": [identity(path) for path in options.inputs], "teacher": options.teacher, "prompt": name,
        "labels": repr(labels.labels) if labels else None, "occurrences": rules.occurrences,
        "similarity": rules.similarity, "language": options.language, "drop-empty": options.drop_empty,
        "attempts": options.attempts,
    }  # fmt: skip
    if prompt:
        call["prompt text"] = prompt.source
    if asks:
        ask, chosen, purse = _asking(options, prompt, labels, call, teacher)
    else:
        ask, chosen, purse = _nothing_to_say, teacher or _replay(options, call), Purse()
    filters = Filters(options.language) if shape == "list" else None
    reader = Reader(chosen.name, name, shape, labels, rules, filters)
    return Lesson(chosen, ask, reader, _divide(options, call), call, purse)


def _divide(options: LabelOptions, call: dict[str, Any]) -> Callable[[str], Sequence[Chunk]]:
    """How long texts are divided. Recorded answers are those of whole documents, unless the options say otherwise."""
    most = options.chunk_tokens if options.chunk_tokens is not None else 0 if options.teacher == "replay" else CHUNK
    tokens = counted_by(options.chunk_tokenizer) if options.chunk_tokenizer and most else estimated
    call["chunk-tokens"], call["chunk-tokenizer"] = most, str(options.chunk_tokenizer or "")
    return (lambda text: chunks_of(text, most, tokens)) if most else (lambda text: [Chunk(0, text)])


def _nothing_to_say(document: Document) -> Conversation:
    """What a recorded answer is asked by: the id alone."""
    return Conversation(document.id, ())


def _labels(options: LabelOptions, shape: str) -> LabelSet | None:
    """The label set; a list of free types has none unless one is given."""
    if options.labels is None and shape == "list":
        return None
    return read_labels(options.labels or BUILT_IN_LABELS)


def _occurrences(options: LabelOptions, shape: str) -> Any:
    return options.occurrences or ("own" if shape == "dictionary" else "all")


def _replay(options: LabelOptions, call: dict[str, Any]) -> Teacher:
    if options.responses is None:
        raise CallError('--teacher replay needs --responses, a JSONL file of {"id": ..., "response": ...}')
    teacher = ReplayTeacher(options.responses)
    call["responses"] = identity(options.responses)
    return teacher


def _asking(
    options: LabelOptions, prompt: Any, labels: LabelSet | None, call: dict[str, Any], teacher: Teacher | None
) -> tuple[Callable[[Document], Conversation], Teacher, Purse]:
    """A prompt for every document, and the server behind its store."""
    free = labels is None and options.prompt in OPEN
    named = labels or read_labels(BUILT_IN_LABELS)
    shots = _shots(options, None if free else named)
    call |= {
        "shots": options.shots, "shots-by": options.shots_by, "seed": options.seed,
        "shots-per-label": options.shots_per_label, "embedder": options.embedder,
        "shots-from": identity(options.shots_from) if options.shots_from else None,
        "base-url": options.base_url and shown_address(options.base_url),
        "model": options.model, "param": options.param,
    }  # fmt: skip

    def ask(document: Document) -> Conversation:
        language = language_of(document.text) if options.language == "auto" else options.language
        return Conversation(document.id, prompt.messages(document.text, named, shots(document), language))

    if teacher is not None:
        return ask, teacher, Purse()
    return ask, *server_for(options)


def _shots(options: LabelOptions, labels: LabelSet | None) -> Choice:
    if options.shots_by != "nearest":
        return shots_for(labels, options.shots_from, options.shots, options.shots_by, options.seed)
    shots, count = examples(labels, options.shots_from, options.shots)
    return nearest(shots, count, embedder(options.embedder), options.shots_per_label)
