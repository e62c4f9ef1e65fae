"""Labels and records in a teacher's own spelling, thoughts beside the labels, and errors that are no answers."""

from __future__ import annotations

import pytest
from heard import KNOWN, SAID, said

from distill.labels import LabelSet
from teachers.answers import UnparsedAnswer, parse_answer


@pytest.mark.parametrize(
    "text",
    [
        '{"PER (person)": ["Ann"], "LOC (places of all kinds)": ["Rome"]}',
        '{"**PER**": ["Ann"], "`LOC`": ["Rome"]}',
        '{"PER:": ["Ann"], "**Location:**": ["Rome"]}',
        '{"B-PER": ["Ann"], "B-LOC": ["Rome"]}',
        '{"Persons": ["Ann"], "LOCATIONS": ["Rome"]}',
        '{""PER"": ["Ann"], ""LOC"": ["Rome"]}',
        '[{"Ann": "B-PER"}, {"Rome": "**LOC**"}]',
    ],
)
def test_a_decorated_label_is_the_label(text: str) -> None:
    assert said(text) == SAID
    assert "a decorated label" in parse_answer(text, "dictionary", KNOWN).notes


@pytest.mark.parametrize(
    "text",
    [
        '{"PER (location)": ["Ann"]}',
        '{"refusal": ["I am sorry, I cannot label people."]}',
        '{"reasoning": "Ann is a sailor."}',
        '{"error": "overloaded", "PER": []}',
        '{"entities": [{"label": "PER", "start": 0, "end": 3}]}',
        '{"label": "PER", "start": 0, "end": 3}',
    ],
)
def test_a_dictionary_that_says_nothing_under_a_known_label_is_not_no_entities(text: str) -> None:
    with pytest.raises(UnparsedAnswer):
        parse_answer(text, "dictionary", KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reasoning": "No names.", "PER": [], "LOC": []}', []),
        ('{"thought": "No names.", "entities": []}', []),
        ('{"notes": "Two names.", "PER": ["Ann"], "LOC": ["Rome"]}', SAID),
        ('{"PER": [], "WINE": ["Rioja"]}', [("WINE", "Rioja")]),
    ],
)
def test_a_thought_beside_the_labels_is_no_mention(text: str, expected: list[tuple[str, str]]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '[{"Entity": "Ann", "Entity Type": "PER"}, {"Entity": "Rome", "Entity Type": "LOC"}]',
        '[{"entity_group": "PER", "word": "Ann", "start": 0, "end": 3}, {"entity_group": "LOC", "word": "Rome"}]',
        '[{"entity_name": "Ann", "entity-type": "PER"}, {"named_entity": "Rome", "type": "LOC"}]',
        '[{"name": "Ann", "type": ["PER"]}, {"name": "Rome", "labels": ["LOC"]}]',
        '[{"type": "PER", "mentions": [{"text": "Ann"}]}, {"type": "LOC", "mentions": [{"text": "Rome"}]}]',
        '[{"type": "PER", "mentions": ["Ann"]}, {"type": "LOC", "mentions": ["Rome"]}, {"type": "ORG", "names": []}]',
        '{"PER": {"mentions": ["Ann"]}, "LOC": [{"names": ["Rome"], "count": 1}]}',
        '{"Ann": ["PER", "a sailor"], "Rome": ["LOC", "a city"]}',
        '{"PER": "[\\"Ann\\"]", "LOC": "[\'Rome\']", "ORG": "[]"}',
    ],
)
def test_records_and_lists_in_other_spellings_are_read(text: str) -> None:
    assert said(text) == SAID


def test_a_comma_within_a_string_does_not_divide_it() -> None:
    assert said('{"PER": "Ann, Bo"}') == [("PER", "Ann, Bo")]


@pytest.mark.parametrize(
    "text",
    [
        '{"PER\u200b": ["Ann"], "\ufeffLOC": ["Rome"]}',
        '{"ＰＥＲ": ["Ann"], "ｌｏｃａｔｉｏｎ": ["Rome"]}',
    ],
)
def test_a_label_counts_in_any_unicode_form(text: str) -> None:
    assert [KNOWN.canonical(label) for label, _ in said(text)] == ["PER", "LOC"]


@pytest.mark.parametrize(
    "text",
    [
        "{&quot;PER&quot;: [&quot;Ann&quot;], &quot;LOC&quot;: [&quot;Rome&quot;]}",
        "{&#39;PER&#39;: [&#39;Ann&#39;], &#x27;LOC&#x27;: [&#x27;Rome&#x27;]}",
        '{"name": "extract", "arguments": "{\\"PER\\": [\\"Ann\\"], \\"LOC\\": [\\"Rome\\"]}"}',
    ],
)
def test_a_dictionary_within_a_string_or_a_web_page_is_read(text: str) -> None:
    assert said(text) == SAID


