"""The label set: per label its name in words, its definition, its order, and the open types that count as it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unicodedata import category

from distill.document import Document, Entity
from distill.errors import InputError, did_you_mean
from distill.files import read_toml
from distill.folding import compatible

LABEL_KEYS = frozenset({"name", "definition", "aliases"})
SHOWN = 40
"""Unknown labels that a message repeats as a line to copy."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label: `id` as it stands in files and tags, `name` as a person says it."""

    id: str
    name: str = ""
    definition: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSet:
    """Labels in order, and what becomes of a label the set does not know.

    `other` is "error" (all unknown labels in one message) or "drop" (counted by whoever drops). A `fixed` set is
    a data set's own, which nobody edits; `source` says where a set is from.
    """

    labels: tuple[Label, ...]
    other: str = "error"
    source: str = ""
    fixed: bool = False
    _known: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.labels:
            raise InputError("a label set needs at least one label", path=self.source)
        if self.other not in ("error", "drop"):
            raise InputError(f'other is "error" or "drop", not {self.other!r}', path=self.source)
        known: dict[str, str] = {}
        for label in self.labels:
            for word in (label.id, label.name, *label.aliases):
                key = _key(word)
                if key and known.setdefault(key, label.id) != label.id:
                    raise InputError(f"{word!r} stands for both {known[key]} and {label.id}", path=self.source)
        object.__setattr__(self, "_known", known)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(label.id for label in self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def canonical(self, word: str) -> str | None:
        """The label that `word` (an id, a name or an alias, in any case) stands for, or None."""
        return self._known.get(_key(word))

    def unknown(self, words: Iterable[str]) -> list[str]:
        return sorted({word for word in words if self.canonical(word) is None})

    def apply(self, document: Document) -> tuple[Document, tuple[Entity, ...]]:
        """The Document with canonical labels, and the entities left out because the set does not know theirs."""
        kept: list[Entity] = []
        dropped: list[Entity] = []
        for entity in document.entities:
            label = self.canonical(entity.label)
            if label is None:
                dropped.append(entity)
            else:
                kept.append(entity if label == entity.label else replace(entity, label=label))
        return document.with_entities(kept), tuple(dropped)


def _key(word: str) -> str:
    return " ".join(compatible(word).replace("_", " ").replace("-", " ").casefold().split())


def unknown_labels_error(unknown: Counter[str], labels: LabelSet, path: str | Path) -> InputError:
    """All labels of a file that the set does not know, with the line that would make the set know them."""
    ranked = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{word} ({count})" for word, count in ranked)
    known = f"labels the set does not know: {listed}; known: {', '.join(labels.ids)}."
    if labels.fixed:
        return InputError(f"{known} Is it the file of another data set? These are {labels.source}", path=path)
    words = ", ".join(f'"{word}"' for word in sorted(unknown)) if len(unknown) <= SHOWN else "..."
    return InputError(
        f"{known} Add `aliases = [{words}]` under the label they count as in {labels.source or 'labels.toml'}, or "
        '`other = "drop"` to leave them out',
        path=path,
    )


def conform(documents: Iterable[Document], labels: LabelSet, path: str | Path) -> tuple[list[Document], Counter[str]]:
    """Documents in the set's labels, and how many entities of which label were dropped.

    Raises one InputError that lists every unknown label of the file, unless the set says `other = "drop"`.
    """
    unknown: Counter[str] = Counter()
    result: list[Document] = []
    for document in documents:
        applied, dropped = labels.apply(document)
        unknown.update(entity.label for entity in dropped)
        result.append(applied)
    if unknown and labels.other == "error":
        raise unknown_labels_error(unknown, labels, path)
    return result, unknown


def fault_of(label: str) -> str:
    """Why a label cannot stand in tags and files; empty where it can."""
    if label == "O":
        return "is the tag of what is no entity"
    if label != label.strip() or any(category(char) in ("Cc", "Cs", "Zl", "Zp") for char in label):
        return "holds what a line of a file cannot: a tab, a line break, half a character, or white space at its ends"
    return "" if _key(label) else "names nothing"


def labels_of(documents: Iterable[Document]) -> LabelSet:
    """The label set that a data set implies: its labels in alphabetical order."""
    names = {entity.label for document in documents for entity in document.entities}
    return LabelSet(tuple(Label(name) for name in sorted(names)))


def read_labels(path: str | Path) -> LabelSet:
    """A label set from `labels.toml`: a table per label, in order, and an optional `other` at the top."""
    table = read_toml(path, "label file")
    other = table.pop("other", "error")
    return LabelSet(tuple(_label(name, row, path) for name, row in table.items()), other, str(path))


def _label(name: str, row: Any, path: str | Path) -> Label:
    if not isinstance(row, dict):
        raise InputError(f"{name} is not a table; write [{name}] with name, definition, aliases", path=path)
    fault = fault_of(name) or ("holds white space" if any(map(str.isspace, name)) else "")
    if fault:
        message = f"{name!r} cannot be a label's id: it {fault}; write it with hyphens, and in words as its name"
        raise InputError(message, path=path)
    for key in sorted(set(row) - LABEL_KEYS):
        raise InputError(f"unknown key {name}.{key}{did_you_mean(key, LABEL_KEYS)}", path=path)
    aliases = row.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InputError(f"{name}.aliases is a list of strings", path=path)
    if not all(isinstance(row.get(key, ""), str) for key in ("name", "definition")):
        raise InputError(f"{name}.name and {name}.definition are strings", path=path)
    return Label(name, row.get("name", ""), row.get("definition", ""), tuple(aliases))
