"""Tag schemes: IOB1, IOB2, BIOES, BILOU and BMES, to spans of tokens and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from distill.errors import InputError, did_you_mean

# What the letters of each scheme mean: B begins, I goes on, E ends, S stands alone.
SCHEMES: dict[str, dict[str, str]] = {
    "IOB1": {"B": "B", "I": "I"},
    "IOB2": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
}
_TAG = re.compile(r"O|[BIESMLU]-.+", re.DOTALL)


class TagSpan(NamedTuple):
    """A labelled stretch of tokens, `[start, end)` in token indices."""

    start: int
    end: int
    label: str


class Decoded(NamedTuple):
    """Spans, and how many tags did not follow from the tag before and were repaired."""

    spans: list[TagSpan]
    repairs: int


def is_tag(word: str) -> bool:
    """Whether the word has the form of a tag in any scheme: `O`, or a letter, a hyphen and a label."""
    return _TAG.fullmatch(word) is not None


def known_scheme(scheme: str) -> str:
    """The scheme, or an InputError that names the known ones."""
    if scheme not in SCHEMES:
        raise InputError(f"unknown tag scheme {scheme!r}{did_you_mean(scheme, SCHEMES)}")
    return scheme


@lru_cache(maxsize=65536)
def _parsed(tag: str, scheme: str) -> tuple[str, str]:
    """What a tag does (O, B, I, E or S) and its label."""
    if tag == "O":
        return "O", ""
    letter, _, label = tag.partition("-")
    role = SCHEMES[known_scheme(scheme)].get(letter)
    if role is None or not label:
        letters = ", ".join(f"{each}-LABEL" for each in SCHEMES[scheme])
        raise InputError(f"{tag!r} is no {scheme} tag; expected O or {letters}")
    return role, label


def decode(tags: Sequence[str], scheme: str = "IOB2") -> Decoded:
    """Spans of a tag sequence, repaired as conlleval does: a tag that cannot go on begins a new entity.

    So `O I-PER` is a PER of one token, `B-PER I-LOC` a PER and a LOC, and an entity that no E closes ends where
    the next thing begins. Each such tag counts as one repair. A tag that is no tag of the scheme is an InputError.
    """
    closing = "E" in SCHEMES[known_scheme(scheme)].values()
    spans: list[TagSpan] = []
    start, label, repairs = -1, "", 0  # start -1: no entity is open
    for index, tag in enumerate(tags):
        role, name = _parsed(tag, scheme)
        goes_on = role in "IE" and start >= 0 and name == label
        if start >= 0 and not goes_on:
            spans.append(TagSpan(start, index, label))
            start, repairs = -1, repairs + closing
        if role != "O" and not goes_on:
            repairs += _begins_badly(role, TagSpan(index, index + 1, name), spans, scheme)
            start, label = index, name
        if role in "ES":
            spans.append(TagSpan(start, index + 1, label))
            start = -1
    if start >= 0:
        spans.append(TagSpan(start, len(tags), label))
        repairs += closing
    return Decoded(spans, repairs)


def _begins_badly(role: str, here: TagSpan, spans: list[TagSpan], scheme: str) -> bool:
    """Whether the scheme would not begin an entity with this role here."""
    if scheme == "IOB1":
        return (role == "B") != _touches(spans, here)
    return role in "IE"


def _touches(spans: list[TagSpan], here: TagSpan) -> bool:
    """Whether an entity of the same label ends where this one begins: there IOB1 needs a B."""
    return bool(spans) and spans[-1].end == here.start and spans[-1].label == here.label


def tags_to_spans(tags: Sequence[str], scheme: str = "IOB2") -> list[TagSpan]:
    """The spans of `decode`, for those who do not count repairs."""
    return decode(tags, scheme).spans


def spans_to_tags(spans: Iterable[TagSpan | tuple[int, int, str]], length: int, scheme: str = "IOB2") -> list[str]:
    """Tags of `length` tokens; spans that overlap or lie outside are an InputError."""
    letters = {role: letter for letter, role in SCHEMES[known_scheme(scheme)].items()}
    tags = ["O"] * length
    before = TagSpan(0, 0, "")
    for start, end, label in sorted(spans):
        if not (0 <= start < end <= length) or start < before.end:
            raise InputError(f"span [{start}, {end}) {label} overlaps another or lies outside {length} tokens")
        tags[start:end] = [f"{letters['I']}-{label}"] * (end - start)
        if scheme != "IOB1" or (before.end == start and before.label == label):
            tags[start] = f"{letters['B']}-{label}"
        if "E" in letters:
            tags[end - 1] = f"{letters['E' if end - start > 1 else 'S']}-{label}"
        before = TagSpan(start, end, label)
    return tags


@dataclass
class SchemeWitness:
    """Sees tag sequences one by one, and then says which scheme they were written in."""

    letters: set[str] = field(default_factory=set)
    bare_starts: int = 0  # I- that begins an entity: IOB1, or a slip
    needless_starts: int = 0  # B- where IOB1 has none: IOB2

    def see(self, tags: Iterable[str]) -> None:
        """Take one sequence into account; a tag of no scheme is an InputError."""
        previous = ""
        for tag in tags:
            if not is_tag(tag):
                raise InputError(f"{tag!r} is no tag; expected O, or B-LABEL, I-LABEL and the like")
            letter, _, label = tag.partition("-")
            if letter != "O":
                self.letters.add(letter)
                self.bare_starts += letter == "I" and label != previous
                self.needless_starts += letter == "B" and label != previous
            previous = label

    def verdict(self) -> str:
        """The scheme; IOB2 where nothing tells. Letters of two schemes together are an InputError."""
        own = {"BMES": {"M"}, "BILOU": {"L", "U"}, "BIOES": {"E", "S"}}
        for scheme, letters in own.items():
            if self.letters & letters:
                foreign = sorted(self.letters - set(SCHEMES[scheme]))
                if foreign:
                    raise InputError(f"tags mix schemes: {foreign[0]}- is no {scheme}, which other tags are")
                return scheme
        return "IOB1" if self.bare_starts and not self.needless_starts else "IOB2"


def detect_scheme(sequences: Iterable[Iterable[str]]) -> str:
    """The scheme that a file's tag sequences are written in."""
    witness = SchemeWitness()
    for tags in sequences:
        witness.see(tags)
    return witness.verdict()
