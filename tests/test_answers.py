"""Answers as models write them: what is recovered, what is mended aloud, and what is never taken for an answer."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distill.labels import Label, LabelSet
from teachers.answers import Answer, UnparsedAnswer, parse_answer
from teachers.choice import Shape

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

Dictionary = dict[str, list[str]]


def said(text: str, shape: Shape = "dictionary") -> Dictionary:
    """Mentions by label."""
    found: Dictionary = {}
    for mention in parse_answer(text, shape).mentions:
        found.setdefault(mention.label, []).append(mention.text)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"PER": ["Ann"], "LOC": []}', {"PER": ["Ann"]}),
        ('Step 1. Ann {says} hi.\nResult: {"PER": ["Ann"]}\nI hope this helps!', {"PER": ["Ann"]}),
        ('```json\n{\n  "PER": [\n    "Ann",\n    "Bo",\n  ],\n}\n```', {"PER": ["Ann", "Bo"]}),
        ("{'PER': ['Ann'], 'LOC': None, 'ORG': ()}", {"PER": ["Ann"]}),
        ("{'PER': ['O'Hara', 'the boys' club', 'Bo']}", {"PER": ["O'Hara", "the boys' club", "Bo"]}),
        ('{"PER": ("Ann", "Bo"), "LOC": {"Rome"}, "ORG": set(), "MISC": set(["X"])}',
         {"PER": ["Ann", "Bo"], "LOC": ["Rome"], "MISC": ["X"]}),
        ('{"PER": "Ann", "LOC": ""}', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"]} no, rather {"PER": ["Bo"]}', {"PER": ["Bo"]}),
        ('{"PER": ["Ann"]}\n{"PER": ["Bo"], "LOC": ["Rome"]}', {"PER": ["Bo"], "LOC": ["Rome"]}),
        ('{"PER": ["Ann"]}\n{"LOC": ["Rome"]}', {"PER": ["Ann"], "LOC": ["Rome"]}),
        ('[{"PER": ["Ann"]}, {"PER": ["Bo"]}]', {"PER": ["Ann", "Bo"]}),
        ('{"PER": ["Ann"], "PER": ["Bo", "Ann"]}', {"PER": ["Ann", "Bo", "Ann"]}),
        ('<think>{"PER": ["Bo"]}? No.</think>\n{"PER": ["Ann"]}', {"PER": ["Ann"]}),
        ('Perhaps {"PER": ["Bo"]}.</think>{"PER": ["Ann"]}', {"PER": ["Ann"]}),
        ("{“PER”: [“Ann”， “Bo “the” Bear”]}", {"PER": ["Ann", "Bo “the” Bear"]}),
        ("{‘PER’: [‘Ann’, ‘O’Hara’]}", {"PER": ["Ann", "O’Hara"]}),
        ("{「人名」：【「王小明」、「李雷」】，“地名”：[“巴黎”]}", {"人名": ["王小明", "李雷"], "地名": ["巴黎"]}),
        ('{"MISC": ["the "Big" One", "He said "yes", twice"]}', {"MISC": ['the "Big" One', 'He said "yes", twice']}),
        ('{"PER": ["Ann", // the first\n "Bo" # the second\n] /* all */}', {"PER": ["Ann", "Bo"]}),
        ('{PER: ["Ann"], LOC: [Rome, Old Town], ORG: []}', {"PER": ["Ann"], "LOC": ["Rome", "Old Town"]}),
        ('{"PER": ["Ann" "Bo"] "LOC": ["Rome"]}', {"PER": ["Ann", "Bo"], "LOC": ["Rome"]}),
        ('{"PER": ["Ann", "Bo"}', {"PER": ["Ann", "Bo"]}),
        ('{"PER": ["Ann"]], "LOC": ["Rome"]}', {"PER": ["Ann"], "LOC": ["Rome"]}),
        ('{"PER": ["Ann\\u00e9 \\ud83d\\ude00", "a\\"b"]}', {"PER": ["Anné 😀", 'a"b']}),
        ('{\\"PER\\": [\\"Ann\\"]}', {"PER": ["Ann"]}),
        ('{"entities": {"PER": ["Ann"]}}', {"PER": ["Ann"]}),
        ('{"entities": [{"text": "Ann", "type": "PER", "start": 3}]}', {"PER": ["Ann"]}),
        ('{"PER": [{"text": "Ann"}, ["Bo"], 1984], "LOC": null}', {"PER": ["Ann", "Bo", "1984"]}),
        ('{{"PER": ["Ann"]}}', {"PER": ["Ann"]}),
        ('Result: {{"entities": {{"PER": ["Ann"]}}}}', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"]} Note: {"ORG": []} is empty', {"PER": ["Ann"]}),
        ('{"PER": ["None"], "LOC": "n/a", "ORG": ["None", "Acme"]}', {"ORG": ["None", "Acme"]}),
    ],
)  # fmt: skip
def test_a_dictionary_is_read_through_the_slips_of_models(text: str, expected: Dictionary) -> None:
    assert said(text) == expected
    assert not parse_answer(text, "dictionary").truncated


@pytest.mark.parametrize(
    "text",
    [
        '[{"Ann": "person"}, {"Rome": "place"}]',
        '```json\n[\n {"Ann": "person"},\n {"Rome": "place"},\n]\n```',
        "[('Ann', 'person'), ('Rome', 'place')]",
        '[["Ann", "person"], ["Rome", "place"]]',
        '{"Ann": "person"}\n{"Rome": "place"}',
        '{"Ann": "person", "Rome": "place"}',
        '[{"entity": "Ann", "type": "person"}, {"entity": "Rome", "type": "place"}]',
        'First [{"Bo": "person"}], no: [{"Ann": "person"}, {"Rome": "place"}] as in [1].',
        "[{“Ann”: “person”}, {“Rome”: “place”}]",
        '1. {"Ann": "person"}\n2. {"Rome": "place"}',
        '- {"Ann": "person"}\n- {"Rome": "place"}',
        '```json\n{"Ann": "person"}\n```\n```json\n{"Rome": "place"}\n```',
        '[{"实体": "Ann", "类型": "person"}, {"实体": "Rome", "类型": "place"}]',
        '[{"type": "person", "mentions": ["Ann"]}, {"type": "place", "mentions": ["Rome"]}]',
        '[["Ann", "person", 0, 3], ["Rome", "place", 9, 13]]',
        '[{"Ann": "person"}, {"Rome": "place"}]\nNote: I write [] where there is nothing.',
    ],
)
def test_a_list_of_open_types_is_read_through_the_slips_of_models(text: str) -> None:
    assert said(text, "list") == {"person": ["Ann"], "place": ["Rome"]}


def test_a_list_in_prose_is_not_the_answer_to_a_question_about_one_type() -> None:
    assert [mention.text for mention in parse_answer('["Ann"]\nNote: [] means none.', "names").mentions] == ["Ann"]


KNOWN = LabelSet((Label("PER", aliases=("person",)), Label("LOC")))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('{"PER": ["Ann", "Bo"], "LOC": "Rome"}', "dictionary"),
        ('[{"Ann": "PER"}, {"Bo": "person"}, {"Rome": "LOC"}]', "dictionary"),
        ('{"Ann": ["PER"], "Bo": "PER", "Rome": "LOC"}', "dictionary"),
        ('[{"PER": ["Ann", "Bo"]}, {"Rome": "LOC"}]', "dictionary"),
        ('[{"Ann": "PER"}, {"Bo": "PER"}, {"Rome": "LOC"}]', "list"),
        ('[{"PER": "Ann"}, {"person": "Bo"}, {"LOC": "Rome"}]', "list"),
        ('{"PER": ["Ann", "Bo"], "LOC": ["Rome"]}', "list"),
        ('[["PER", "Ann"], ["Bo", "PER"], ["Rome", "LOC"]]', "list"),
    ],
)
def test_a_known_label_tells_the_mention_from_its_type(text: str, shape: Shape) -> None:
    found: dict[str, list[str]] = {}
    for mention in parse_answer(text, shape, KNOWN).mentions:
        found.setdefault(KNOWN.canonical(mention.label) or mention.label, []).append(mention.text)
    assert found == {"PER": ["Ann", "Bo"], "LOC": ["Rome"]}


@pytest.mark.parametrize(
    "text",
    [
        '{"PER": ["Ann"], "LOC": ["Rome"]}\n\nMISC: {}',
        '{"PER": ["Ann"], "LOC": ["Rome"]}\nperson: {}',
        '{"PER": ["Ann"], "LOC": ["Rome"]}\n\nJustification: {"Ann": "is a sailor"}',
        '{"PER": ["Ann"], "LOC": ["Rome"]}\nI left out {"DATE": ["Monday"]}.',
        '{"PER": ["Ann"], "LOC": ["Rome"]}\n\n<text>\nBo left.\n</text>\nResult: {"PER": ["Bo"]}',
        '{"PER": ["Ann"], "LOC": ["Rome"]}\n\nText: Bo left.\nResult: {"PER": ["Bo"]}',
        '{"name": "extract", "arguments": {"PER": ["Ann"], "LOC": ["Rome"]}}',
        '{"PER": [["Ann", 0, 3]], "LOC": [("Rome", (9, 13))]}',
        '{"PER": ["Ann" (a sailor)], "LOC": ["Rome" (a city), "Rome"]}',
        '{"PER": ["Ann", "LOC": ["Rome"]}',
        '[{"type": "PER", "mentions": ["Ann"]}, {"type": "LOC", "mentions": ["Rome"]}]',
        '<|channel|>analysis<|message|>{"PER": []}?<|end|><|start|>assistant<|channel|>final<|message|>'
        '{"PER": ["Ann"], "LOC": ["Rome"]}',
        '[THINK]{"PER": ["Bo"]}?[/THINK]{"PER": ["Ann"], "LOC": ["Rome"]}',
    ],
)
def test_what_stands_around_an_answer_does_not_replace_it(text: str) -> None:
    known = LabelSet((*KNOWN.labels, Label("MISC")))
    answer = parse_answer(text, "dictionary", known)
    assert list(dict.fromkeys((each.label, each.text) for each in answer.mentions)) == [("PER", "Ann"), ("LOC", "Rome")]
    assert not answer.truncated


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I'm sorry, I cannot give {} or anything like it.", "no dictionary"),
        ("```python\nfound = {}\nfound['PER'] = ['Ann']\n```", "no dictionary"),
        ('{"error": "overloaded"}', "no label of the dictionary is known"),
        ('{"name": "extract", "arguments": "..."}', "no label of the dictionary is known"),
        ('{"entities": ["Ann (PER)", "Rome (LOC)"]}', "no label of the dictionary is known"),
        ('{"PER": ["Bo"], "LOC": {"Rome": "a city"}}', "neither a mention nor a list of mentions"),
        ('Use {"PER": ["..."], "LOC": ["..."]}', "shortened by an ellipsis"),
        ('<|channel|>analysis<|message|>Perhaps {"PER": []} or', "cut off inside <think>"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_no_entities_though_a_dictionary_stands_in_it(text: str, why: str) -> None:
    with pytest.raises(UnparsedAnswer, match=why):
        parse_answer(text, "dictionary", KNOWN)


def test_an_empty_wrapper_or_a_null_under_an_unknown_label_says_no_entities() -> None:
    for text in ('{"entities": []}', '{"DATE": null}', '{"DATE": "none"}', "There is nobody. {} Let me know!"):
        assert parse_answer(text, "dictionary", KNOWN).mentions == ()


def test_and_so_on_is_not_a_mention_but_the_end_of_a_shortened_answer() -> None:
    answer = parse_answer('{"PER": ["Ann", "..."]}', "dictionary", KNOWN)
    assert [mention.text for mention in answer.mentions] == ["Ann"]
    assert answer.truncated


def test_where_no_label_is_known_or_both_are_the_shape_decides() -> None:
    (mention,) = parse_answer('[{"Ann": "PER"}]', "dictionary").mentions
    assert (mention.text, mention.label) == ("PER", "Ann")
    (mention,) = parse_answer('{"PER": ["LOC"]}', "dictionary", KNOWN).mentions
    assert (mention.text, mention.label) == ("LOC", "PER")
    (mention,) = parse_answer('[{"LOC": "PER"}]', "list", KNOWN).mentions
    assert (mention.text, mention.label) == ("LOC", "PER")
    assert parse_answer('[{"PER": "Ann"}, {"LOC": "Rome"}]', "list", KNOWN).notes == ("mention and type exchanged",)


EMPTY = ["{}", "Result: {}", "```json\n{}\n```", '{"PER": []}', '{"PER": ["Ann"]} or rather {}',
         '{"PER": ["Ann"]}. No name after all. Result: {} as Ann is a dog', '{"PER": ["Ann"]}\n{} is right']


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_dictionary_is_an_answer(text: str) -> None:
    assert parse_answer(text, "dictionary").mentions == ()
    assert parse_answer("[]", "list").mentions == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("I cannot help with that.", "no dictionary in the answer, which begins 'I cannot help with that.'"),
        ("There are no entities.", "no dictionary"),
        ("Result: None", "no dictionary"),
        ('Result: {"PER": [', "cut off before the first whole mention"),
        ("Result: {", "cut off before the first whole mention"),
        ('<think>Ann or {"PER": ["Ann"]}</think> I cannot say.', "no dictionary"),
        ("<think>Let me see, Ann is", "cut off inside <think>"),
        ("{this is no dictionary}", "no dictionary"),
        ('{"PER": {"Ann": 1}, "LOC": []}', "neither a mention nor a list of mentions"),
    ],
)
def test_what_is_no_answer_is_never_no_entities(text: str, why: str) -> None:
    with pytest.raises(UnparsedAnswer, match=why):
        parse_answer(text, "dictionary")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"PER": ["Ann", "Bo', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"], "LO', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"], "LOC"', {"PER": ["Ann"]}),
        ('{"PER": ["Ann", "Bo]}\n\nI hope this helps', {"PER": ["Ann"]}),
        ('{"PER": ["Ann", ...]}', {"PER": ["Ann"]}),
        ('<think>So far {"PER": ["Ann"]} but', {"PER": ["Ann"]}),
        ('{"PER": ["Ann"]} <think> wait', {"PER": ["Ann"]}),
    ],
)
def test_a_truncated_answer_gives_its_whole_mentions_and_says_that_it_is_not_whole(
    text: str, expected: Dictionary
) -> None:
    answer = parse_answer(text, "dictionary")
    assert said(text) == expected
    assert answer.truncated
    assert any(note.startswith("the answer was") for note in answer.notes)


STRINGS = st.lists(st.text("abc ,'\"{}[]", min_size=1), min_size=1)


@given(st.dictionaries(st.sampled_from(["PER", "LOC"]), STRINGS), st.data())
def test_no_cut_of_an_answer_passes_for_the_whole(answer: Dictionary, data: st.DataObject) -> None:
    text = json.dumps(answer)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with suppress(UnparsedAnswer):
        assert parse_answer(cut, "dictionary").truncated


def test_values_that_are_no_mentions_are_counted_and_slips_are_named() -> None:
    answer = parse_answer('{"PER": [1, 2, null, true, {"a": 1}, ["Bo"], ""], "LOC": "Rome",}', "dictionary")
    assert Counter(answer.notes) == {
        "a trailing comma": 1, "a number for a mention": 2, "null for a mention": 1, "a truth value for a mention": 1,
        "a dictionary for a mention": 1, "a list within a list": 1, "an empty mention": 1, "a string for a list": 1,
    }  # fmt: skip
    assert parse_answer('[{"Ann": "person"}, "Bo", {"Cy": null}]', "list").notes.count("an item without a type") == 2


def test_the_reasoning_before_the_answer_is_kept_without_the_word_result() -> None:
    assert parse_answer("Step 1. A.\nStep 2. B.\n**Result:**\n```json\n{}\n```", "dictionary").reasoning == (
        "Step 1. A.\nStep 2. B."
    )
    assert parse_answer("<think>hm</think>\n{}", "dictionary").reasoning == "hm"


ANSWERS = st.dictionaries(
    st.text(min_size=1).filter(lambda key: key.strip() and key.strip().casefold() not in {"entities", "data"}),
    st.lists(st.text(min_size=1).filter(lambda text: text.strip().strip(".…")), min_size=2),  # "..." says "and so on"
    min_size=1,
)


@given(ANSWERS)
@example({"a": ['"', "'"], "b": ["\\", "a', 'b"]})
@example({"PER": ["Ann\n}", "“”", "//", "/*", "#"]})
def test_json_and_python_literals_are_read_exactly(answer: dict[str, list[str]]) -> None:
    """What is valid is never mended, whatever stands inside its strings."""
    expected = [(text, label) for label, texts in answer.items() for text in texts]
    for written in (json.dumps(answer), json.dumps(answer, ensure_ascii=False, indent=1), repr(answer)):
        if "think" in written or "</" in written:
            continue
        parsed = parse_answer(written, "dictionary")
        assert [(mention.text, mention.label) for mention in parsed.mentions] == expected


NOISE = st.text(st.sampled_from("{}[]()\"'“”‘’「」,:：，、\\/#*<>. \nabcu0123NoneTrue") | st.characters())


@settings(max_examples=400)
@given(NOISE, st.sampled_from(["dictionary", "list"]))
@example('{"\\ud800": ["\\udfff"]}', "dictionary")
@example('{"a": ["\\U99999999"]}', "dictionary")
def test_nothing_but_unparsed_is_ever_raised(text: str, shape: Shape) -> None:
    try:
        assert isinstance(parse_answer(text, shape), Answer)
    except UnparsedAnswer as error:
        assert str(error)


HOSTILE = [
    "{", "[", '{"a": [', '{"a": ["b" ', "{/*", '{"a": ["x\n', "{a: ", "{'a': ['b' ", '"', "\\", '{"a": "b" ', "{},",
    "<think>",
]  # fmt: skip


def test_time_grows_with_the_length_of_an_answer_only() -> None:
    """Two megabytes of good answer take seconds; hostile text four times as long takes about four times as long."""
    good = json.dumps({"PER": [f"Person {n}" for n in range(120_000)]})
    assert len(good) > 1_900_000
    started = time.process_time()
    assert len(parse_answer(good, "dictionary").mentions) == 120_000
    assert time.process_time() - started < 10
    for piece in HOSTILE:
        short, long = (seconds('{"PER": ["' * 2 + piece * (size // len(piece))) for size in (10_000, 40_000))
        assert long < 12 * short + 0.05, piece


def seconds(text: str) -> float:
    started = time.process_time()
    for shape in get_args(Shape):
        with suppress(UnparsedAnswer):
            parse_answer(text, shape)
    return time.process_time() - started


@pytest.mark.corpora
@pytest.mark.skipif(not DATA.exists(), reason="the corpora do not lie beside the project")
@pytest.mark.parametrize(
    ("name", "shape"),
    [("conll1000/cot", "dictionary"), ("conll1000/standard", "dictionary"), ("bbc/sentences966.cot", "dictionary"),
     ("bbc/passages300.open", "list")],
)  # fmt: skip
def test_every_recorded_answer_is_read_without_mending(name: str, shape: Shape) -> None:
    with (DATA / f"{name}.responses.jsonl").open(encoding="utf-8") as lines:
        answers: list[Any] = [parse_answer(json.loads(line)["response"], shape) for line in lines]
    assert len(answers) >= 300
    assert not any(answer.truncated or answer.notes for answer in answers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["Mira Solberg", "Fjord Bank"]', ["Mira Solberg", "Fjord Bank"]),
        ("[]", []),
        ("The answer is ['Oslo', \"Fjord Bank\",]", ["Oslo", "Fjord Bank"]),
        ('[{"Oslo": "city"}, {"mention": "Lima", "type": "city"}]', ["Oslo", "Lima"]),
        ('["Oslo", 2019, null]', ["Oslo", "2019"]),
        ('["a", "a"]', ["a", "a"]),
    ],
)
def test_the_answer_to_a_question_about_one_type_is_a_list_of_mentions(text: str, expected: list[str]) -> None:
    mentions = parse_answer(text, "names").mentions
    assert [(each.text, each.label) for each in mentions] == [(each, "") for each in expected]


@pytest.mark.parametrize("text", ["", "none", "Oslo, Lima", '{"PER": ["Mira"]}', "see [1] and [2]"])
def test_what_is_no_list_of_mentions_is_not_taken_for_an_empty_one(text: str) -> None:
    with pytest.raises(UnparsedAnswer):
        parse_answer(text, "names")


def test_a_list_of_mentions_that_breaks_off_is_not_whole() -> None:
    assert parse_answer('["Oslo", "Lima", "Qui', "names").truncated
