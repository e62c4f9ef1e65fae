"""Gathering: the mentions of an answer's dictionary or list, in order, and a note for all that is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from distill.alignment import Mention
from distill.labels import LabelSet
from teachers.keys import COMMENT_KEYS, WRAPPERS, folded, placed, record_of, said_in, says_none, strings_of, types_in
from teachers.literals import Atom, Pairs, Series, Value, read_bracket
from teachers.wording import canonical


def _beside_numbers(series: Series) -> list[str]:
    """The strings of a list that holds nothing else but numbers: offsets, or a score."""
    return strings_of(Series([item for item in series.items if not isinstance(item, Atom)]))


@dataclass
class Gathered:
    """Mentions as they are found in a value, and a note for all that is not one."""

    notes: list[str]
    labels: LabelSet | None = None
    mentions: list[Mention] = field(default_factory=list)
    untyped: int = 0
    unusable: int = 0
    strange: int = 0
    known: int = 0
    elided: bool = False

    def dictionary(self, value: Value) -> None:
        """`{"PER": ["a", "b"]}`, a record, or either of them inside a wrapper."""
        if not isinstance(value, Pairs):
            return self.pairs(value)
        if self._record(value):
            return None
        if placed(value) and not any(self._all_known([_text(key)]) for key, _ in value.items):
            self.unusable += 1
            return self.notes.append("an item without a mention")
        wrapped = [inner for key, inner in value.items if _wraps(key, inner)]
        if not wrapped and not any(self._all_known([_text(key)]) for key, _ in value.items):
            inside = (_written(inner) for _, inner in value.items)
            wrapped = [inner for inner in inside if self._has_lists(inner)][:1]
        if wrapped:
            self.notes.append("a dictionary within a dictionary")
            for inner in wrapped:
                for one in inner.items if isinstance(inner, Series) else [inner]:
                    self.dictionary(one)
            beside = [pair for pair in value.items if self._all_known([_text(pair[0])]) and not _wraps(*pair)]
            return self.dictionary(Pairs(beside)) if beside else None
        seen: set[str] = set()
        self.strange += bool(value.items) and all(self._is_comment(_text(key), inner) for key, inner in value.items)
        mentions_first = not any(self._all_known([_text(key)]) for key, _ in value.items)
        for key, inner in value.items:
            label = _text(key)
            if self._is_comment(label, inner):
                self._note_once("a comment beside the labels")
                continue
            if mentions_first and (kind := self._first_known(inner)):
                self._note_once("mention and type exchanged")
                self._add(label, kind)
                continue
            self.known += self._all_known([label])
            if label in seen:
                self._note_once("a label twice")
            seen.add(label)
            self._labelled(label, inner)
        return None

    def _labelled(self, label: str, value: Value) -> None:
        """The mentions of one label, whatever they stand in."""
        written = _written(value)
        if written is not value and isinstance(written, Series) and all(isinstance(one, str) for one in written.items):
            self._note_once("a list written as a string")
            value = written
        strings = strings_of(value)
        self.strange += self._is_strange(label, value)
        if self._all_known(strings) and not self._all_known([label]):
            self._note_once("mention and type exchanged")
            for each in strings:
                self._add(label, each)
        elif isinstance(value, str | Series):
            if isinstance(value, str) and not says_none(value):
                self.notes.append("a string for a list")
            self._each(label, value)
        elif isinstance(value, Pairs):
            self._item(label, value)
        else:
            self.notes.append(f"{_kind(value)} for a list")
            if _kind(value) == "a number" and value.text.strip("0."):  # 0 is how many there are
                self._add(value.text, label)

    def _is_strange(self, label: str, value: Value) -> bool:
        """Whether an unknown label has no list of mentions, as in `{"error": "overloaded"}`, or is no label at all."""
        if self.labels is None or self._all_known([label]):
            return False
        if isinstance(value, Series):
            return bool(value.items) and label.strip().casefold() in WRAPPERS
        return not isinstance(value, Atom) and not (isinstance(value, str) and says_none(value))

    def _all_known(self, words: list[str]) -> bool:
        """Whether these are labels, as far as the labels are known: `{"Ann": "PER"}` has them the other way round."""
        return bool(words) and all(self._canonical(word) for word in words)

    def _canonical(self, word: str) -> str | None:
        return canonical(word, self.labels) if self.labels else None

    def _is_comment(self, label: str, value: Value) -> bool:
        """Whether a thought stands where a label was to be, as in `{"reasoning": "No names.", "PER": []}`."""
        thought = isinstance(value, str) and folded(label) in COMMENT_KEYS
        return self.labels is not None and thought and not self._all_known([label])

    def _first_known(self, value: Value) -> str:
        """The label in `{"Ann": ["PER", "a sailor"]}`."""
        first, *others = strings_of(value) or [""]
        glossed = isinstance(value, Series) and bool(others) and not any(self._all_known([each]) for each in others)
        return first if glossed and self._all_known([first]) else ""

    def _note_once(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _item(self, label: str, item: Value) -> None:
        if isinstance(item, str):
            self._add(item, label)
        elif isinstance(item, Series):
            self.notes.append("a list within a list")
            inner = list(_flat(item))
            texts = [one for one in inner if isinstance(one, str)]
            alone = len(texts) == 1 and all(isinstance(one, str | Atom) for one in inner)
            for one in texts if alone else inner:  # numbers beside a mention are its offsets or its score
                self._item(label, one)
        elif isinstance(item, Pairs):
            self.notes.append("a dictionary for a mention")
            said = said_in(item)
            if said is not None:
                self._each(label, said)
            else:
                self.unusable += bool(item.items) and (self.labels is None or self._all_known([label]))
        else:
            self.notes.append(f"{_kind(item)} for a mention")
            if _kind(item) == "a number":  # a year or a number that the model forgot to quote
                self._add(item.text, label)

    def says_no_label(self) -> bool:
        """Whether something is said, and none of it under a label that counts, or that the set is glad to drop."""
        if self.labels is None or any(self._all_known([mention.label]) for mention in self.mentions):
            return False
        unknown = self.mentions and not self.known and self.labels.other == "error"
        return bool(self.strange or unknown)

    def _has_lists(self, value: Value) -> bool:
        """Whether this is the answer under a key of the model's own, as in `{"arguments": {"PER": [...]}}`."""
        pairs = value.items if isinstance(value, Pairs) else []
        return any(self._all_known([_text(key)]) and isinstance(inner, Series) for key, inner in pairs)

    def _record(self, pairs: Pairs) -> bool:
        """Whether this is a record, which is read then; a mention of several types is one of each."""
        record = record_of(pairs)
        if record is None:
            return False
        kinds, said = record
        self.known += self._all_known(kinds)
        for kind in kinds:
            self._each(kind, said)
        if not any(kind.strip() for kind in kinds):
            self.untyped += 1
            self.notes.append("an item without a type")
        return True

    def _each(self, label: str, said: str | Series) -> None:
        """The mention, or those of a list, unless all that stands there is a word for none."""
        strings = strings_of(said)
        if len(strings) == 1 and says_none(strings[0]):
            return self.notes.append(f"{strings[0].strip()!r} for no mention")
        for item in said.items if isinstance(said, Series) else [said]:
            self._item(label, item)
        return None

    def _add(self, text: str, label: str) -> None:
        if text.strip() in ("...", "…", "……"):  # "and so on", written as if it were a mention
            self.elided = True
        elif text.strip():
            plain = self.labels is None or self.labels.canonical(label)
            if not plain and (meant := self._canonical(label)):
                self._note_once("a decorated label")
                label = meant
            self.mentions.append(Mention(text, label))
        else:
            self.notes.append("an empty mention")

    def names(self, value: Value) -> None:
        """`["a", "b"]`; of `{"a": "person"}` the key counts, since the question has named the type."""
        if isinstance(value, Series) and strings_of(value):
            return self._each("", value)
        for item in value.items if isinstance(value, Series) else ():
            if not isinstance(item, Pairs):
                self._item("", item)
                continue
            self.notes.append("a dictionary for a mention")
            said = said_in(item)
            for each in [said] if said is not None else [_text(key) for key, _ in item.items]:
                self._each("", each)
        return None

    def pairs(self, value: Value) -> None:
        """`[{"a": "person"}, ("b", "place")]`, records, or one dictionary with every mention as a key."""
        for item in value.items if isinstance(value, Series) else [value]:
            if isinstance(item, Pairs):
                self._typed(item)
            elif isinstance(item, Series) and len(strings := _beside_numbers(item)) == 2:
                self._typed(Pairs([(strings[0], strings[1])]))
            elif isinstance(item, Series) and any(not isinstance(one, str | Atom) for one in item.items):
                self.notes.append("a list within a list")
                self.pairs(item)
            else:
                self.untyped += 1
                self.notes.append("an item without a type")

    def _typed(self, pairs: Pairs) -> None:
        if self._record(pairs):
            return None
        if placed(pairs):
            self.unusable += 1
            return self.notes.append("an item without a mention")
        for key, value in pairs.items:
            types = types_in(value)
            if self._all_known([_text(key)]) and types and not any(self._all_known([one]) for one in types):
                self._note_once("mention and type exchanged")
                for one in types:
                    self._add(one, _text(key))
                continue
            if not types and _wraps(key, value):
                self.pairs(value)
            elif not types or not all(one.strip() for one in types):
                self.untyped += 1
                self.notes.append("an item without a type")
            for one in types:
                if one.strip():
                    self._add(_text(key), one)
        return None


def _wraps(key: Value, value: Value) -> bool:
    if _text(key).strip().casefold() not in WRAPPERS:
        return False
    return isinstance(value, Pairs) or (
        isinstance(value, Series) and bool(value.items) and all(isinstance(item, Pairs) for item in value.items)
    )


def _flat(series: Series) -> Iterator[Value]:
    for item in series.items:
        if isinstance(item, Series):
            yield from _flat(item)
        else:
            yield item


def _written(text: Value) -> Value:
    """What a string spells, as in `{"PER": "[\"Ann\"]"}`; any other value as it is."""
    bare = text.strip() if isinstance(text, str) else ""
    if bare[:1] not in ("[", "{"):
        return text
    reading = read_bracket(bare, 0)
    return text if reading.stopped or reading.end != len(bare) else reading.value


def _kind(atom: Atom) -> str:
    if atom.text[-1].isdigit() or atom.text[-1] == ".":
        return "a number"
    return "a truth value" if atom.text.casefold() in ("true", "false") else "null"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else value.text if isinstance(value, Atom) else ""
