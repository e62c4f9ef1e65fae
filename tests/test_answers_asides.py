"""Which of several dictionaries in a teacher's text are its answer, and which are only talked about."""

from __future__ import annotations

import pytest
from heard import KNOWN, SAID, said

from distill.labels import Label, LabelSet
from teachers.answers import UnparsedAnswer, parse_answer
from teachers.choice import Shape

WHOLE = '{"PER": ["Ann"], "LOC": ["Rome"]}'


@pytest.mark.parametrize(
    "behind",
    [
        "No ORG: {}",
        "ORG and MISC: {}",
        "- ORG: {}\n- MISC: {}",
        "There are no organisations, i.e. {}.",
        "There are no ORG: {} or MISC: {}.",
        'If there were none, the answer would be {"PER": [], "LOC": []}.',
        'Format: {"PER": [], "LOC": [], "ORG": [], "MISC": []}',
        'Empty types: {"ORG": [], "MISC": []}',
        'Result of the rest: {"ORG": [], "MISC": []}',
        'I left out {"MISC": ["today"]} since it is a date.',
        'Not included: {"ORG": ["the court"]}',
        '{"MISC": ["Monday"]} was left out.',
        'The person is {"PER": ["Ann"]} and the place is {"LOC": ["Rome"]}.',
        '- {"Ann": "PER"}: a person\n- {"Rome": "LOC"}: a city',
        '**Justification:**\n- {"Ann": "PER"}: a person\n- {"Rome": "LOC"}: a city',
        'Confidence: {"PER": "high", "LOC": "low"}',
        'Confidence: {"PER": 0.9, "LOC": 0.8}',
        'Counts: {"PER": 1}',
        'Offsets: {"PER": [[0, 3]]}',
    ],
)
def test_what_is_said_behind_a_whole_answer_does_not_replace_it(behind: str) -> None:
    assert said(f"{WHOLE}\n\n{behind}") == SAID


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ('[{"Ann": "person"}]\n\nOther: []', "list", [("person", "Ann")]),
        ('[{"Ann": "person"}]\n\nNote that [{"Monday": "date"}] was left out.', "list", [("person", "Ann")]),
        ('[{"Ann": "person"}]\n\nConfidence: {"Ann": 0.9}', "list", [("person", "Ann")]),
        ('[{"Ann": "person"}]\n\nConfidence: [{"Ann": 0.9}]', "list", [("person", "Ann")]),
        ('Here: ["Ann"]. Others: []', "names", [("", "Ann")]),
        ('["Ann"]\n\nNot included: ["Monday"]', "names", [("", "Ann")]),
    ],
)
def test_nor_does_it_behind_a_list(text: str, shape: Shape, expected: list[tuple[str, str]]) -> None:
    assert said(text, shape, None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Step 4: {"PER": ["Ann"]}\nSo, result: {"PER": [], "LOC": []}', []),
        ('{"PER": ["Ann", "Bo"]}\nBo is a dog. Final answer: {"PER": ["Ann"]}', [("PER", "Ann")]),
        ('Step 2: {"PER": ["Ann", "Bo"]}\nStep 3: {"PER": ["Ann"]}', [("PER", "Ann")]),
        ('{"PER": ["Ann", "Bo"]}\n\n```json\n{"PER": ["Ann"]}\n```', [("PER", "Ann")]),
        ('Candidates: {"PER": ["Bo"]}. Bo is a dog.\nFinal answer: {"LOC": ["Rome"]}', [("LOC", "Rome")]),
        ('Confidence: {"PER": 0.9}\nResult: {"PER": ["Ann"]}', [("PER", "Ann")]),
    ],
)
def test_an_answer_or_a_correction_that_is_announced_counts(text: str, expected: list[tuple[str, str]]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'Persons: {"PER": ["Ann"]}\n\nPlaces: {"LOC": ["Rome"]}',
        'Step 1: {"PER": ["Ann"]}\nStep 2: {"LOC": ["Rome"]}',
        '{"PER": ["Ann"]} and {"LOC": ["Rome"]}',
        '- {"Ann": "PER"}: a person\n- {"Rome": "LOC"}: a city',
        'Persons: {"PER": ["Ann", "Bo"]}\nCorrected: {"PER": ["Ann"]}\nPlaces: {"LOC": ["Rome"]}',
    ],
)
def test_dictionaries_of_different_labels_are_one_answer(text: str) -> None:
    assert said(text) == SAID


