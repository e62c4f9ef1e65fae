"""The repairs of alignment: what each mends, what it leaves alone, and that offsets are those of the text as it is."""

from __future__ import annotations

import unicodedata

import pytest
from aligned import found, one

from distill.alignment import Mention, align
from distill.document import Span


@pytest.mark.parametrize(
    ("text", "said", "expected", "how"),
    [
        ("in FARO today", "Faro", "FARO", "case"),
        ("in İstanbul today", "i̇stanbul", "İstanbul", "case"),
        ("in Weiß Straße today", "WEISS STRASSE", "Weiß Straße", "case"),
        ("the Ὀδυσσεύς sang", "ὈΔΥΣΣΕΎΣ", "Ὀδυσσεύς", "case"),
        ("in Ｆａｒｏ today", "Faro", "Ｆａｒｏ", "unicode"),
        ("the oﬃce of Faro", "office", "oﬃce", "unicode"),
        ("in Olh\u00adao today", "Olhao", "Olh\u00adao", "unicode"),
        ("in Olhao today", "Ol\u200bhao", "Olhao", "unicode"),
        ("in New\u00a0Alder today", "New Alder", "New\u00a0Alder", "white space"),
        ("in New\n  Alder today", " New Alder ", "New\n  Alder", "white space"),
        ("Houston 's mayor", "Houston's mayor", "Houston 's mayor", "tokenisation"),
        ("Houston's mayor", "Houston 's mayor", "Houston's mayor", "tokenisation"),
        ("the U.S. team", "U. S.", "U.S.", "tokenisation"),
        ("the U. S. team", "U.S.", "U. S.", "tokenisation"),
        ("( AP ) Faro", "(AP)", "( AP )", "tokenisation"),
        ("北京 大学", "北京大学", "北京 大学", "tokenisation"),
        ("the `` Top 40 '' list", '"Top 40"', "`` Top 40 ''", "quotes, tokenisation"),
        ("said O’Neal", "O'Neal", "O’Neal", "quotes"),
        ("Coca–Cola fell", "Coca-Cola", "Coca–Cola", "quotes"),
        ("in Olhão today", "Olhao", "Olhão", "accents"),
        ("in Łódź today", "Lodz", "Łódź", "accents"),
        ("in ISTANBUL today", "ıstanbul", "ISTANBUL", "case, accents"),
        ("St. Anselm fell", "St Anselm", "St. Anselm", "punctuation"),
        ("the Israeli-PLO talks", "Israeli PLO", "Israeli-PLO", "punctuation"),
        ("in U.S. ports", "US", "U.S.", "punctuation"),
        ("Faro won", '"Faro"', "Faro", "punctuation"),
        ("Faro won", "(Faro)", "Faro", "punctuation"),
        ("Faro, Portugal", "Faro,", "Faro", "punctuation"),
        ("the AirWays plan", "Air Ways", "AirWays", "joined words"),
        ("in Faro", "the Faro", "Faro", "article"),
        ("in Faro", "Faro's", "Faro", "possessive"),
        ("by AT&C today", "AT&amp;C", "AT&C", "escape"),
        ("by Olhão today", "Olh\\u00e3o", "Olhão", "escape"),
        ("by Olhao today", "Olhao (city)", "Olhao", "gloss"),
        ("the Lions won", "Lion", "Lions", "final s"),
        ("the Lion won", "Lions", "Lion", "final s"),
        ("夺得WCG2005冠军", "WCG", "WCG", "inside a word"),
        ("the Organisation of Rowers", "Organization of Rowers", "Organisation of Rowers", "fuzzy 0.95"),
    ],
)  # fmt: skip
def test_a_repair_finds_the_stretch_of_the_text_and_says_how(text: str, said: str, expected: str, how: str) -> None:
    outcome = one(text, said)
    assert (outcome.status, outcome.how) == ("repaired", how)
    (entity,) = outcome.entities
    assert text[entity.start : entity.end] == expected
    assert entity.how == how


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("said_form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_normal_form_finds_every_other(form: str, said_form: str) -> None:
    for name in ("Olhão", "Đà Nẵng", "Ångström", "서울", "がぎぐ", "שָׁלוֹם", "हिन्दी", "İzmir"):
        text = unicodedata.normalize(form, f"x {name} y")  # type: ignore[arg-type]
        said = unicodedata.normalize(said_form, name)  # type: ignore[arg-type]
        assert found(text, said) == unicodedata.normalize(form, name), name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("in 1997", "1996"),  # digits are never repaired
        ("the Class of 1997 met", "the Class of 1996"),
        ("give it to us", "US"),  # a pronoun is no country
        ("who said it", "WHO"),
        ("a C compiler", "C#"),
        ("1.5 percent", "15"),
        ("Iraq Airlines flew", "Iran Airlines"),  # alike as a whole, not word by word
        ("the South Ostrava Union", "North Ostrava Union"),
        ("an ice rink", "a nice"),
        ("about Mali", "Malta"),
        ("the Palestinians met", "Palestinian Authority"),
        ("nothing like that", "Union of Coffee Roasters"),
    ],
)
def test_what_the_text_does_not_say_is_lost(text: str, said: str) -> None:
    outcome = one(text, said)
    assert (outcome.status, outcome.entities) == ("lost", ()), outcome


