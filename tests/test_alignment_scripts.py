"""Alignment of odd text: other scripts, invisible characters, very short mentions, nested and doubled ones."""

from __future__ import annotations

import unicodedata

import pytest

from distill.alignment import AlignmentRules, Mention, Outcome, align
from distill.document import Span

ALL = AlignmentRules(occurrences="all")


def ended(text: str, *mentions: tuple[str, str]) -> list[Outcome]:
    return list(align(text, [Mention(*mention) for mention in mentions]).outcomes)


def spans(text: str, *mentions: tuple[str, str]) -> list[tuple[int, int] | None]:
    first = (each.entities[0] if each.entities else None for each in ended(text, *mentions))
    return [(entity.start, entity.end) if entity else None for entity in first]


def found(text: str, said: str) -> str | None:
    (outcome,) = ended(text, (said, "X"))
    return text[outcome.entities[0].start : outcome.entities[0].end] if outcome.entities else None


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("rain in İzmir today", "IZMIR", "İzmir"),
        ("rain in IŞIK today", "ışık", "IŞIK"),
        ("the Größe Werke AG fell", "GRÖSSE WERKE AG", "Größe Werke AG"),
        ("the ﬁne oﬃce of ﬂax", "fine office", "ﬁne oﬃce"),
        ("by Ann Quill", "\u0410nn Quill", "Ann Quill"),  # a Cyrillic A
        ("by \u0410nn Quill", "ann quill", "\u0410nn Quill"),
        ("the N\u0395\u03a1A talks", "NEPA", "N\u0395\u03a1A"),  # a Greek epsilon and rho
        ("cut by 5 \u00b5m", "5 mm", None),
        ("by Zoe\u0308 Quill", "Zoë Quill", "Zoe\u0308 Quill"),
        ("Việt Nam won", unicodedata.normalize("NFD", "VIỆT NAM"), "Việt Nam"),
        ("می\u200cخواهم رفت", "میخواهم", "می\u200cخواهم"),
        ("in Port\u00adland today", "Portland", "Port\u00adland"),
        ("the\u00a0Drava\u202fvalley", "Drava valley", "Drava\u202fvalley"),
        ("at ＫＤＤ　２０２１ now", "KDD 2021", "ＫＤＤ　２０２１"),
        ("ผมไปกรุงเทพมหานครเมื่อวาน", "กรุงเทพมหานคร", "กรุงเทพมหานคร"),
        ("昨日ｶﾞﾝﾀﾞﾑを見た", "ガンダム", "ｶﾞﾝﾀﾞﾑ"),
        ("東京タワーへ行く", "東京 タワー", "東京タワー"),
        ("東京ー大阪の間", "東京", "東京"),
        ("בירת צרפת היא פָּרִיז היום", "פריז", "פָּרִיז"),
        ("زار مُحَمَّد القاهرة", "محمد", "مُحَمَّد"),
        ("🏆 Faro 🏆 won", "🏆 Faro", "🏆 Faro"),
        ("Jean–Luc d’Ormesson spoke", "Jean-Luc d'Ormesson", "Jean–Luc d’Ormesson"),
        ("said O 'Brien-Vance .", "O'BRIEN-VANCE", "O 'Brien-Vance"),
        ("made in the US .", "US", "US"),
        ("plan B and plan A", "A", "A"),
        ("rose 3.5 percent", "3.5", "3.5"),
        ("in 2009ABC杯开幕", "abc杯", "ABC杯"),
        ("by Ada &quot; Bee &quot; now", "Ada &quot; Bee &quot;", "Ada &quot; Bee &quot;"),
        ('the Bee " Ada " .', 'Bee "Ada".', 'Bee " Ada "'),
        ("with Ada B . Now", "Ｂ ．", "B ."),
        ("with Ada B . Now", "* * Ada B . * *", "Ada B ."),
    ],
)
def test_odd_text_is_found_where_it_stands(text: str, said: str, expected: str | None) -> None:
    assert found(text, said) == expected


def test_an_emoji_before_a_name_is_no_part_of_its_word() -> None:
    for emoji in ("❤️", "☀️", "3️⃣", "↔️", "ℹ️"):
        assert found(f"I {emoji}Faro", "Faro") == "Faro", emoji
    assert spans("❤️Faro and Faro", ("Faro", "X"), ("Faro", "X")) == [(2, 6), (11, 15)]
    assert found("I ❤️ NY so", "❤ NY") == "❤️ NY"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("コンピューターを買う", "コンピュータ"),
        ("I met her in a cafe", "Me"),
        ("he is a fan", "US"),
        ("give us a hint", "US"),
        ("it was I", "IT"),
        ("in 21997 units", "1997"),
        ("rose 3.5 percent", "35"),
        ("rose 13.5 percent", "3.5 percent or more"),
        ("Faro", "Faro Rowing Club of Faro, founded long ago"),
        ("my knee was stiff. It hurt badly", "knee hurt"),
        ("膝は硬い。痛む", "膝 痛む が"),
        ("the 👨‍👩‍👧 emoji", "👩"),
        ("नई दिल्ली", "दिल्"),
    ],
)
def test_what_odd_text_does_not_say_is_lost(text: str, said: str) -> None:
    assert found(text, said) is None


