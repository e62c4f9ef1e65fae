"""Quotes that were never closed: what they run over is kept apart, or the answer is not whole."""

from __future__ import annotations

import json

import pytest

from distill.labels import Label, LabelSet
from teachers.answers import UnparsedAnswer, parse_answer

KNOWN = LabelSet((Label("PER"), Label("LOC")))
SAID = [("PER", "Ann"), ("LOC", "Rome")]


def notes_of_whole(text: str) -> tuple[str, ...]:
    """What was mended in an answer that says SAID, all of it."""
    answer = parse_answer(text, "dictionary", KNOWN)
    assert [(mention.label, mention.text) for mention in answer.mentions] == SAID
    assert not answer.truncated
    return tuple(answer.notes)


@pytest.mark.parametrize(
    "text",
    [
        '{"PER": ["Ann], "LOC": ["Rome"]}',
        "{'PER': ['Ann], 'LOC': ['Rome']}",
        '{"PER": ["Ann”], "LOC": ["Rome"]}',
        '{"PER": ["Ann\'], "LOC": ["Rome"]}',
        '{"PER": ["Ann, "LOC": ["Rome"]}',
        '{"PER": "Ann, "LOC": "Rome"}',
        '{"PER": ["Ann" - president], "LOC": ["Rome"]}',
        '{"PER": ["Ann" -> a sailor], "LOC": ["Rome" (a city)]}',
        '{"PER": ["Ann"] (a sailor), "LOC": ["Rome"] (a city)}',
    ],
)
def test_a_quote_that_was_never_closed_swallows_no_label(text: str) -> None:
    assert notes_of_whole(text)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ('"Ann, "Bo"', ["Ann", "Bo"]),
        ('"Ann, "Bo, "Cy, "Di"', ["Ann", "Bo", "Cy", "Di"]),
        ('"Ann", "Bo, "Cy"', ["Ann", "Bo", "Cy"]),
        ('"A\\u00e9nn, "Bo"', ["Aénn", "Bo"]),
        ('"Yes, "Big" Ann", "Bo"', ['Yes, "Big" Ann', "Bo"]),
        ('"She said, "yes", twice"', ['She said, "yes", twice']),
        ('"The "Tide" - a band, live"', ['The "Tide" - a band, live']),
        ('"12" vinyl", "Bo"', ['12" vinyl', "Bo"]),
        ("'Class of May, '69', 'Bo'", ["Class of May, '69", "Bo"]),
    ],
)
def test_a_string_that_runs_into_the_next_one_ends_before_it(items: str, expected: list[str]) -> None:
    assert [mention.text for mention in parse_answer(f'{{"PER": [{items}]}}', "dictionary").mentions] == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"LOC": ["Rome"], "PER": ["Ann": "sailor", "Bo": "x"]}',
        '{"LOC": ["Rome"], "PER"}',
    ],
)
def test_what_has_to_be_left_out_makes_an_answer_less_than_whole(text: str) -> None:
    answer = parse_answer(text, "dictionary", KNOWN)
    assert [(mention.label, mention.text) for mention in answer.mentions] == [("LOC", "Rome")]
    assert answer.truncated


def test_a_list_of_pairs_is_neither_mentions_nor_none() -> None:
    with pytest.raises(UnparsedAnswer):
        parse_answer('{"PER": ["Ann": "sailor", "Bo": "x"]}', "dictionary", KNOWN)
    with pytest.raises(UnparsedAnswer):
        parse_answer('["Ann": "x"]', "names")


def test_many_quotes_that_were_never_closed_are_read_in_linear_time() -> None:
    items = ", ".join(f'"Name {number}' for number in range(50_000))
    assert len(parse_answer(f'{{"PER": [{items}"]}}', "dictionary").mentions) == 50_000


def test_valid_json_is_read_exactly_whatever_its_strings_look_like() -> None:
    said = {"PER": ['Ann], "LOC": ["Rome', 'Ann, "Bo', '"Ann": "x"', "Ann - x"]}
    for written in (json.dumps(said), repr(said)):
        assert [mention.text for mention in parse_answer(written, "dictionary").mentions] == said["PER"]


@pytest.mark.parametrize(
    "text",
    [
        '{"PER": ["Ann"]}, "LOC": ["Rome"]}',
        '{"PER": ["Ann"],} "LOC": ["Rome"]}',
        '{"PER": [}"Ann"], "LOC": ["Rome"]}',
        '{"PER": ["Ann"},\n"LOC": ["Rome"]}',
        "{'PER': ['Ann']}\n, 'LOC': ['Rome']}",
    ],
)
def test_a_bracket_that_closes_too_early_ends_nothing(text: str) -> None:
    assert "a stray bracket" in notes_of_whole(text)


@pytest.mark.parametrize("behind", [', "Bo", "LOC": ["Rome"]}', '"Bo"], "LOC": ["Rome"]}'])
def test_mentions_behind_the_end_make_an_answer_less_than_whole(behind: str) -> None:
    answer = parse_answer('{"PER": ["Ann"]}' + behind, "dictionary", KNOWN)
    assert [mention.text for mention in answer.mentions] == ["Ann"]
    assert answer.truncated


def test_labels_beside_a_wrapper_count_as_well() -> None:
    for known in (KNOWN, LabelSet((*KNOWN.labels, Label("data", "entities")))):
        answer = parse_answer('{"entities": {"PER": ["Ann"]}, "LOC": ["Rome"]}', "dictionary", known)
        assert [(mention.label, mention.text) for mention in answer.mentions] == SAID