def test_the_exact_spelling_goes_before_a_repaired_one() -> None:
    text = "FARO and Faro"
    assert one(text, "Faro").entities[0].span == (9, 13)
    outcomes = align(text, [Mention("Faro", "X")] * 2).outcomes
    assert [outcome.how for outcome in outcomes] == ["case", ""]


def test_a_capitalised_place_goes_before_a_common_word() -> None:
    assert found("they reading in Reading", "READING") == "Reading"


def test_quotes_that_only_meet_around_a_name_are_not_its_own() -> None:
    assert found('he said, " Dragos \' plan', '"Dragos"') == "Dragos"


def test_a_sentence_end_is_not_taken_into_a_tokenised_name() -> None:
    assert found("They met in Faro .", "Faro.") == "Faro"
    assert found("They work at Quill Inc. now .", "(Quill Inc.)") == "Quill Inc."


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("He flew to the US.", "U.S.", "US"),
        ("cuts - RBA .", "R.B.A.", "RBA"),
        ("a tale of H. P. Quillcraft .", "H. P. Quillcraft.", "H. P. Quillcraft"),
        ("near Alder DC.", "Alder, D.C.", "Alder DC"),
        ("the U.S .", "U.S.", "U.S ."),
        ("the union (RBA) met", "union (R.B.A.)", "union (RBA)"),
        ("the Ph.D. exam", "PhD", "Ph.D."),
    ],
)
def test_a_full_stop_is_the_names_own_only_where_the_text_abbreviates(text: str, said: str, expected: str) -> None:
    assert found(text, said) == expected


def test_fuzzy_needs_the_stated_similarity_and_can_be_turned_off() -> None:
    text = "the Organisation of Rowers"
    assert one(text, "Organization of Rowers", 0.96).status == "lost"
    assert one(text, "Organization of Rowers", 1.0).status == "lost"


def test_fuzzy_does_not_choose_between_two_that_are_alike() -> None:
    outcome = one("Marlowe Hansen and Marlowe Hanson", "Marlowe Hansan")
    assert (outcome.status, outcome.how) == ("lost", "ambiguous")


def test_fuzzy_leaves_the_places_of_other_mentions_alone() -> None:
    outcomes = align("the Ostravans", [Mention("Ostravans", "MISC"), Mention("Ostravanz", "LOC")]).outcomes
    assert [outcome.status for outcome in outcomes] == ["exact", "lost"]


def test_a_shortened_plural_finds_its_own_place_beside_the_singular() -> None:
    text = "the Ostravans and an Ostravan firm"
    outcomes = align(text, [Mention("Ostravan", "MISC"), Mention("Ostravan", "MISC")]).outcomes
    assert sorted(entity.span for outcome in outcomes for entity in outcome.entities) == [(4, 13), (21, 29)]


def test_a_discontinuous_mention_carries_its_fragments() -> None:
    text = "My fingers swelled up and hurt. They hurt."
    outcomes = align(text, [Mention("fingers hurt", "ADR"), Mention("fingers swelled up", "ADR")]).outcomes
    (entity,) = outcomes[0].entities
    assert entity.fragments == (Span(3, 10), Span(26, 30))
    assert (entity.span, entity.how) == (Span(3, 30), "fragments")
    assert outcomes[1].status == "exact"


@pytest.mark.parametrize(
    "text",
    [
        "My fingers swelled up. They hurt.",  # not in one sentence
        "It hurt in my fingers.",  # not in order
        "My fingers hurtled up.",  # not whole words
    ],
)
def test_fragments_are_whole_words_in_order_within_one_sentence(text: str) -> None:
    assert one(text, "fingers hurt").status == "lost"


def test_of_two_places_the_one_with_the_marks_that_were_said_is_taken() -> None:
    text = "the growth factor alpha , and growth factor-alpha ; the ‘Nine Lives’ walk and the “Nine Lives” walk"
    for said, at in (("[growth factor alpha]", 4), ("[growth factor-alpha]", 30), ("[“Nine Lives” walk]", 82)):
        (entity,) = align(text, [Mention(said, "X")]).entities
        assert entity.start == at, said


def test_a_fuzzy_place_leaves_no_bracket_alone() -> None:
    assert found("the Drava Union (DU) directive", "Drava Union, DU") is None
    assert found("the Drava Unoin (DU) directive", "Drava Union (DU)") == "Drava Unoin (DU)"
