"""Alignment of misspelt mentions beside others, and of very long texts: what is held, what is free, how work grows."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from distill.alignment import Mention, align
from distill.regions import LONG


def read(text: str, *mentions: tuple[str, str]) -> list[str | None]:
    outcomes = align(text, [Mention(*mention) for mention in mentions]).outcomes
    return [text[o.entities[0].start : o.entities[0].end] if o.entities else None for o in outcomes]


def test_a_misspelt_name_may_stand_where_another_string_occurs_but_is_not_meant() -> None:
    text = "Tavira Rowing Club rowed in Tavira"
    for said in ([("Tavira", "LOC"), ("Tavira Rowng Club", "ORG")], [("Tavira Rowng Club", "ORG"), ("Tavira", "LOC")]):
        aligned = align(text, [Mention(*each) for each in said])
        assert {entity.label: entity.span for entity in aligned.entities} == {"LOC": (28, 34), "ORG": (0, 18)}
    text = "the Ostravanians met the Ostravanians"
    said = [("Ostravanians", "X"), ("Ostravaniens", "X")]
    aligned = align(text, [Mention(*each) for each in said])
    assert [entity.span for entity in aligned.entities] == [(4, 16), (25, 37)]


@pytest.mark.parametrize("filler", [" ", "\u200b", "\n", "\u00ad"])
def test_a_long_run_of_what_is_no_letter_takes_no_longer_than_any_text(filler: str) -> None:
    """Quadratic work on these would take minutes."""
    run = filler * 300_000
    for text, said in ((f"Faro{run}x", "Faro x"), ("Faro x", f"Faro{run}x"), ("Faro y", f"Faro{run}x")):
        align(text, [Mention(said, "X")])
    align("Faro met Tavira", [Mention("Faro Tavira" + "…" * 300_000, "X")])


def test_a_place_that_a_mention_holds_is_not_given_to_a_misspelt_one() -> None:
    assert read("the Ostravanians met", ("Ostravanians", "X"), ("Ostravaniens", "Y")) == ["Ostravanians", None]
    both = ("Ostravanians", "X"), ("Ostravanians", "X")
    assert read("the Ostravanians met Ostravanians", *both, ("Ostravaniens", "X"))[2] is None


def test_a_misspelt_name_keeps_the_name_that_is_nested_in_it() -> None:
    assert read("Bank of Lisbon opened", ("Lisbon", "LOC"), ("Bnak of Lisbon", "ORG")) == ["Lisbon", "Bank of Lisbon"]


def test_a_repeat_may_have_lost_its_final_s_but_a_plural_said_twice_is_no_singular() -> None:
    assert read("the Serbs met a Serb", ("Serb", "X"), ("Serb", "X")) == ["Serbs", "Serb"]
    assert read("the Serbs met a Serb", ("Serbs", "X"), ("Serbs", "X")) == ["Serbs", None]


FILLER = "Nothing of note was said by any of them on that day . "


def test_a_misspelt_name_in_a_very_long_text_is_found_as_in_a_short_one() -> None:
    here = "Then Marlowe Hansen of the Organisation of Rowers met 青山杯赛事委员会 . Her fingers swelled up and hurt . "
    mentions = [
        Mention("Marlow Hansen", "X"), Mention("Organization of Rowers", "X"), Mention("fingers hurt", "X"),
        Mention("青山杯赛季委员会", "X"), Mention("Marlo Hanser", "X"), Mention("fingers bled", "X"),
        Mention("NOTHING OF NOTE IN IT", "X"),
    ]  # fmt: skip
    half = FILLER * (LONG // len(FILLER))
    short, long = align(here, mentions), align(half + here + half, mentions)
    assert [outcome.status for outcome in long.outcomes[:3]] == ["repaired"] * 3
    assert [(each.status, each.how) for each in short.outcomes] == [(each.status, each.how) for each in long.outcomes]
    assert [entity.start + len(half) for entity in short.entities] == [entity.start for entity in long.entities]


def test_two_names_alike_are_ambiguous_in_a_very_long_text_too() -> None:
    half = FILLER * (LONG // len(FILLER))
    text = "Marlowe Hansen " + half + "Marlowe Hanson"
    (outcome,) = align(text, [Mention("Marlowe Hansan", "X")]).outcomes
    assert (outcome.status, outcome.how) == ("lost", "ambiguous")


def work(call: Callable[[], object]) -> int:
    """How many functions are called: a measure that no other load on the machine changes."""
    count = 0

    def see(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count


GROWING = [
    (".", ".", "..", "...", "?"), (". ", ".", "..", "U.S."), ("a ", "a", "a a", "A A A", "a b"),
    ("A.", "A.", "A.A.", "a.a.a"),
    ("'", "'", "''", '"'), ("Faro, ", '"Faro"', "faro", "Farro", "Faro Farro"), ("(", "(Faro)"), ("e\u0301", "e", "é"),
    ("\u0301", "e"), ("中国", "中国", "中 国", "中华国", "中国中国国"), ("1,", "1", "1,1", "1111"),
    ("🇳🇴", "🇳", "🇳🇴", "🇴🇳"),
    ("&amp;A", "&A", "A&A"), ("\u200b", "a"), ("กำ", "ก", "กำ"), ("a", "aaaaa", "AAAAA"),
    ("the club of Faro met . ", *["the"] * 30, *["club"] * 30, *["FARO"] * 30),
    ("fingers swelled up and hurt ", "fingers hurt", "up fingers", "fingers hurrt"),
]  # fmt: skip


@pytest.mark.parametrize("case", GROWING, ids=lambda case: repr(case[0]))
def test_work_grows_with_the_text_and_no_faster(case: tuple[str, ...]) -> None:
    unit, *said = case
    mentions = [Mention(each, "X") for each in said]
    short, long = (work(lambda size=size: align(unit * size, mentions)) for size in (150, 600))  # type: ignore[misc]
    assert long < 5 * short + 2000


def test_a_very_long_text_is_not_cut_into_words_for_one_misspelt_name() -> None:
    mentions = [Mention("Marlow Hansen", "X"), Mention("NOTE", "X"), Mention("nowhere else", "X")]
    text = "Marlowe Hansen " + FILLER * (3 * LONG // len(FILLER)) + "a NOTE"
    assert work(lambda: align(text, mentions)) < len(text) / 10
