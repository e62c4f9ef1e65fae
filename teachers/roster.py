"""The roster: which teacher the options name, what it needs to begin, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.alignment import AlignmentRules
from distill.document import Document
from distill.errors import CallError
from distill.labels import LabelSet, read_labels
from distill.libraries import resolve
from teachers.choice import Shape
from teachers.chunks import Chunk, chunks_of, counted_by, estimated
from teachers.filters import Filters
from teachers.forms import ALONE, form_of
from teachers.intake import identity
from teachers.options import CONVERSATION, LabelOptions
from teachers.purse import Purse
from teachers.repertoire import OPEN, SHAPES, language_of
from teachers.replay import ReplayTeacher
from teachers.rows import Reader
from teachers.servers import server_for, shown_address
from teachers.shots import Choice, examples, shots_for
from teachers.teacher import Conversation, Teacher

BUILT_IN_LABELS = Path(__file__).parent / "prompts" / "labels.toml"
CHUNK = 256  # tokens of a passage (UniversalNER)


Ask = Callable[[Document], Sequence[Conversation]]
"""Most prompts are one conversation; `conversation` is one for each label."""


@dataclass(frozen=True)
class Lesson:
    """All that a run needs: who answers, what a document is turned into, how its answer is read."""

    teacher: Teacher
    ask: Ask
    reader: Reader
    divide: Callable[[str], Sequence[Chunk]]
    """The stretches of a text that are asked about one by one."""
    call: Mapping[str, Any]
    """What must be the same for a stopped run to go on."""
    purse: Purse
    form: str = ""
    """The `response_format` that answers are asked for in, where they are."""


def lesson_for(options: LabelOptions, teacher: Teacher | None = None) -> Lesson:
    """The lesson that the options describe; a given `teacher` answers in place of the one they name."""
    own_prompt = options.asked_by not in SHAPES
    asks, interviews = options.teacher != "replay", options.asked_by == CONVERSATION
    rendered = own_prompt or (asks and not interviews)
    prompt = resolve("teachers.prompting:Prompt", "teach")(options.asked_by) if rendered else None
    shape: Shape = prompt.shape() if prompt else SHAPES[options.asked_by]
    _check(options, asks)
    labels = _labels(options, shape)
    rules = AlignmentRules(_occurrences(options, shape), options.similarity)
    name = prompt.name if prompt else options.asked_by
    call: dict[str, Any] = {
        "input": [identity(path) for path in options.inputs], "teacher": options.teacher, "prompt": name,
        "labels": repr(labels.labels) if labels else None, "occurrences": rules.occurrences,
        "similarity": rules.similarity, "language": options.language, "drop-empty": options.drop_empty,
        "attempts": options.attempts,
    }  # fmt: skip
    if prompt:
        call["prompt text"] = prompt.source
    divide, form = _divide(options, call), form_of(options.asked_by, shape, labels) if _formal(options) else ""
    if asks:
        call |= _what_is_asked(options)
        named = labels or read_labels(BUILT_IN_LABELS)
        ask = _interview(options, named, divide) if interviews else _asking(options, prompt, labels)
        ask = _in_form(ask, form) if form else ask
        chosen, purse = (teacher, Purse()) if teacher is not None else _teacher(options)
    else:
        ask, chosen, purse = _nothing_to_say, teacher or _replay(options, call), Purse()
    filters = Filters(options.language) if shape == "list" else None
    reader = Reader(chosen.name, name, shape, labels, rules, filters)
    return Lesson(chosen, ask, reader, divide, call, purse, form)


def _divide(options: LabelOptions, call: dict[str, Any]) -> Callable[[str], Sequence[Chunk]]:
    """How long texts are divided. Recorded answers are those of whole documents, unless the options say otherwise."""
    most = options.chunk_tokens if options.chunk_tokens is not None else 0 if options.teacher == "replay" else CHUNK
    own = Path(options.model or "") / "tokenizer.json"  # a local model's; a server's model is only a name
    counter = options.chunk_tokenizer or (own if options.teacher == "llama" and own.is_file() else None)
    tokens = counted_by(counter) if counter and most else estimated
    call["chunk-tokens"], call["chunk-tokenizer"] = most, str(options.chunk_tokenizer or "")
    return (lambda text: chunks_of(text, most, tokens)) if most else (lambda text: [Chunk(0, text)])


def _nothing_to_say(document: Document) -> Sequence[Conversation]:
    """What a recorded answer is asked by: the id alone."""
    return (Conversation(document.id, ()),)


def _check(options: LabelOptions, asks: bool) -> None:
    """Raise CallError for options that do not go together."""
    if options.asked_by == CONVERSATION and not asks:
        raise CallError(f"--teacher {options.teacher} has one answer a document, --prompt conversation one a type")
    if options.shots_by in ("diverse", "filtered") and options.asked_by != CONVERSATION:
        raise CallError(f"--shots-by {options.shots_by} goes with --prompt conversation; nearest goes with all prompts")
    chosen = options.shots_by not in ("fixed", "none") and options.shots != 0
    if options.asked_by == CONVERSATION and chosen and options.shots_from is None:
        raise CallError(f"--shots-by {options.shots_by} needs --shots-from, labelled documents to take examples from")


def _formal(options: LabelOptions) -> bool:
    """Whether answers are asked for in a form."""
    given = any(pair.partition("=")[0] == "response_format" for pair in options.param)
    if options.structured == "on" and (given or options.teacher != "openai"):
        why = "--param response_format says otherwise" if given else f"--teacher {options.teacher} knows no forms"
        raise CallError(f"--structured on: {why}")
    wanted = options.structured == "on" or (options.structured == "auto" and options.asked_by in ALONE)
    return wanted and not given and options.teacher == "openai"


def _in_form(ask: Ask, form: str) -> Ask:
    return lambda document: tuple(replace(conversation, form=form) for conversation in ask(document))


def _teacher(options: LabelOptions) -> tuple[Teacher, Purse]:
    """Whoever answers, behind its store."""
    if options.teacher == "llama":
        return resolve("teachers.llama:llama_for", "llama")(options), Purse()
    return server_for(options)


def _what_is_asked(options: LabelOptions) -> dict[str, Any]:
    """What shapes a conversation or its answer, for the fingerprint of the call."""
    return {
        "style": options.style, "shots": options.shots, "shots-by": options.shots_by, "seed": options.seed,
        "shots-per-label": options.shots_per_label, "embedder": options.embedder,
        "shots-from": identity(options.shots_from) if options.shots_from else None,
        "base-url": options.base_url and shown_address(options.base_url),
        "model": options.model, "param": options.param, "structured": options.structured,
    }  # fmt: skip


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


def _interview(options: LabelOptions, labels: LabelSet, divide: Callable[[str], Sequence[Chunk]]) -> Ask:
    """A question for each label; numpy is imported for it, and for it alone."""
    return resolve("teachers.interview:interviewer", "retrieve")(options, labels, divide)  # type: ignore[no-any-return]


def _asking(options: LabelOptions, prompt: Any, labels: LabelSet | None) -> Ask:
    """A prompt for every document."""
    free = labels is None and options.asked_by in OPEN
    named = labels or read_labels(BUILT_IN_LABELS)
    shots = _shots(options, None if free else named)

    def ask(document: Document) -> Sequence[Conversation]:
        language = language_of(document.text) if options.language == "auto" else options.language
        return (Conversation(document.id, prompt.messages(document.text, named, shots(document), language)),)

    return ask


def _shots(options: LabelOptions, labels: LabelSet | None) -> Choice:
    if options.shots_by == "none":
        return lambda _: ()
    if options.shots_by != "nearest":
        return shots_for(labels, options.shots_from, options.shots, options.shots_by, options.seed)
    shots, count = examples(labels, options.shots_from, options.shots)
    embed = resolve("teachers.embeddings:embedder", "retrieve")(options.embedder)
    nearest = resolve("teachers.neighbours:nearest", "retrieve")
    return nearest(shots, count, embed, options.shots_per_label)  # type: ignore[no-any-return]
