"""Alignment across ways of writing: references, treebank brackets, slips of every class, whole characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from aligned import found, one
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distill.alignment import Mention, align
from distill.document import Span
from distill.escapes import Unescaped


@pytest.mark.parametrize(
    ("text", "said", "expected", "how"),
    [
        ("by AT&amp;C today", "AT&C", "AT&amp;C", "escape"),
        ("by AT&C today", "AT&amp;C", "AT&C", "escape"),
        ("said O&#39;Brien-Vance.", "O'Brien-Vance", "O&#39;Brien-Vance", "escape"),
        ("in Caf&eacute; Luna today", "CAFÉ LUNA", "Caf&eacute; Luna", "escape, case"),
        ("read &quot;The Tide&quot; .", '"The Tide"', "&quot;The Tide&quot;", "escape"),
        ("Faro -LRB- Algarve -RRB- won", "Faro (Algarve)", "Faro -LRB- Algarve -RRB-", "escape, tokenisation"),
        ("Faro (Algarve) won", "Faro -LRB- Algarve -RRB-", "Faro (Algarve)", "escape, tokenisation"),
        ("they do n't Stop here", "don't Stop", "do n't Stop", "tokenisation"),
        ("they don't Stop here", "do n't Stop", "don't Stop", "tokenisation"),
        ("by Quill & Vance", "Quill and Vance", "Quill & Vance", "ampersand"),
        ("by Quill and Vance", "Quill & Vance", "Quill and Vance", "ampersand"),
        ('אמר צה"ל היום', "צה״ל", 'צה"ל', "quotes"),
        ("אמר צה״ל היום", 'צה"ל', "צה״ל", "quotes"),
        ("an MP5 gun", "MP 5", "MP5", "joined words"),
        ("the MI 6 man", "MI6", "MI 6", "joined words"),
        ("ran 5 km home", "5km", "5 km", "joined words"),
        ("ปี ๒๕๖๗ นี้", "2567", "๒๕๖๗", "unicode"),
        ("عام ٢٠٢٤ هنا", "2024", "٢٠٢٤", "unicode"),
        ("in 2024 too", "٢٠٢٤", "2024", "unicode"),
        ("the U.S.A. and the US", "U.S.", "US", "punctuation"),
        ("by Quill and Vance", "Quill &amp; Vance", "Quill and Vance", "escape, ampersand"),
        ("by Quill &amp; Vance", "Quill and Vance", "Quill &amp; Vance", "escape, ampersand"),
        ("Ada's Boat sank", "Ada Boat", "Ada's Boat", "possessive"),
        ("the Rowers' Club", "Rowers Club", "Rowers' Club", "possessive"),
        ("the Ada Boat sank", "Ada's Boat", "Ada Boat", "possessive"),
        ("Bank of the Algarve", "Bank of Algarve", "Bank of the Algarve", "article"),
        ("Bank of Algarve", "Bank of the Algarve", "Bank of Algarve", "article"),
        ("Faro won", "<b>Faro</b>", "Faro", "escape"),
        ("the co-op shut", "coop", "co-op", "punctuation, joined words"),
        ("sold 1,000 boats", "1000", "1,000", "punctuation"),
        ("زار محـــمد القاهرة", "محمد", "محـــمد", "accents"),
        ("Ministry of Inner Affairs met", "Ministry ... Affairs", "Ministry of Inner Affairs", "ellipsis"),
        ("读《夜2012》时", "《夜2012》\u200c", "《夜2012》", "unicode"),
        ("the Top 40 list", "`` Top 40 ''", "Top 40", "quotes, punctuation"),
    ],
)
def test_ways_of_writing_one_name_find_each_other(text: str, said: str, expected: str, how: str) -> None:
    assert found(text, said) == expected
    assert one(text, said).how == how


@pytest.mark.parametrize(
    "said",
    ["Ada Quill - a rower", "Ada Quill – a rower", "Ada Quill: rower", "1. Ada Quill", "2) Ada Quill (PER)",
     "- Ada Quill: a rower", "Ada Quill (PER)"],
)  # fmt: skip
def test_a_name_is_found_without_its_number_and_its_explanation(said: str) -> None:
    for text in ("Ada Quill won", "Ada Quill ( New Alder ) won", "Ada Quill ( Perlavia ) won", "Ada Quill : 41.3"):
        assert found(text, said) == "Ada Quill", text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("they saw Tides: Home", "Tides: Away"),  # part of another title
        ("they saw Tides ( Hame )", "Tides (Homes)"),  # rather that one, misspelt
        ("Faro came second to Tavira", "Tavira - Faro"),  # two names
        ("in 1996 Faro won", "Faro - 1996"),
        ("they want to row", "to: row home"),
        ("FARO won", "Faro: a town"),  # not the very name
    ],
)
def test_what_only_looks_like_an_explanation_is_not_cut_off(text: str, said: str) -> None:
    assert found(text, said) is None


def test_an_explained_name_leaves_the_place_of_another_mention_alone() -> None:
    outcomes = align("Ada Quill won", [Mention("Ada Quill", "PER"), Mention("Ada Quill: a club", "ORG")]).outcomes
    assert [outcome.status for outcome in outcomes] == ["exact", "lost"]


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("Quill's sold", "Quills", "Quill's"),
        ("at Levin's and Vance & Moor's", "Vance & Moors", "Vance & Moor's"),
        ("at Quill 's of Faro", "Quills", "Quill 's"),
        ("the 1990s were", "1990's", "1990s"),
        ("in the 1980s and 1980", "1980's", "1980s"),
        ("the 80s were", "80's", "80s"),
        ("an F-16 and two F-16s", "F-16's", "F-16s"),
        ("the USS Alder of the US", "US's", "US"),
        ("the Lion and the Lions", "Lion's", "Lion"),
        ("one GP of the GPs", "GP's", "GP"),
        ("the Lion won", "Lions", "Lion"),
    ],
)
def test_an_apostrophe_before_an_s_goes_by_the_letters_that_were_said(text: str, said: str, expected: str) -> None:
    assert found(text, said) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the A 1 road", "a1"),
        ("only a 1 percent rise", "A1"),
        ("the U.S.S.R. met", "US"),
        ("the U.S.A. met", "U.S."),
    ],
)
def test_digits_apart_and_half_an_abbreviation_are_no_name(text: str, said: str) -> None:
    assert found(text, said) is None


@pytest.mark.parametrize(
    ("text", "said", "times"),
    [("the U.S. and US and U.S.", "US", 3), ("the US and U.S.", "U.S.", 2), ("AT&amp;C and AT&C", "AT&C", 2)],
)
def test_a_repeat_takes_the_other_ways_to_write_the_name(text: str, said: str, times: int) -> None:
    outcomes = align(text, [Mention(said, "X")] * times).outcomes
    assert len({entity.span for outcome in outcomes for entity in outcome.entities}) == times


def test_an_escape_that_is_none_stays_as_it_is() -> None:
    assert found("R&D; and &nosuch; here", "R&D") == "R&D"
    assert found("made of -LRX- wood", "-LRX- wood") == "-LRX- wood"
    assert not Unescaped("R&D; &nosuch; -LRX-")


@given(st.lists(st.sampled_from(["&amp;", "&#39;", "-LRB-", "&nosuch;", "&", "a", "é ", "&ngE;"])), st.data())
def test_a_stretch_of_the_plain_text_is_found_in_the_written_one(parts: list[str], data: st.DataObject) -> None:
    written = "".join(parts)
    plain = Unescaped(written)
    start = data.draw(st.integers(0, len(plain.text)))
    end = data.draw(st.integers(start, len(plain.text)))
    span = plain.written(Span(start, end))
    assert 0 <= span.start <= span.end <= len(written) or start == end
    if start < end:
        assert plain.text[start:end] in Unescaped(written[span.start : span.end]).text


NAMES = [
    "Ada O'Brien-Vance", "Olhão Café (Sul)", "İzmir Straße & Co.", "Łódź Rowing 40", 'the "Tide" of Faro',
    "A.B.C. Faro",
]  # fmt: skip
SLIPS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "curly": lambda said: said.replace("'", "’").replace('"', "“").replace("-", "–"),
    "NFD": lambda said: unicodedata.normalize("NFD", said),
    "full width": lambda said: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in said),
    "soft hyphen": lambda said: said[:2] + "\u00ad" + said[2:],
    "zero width": lambda said: said[:3] + "\u200b" + said[3:],
    "no-break": lambda said: said.replace(" ", "\u00a0"),
    "lines": lambda said: said.replace(" ", "\n  "),
    "split": lambda said: " ".join("".join(f" {char} " if char in "'\"-&().," else char for char in said).split()),
    "escaped": lambda said: said.replace("&", "&amp;").replace("'", "&#39;").replace('"', "&quot;"),
    "brackets": lambda said: said.replace("(", "-LRB-").replace(")", "-RRB-"),
    "plain": str,
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(sorted(SLIPS)), st.sampled_from(sorted(SLIPS)), st.booleans())
def test_a_name_is_found_whole_however_both_are_written(name: str, one_way: str, other: str, two: bool) -> None:
    """Every way of writing finds every other; two at once in the mention as well, unless one of them is an escape."""
    written, said = SLIPS[one_way](name), SLIPS[other](name)
    if two and "escaped" not in (one_way, other) and "brackets" not in (one_way, other):
        said = SLIPS[one_way](said)
    text = f"Yes , 7 {written} met ."
    assert found(text, said) == written, (text, said)


WHOLE = ["🇳🇴", "🇵🇹", "👨‍👩‍👧", "👍🏽", "1️⃣", "❤️", "🏴\U000e0067\U000e0062\U000e007f", "e\u0301", "กำ", "ก็",
         "\u1112\u1161\u11ab", "दि", "ß", "a", "Z", " ", " ", ".", "東", "ガ", "ｶﾞ",
         "カ\u3099", "ی\u200c", "한"]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=14), st.data())
@example(["🇳🇴", "🇵🇹"], None)
def test_no_span_cuts_a_character_whatever_is_said(parts: list[str], data: st.DataObject | None) -> None:
    text, bounds = "".join(parts), {0}
    for part in parts:
        bounds.add(max(bounds) + len(part))
    cuts = [(1, 3)] if data is None else data.draw(st.lists(st.tuples(*[st.integers(0, len(text))] * 2), max_size=5))
    mentions = [Mention(text[min(cut) : max(cut)], "X") for cut in cuts]
    for outcome in align(text, mentions).outcomes:
        for entity in outcome.entities:
            assert {entity.start, entity.end} <= bounds, (text, outcome)


def test_half_a_character_is_lost_and_says_why() -> None:
    for text, said in (("in 🇳🇴 now", "🇳"), ("🇳🇴🇵🇹", "🇴🇵"), ("x 👨‍👩‍👧 y", "👩"), ("été".replace("é", "e\u0301"), "e")):
        assert (one(text, said).status, one(text, said).how) == ("lost", "only part of a character"), said
    assert found("go 🇳🇴🇵🇹 go", "🇵🇹") == "🇵🇹"