@pytest.mark.parametrize("text", ["[('Ann', 'PER'), ('Rome', 'LOC')]", 'Result: [["Ann", "person"], ["Rome", "LOC"]]'])
def test_a_list_of_pairs_counts_where_a_dictionary_was_asked_for(text: str) -> None:
    answer = parse_answer(text, "dictionary", KNOWN)
    assert [(KNOWN.canonical(mention.label), mention.text) for mention in answer.mentions] == SAID
    assert "a list for a dictionary" in answer.notes


def test_an_empty_list_is_an_empty_dictionary_only_as_the_whole_answer() -> None:
    for text in ("[]", "Step 1. Nobody.\nResult: []", "```json\n[]\n```", "**Answer:** `[]`"):
        assert said(text) == []
    for text in ('PER: ["Ann"]\nLOC: []', "PER:\n['Ann']\nLOC:\n[]", "I cannot give [] or the like", "found = []"):
        with pytest.raises(UnparsedAnswer, match="no dictionary"):
            said(text)


def test_a_record_without_mentions_says_no_entities_and_one_without_a_type_says_nothing() -> None:
    assert said('[{"type": "PER", "mentions": []}, {"type": "LOC", "mentions": []}]') == []
    assert said('[{"mention": "Ann", "type": "person"}, {"mention": "Bo", "type": null}]', "list", None) == [
        ("person", "Ann")
    ]
    for text in ('[{"mention": "Ann", "type": null}]', '{"mention": "Ann", "type": []}'):
        for labels in (KNOWN, None):
            with pytest.raises(UnparsedAnswer, match="no mention of the list has a type"):
                said(text, "list", labels)


def test_a_mention_of_several_types_is_one_of_each() -> None:
    text = '[{"mention": "Ann", "type": ["person", "sailor"]}]'
    assert said(text, "list", None) == [("person", "Ann"), ("sailor", "Ann")]


def test_a_type_may_stand_in_a_record_behind_its_mention() -> None:
    text = '[{"Ann": {"type": "person"}}, {"Rome": {"label": "city", "score": 0.9}}]'
    assert said(text, "list", None) == [("person", "Ann"), ("city", "Rome")]


@pytest.mark.parametrize("word", ["none", "None.", "(none)", "N/A", "—", "--", "[]"])
def test_a_word_for_none_is_no_mention_wherever_it_stands_alone(word: str) -> None:
    assert said(f'{{"PER": ["Ann"], "LOC": "Rome", "ORG": "{word}", "MISC": ["{word}"]}}') == SAID
    assert said(f'[{{"type": "PER", "mentions": ["Ann"]}}, {{"text": "{word}", "type": "LOC"}}]') == SAID[:1]
    assert said(f'["{word}"]', "names") == []


def test_nought_is_how_many_mentions_there_are() -> None:
    assert said('{"PER": ["Ann"], "LOC": ["Rome"], "ORG": 0, "MISC": 1996}') == [*SAID, ("MISC", "1996")]


def test_a_word_for_none_needs_no_quotes() -> None:
    assert said('{"PER": ["Ann"], "LOC": ["Rome"], "ORG": none, "MISC": N/A}') == SAID


def test_a_record_in_a_list_of_names_is_its_mention() -> None:
    for text in ('[{"name": "Ann"}]', '[{"text": "Ann", "start": 0}]', '[{"entity": "Ann", "type": "person"}]'):
        assert said(text, "names") == [("", "Ann")]


def test_open_records_may_separate_the_words_of_their_keys() -> None:
    assert said('[{"mention": "Ann", "entity type": "person"}]', "list", None) == [("person", "Ann")]


@pytest.mark.parametrize(
    "text",
    [
        '{"error": "rate limited"}',
        '[{"error": "rate limited", "code": "429"}]',
        '{"object": "error", "message": "bad request", "type": "BadRequest"}',
        '{"error": {"message": "overloaded", "type": "server_error"}}',
        '{"detail": "Not Found"}',
        '{"entities": [{"label": "person", "start": 0, "end": 3}]}',
    ],
)
def test_the_error_of_a_server_holds_no_open_types(text: str) -> None:
    with pytest.raises(UnparsedAnswer):
        parse_answer(text, "list")


def test_a_mention_of_an_error_among_others_is_a_mention() -> None:
    assert said('[{"Ann": "person"}, {"error": "concept"}]', "list", None) == [("person", "Ann"), ("concept", "error")]


def test_a_set_that_drops_other_labels_is_content_with_them_alone() -> None:
    dropping = LabelSet(KNOWN.labels, other="drop")
    assert said('{"DATE": ["Monday"]}', labels=dropping) == [("DATE", "Monday")]
    with pytest.raises(UnparsedAnswer, match="no label of the dictionary is known"):
        said('{"DATE": ["Monday"]}')
