"""Answers: what a teacher's raw text says, as mentions in order, or why it says nothing that can be used."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

from distill.alignment import Mention
from distill.errors import NerDistillError
from distill.labels import LabelSet
from teachers.asides import Surroundings
from teachers.choice import Choice, Shape, only_numbers
from teachers.gathering import Gathered
from teachers.keys import is_error
from teachers.literals import Atom, Pairs, Reading, read_bracket

_LISTS = re.compile(r"[\[［【{｛]")
_START = {"dictionary": re.compile(r"[{｛]"), "list": _LISTS, "names": _LISTS}
_THINKING = r"(?:\w+:)?(?:think|thinking|reasoning|thought|analysis|scratchpad)"
_THOUGHT_END = re.compile(
    rf"</{_THINKING}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|channel\|>final[^<{{\[]*<\|message\|>", re.IGNORECASE
)
_THOUGHT = re.compile(
    rf"<{_THINKING}>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|channel\|>(?:analysis|commentary)\b", re.IGNORECASE
)
_MARKER = re.compile(
    r"[\s*_#`>\-]*(?:(?:final|the)\s+)?(?:result|answer|output|entities|json|结果|答案)[\s*_`]*[:：]?[\s*_`]*\Z",
    re.IGNORECASE,
)
_LEFT_OVER = re.compile(r"""(?:\s*+,\s*+|(?<=[}\])]))["'“‘]\w[^\n]{0,200}?[\]}]""")
_ESCAPES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("escaped quotes", lambda text: text.replace('\\"', '"').replace("\\n", "\n") if '\\"' in text else text),
    ("escaped quotes", html.unescape),  # taken from a web page
    ("doubled braces", lambda text: text.replace("{{", "{").replace("}}", "}")),  # from a template that escapes braces
)
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


def parse_answer(text: str, shape: Shape, labels: LabelSet | None = None) -> Answer:
    """The last dictionary (type to mentions) or list (of `{mention: type}`) of an answer, in linear time.

    In the shape "names" the list holds mentions, and their label is empty: the question knows it. Raises
    UnparsedAnswer, and nothing else, where there is none; an empty dictionary is an answer, an empty text is not.
    Dictionaries that follow each other count as one where that contradicts nothing. Where the
    labels are known, they tell a pair that is the other way round: `{"Ann": "PER"}` for `{"PER": ["Ann"]}`.
    """
    if not text.strip():
        raise UnparsedAnswer("the answer is empty")
    notes: list[str] = []
    text, found = _found(text, shape, notes, labels)
    if not found:
        raise UnparsedAnswer(_nothing(text, shape))
    if all(only_numbers(reading.value) for reading in found):
        raise UnparsedAnswer("the dictionary holds numbers, and no mention")
    truncated = _truncated(text, found, notes)
    gathered = Gathered(notes, labels)
    for reading in found:
        notes += (mend for mend in reading.mended if mend not in notes)
        {"dictionary": gathered.dictionary, "list": gathered.pairs, "names": gathered.names}[shape](reading.value)
    if gathered.elided and not truncated:
        truncated = "the answer was shortened by an ellipsis"
        notes.append(truncated)
    if truncated and not gathered.mentions:
        raise UnparsedAnswer(f"{truncated} before the first whole mention")
    if gathered.unusable and (labels or not gathered.mentions):
        raise UnparsedAnswer("a value of the dictionary is neither a mention nor a list of mentions")
    if shape == "list" and all(is_error(reading.value) for reading in found):
        raise UnparsedAnswer("the message of an error, and no list")
    if shape == "dictionary" and gathered.says_no_label():
        raise UnparsedAnswer("no label of the dictionary is known")
    if gathered.untyped and not gathered.mentions:
        raise UnparsedAnswer("no mention of the list has a type")
    return Answer(tuple(gathered.mentions), tuple(notes), _reasoning(text[: found[0].start]), bool(truncated))


def _found(text: str, shape: Shape, notes: list[str], labels: LabelSet | None) -> tuple[str, list[Reading]]:
    """What makes up the answer, and the text in which it was found: without escapes, if only so."""
    found = _last(text, shape, notes, labels)
    for note, plain in _ESCAPES:
        if not found and (other := plain(text)) != text:
            text = other
            found = _last(text, shape, notes, labels)
            notes.append(note)
    if not found and shape == "dictionary" and labels and (found := _last(text, "list", notes, labels)):
        notes.append("a list for a dictionary")  # [("Ann", "PER")], or [] for {}
        surroundings = Surroundings(text)
        found = [each for each in found if each.value.items or surroundings.introduced(each.start, each.end)]
    return text, found


def _last(text: str, shape: Shape, notes: list[str], labels: LabelSet | None) -> list[Reading]:
    """The last dictionary or list that is an answer, or those that make one together."""
    choice = Choice(Surroundings(text), shape, labels)
    ends = [match.end() for match in _THOUGHT_END.finditer(text)]
    at = ends[-1] if ends else 0  # what a model says while it thinks is no answer
    while start := _START[shape].search(text, at):
        reading = read_bracket(text, start.start())
        at = max(reading.end, start.end())
        if _usable(reading, shape) and not choice.take(reading):
            break
    notes += choice.notes
    return choice.found


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


def _truncated(text: str, found: list[Reading], notes: list[str]) -> str:
    """Why the answer is not whole, or an empty string."""
    why = next((f"the answer was {reading.stopped}" for reading in found if reading.stopped), "")
    if _LEFT_OVER.match(text, found[-1].end):
        why = why or "the answer was broken: mentions stand behind its end"
    if any("an ellipsis" in reading.mended for reading in found):
        why = why or "the answer was shortened by an ellipsis"
    if any("a key without a value" in reading.mended for reading in found):
        why = why or "the answer was broken: a key stands without its mentions"
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
