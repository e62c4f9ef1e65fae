"""Answers: what a teacher's raw text says, as mentions in order, or why it says nothing that can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from distill.alignment import Mention
from distill.errors import NerDistillError
from teachers.literals import Atom, Pairs, Reading, Series, Value, read_bracket

Shape = Literal["dictionary", "list", "names"]
"""Type to mentions, `[{mention: type}]`, or the plain list of mentions that answers a question about one type."""

MENTION_KEYS = ("mention", "text", "entity", "span", "word", "value", "name")
TYPE_KEYS = ("type", "label", "category", "class", "entity_type", "tag")
WRAPPERS = frozenset({"entities", "named_entities", "ner", "result", "results", "answer", "output", "data"})
PLACEHOLDERS = frozenset(
    {"none", "n/a", "null", "nil", "no entities", "no entity", "not applicable", "-", "无", "没有"}
)

_LISTS = re.compile(r"[\[［【{｛]")
_START = {"dictionary": re.compile(r"[{｛]"), "list": _LISTS, "names": _LISTS}
_JOINT = re.compile(r"[\s,;]*+")
_THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning|thought)>", re.IGNORECASE)
_THOUGHT = re.compile(r"<(?:think|thinking|reasoning|thought)>", re.IGNORECASE)
_MARKER = re.compile(
    r"[\s*_#`>\-]*(?:(?:final|the)\s+)?(?:result|answer|output|entities|json|结果|答案)[\s*_`]*[:：]?[\s*_`]*\Z",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(r"(?:result|answer|output|entities|json|结果|答案)[\s*_`]*[:：]?[\s*_`]*\Z", re.IGNORECASE)
_PROSE_GOES_ON = re.compile(r"[ \t.,;:!()*`'\"，。；、–—-]*+\w")
_FENCE = re.compile(r"(?:```|~~~)[\w-]*\s*\Z")


class UnparsedAnswer(NerDistillError):
    """The answer holds no dictionary or list that could be read; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Mentions in the order of the answer, repeats included; what was mended; the text that came before.

    A `truncated` answer gives the mentions that were complete; it is never the whole answer. Notes name a slip of
    writing once, and a value that is no mention (a number, a null, a nested dictionary) once for each.
    """

    mentions: tuple[Mention, ...]
    notes: tuple[str, ...] = ()
    reasoning: str = ""
    truncated: bool = False


def parse_answer(text: str, shape: Shape) -> Answer:
    """The last dictionary (type to mentions) or list (of `{mention: type}`) of an answer, in linear time.

    In the shape "names" the list holds mentions, and their label is empty: the question knows it. Raises
    UnparsedAnswer, and nothing else, where there is none; an empty dictionary is an answer, an empty text is not.
    Dictionaries that follow each other without prose between count as one where that contradicts nothing.
    """
    if not text.strip():
        raise UnparsedAnswer("the answer is empty")
    notes: list[str] = []
    found = _last(text, shape, notes)
    if not found and '\\"' in text:
        text = text.replace('\\"', '"').replace("\\n", "\n")
        found = _last(text, shape, notes)
        notes.append("escaped quotes")
    if not found and "{{" in text:  # copied from a template that escapes its braces
        text = text.replace("{{", "{").replace("}}", "}")
        found = _last(text, shape, notes)
        notes.append("doubled braces")
    if not found:
        raise UnparsedAnswer(_nothing(text, shape))
    truncated = _truncated(text, found, notes)
    gathered = _Gathered(notes=notes)
    for reading in found:
        notes += (mend for mend in reading.mended if mend not in notes)
        {"dictionary": gathered.dictionary, "list": gathered.pairs, "names": gathered.names}[shape](reading.value)
    if truncated and not gathered.mentions:
        raise UnparsedAnswer(f"{truncated} before the first whole mention")
    if gathered.unusable and not gathered.mentions:
        raise UnparsedAnswer("no value of the dictionary is a mention")
    if shape == "list" and gathered.untyped and not gathered.mentions:
        raise UnparsedAnswer("no mention of the list has a type")
    return Answer(tuple(gathered.mentions), tuple(notes), _reasoning(text[: found[0].start]), bool(truncated))


def _last(text: str, shape: Shape, notes: list[str]) -> list[Reading]:
    """The last dictionary or list, or the last run of them that belongs together."""
    found: list[Reading] = []
    ends = [match.end() for match in _THOUGHT_END.finditer(text)]
    at, several = ends[-1] if ends else 0, False  # what a model says while it thinks is no answer
    while start := _START[shape].search(text, at):
        reading = read_bracket(text, start.start())
        at = max(reading.end, start.end())
        if not _usable(reading, shape):
            continue
        if found and shape == "dictionary" and _aside(text, reading) and not _says_nothing(found[-1]):
            if "an empty dictionary within prose, passed over" not in notes:
                notes.append("an empty dictionary within prose, passed over")
            continue
        joint = _JOINT.match(text, found[-1].end) if found else None
        if joint and joint.end() == reading.start and _belongs(found, reading, joint.group(), shape):
            found.append(reading)
        else:
            several = several or bool(found)
            found = [reading]
    if several:
        notes.append("several answers, the last counts")
    if len(found) > 1:
        notes.append("several dictionaries, joined")
    return found


def _aside(text: str, reading: Reading) -> bool:
    """Whether an empty dictionary is talked about: words go on behind it, and nothing in front announces an answer."""
    if not _says_nothing(reading) or reading.stopped or not _PROSE_GOES_ON.match(text, reading.end):
        return False
    before = text[max(0, reading.start - 40) : reading.start].rpartition("\n")[2]
    return bool(before.strip()) and not _ANNOUNCED.search(before)


def _says_nothing(reading: Reading) -> bool:
    """Whether a dictionary has no value at all, or only empty lists."""
    value = reading.value
    return isinstance(value, Pairs) and all(isinstance(one, Series) and not one.items for _, one in value.items)


def _usable(reading: Reading, shape: Shape) -> bool:
    """Whether a bracket is an answer: prose has brackets too."""
    value = reading.value
    if isinstance(value, Pairs):
        return shape != "names" and (bool(value.items) or not reading.stopped or reading.stopped == "cut off")
    if shape == "dictionary":
        return False
    if shape == "names" and any(not isinstance(item, Atom) for item in value.items):
        return True
    return any(not isinstance(item, str | Atom) for item in value.items) or not (value.items or reading.stopped)


def _belongs(found: list[Reading], reading: Reading, joint: str, shape: Shape) -> bool:
    """Whether a dictionary right behind another one goes on with it: items of a list, or lines of their own."""
    last, value = found[-1].value, reading.value
    if not isinstance(last, Pairs) or not isinstance(value, Pairs) or found[-1].stopped:
        return False
    if shape == "list" or "," in joint or (_record(last) and _record(value)):
        return True
    before, now = {str(key) for key, _ in last.items}, {str(key) for key, _ in value.items}
    return "\n" in joint and bool(before) and bool(now) and not before & now


def _truncated(text: str, found: list[Reading], notes: list[str]) -> str:
    """Why the answer is not whole, or an empty string."""
    why = next((f"the answer was {reading.stopped}" for reading in found if reading.stopped), "")
    if any("an ellipsis" in reading.mended for reading in found):
        why = why or "the answer was shortened by an ellipsis"
    thoughts = [match.end() for match in _THOUGHT.finditer(text) if not found[0].start <= match.start() < found[-1].end]
    ends = [match.end() for match in _THOUGHT_END.finditer(text)]
    if thoughts and thoughts[-1] > (ends[-1] if ends else -1):
        why = why or "the answer was cut off inside <think>"
    if why:
        notes.append(why)
    return why


def _nothing(text: str, shape: Shape) -> str:
    thought = list(_THOUGHT.finditer(text))
    if thought and not _THOUGHT_END.search(text, thought[-1].end()):
        return "the answer was cut off inside <think>"
    start = " ".join(text[:400].split())
    return f"no {shape} in the answer, which begins {start[:60]!r}"


def _reasoning(before: str) -> str:
    """The text before the answer, without fences, tags and the word Result."""
    kept = _FENCE.sub("", _THOUGHT.sub("", _THOUGHT_END.sub("", before)).rstrip())
    head, newline, last = kept.rstrip().rpartition("\n")
    return head.strip() if _MARKER.fullmatch(last) else (head + newline + last).strip()


def _record(pairs: Pairs) -> Mention | None:
    """A mention written as `{"text": ..., "type": ...}`."""
    if not 2 <= len(pairs.items) <= 8:  # text, type, two offsets, a score and a reason
        return None
    values = {key.casefold(): value for key, value in pairs.items if isinstance(key, str) and isinstance(value, str)}
    mention = next((values[key] for key in MENTION_KEYS if key in values), None)
    label = next((values[key] for key in TYPE_KEYS if key in values), None)
    return Mention(mention, label) if mention is not None and label is not None else None


def _strings(value: Value) -> list[str]:
    """The strings of a value that is one, or a list of nothing else."""
    items = value.items if isinstance(value, Series) else [value]
    return [item for item in items if isinstance(item, str)] if all(isinstance(item, str) for item in items) else []


@dataclass
class _Gathered:
    """Mentions as they are found in a value, and a note for all that is not one."""

    notes: list[str]
    mentions: list[Mention] = field(default_factory=list)
    untyped: int = 0
    unusable: int = 0

    def dictionary(self, value: Value) -> None:
        """`{"PER": ["a", "b"]}`, a record, or either of them inside a wrapper."""
        if not isinstance(value, Pairs):
            return self.pairs(value)
        if record := _record(value):
            return self._add(record.text, record.label)
        wrapped = [inner for key, inner in value.items if isinstance(key, str) and _wraps(key, inner)]
        if wrapped:
            self.notes.append("a dictionary within a dictionary")
            for inner in wrapped:
                for one in inner.items if isinstance(inner, Series) else [inner]:
                    self.dictionary(one)
            return None
        seen: set[str] = set()
        for key, inner in value.items:
            label = _text(key)
            if label in seen and "a label twice" not in self.notes:
                self.notes.append("a label twice")
            seen.add(label)
            self._labelled(label, inner)
        return None

    def _labelled(self, label: str, value: Value) -> None:
        """The mentions of one label, whatever they stand in."""
        strings = _strings(value)
        if len(strings) == 1 and strings[0].strip().casefold() in PLACEHOLDERS:
            self.notes.append(f"{strings[0].strip()!r} for no mention")
        elif isinstance(value, str):
            self.notes.append("a string for a list")
            self._add(value, label)
        elif isinstance(value, Series):
            for item in value.items:
                self._item(label, item)
        elif isinstance(value, Pairs):
            self._item(label, value)
        else:
            self.notes.append(f"{_kind(value)} for a list")
            if _kind(value) == "a number":
                self._add(value.text, label)

    def _item(self, label: str, item: Value) -> None:
        if isinstance(item, str):
            self._add(item, label)
        elif isinstance(item, Series):
            self.notes.append("a list within a list")
            for one in _flat(item):
                self._item(label, one)
        elif isinstance(item, Pairs):
            self.notes.append("a dictionary for a mention")
            inside = {key.casefold(): value for key, value in item.items if isinstance(key, str)}
            mention = next((inside[key] for key in MENTION_KEYS if isinstance(inside.get(key), str)), None)
            if isinstance(mention, str):
                self._add(mention, label)
            else:
                self.unusable += bool(item.items)
        else:
            self.notes.append(f"{_kind(item)} for a mention")
            if _kind(item) == "a number":  # a year or a number that the model forgot to quote
                self._add(item.text, label)

    def _add(self, text: str, label: str) -> None:
        if text.strip():
            self.mentions.append(Mention(text, label))
        else:
            self.notes.append("an empty mention")

    def names(self, value: Value) -> None:
        """`["a", "b"]`; of `{"a": "person"}` the key counts, since the question has named the type."""
        for item in value.items if isinstance(value, Series) else ():
            if not isinstance(item, Pairs):
                self._item("", item)
                continue
            self.notes.append("a dictionary for a mention")
            record = _record(item)
            for text in [record.text] if record else [_text(key) for key, _ in item.items]:
                self._add(text, "")

    def pairs(self, value: Value) -> None:
        """`[{"a": "person"}, ("b", "place")]`, records, or one dictionary with every mention as a key."""
        for item in value.items if isinstance(value, Series) else [value]:
            if isinstance(item, Pairs):
                self._typed(item)
            elif isinstance(item, Series) and len(strings := _strings(item)) == 2:
                self._add(strings[0], strings[1])
            elif isinstance(item, Series) and any(not isinstance(one, str | Atom) for one in item.items):
                self.notes.append("a list within a list")
                self.pairs(item)
            else:
                self.untyped += 1
                self.notes.append("an item without a type")

    def _typed(self, pairs: Pairs) -> None:
        if record := _record(pairs):
            return self._add(record.text, record.label)
        for key, value in pairs.items:
            types = _strings(value)
            if not types and isinstance(key, str) and _wraps(key, value):
                self.pairs(value)
            elif not types or not all(one.strip() for one in types):
                self.untyped += 1
                self.notes.append("an item without a type")
            for one in types:
                if one.strip():
                    self._add(_text(key), one)
        return None


def _wraps(key: str, value: Value) -> bool:
    if key.strip().casefold() not in WRAPPERS:
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


def _kind(atom: Atom) -> str:
    if atom.text[-1].isdigit() or atom.text[-1] == ".":
        return "a number"
    return "a truth value" if atom.text.casefold() in ("true", "false") else "null"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else value.text if isinstance(value, Atom) else ""
