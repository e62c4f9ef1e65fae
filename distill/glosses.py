"""Glosses: what a teacher puts behind a name to explain it, and the number of a list before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from itertools import islice

from distill.folding import key
from distill.words import words

MOST_HEADS = 4
ALIKE = 0.65  # from here on a gloss may be the text's own, only misspelt
_NUMBER = re.compile(r"\s*(?:\(?\d{1,3}[.)]|[-*•])\s+(?=\S)")
_MARK = re.compile(r"(?<=\S):\s|：|(?<=\s)[-–—:]\s")
_BRACKETS = re.compile(r"(?:\([^()]*\)|\[[^\[\]]*\])$")
_UNBRACKETED = re.compile(r"[()\[\]（）]")
_GOES_ON = re.compile(r"\s*([(\[（]|[:：\-–—])")


def without_gloss(said: str) -> str:
    """The mention without the brackets at its end."""
    return _BRACKETS.sub("", said.rstrip())


def heads(said: str) -> Iterator[tuple[str, str]]:
    """What may be the name in a mention that is counted or explained, each with its gloss; the longest first.

    `1. Quill`, `Quill: a rower`, `Quill - a rower`, `2) Quill (a rower)`.
    """
    name = _NUMBER.sub("", said, count=1).strip() if _NUMBER.match(said) else said.strip()
    ends = [len(name), len(without_gloss(name))]
    ends += [mark.start() for mark in reversed(list(islice(_MARK.finditer(name), MOST_HEADS)))]
    for end in dict.fromkeys(ends):
        head, gloss = name[:end].strip(), name[end:].strip()
        if head != said.strip() and len(key(head)) >= (3 if head.islower() else 2):
            yield head, gloss


def restated(gloss: str, text: str, end: int) -> bool:
    """Whether the text goes on behind `end` with an addition of its own that the gloss may mean.

    It may wherever the two are alike; and behind a colon or a dash what is no plain description is part of a title.
    """
    goes_on = _GOES_ON.match(text, end)
    bracketed = gloss[:1] in "(["
    if not goes_on or (bracketed and goes_on[1] not in "([（"):
        return False
    wanted = key(gloss)[:40]
    if len(wanted) < 3 or not (bracketed or gloss.lstrip(" :：-–—")[:1].islower()):
        return True
    there = text[goes_on.end() : goes_on.end() + 80]
    there = key(_UNBRACKETED.split(there, maxsplit=1)[0]) if bracketed else key(there)[: len(wanted)]
    return SequenceMatcher(None, wanted, there, autojunk=False).ratio() >= ALIKE


def names(gloss: str, stands: Callable[[str], object]) -> bool:
    """Whether the gloss has a name or number that stands in the text: then it is no mere explanation."""
    found = (gloss[start:end] for start, end in islice(words(gloss), 40))
    return any(not word.islower() and (len(word) > 3 or not word.isascii()) and bool(stands(word)) for word in found)