def test_mentions_that_are_justified_one_by_one_are_one_answer() -> None:
    text = '- {"Ann": "PER"}: a person\n- {"Bo": "PER"}: another\n- {"Rome": "LOC"}: a city'
    assert said(text) == [("PER", "Ann"), ("PER", "Bo"), ("LOC", "Rome")]


def test_lists_of_names_on_lines_of_their_own_are_one_answer() -> None:
    assert said('["Ann"]\n["Bo"]', "names") == [("", "Ann"), ("", "Bo")]
    assert said('["Ann", "Bo"]\n["Ann"]', "names") == [("", "Ann")]


@pytest.mark.parametrize(
    "text",
    [
        'People:\n[{"Ann": "person"}]\n\nPlaces:\n[{"Rome": "city"}]',
        '**People**\n[{"Ann": "person"}]\n\n**Places**\n[{"Rome": "city"}]',
        '### People\n[{"Ann": "person"}]\n\n### Places\n[{"Rome": "city"}]',
        '1. People: [{"Ann": "person"}]\n2. Places: [{"Rome": "city"}]',
        '[{"Ann": "person"}]\n[{"Rome": "city"}]',
        '[{"Ann": "person"}] and [{"Rome": "city"}]',
        'Dates:\n[{"Monday": "date"}]\nFinal answer:\n[{"Ann": "person"}, {"Rome": "city"}]',
        'Step 1:\n[{"Monday": "date"}]\nStep 2:\n[{"Ann": "person"}, {"Rome": "city"}]',
        '[{"Ann": "person"}, {"Rome": "city"}]\nLeft out:\n[{"Monday": "date"}]',
    ],
)
def test_lists_of_different_types_under_headings_are_one_answer(text: str) -> None:
    for labels in (None, LabelSet((Label("person"), Label("city")))):
        assert said(text, "list", labels) == [("person", "Ann"), ("city", "Rome")]


@pytest.mark.parametrize("heading", ["**score**\n", "2. Score: ", "### score\n", "score:\n"])
def test_a_heading_that_is_the_type_below_it_leaves_nothing_out(heading: str) -> None:
    text = f'person:\n[{{"Ann": "person"}}]\n{heading}[{{"6-2": "score"}}]'
    assert said(text, "list", None) == [("person", "Ann"), ("score", "6-2")]


@pytest.mark.parametrize(
    "prompt",
    [
        "\n\n### Input:\nMax is in Bonn\n\n### Response:\n",
        "\n\n**Text:** Max is in Bonn\nResult: ",
        "\n\n## Text 2\nMax is in Bonn\n",
        "\n\nExample 2\nMax is in Bonn\nResult: ",
        "\nQ: Max is in Bonn\nA: ",
        "\n[INST] Max is in Bonn [/INST]\n",
        "<end_of_turn>\n<start_of_turn>user\nMax is in Bonn<end_of_turn>\n",
        "\n<|user|>\nMax is in Bonn\n<|assistant|>\n",
    ],
)
def test_a_further_text_in_the_form_of_a_chat_is_not_answered(prompt: str) -> None:
    assert said(WHOLE + prompt + '{"PER": ["Max"]}') == SAID


def test_numbers_alone_are_no_mentions() -> None:
    for text in ('{"PER": 0.9, "LOC": 0.8}', '{"PER": [[0, 3]], "LOC": []}'):
        with pytest.raises(UnparsedAnswer, match="numbers"):
            parse_answer(text, "dictionary", KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        '{"PER": ["Ann"]}' + "\n" * 300_000 + "x {}",
        '{"PER": ["Ann"]} ' + "word {} word " * 10_000,
        "x = {}\n" * 10_000 + 'Result: {"PER": ["Ann"]}',
    ],
)
def test_many_brackets_and_blank_lines_are_passed_in_linear_time(text: str) -> None:
    assert said(text) == [("PER", "Ann")]
