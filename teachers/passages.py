"""Passages: records made ready to be asked about, in words and pieces that can be asked; what is lost is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.alignment import Mention
from distill.errors import InputError
from distill.files import existing
from distill.labels import LabelSet, read_labels, unknown_labels_error
from teachers.chunks import Chunk
from teachers.conversations import Example, Pair, unaskable
from teachers.filters import Filters
from teachers.negatives import same
from teachers.records import Record

UNKNOWN = "a label that the set does not know"
Divide = Callable[[str], Sequence[Chunk]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of bearable length, its mentions with their types, and types that are known not to be in it."""

    id: str
    text: str
    pairs: tuple[Pair, ...]
    negatives: tuple[str, ...] = ()
    dataset: str = ""
    document: str = ""
    """The id of the record that it is, or is a piece of."""

    def example(self) -> Example:
        """The passage as a worked example."""
        return Example(self.text, self.pairs)

    def answers(self) -> dict[str, list[str]]:
        """Its mentions by type, in order."""
        found: dict[str, list[str]] = {}
        for mention, kind in self.pairs:
            found.setdefault(kind, []).append(mention)
        return found


@dataclass
class Vocabulary:
    """The words in which types are asked about: a label set's names, definitions, or the types as they are.

    `unknown` counts types that the label set does not know, unless `lenient` keeps them as they are; `undefined` holds
    those that have no definition and keep their name.
    """

    labels: LabelSet | None = None
    left_out: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False
    unknown: Counter[str] = field(default_factory=Counter)
    undefined: set[str] = field(default_factory=set)
    _words: dict[str, tuple[str, str]] = field(default_factory=dict)

    def word(self, kind: str) -> tuple[str, str]:
        """How a type is asked about, and why it is not."""
        if kind not in self._words:
            self._words[kind] = self._word(" ".join(kind.split()))
        word, reason = self._words[kind]
        if reason == UNKNOWN:
            self.unknown[kind] += 1
        return word, reason

    def _word(self, kind: str) -> tuple[str, str]:
        if kind in self.left_out:
            return "", "a label that the benchmark leaves out"
        if self.labels is not None:
            known = self.labels.canonical(kind)
            if known is None and not self.lenient:
                return "", UNKNOWN
            kind = self.name(known) if known is not None else kind
        elif reason := Filters("other").drop("", Mention("x", kind)):
            return "", reason
        if self.definitions and same(kind) not in self.definitions:
            self.undefined.add(kind)
        word = self.definitions.get(same(kind), kind)
        return word, unaskable(word)

    def name(self, label: str) -> str:
        """A label's name in words, or its id where it has none."""
        assert self.labels is not None
        return next(each.name or each.id for each in self.labels if each.id == label)

    def names(self) -> list[str]:
        """All that a label set has to be asked about, in its order."""
        found = (each.name or each.id for each in self.labels or ())
        return [self.definitions.get(same(each), each) for each in found]


def read_definitions(path: Path) -> dict[str, str]:
    """Definitions by type, from labels.toml or a JSON object `{type: definition}`; UniNER's own file of them is one."""
    if existing(path, "file of definitions").suffix == ".toml":
        labels = read_labels(path)
        found = {word: each.definition for each in labels for word in (each.id, each.name, *each.aliases) if word}
    else:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"not JSON: {error}", path=path) from None
        found = {kind: _defined(each) for kind, each in found.items()} if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise InputError("definitions are an object {type: definition}, or a labels.toml", path=path)
    for kind, definition in found.items():
        if reason := definition and unaskable(definition):
            raise InputError(f"the definition of {kind!r} cannot be asked about: {reason}", path=path)
    return {same(kind): definition for kind, definition in found.items() if definition}


def _defined(given: Any) -> Any:
    """A definition; UniNER published the answers that held them: `{"gpt_answer": '{"Definition": ...}'}`."""
    if not isinstance(given, dict) or not isinstance(given.get("gpt_answer"), str):
        return given
    try:
        answer = json.loads(given["gpt_answer"])
    except ValueError:
        return None
    return answer.get("Definition") if isinstance(answer, dict) else None


def passages_of(record: Record, words: Vocabulary, divide: Divide, lost: Counter[str]) -> Iterator[Passage]:
    """A record's passages, one where it is short enough; what they cannot take along is counted in `lost`."""
    chunks = divide(record.text)
    negatives = tuple(dict.fromkeys(word for kind in record.negatives if (word := words.word(kind)[0])))
    found: list[list[Pair]] = [[] for _ in chunks]
    for places, (mention, kind) in _placed(record, chunks):
        word, reason = words.word(kind)
        if not mention.strip():
            reason = "an empty mention"
        elif not places:
            reason = reason or ("not in the text" if mention not in record.text else "cut by the end of a chunk")
        if reason:
            lost[reason] += 1
            continue
        for place in places:
            found[place].append((mention, word))
    for number, (chunk, pairs) in enumerate(zip(chunks, found, strict=True), 1):
        if not chunk.text.strip():
            lost["a blank text"] += 1
            continue
        identity = record.id if len(chunks) == 1 else f"{record.id}#{number}"
        yield Passage(identity, chunk.text, tuple(dict.fromkeys(pairs)), negatives, record.dataset, record.id)


def _placed(record: Record, chunks: Sequence[Chunk]) -> Iterator[tuple[list[int], Pair]]:
    """Every different mention with the chunks that hold it: by offsets where there are any, else by its letters."""
    if record.entities is None or len(chunks) == 1:
        for pair in record.pairs:
            yield [at for at, chunk in enumerate(chunks) if record.entities is not None or pair[0] in chunk.text], pair
        return
    document = record.document()
    places: dict[Pair, list[int]] = {}
    for entity in record.entities:
        held = places.setdefault((document.mention(entity), entity.label), [])
        held += [
            at for at, chunk in enumerate(chunks)
            if chunk.start <= entity.start and entity.end <= chunk.start + len(chunk.text) and at not in held
        ]  # fmt: skip
    for pair, held in places.items():
        yield held, pair


def unknown_types(words: Vocabulary, paths: Sequence[Path]) -> InputError:
    """All types that the label set does not know, in one line."""
    assert words.labels is not None
    return unknown_labels_error(words.unknown, words.labels, paths[0])

