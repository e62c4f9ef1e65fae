"""Conversations: the wording in which a tuned model is asked for entities, and the turns that it makes.

The wording is that of UniNER and RA-IT. A passage is read first (`Text: ...`, "I've read this text."), then every type
is one question, answered by a JSON list of mentions. RA-IT quotes the type and puts a turn with worked examples in
front; UniNER (`uniner`) does neither quote nor show any. Nothing here chooses: types, examples and answers come in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from distill.errors import CallError, InputError, did_you_mean

Turn = dict[str, str]
"""`{"from": "human" or "gpt", "value": ...}`, as in the published files."""
Pair = tuple[str, str]
"""A mention and its type."""

HUMAN, GPT = "human", "gpt"
STYLES = ("rait", "uniner")
LANGUAGES = ("en", "zh")

_PASSAGE = {"en": "Text: ", "zh": "文本： "}
_DATASET = {"en": "Dataset: {}\n ", "zh": "数据集：{}\n "}
_READ = {"en": "I've read this text.", "zh": "我已读完这段文本。"}
_QUESTION = {"en": ("What describes ", " in the text?"), "zh": ("文本中属于", "的实体有哪些？")}
_EXAMPLES = {"en": "Here are some examples of named entity recognition:", "zh": "以下是一些命名实体识别的例子："}
_EXAMPLE = {"en": ("Text: ", "Entity: "), "zh": ("文本：", "实体：")}  # no space behind the Chinese colon here
_EXAMPLES_READ = {"en": "I've read these examples.", "zh": "我已读完这些例子。"}
_AT_ONCE = {
    "en": "Given a passage, your task is to extract all entities and identify their entity types. The output should be "
    'in the following JSON format: [{"entity 1": "type of entity 1"}, ...].\n',
    "zh": "给定一段文本，你的任务是抽取所有实体并识别它们的实体类别。输出应为以下JSON格式："
    '[{"实体1": "实体1的类别"}, ...]。\n',
}
_AT_ONCE_OF = {
    "en": "Given entity type set: [{}]\nBased on the given entity type set, please extract all entities and identify "
    "their entity types from the given passage. The output should be in the following JSON format: "
    '[{{"entity 1": "type of entity 1"}}, ...].\n',
    "zh": "给定以下实体类别集：[{}]\n请基于给定的实体类别集，抽取给定文本中的所有实体并识别它们的实体类别。"
    '输出应为以下JSON格式：[{{"实体1": "实体1的类别"}}, ...]。\n',
}
_AT_ONCE_PASSAGE = {"en": "Passage: ", "zh": "文本："}
_SHOWN = re.compile(r"(?:(?:Dataset: |数据集：)(?P<dataset>[^\n]*)\n ?)?(?:Text: |文本：[ ]?)(?P<text>.*)", re.DOTALL)
_ASKED = re.compile(
    r'What describes (?P<q>"?)(?P<en>.+)(?P=q) in the text\?|文本中属于(?P<p>"?)(?P<zh>.+)(?P=p)的实体有哪些？'
)
_written = json.JSONEncoder(ensure_ascii=False).encode
_UNASKABLE = re.compile(r"[\"“”{}\x00-\x1f\x7f\u2028\u2029]")


class Example(NamedTuple):
    """A worked example as RA-IT shows it: a text and its mentions with their types, in the order they are shown."""

    text: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """In which language and style to ask, and the data set to name (UniNER's field for supervised data)."""

    language: str = "en"
    style: str = "rait"
    dataset: str = ""

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise CallError(f"conversations are worded in {' or '.join(LANGUAGES)}, not {self.language!r}")
        if self.style not in STYLES:
            raise CallError(f"unknown style {self.style!r}{did_you_mean(self.style, STYLES)}")
        if not self.dataset.isprintable():
            raise CallError(f"the name of a data set stands on one line, unlike {self.dataset!r}")


def unaskable(kind: str) -> str:
    """Why a type cannot stand in a question, or an empty string."""
    if not kind.strip():
        return "an empty type"
    return "a type with quotes, braces or control characters" if _UNASKABLE.search(kind) else ""


def question(kind: str, wording: Wording) -> str:
    """The one question about a type (or a definition in its place)."""
    if reason := unaskable(kind):
        raise InputError(f"{kind!r} cannot be asked about: {reason}; give the label another name")
    before, after = _QUESTION[wording.language]
    return f'{before}"{kind}"{after}' if wording.style == "rait" else f"{before}{kind}{after}"


def passage(text: str, wording: Wording) -> str:
    """The turn that shows a text, whole and as it is."""
    named = _DATASET[wording.language].format(wording.dataset) if wording.dataset else ""
    return f"{named}{_PASSAGE[wording.language]}{text}"


def answer(mentions: Iterable[str]) -> str:
    """The answer to one question: a JSON list, each different mention once."""
    return _written(list(dict.fromkeys(mentions)))


def answer_at_once(pairs: Iterable[Pair]) -> str:
    """The answer to the question about all types: a JSON list of `{mention: type}`, each different pair once."""
    return _written([{mention: kind} for mention, kind in dict.fromkeys(pairs)])


def examples_shown(examples: Sequence[Example], wording: Wording) -> list[Turn]:
    """RA-IT's turn of worked examples and its acknowledgement; no turn where there is no example (vanilla)."""
    if not examples:
        return []
    text, entity = _EXAMPLE[wording.language]
    blocks = [
        f"{text}{each.text}\n{entity}{[{mention: kind} for mention, kind in dict.fromkeys(each.pairs)]}"
        for each in examples
    ]
    shown = "\n".join([_EXAMPLES[wording.language], *blocks])
    return [human(shown), gpt(_EXAMPLES_READ[wording.language])]


def opening(text: str, wording: Wording, examples: Sequence[Example] = ()) -> list[Turn]:
    """What comes before every question about a text, the same for all of its types: examples, passage, "read"."""
    return [*examples_shown(examples, wording), human(passage(text, wording)), gpt(_READ[wording.language])]


def inquiries(
    text: str, kinds: Iterable[str], wording: Wording, examples: Sequence[Example] = ()
) -> list[list[Turn]]:
    """For inference: one conversation a type, each ending with its question; the opening is the same in all."""
    before = opening(text, wording, examples)
    return [[*before, human(question(kind, wording))] for kind in kinds]


def lesson(
    text: str, answers: Mapping[str, Sequence[str]], wording: Wording, examples: Sequence[Example] = ()
) -> list[Turn]:
    """For tuning: one conversation with a question and its answer for every type, in the mapping's order."""
    turns = opening(text, wording, examples)
    for kind, mentions in answers.items():
        turns += [human(question(kind, wording)), gpt(answer(mentions))]
    return turns


def inquiry_at_once(
    text: str, kinds: Sequence[str], wording: Wording, examples: Sequence[Example] = ()
) -> list[Turn]:
    """For inference: all types in one question; without types the model chooses them itself."""
    for kind in kinds:
        question(kind, wording)  # the same types can be asked about in both ways
    task, before = _AT_ONCE[wording.language], _AT_ONCE_PASSAGE[wording.language]
    if kinds:
        task = _AT_ONCE_OF[wording.language].format(", ".join(kinds))
    named = _DATASET[wording.language].format(wording.dataset).rstrip(" ") if wording.dataset else ""
    return [*examples_shown(examples, wording), human(f"{task}{named}{before}{text}")]


def lesson_at_once(
    text: str,
    pairs: Iterable[Pair],
    kinds: Sequence[str],
    wording: Wording,
    examples: Sequence[Example] = (),
) -> list[Turn]:
    """For tuning: all types in one question, answered by one list of mentions with their types."""
    return [*inquiry_at_once(text, kinds, wording, examples), gpt(answer_at_once(pairs))]


def assistant_answers(turns: Sequence[Turn]) -> list[int]:
    """Which turns hold answers to learn from: the assistant's, but for "I've read this text." and its like."""
    said = {*_READ.values(), *_EXAMPLES_READ.values()}
    return [at for at, turn in enumerate(turns) if turn["from"] == GPT and turn["value"] not in said]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a conversation in this wording was about: its text, data set, and what was said about each type."""

    text: str
    dataset: str
    answers: dict[str, str]


def understood(turns: Any) -> Heard:
    """A conversation of one question a type, read back; examples in front of it are passed over.

    Raises InputError where it has another shape or wording.
    """
    if not isinstance(turns, list) or not all(isinstance(turn, dict) and _is_turn(turn) for turn in turns):
        raise InputError('"conversations" is a list of {"from": "human" or "gpt", "value": text}')
    shown = [match for turn in turns if turn["from"] == HUMAN and (match := _SHOWN.fullmatch(turn["value"]))]
    if not shown:
        raise InputError("the conversation shows no passage (`Text: ...`)")
    answers: dict[str, str] = {}
    for asked, said in pairwise(turns):
        match = _ASKED.fullmatch(asked["value"]) if asked["from"] == HUMAN and said["from"] == GPT else None
        if match:
            answers[match["en"] or match["zh"]] = said["value"]
    if not answers:
        raise InputError("the conversation asks about no type in a wording that is known")
    return Heard(shown[0]["text"], shown[0]["dataset"] or "", answers)


def _is_turn(turn: dict[str, Any]) -> bool:
    return turn.get("from") in (HUMAN, GPT) and isinstance(turn.get("value"), str)


def text_shown(turns: Sequence[Turn]) -> str:
    """The turn that shows the text, the same in all conversations about it; the first question where none does."""
    said = [turn["value"] for turn in turns]
    shown = [before for before, reply in pairwise(said) if reply in _READ.values()]
    first = min(assistant_answers(turns), default=1)
    return shown[0] if shown else said[max(first - 1, 0)]


def human(value: str) -> Turn:
    """A turn of the user."""
    return {"from": HUMAN, "value": value}


def gpt(value: str) -> Turn:
    """A turn of the assistant."""
    return {"from": GPT, "value": value}


Language = Literal["en", "zh"]
