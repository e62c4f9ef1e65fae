"""Alignment: which occurrence a mention means, nested and doubled mentions, and that nothing is lost in silence."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.alignment import Alignment, AlignmentCounts, AlignmentRules, Mention, Outcome, align
from distill.document import Document, Entity, flat
from distill.errors import CallError
from distill.jsonl import read_jsonl
from teachers.answers import parse_answer

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
ALL = AlignmentRules(occurrences="all")


def placed(text: str, *mentions: tuple[str, str], rules: AlignmentRules | None = None) -> list[tuple[str, int, int]]:
    """Label and span of each mention in the order of the mentions; (label, -1, -1) for a lost one."""
    aligned = align(text, [Mention(*mention) for mention in mentions], rules or AlignmentRules())
    return [
        (outcome.mention.label, *outcome.entities[0].span) if outcome.entities else (outcome.mention.label, -1, -1)
        for outcome in aligned.outcomes
    ]


def spans(text: str, name: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(name, at)]


def test_the_same_name_twice_takes_two_occurrences() -> None:
    text = "Tavira beat Faro, and Tavira sang."
    assert placed(text, ("Tavira", "ORG"), ("Tavira", "ORG")) == [("ORG", 0, 6), ("ORG", 22, 28)]


def test_a_list_in_order_of_appearance_says_which_occurrence_is_meant() -> None:
    text = "Faro met Olhao before Faro left."
    assert placed(text, ("Olhao", "ORG"), ("Faro", "ORG")) == [("ORG", 9, 14), ("ORG", 22, 26)]
    assert placed(text, ("Faro", "ORG"), ("Olhao", "ORG")) == [("ORG", 0, 4), ("ORG", 9, 14)]


def test_order_counts_within_a_label_only() -> None:
    text = "Faro met Olhao before Faro left."
    assert placed(text, ("Olhao", "LOC"), ("Faro", "ORG")) == [("LOC", 9, 14), ("ORG", 0, 4)]


def test_a_list_that_is_out_of_order_says_nothing_about_occurrences() -> None:
    text = "Faro, Olhao, Lagos and Faro."
    assert placed(text, ("Lagos", "ORG"), ("Olhao", "ORG"), ("Faro", "ORG"))[2] == ("ORG", 0, 4)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_short_name_prefers_to_stand_outside_a_longer_one(order: tuple[int, int]) -> None:
    text = "Tavira Rowing Club rowed in Tavira."
    mentions = [("Tavira", "LOC"), ("Tavira Rowing Club", "ORG")]
    expected = [("LOC", 28, 34), ("ORG", 0, 18)]
    assert placed(text, *(mentions[at] for at in order)) == [expected[at] for at in order]


def test_a_nested_name_is_kept_where_there_is_no_free_one() -> None:
    assert placed("Tavira Rowing Club won.", ("Tavira", "LOC"), ("Tavira Rowing Club", "ORG")) == [
        ("LOC", 0, 6),
        ("ORG", 0, 18),
    ]


def test_a_part_of_a_longer_token_is_the_last_choice() -> None:
    text = "The post-Lisbon Cup era and the Lisbon Cup."
    assert placed(text, ("Lisbon Cup", "MISC")) == [("MISC", 32, 42)]
    assert placed("At 2.50 or 50 euros", ("50", "QUANTITY")) == [("QUANTITY", 11, 13)]


def test_two_labels_take_two_occurrences_where_there_are_two() -> None:
    assert placed("Faro beat Faro", ("Faro", "LOC"), ("Faro", "ORG")) == [("LOC", 0, 4), ("ORG", 10, 14)]
    # The order within ORG leaves ORG the first one, whichever label comes first in the answer.
    text = "Faro, Tavira, Faro"
    assert placed(text, ("Faro", "LOC"), ("Faro", "ORG"), ("Tavira", "ORG")) == [
        ("LOC", 14, 18),
        ("ORG", 0, 4),
        ("ORG", 6, 12),
    ]


def test_two_labels_on_one_span_are_a_conflict_and_the_first_said_survives_the_flat_view() -> None:
    aligned = align("Faro won", [Mention("Faro", "ORG"), Mention("Faro", "LOC")])
    (conflict,) = aligned.conflicts
    assert (conflict.span, conflict.text, conflict.labels, conflict.kept) == ((0, 4), "Faro", ("ORG", "LOC"), "ORG")
    assert aligned.counts() == AlignmentCounts(exact=2, conflicts=1)
    view = flat(Document("1", "Faro won", aligned.entities))
    assert [entity.label for entity in view.document.entities] == ["ORG"]
    assert [entity.label for entity in view.dropped] == ["LOC"]


def test_a_repeat_without_a_further_occurrence_is_lost_with_the_reason() -> None:
    aligned = align("Faro won", [Mention("Faro", "ORG")] * 3)
    assert [(outcome.status, outcome.how) for outcome in aligned.outcomes] == [
        ("exact", ""),
        ("lost", "no further occurrence"),
        ("lost", "no further occurrence"),
    ]
    assert aligned.entities == (Entity(0, 4, "ORG"),)
    assert len(aligned.lost) == 2


def test_a_repeat_does_not_creep_into_a_longer_name() -> None:
    text = "Tavira Rowing Club rowed in Tavira."
    said = [("Tavira", "LOC"), ("Tavira", "LOC"), ("Tavira Rowing Club", "ORG")]
    assert placed(text, *said) == [("LOC", 28, 34), ("LOC", -1, -1), ("ORG", 0, 18)]


def test_all_occurrences_of_an_open_answer_are_labelled() -> None:
    text = "Faro, Faro and Faros: Faro"
    aligned = align(text, [Mention("Faro", "city"), Mention("Faro", "city")], ALL)
    assert [entity.start for entity in aligned.entities] == [0, 6, 22]
    assert [len(outcome.entities) for outcome in aligned.outcomes] == [3, 3]


def test_all_occurrences_leave_out_the_inside_of_longer_names_of_the_same_type() -> None:
    text = "Ada Quill spoke. Quill left. Quill House stood."
    said = [Mention("Quill", "person"), Mention("Ada Quill", "person"), Mention("Quill House", "building")]
    aligned = align(text, said, ALL)
    assert [entity.start for entity in aligned.outcomes[0].entities] == [17, 29]
    only = align("Ada Quill spoke.", said[:2], ALL)
    assert [entity.span for entity in only.outcomes[0].entities] == [(4, 9)]


def test_words_are_not_found_inside_words() -> None:
    for text, name in (("USA", "US"), ("Manchester", "Man"), ("Man\u00adchester", "Man"), ("Österreich", "reich")):
        assert placed(f"in {text} .", (name, "LOC")) == [("LOC", -1, -1)], text
    text = "US-based, Faro's, (Olhao) and d'Évora"
    for name in ("US", "Faro", "Olhao", "Évora"):
        assert placed(text, (name, "LOC")) == [("LOC", text.index(name), text.index(name) + len(name))]


def test_scripts_without_spaces_have_no_word_boundaries() -> None:
    for text, name in (
        ("他在北京大学工作", "北京大学"), ("東京都に住む", "東京"), ("ไปเชียงใหม่วันนี้", "เชียงใหม่"),
        ("夺得WCG2005冠军", "WCG"), ("朴茨茅斯vsac米兰", "ac米兰"), ("在54个", "54"), ("부산에서 만나", "부산"),
    ):  # fmt: skip
        start = text.index(name)
        assert placed(text, (name, "X")) == [("X", start, start + len(name))], text
    assert placed("在11月", ("1月", "DATE")) == [("DATE", -1, -1)]


def test_a_span_never_parts_a_letter_from_its_mark() -> None:
    text = "Cafe\u0301 Olhao and नई दिल्ली 👨‍👩‍👧 한"
    text = unicodedata.normalize("NFD", text)
    for name in ("Cafe", "दिल", "👨", unicodedata.normalize("NFC", "하")):
        for outcome in align(text, [Mention(name, "X")]).outcomes:
            for start, end in (entity.span for entity in outcome.entities):
                assert not unicodedata.combining((text + " ")[end]), name
                assert text[start:end] in (unicodedata.normalize("NFD", "Café"),), name


def test_empty_mentions_and_labels_are_counted_not_dropped() -> None:
    outcomes = align("Faro", [Mention("", "X"), Mention(" \n", "X"), Mention("Faro", "")]).outcomes
    assert [(outcome.status, outcome.how) for outcome in outcomes] == [
        ("lost", "empty"),
        ("lost", "empty"),
        ("lost", "no label"),
    ]
    assert align("", []) == Alignment()
    assert align("", [Mention("Faro", "X")]).outcomes == (Outcome(Mention("Faro", "X"), "lost", "not in the text"),)


def test_rules_are_checked_when_they_are_made() -> None:
    rules: list[dict[str, Any]] = [{"similarity": 0.0}, {"similarity": 1.1}, {"occurrences": "some"}]
    for each in rules:
        with pytest.raises(CallError):
            AlignmentRules(**each)


ODD = "aA Éé\u0301ıİß-'.\u200b\u00ad東京👨‍👩👍🏽שלוםﬁ12\ud800\n "
ANY_TEXT = st.text(st.characters(codec=None), max_size=60) | st.text(ODD, max_size=40)


@st.composite
def text_and_mentions(draw: st.DrawFn) -> tuple[str, list[Mention]]:
    """A text, and mentions of which some are stretches of it."""
    text = draw(ANY_TEXT)
    cuts = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda cut: text[min(cut) : max(cut)])
    change = st.sampled_from([str.upper, str.lower, str.title, '"{}"'.format, "{}s".format])
    names = cuts | ANY_TEXT | st.builds(lambda said, how: how(said), cuts, change)
    labels = st.sampled_from(["LOC", "ORG", ""])
    return text, draw(st.lists(st.builds(Mention, names, labels), max_size=8))


@settings(max_examples=400, deadline=None)
@given(text_and_mentions(), st.sampled_from(["own", "all"]))
def test_every_mention_of_any_text_ends_somewhere_and_offsets_hold(case: tuple[str, list[Mention]], mode: str) -> None:
    text, mentions = case
    aligned = align(text, mentions, AlignmentRules(occurrences=mode))  # type: ignore[arg-type]
    assert [outcome.mention for outcome in aligned.outcomes] == mentions
    assert aligned.counts().mentions == len(mentions)
    Document("1", text, aligned.entities)
    for outcome in aligned.outcomes:
        assert (outcome.status == "lost") == (not outcome.entities)
        assert bool(outcome.how) == (outcome.status != "exact")
        for entity in outcome.entities:
            assert entity in aligned.entities
            assert entity.label == outcome.mention.label
            if outcome.status == "exact" and not entity.how:
                assert text[entity.start : entity.end] == outcome.mention.text
            assert entity.end == len(text) or not unicodedata.combining(text[entity.end])
    if mode == "own":
        spans = [(entity.span, entity.label, entity.fragments) for o in aligned.outcomes for entity in o.entities]
        assert len(spans) == len(set(spans))
    assert align(text, mentions, AlignmentRules(occurrences=mode)) == aligned  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_names_cut_from_a_text_at_word_boundaries_are_all_found(data: st.DataObject) -> None:
    known = ["Faro", "Olhao", "met", "İzmir", "Straße", "U.S.", "東京", "-", "O'Neal"]
    words = data.draw(st.lists(st.sampled_from(known), min_size=1))
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    name = " ".join(words[first : last + 1])
    (outcome,) = align(text, [Mention(name, "X")]).outcomes
    assert outcome.status == "exact"
    assert text[outcome.entities[0].start : outcome.entities[0].end] == name


def test_two_hundred_pages_take_no_longer_than_two_hundred_times_one() -> None:
    """A generous bound on growth: quadratic work on this text would take minutes."""
    page = "The Olhao Rowing Club of Faro met Tavira's team, said Ines Quill of the O'Brien-Vance fund. " * 30
    names = ("OLHAO ROWING CLUB", "Faro", "Tavira", "Ines Qill", "Faro", "nowhere at all")
    aligned = align(page * 200, [Mention(name, "X") for name in names])
    assert [outcome.status for outcome in aligned.outcomes][:4] == ["repaired", "exact", "exact", "repaired"]
    hostile = "a" * 300_000
    assert align(hostile, [Mention("a" * 5000, "X"), Mention("A" * 5000, "X")]).counts().lost == 2


def test_without_rapidfuzz_only_a_mention_that_needs_it_says_so() -> None:
    script = textwrap.dedent(
        """
        import sys
        sys.modules["rapidfuzz"] = None
        from distill.alignment import Mention, align
        from distill.errors import MissingLibraryError
        assert align("FARO won", [Mention("Faro", "X"), Mention("xy", "X")]).counts().lost == 1
        try:
            align("Olhao Rowing Club", [Mention("Olhao Rowin Club", "X")])
        except MissingLibraryError as error:
            print(error)
        """
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "rapidfuzz" in ran.stdout
    assert "ner-distill[teach]" in ran.stdout


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("texts", "answers", "least"),
    [
        ("conll1000/gold.jsonl", "conll1000/cot.responses.jsonl", 0.955),
        ("conll1000/gold.jsonl", "conll1000/standard.responses.jsonl", 0.945),
        ("bbc/sentences966.cot.jsonl", "bbc/sentences966.cot.responses.jsonl", 1.0),
    ],
)
def test_recorded_answers_align_without_a_loss(texts: str, answers: str, least: float) -> None:
    if not DATA.exists():
        pytest.skip("the corpora are not beside the project (../shared/data)")
    documents = {document.id: document for document in read_jsonl(DATA / texts)}
    right = said = true = 0
    with (DATA / answers).open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            document = documents[row["id"]]
            aligned = align(document.text, parse_answer(row["response"], "dictionary").mentions)
            assert aligned.counts().lost == 0, row["id"]
            right += len(set(aligned.entities) & set(document.entities))
            said, true = said + len(aligned.entities), true + len(document.entities)
    assert 2 * right / (said + true) >= least
