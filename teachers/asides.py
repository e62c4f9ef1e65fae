"""Asides: what looks like an answer and is only talked about, shown as an example, or the start of another text."""

from __future__ import annotations

import re

from distill.labels import LabelSet
from teachers.literals import Pairs, Reading, Series, Value

_ANNOUNCED = re.compile(
    r"(?:result|answer|output|entities|json|list|dictionary|结果|答案)[\s*_`]*(?:is|are|[:：=为])?[\s*_`]*\Z",
    re.IGNORECASE,
)
_PROSE_GOES_ON = re.compile(r"[ \t.,;:!()*`'\"，。；、–—-]*+\w")
_SENTENCE_ENDS = re.compile(r"[.!?:;。！？：；*`>][\s*_`]*\Z")
_OF_A_LABEL = re.compile(r"[\W_]*([^\W_][\w /-]{0,40}?)[\s*_`]*[:：][\s*_`]*\Z")
_ASSIGNED = re.compile(r"(\w+)\s*=\s*\Z")
_ANOTHER_TEXT = re.compile(
    r"^\s*(?:<text\d*>|(?:Text|Sentence|Passage|Input|User|Human|文本|句子)\s*[:：])|<\|(?:im_start|start_header_id)\|>user",
    re.IGNORECASE | re.MULTILINE,
)


def aside(text: str, reading: Reading, found: list[Reading], labels: LabelSet | None) -> str:
    """Why a dictionary or list is none of the answer, or an empty string; `found` is the answer so far.

    An empty one is talked about where words go on behind it and nothing in front announces an answer ("I cannot give
    {} for"), is filled later (`result = {}`), or stands for one label (`MISC: {}`). One without a label that the set
    knows does not replace one with labels.
    """
    known = bool(found) and not _says_nothing(found[-1])
    if not _says_nothing(reading) or reading.stopped:
        if known and labels and _speaks(found[-1].value, labels) and not _speaks(reading.value, labels):
            return "a dictionary without a known label, passed over"
        return ""
    before = text[max(0, reading.start - 60) : reading.start].rpartition("\n")[2]
    assigned = _ASSIGNED.search(before)
    if assigned and re.search(rf"^\s*{assigned.group(1)}[\[.]", text[reading.end :], re.MULTILINE):
        return "an empty dictionary that is filled later, passed over"
    label = _OF_A_LABEL.match(before)
    if known and labels and label and labels.canonical(label.group(1)):
        return "an empty dictionary of one label, passed over"
    prose = before.strip() and not _ANNOUNCED.search(before) and _PROSE_GOES_ON.match(text, reading.end)
    if prose and (known or not _SENTENCE_ENDS.search(before)):
        return "an empty dictionary within prose, passed over"
    return ""


def another_text(text: str, start: int, end: int) -> bool:
    """Whether a further text begins there: models without a stop go on with the pattern of the examples."""
    return bool(_ANOTHER_TEXT.search(text, start, end))


def _says_nothing(reading: Reading) -> bool:
    """Whether a dictionary has no value at all, or only empty lists, or a list is empty."""
    value = reading.value
    if isinstance(value, Series):
        return not value.items
    return all(isinstance(one, Series) and not one.items for _, one in value.items)


def _speaks(value: Value, labels: LabelSet) -> bool:
    """Whether a label of the set stands in a dictionary, as a key or a value."""
    if isinstance(value, str):
        return labels.canonical(value) is not None
    if isinstance(value, Series):
        return any(_speaks(item, labels) for item in value.items)
    return isinstance(value, Pairs) and any(_speaks(one, labels) for pair in value.items for one in pair)
