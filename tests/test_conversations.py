"""The wording is that of the published files, byte for byte, and is read back; what cannot be asked is refused."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import CallError, InputError
from teachers.conversations import (
    STYLES,
    Example,
    Turn,
    Wording,
    assistant_answers,
    inquiries,
    inquiry_at_once,
    lesson,
    lesson_at_once,
    question,
    understood,
)

DATA = Path(__file__).parents[2] / "shared" / "data" / "rait"
beside = pytest.mark.skipif(not DATA.is_dir(), reason="the samples do not lie beside the project (../shared/data/rait)")
TEXT = 'Mira Solberg left "Fjord Bank".'


def published(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return rows


def shown_in(turns: list[Turn]) -> list[Example]:
    """The examples of a published conversation."""
    if len(turns) < 6:
        return []
    blocks = ("\n" + turns[0]["value"].split("：\n", 1)[1]).split("\n文本：")[1:]
    parts = [block.rpartition("\n实体：") for block in blocks]
    return [Example(text, tuple(next(iter(d.items())) for d in ast.literal_eval(found))) for text, _, found in parts]


@beside
@pytest.mark.parametrize("name", ["vanilla", "nn2.indomain", "nn2.bm25reject20"])
def test_chinese_conversations_are_the_published_ones(name: str) -> None:
    file = f"boson.{name}.sample12.json"
    made = []
    for row in published(file):
        turns = row["conversations"]
        kind, text = turns[-2]["value"].split('"')[1], turns[-4]["value"].removeprefix("文本： ")
        answers = {kind: json.loads(turns[-1]["value"])}
        made.append({"id": row["id"], "conversations": lesson(text, answers, Wording("zh"), shown_in(turns))})
        (asked,) = inquiries(text, [kind], Wording("zh"), shown_in(turns))
        assert asked == turns[:-1]
    assert json.dumps(made, ensure_ascii=False, indent=1) == (DATA / file).read_text(encoding="utf-8")


@beside
def test_uniners_conversations_are_the_published_ones() -> None:
    for row in published("uniner.crossner_ai.sample60.json"):
        turns = row["conversations"]
        kind = turns[2]["value"].removeprefix("What describes ").removesuffix(" in the text?")
        answers = {kind: json.loads(turns[3]["value"])}
        assert lesson(turns[0]["value"].removeprefix("Text: "), answers, Wording("en", "uniner")) == turns


def test_rait_quotes_the_type_and_shows_examples_in_a_turn_of_their_own() -> None:
    example = Example("Oslo's mayor came.", (("Oslo", "city"), ("Oslo", "city")))
    turns = lesson(TEXT, {"person": ["Mira Solberg", "Mira Solberg"], "city": []}, Wording(), [example])
    assert [turn["value"] for turn in turns] == [
        "Here are some examples of named entity recognition:\nText: Oslo's mayor came.\nEntity: [{'Oslo': 'city'}]",
        "I've read these examples.",
        f"Text: {TEXT}",
        "I've read this text.",
        'What describes "person" in the text?',
        '["Mira Solberg"]',
        'What describes "city" in the text?',
        "[]",
    ]
    assert assistant_answers(turns) == [5, 7]


def test_all_types_stand_in_one_question_or_in_none() -> None:
    pairs = [("Mira Solberg", "person")]
    named = lesson_at_once(TEXT, pairs, ["person", "city"], Wording(dataset="Banks"))
    assert named[0]["value"].startswith("Given entity type set: [person, city]\n")
    assert named[0]["value"].endswith(f"\nDataset: Banks\nPassage: {TEXT}")
    assert named[1]["value"] == '[{"Mira Solberg": "person"}]'
    assert "type set" not in inquiry_at_once(TEXT, [], Wording())[0]["value"]
    assert "[人物]" in inquiry_at_once(TEXT, ["人物"], Wording("zh"))[0]["value"]


TYPES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"“”{}\u2028\u2029'), min_size=1)
TYPES = TYPES.filter(lambda kind: bool(kind.strip()) and " in the text?" not in kind and "的实体有哪些" not in kind)


@given(
    st.text(min_size=1),
    st.dictionaries(TYPES, st.lists(st.text(min_size=1), unique=True), min_size=1, max_size=4),
    st.sampled_from(["en", "zh"]),
    st.sampled_from(STYLES),
    st.sampled_from(["", "Some Set"]),
    st.booleans(),
)
def test_a_conversation_is_read_back(
    text: str, answers: dict[str, list[str]], language: str, style: str, dataset: str, with_example: bool
) -> None:
    examples = [Example("Lima is large.", (("Lima", "city"),))] if with_example else []
    heard = understood(lesson(text, answers, Wording(language, style, dataset), examples))
    expected = text.removeprefix(" ") if language == "zh" else text
    assert (heard.text.removeprefix(" ") if language == "zh" else heard.text, heard.dataset) == (expected, dataset)
    assert {kind: json.loads(said) for kind, said in heard.answers.items()} == answers


@pytest.mark.parametrize("kind", ['the "best"', "{x}", "a\nb", "  ", ""])
def test_a_type_that_would_break_its_question_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="cannot be asked about"):
        question(kind, Wording())


def test_braces_in_a_text_mean_nothing() -> None:
    text = "{0} %s {kind} \\n"
    assert inquiries(text, ["city"], Wording())[0][0]["value"] == f"Text: {text}"
    assert inquiry_at_once(text, ["city"], Wording())[0]["value"].endswith(f"Passage: {text}")


def test_an_unknown_wording_is_named() -> None:
    with pytest.raises(CallError, match="did you mean rait"):
        Wording(style="riat")
    with pytest.raises(CallError, match="worded in en or zh"):
        Wording("fr")


@pytest.mark.parametrize(
    "turns", [None, [{"from": "human"}], [{"from": "human", "value": "Hello"}], [{"from": "human", "value": "Text: a"}]]
)
def test_what_is_no_conversation_of_this_kind_is_refused(turns: Any) -> None:
    with pytest.raises(InputError):
        understood(turns)
