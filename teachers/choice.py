"""Choice: which of the dictionaries or lists in a teacher's text are its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from distill.labels import LabelSet
from teachers.asides import Introduction, Surroundings
from teachers.gathering import Gathered
from teachers.keys import record_of
from teachers.literals import Atom, Pairs, Reading, Series, Value
from teachers.wording import canonical

Shape = Literal["dictionary", "list", "names"]
"""Type to mentions, `[{mention: type}]`, or the plain list of mentions that answers a question about one type."""

# What stands between the parts of one answer: blanks, fences, the bullets and numbers of a list.
_JOINT = re.compile(r"(?:[\s,;]|```\w*|~~~\w*|(?<=\n)(?:[-*•]|\d{1,3}[.)])(?=[ \t]))*+")
_DECORATION = re.compile(r"^(?:[\s#*_`-]|\d{1,3}[.)])+|[\s*_`:：]+$")
_AND = re.compile(r"\s*(?:and|&|\+|和)\s*")


@dataclass
class Choice:
    """The answer so far, as brackets come one after the other, and what it says: pairs of a label and a mention."""

    surroundings: Surroundings
    shape: Shape
    labels: LabelSet | None
    found: list[Reading] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    _said: set[tuple[str, str]] = field(default_factory=set)
    _kinds: set[str] = field(default_factory=set)
    _texts: set[str] = field(default_factory=set)

    def take(self, reading: Reading) -> bool:
        """Weigh the next bracket; False where another text begins before it, which ends the answer."""
        if self.found and self.surroundings.another_text(self.found[-1].end, reading.start):
            self.notes["another text behind the answer"] = None
            return False
        said = self._says(reading.value)
        if why := self._aside(reading, said):
            self.notes[why] = None
        elif self.found and self._joins(reading, said):
            self.notes["several dictionaries, joined"] = None
            self.found.append(reading)
            self._count(said)
        else:
            if self.found:
                self.notes.pop("several dictionaries, joined", None)
                self.notes["several answers, the last counts"] = None
            self.found, self._said, self._kinds, self._texts = [reading], set(), set(), set()
            self._count(said)
        return True

    def _count(self, said: set[tuple[str, str]]) -> None:
        self._said |= said
        self._kinds |= {label for label, _ in said}
        self._texts |= {text for _, text in said}

    def _says(self, value: Value) -> set[tuple[str, str]]:
        gathered = Gathered([], self.labels)
        {"dictionary": gathered.dictionary, "list": gathered.pairs, "names": gathered.names}[self.shape](value)
        return {(self._label(mention.label), mention.text) for mention in gathered.mentions}

    def _introduction(self, reading: Reading) -> Introduction:
        since = self.found[-1].end if self.found else 0
        return self.surroundings.introduction(reading.start, reading.end, since)

    def _aside(self, reading: Reading, said: set[tuple[str, str]]) -> str:
        """Why a dictionary or list is none of the answer, or an empty string.

        Behind an answer that says something, one that says nothing, or nothing new, does not replace it unless it is
        announced as the answer or as a correction.
        """
        if self.found and only_numbers(reading.value):
            return "a dictionary of numbers, passed over"
        known, labels = bool(self._said), self.labels if self.shape == "dictionary" else None
        empty = _says_nothing(reading.value)
        if not empty or reading.stopped:
            if known and labels and self._speaks(self.found[-1].value) and not self._speaks(reading.value):
                return "a dictionary without a known label, passed over"
            return self._repeats(reading, said) if known and said and not reading.stopped else ""
        if self.surroundings.filled_later(reading.start, reading.end):
            return "an empty dictionary that is filled later, passed over"
        return self._empty(reading, known)

    def _empty(self, reading: Reading, known: bool) -> str:
        introduction = self._introduction(reading)
        if not known:
            return "an empty dictionary within prose, passed over" if introduction.within_prose else ""
        if not introduction.replaces:
            return "an empty dictionary behind the answer, passed over"
        keys = {self._label(key) for key, _ in reading.value.items} if isinstance(reading.value, Pairs) else set()
        return "an empty dictionary of other labels, passed over" if keys and not keys & self._kinds else ""

    def _repeats(self, reading: Reading, said: set[tuple[str, str]]) -> str:
        introduction = self._introduction(reading)
        if (introduction.excluded or introduction.supposed) and not _heads(introduction, said):
            return "a dictionary of what the answer leaves out, passed over"
        if said <= self._said and not introduction.replaces and not self._follows(reading):
            return "a dictionary that repeats a part of the answer, passed over"
        return ""

    def _joins(self, reading: Reading, said: set[tuple[str, str]]) -> bool:
        """Whether a dictionary goes on with the answer, and contradicts nothing in it."""
        if self._follows(reading):
            return True
        last, between = self.found[-1], self.surroundings.text[self.found[-1].end : reading.start]
        kinds, texts = ({each[part] for each in said} for part in (0, 1))
        if last.stopped or not said or not self._said or not texts.isdisjoint(self._texts):
            return False
        if self.shape != "dictionary" and between and (_JOINT.fullmatch(between) or _AND.fullmatch(between)):
            return True
        apart, introduction = kinds.isdisjoint(self._kinds), self._introduction(reading)
        if self.shape == "list":
            goes_on = introduction.goes_on and not introduction.replaces
            return apart and (goes_on or _heads(introduction, said))
        if not self.labels or not (isinstance(last.value, Pairs) and isinstance(reading.value, Pairs)):
            return False
        apart = apart or not (self._keyed(last.value) or self._keyed(reading.value))
        known = all(self.labels.canonical(label) for label in kinds | self._kinds)
        return apart and known and (not between.strip() or introduction.goes_on)

    def _follows(self, reading: Reading) -> bool:
        """Whether a dictionary stands right behind another one, as items of a list or lines of their own do."""
        joint = _JOINT.match(self.surroundings.text, self.found[-1].end)
        last, value = self.found[-1].value, reading.value
        if not joint or joint.end() != reading.start or self.found[-1].stopped:
            return False
        if not isinstance(last, Pairs) or not isinstance(value, Pairs) or self.shape == "names":
            return False
        if self.shape == "list" or "," in joint.group() or (record_of(last) and record_of(value)):
            return True
        before, now = ({self._label(key) for key, _ in each.items} for each in (last, value))
        same_way = self._keyed(last) == self._keyed(value)
        return same_way and "\n" in joint.group() and bool(before) and bool(now) and not before & now

    def _keyed(self, value: Pairs) -> bool:
        """Whether its keys are labels, as far as the labels are known."""
        return self.labels is None or any(self.labels.canonical(self._label(key)) for key, _ in value.items)

    def _label(self, key: Value) -> str:
        word = key if isinstance(key, str) else str(key)
        return (canonical(word, self.labels) if self.labels else None) or word

    def _speaks(self, value: Value) -> bool:
        """Whether a label of the set stands in a dictionary, as a key or a value."""
        if isinstance(value, str):
            return self.labels is not None and canonical(value, self.labels) is not None
        if isinstance(value, Series):
            return any(self._speaks(item) for item in value.items)
        return isinstance(value, Pairs) and any(self._speaks(one) for pair in value.items for one in pair)


def _heads(introduction: Introduction, said: set[tuple[str, str]]) -> bool:
    """Whether the words before a list are a heading with its own type, as `Score:` may be."""
    return _DECORATION.sub("", introduction.clause).casefold() in {label.casefold() for label, _ in said}


def _says_nothing(value: Value) -> bool:
    """Whether a dictionary has no value at all, or only empty lists, or a list is empty."""
    if isinstance(value, Series):
        return not value.items
    return isinstance(value, Pairs) and all(isinstance(one, Series) and not one.items for _, one in value.items)


def only_numbers(value: Value) -> bool:
    """Whether the values of a dictionary, or of a list of such, are confidences, counts or offsets: only numbers."""
    each = value.items if isinstance(value, Series) else [value]
    if not all(isinstance(item, Pairs) for item in each):
        return False
    leaves: list[Value] = [one for item in each if isinstance(item, Pairs) for _, one in item.items]
    numbers = 0
    while leaves:
        leaf = leaves.pop()
        if isinstance(leaf, str):
            return False
        if isinstance(leaf, Atom):
            numbers += leaf.text[-1].isdigit() or leaf.text[-1] == "."
        else:
            leaves += leaf.items if isinstance(leaf, Series) else (one for pair in leaf.items for one in pair)
    return bool(numbers)