def test_a_name_without_its_article_goes_before_a_reading_without_punctuation() -> None:
    text = "under a Pen name ( or pen-name ) regime"
    assert found(text, "a pen-name") == "pen-name"
    assert found("the book ( a.k.a. Southern Tide ) won", "a Southern Tide") == "Southern Tide"


def test_a_name_inside_another_mention_does_not_draw_a_shortened_one() -> None:
    text = "But oarsmen models were made by the book Oarsmens ."
    assert spans(text, ("oarsmen models", "MISC"), ("Oarsmen", "WORK")) == [(4, 18), (41, 49)]


def test_a_final_s_goes_before_a_cut_in_a_word() -> None:
    assert found("解说团：雪妍SnowBees、", "雪妍SnowBee") == "雪妍SnowBees"


def test_an_abbreviation_keeps_its_last_full_stop_whatever_else_slips() -> None:
    for said in ("a.b.c.d.", "Ａ．Ｂ．Ｃ．Ｄ．", "'A.B.C.D.'", "A. B. C. D."):
        assert found("the group ( A.B.C.D. ) met", said) == "A.B.C.D.", said


def test_an_initial_is_no_article() -> None:
    for said in ("`A Quill`", "A Quill.", '"A Quill"'):
        assert found("O Quill (Faro) and A Quill (Tavira)", said) == "A Quill", said
    assert found("A. Quill 51", "A Quill") == "A. Quill"
    assert found("He sat A-Levels", "A Levels") == "A-Levels"


def test_the_most_of_the_punctuation_that_was_said_is_kept() -> None:
    assert found("青山全文《青山》小说", "'《青山》'") == "《青山》"
    assert found("They read Lady at noon , Lady ( Bring It ) at night", "Lady ( Brimg It )") != "Lady"


def test_mentions_that_differ_in_case_only_keep_their_order() -> None:
    text = "deep rowing, in a club , as Deep rowing"
    assert spans(text, ("DEEP ROWING", "X"), ("club", "X"), ("dEEP rOWING", "X")) == [(0, 11), (18, 22), (28, 39)]


def test_one_name_under_two_labels() -> None:
    twice = "Faro met Faro"
    assert sorted(filter(None, spans(twice, ("Faro", "LOC"), ("Faro", "ORG")))) == [(0, 4), (9, 13)]
    once = align("Faro won", [Mention("Faro", "LOC"), Mention("FARO", "ORG")])
    assert [entity.span for entity in once.entities] == [(0, 4), (0, 4)]
    assert len(once.conflicts) == 1


def test_nested_and_crossing_mentions_are_all_kept() -> None:
    text = "the Faro Rowing Club House"
    said = (("Faro Rowing Club", "ORG"), ("Rowing Club House", "FAC"), ("Faro", "LOC"), ("Rowing", "MISC"))
    assert spans(text, *said) == [(4, 20), (9, 26), (4, 8), (9, 15)]


def test_an_exact_nested_name_is_no_common_word_of_a_careful_answer() -> None:
    text = "the Ford Fund will ford rivers"
    assert spans(text, ("Ford", "PER"), ("Ford Fund", "ORG")) == [(4, 8), (4, 13)]
    # In an answer that changed capitals elsewhere too, the free place is the one meant.
    text = "the Deep rock scene , the punk and the deep group"
    assert spans(text, ("DEEP ROCK", "X"), ("PUNK", "X"), ("Deep", "X"))[2] == (39, 43)


def test_a_plain_place_goes_before_a_hashtag() -> None:
    assert found("#Faro is lovely , says @Faro in Faro", "Faro") == "Faro"
    assert spans("#Faro and Faro", ("Faro", "LOC")) == [(10, 14)]


def test_a_list_in_the_wrong_order_still_finds_every_unique_name() -> None:
    text = "Ada Quill , Bo Vance , Cy Moor and Di Lund"
    names = ["Di Lund", "Bo Vance", "Cy Moor", "Ada Quill"]
    assert [text[a:b] for a, b in filter(None, spans(text, *((name, "PER") for name in names)))] == names


def test_a_misspelt_name_takes_the_place_with_its_capitals() -> None:
    assert spans("TAVIRA 1996 Then Tavira won", ("Tavirra", "LOC")) == [(17, 23)]


def test_of_a_common_word_said_often_each_takes_the_next_place() -> None:
    text = "the club of Faro " * 3000 + "the end"
    said = [("Faro", "LOC")] * 5 + [("club", "ORG")] * 60 + [("the end", "X")]
    got = [span for span in spans(text, *said) if span]
    assert len(set(got)) == len(said)
    assert got[5:65] == [(17 * at + 4, 17 * at + 8) for at in range(60)]
    assert [Span(*each) for each in got[:5]] == [Span(17 * at + 12, 17 * at + 16) for at in range(5)]


def test_all_occurrences_said_a_hundred_times_share_their_entities() -> None:
    aligned = align("Faro won . " * 200, [Mention("Faro", "X")] * 100, ALL)
    assert len(aligned.entities) == 200
    assert {len(outcome.entities) for outcome in aligned.outcomes} == {200}
