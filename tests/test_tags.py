"""Tags of every scheme become spans and come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LABELS

from distill.errors import InputError
from distill.tags import SCHEMES, TagSpan, decode, detect_scheme, spans_to_tags, tags_to_spans

schemes = st.sampled_from(sorted(SCHEMES))


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[list[TagSpan], int]:
    """Spans apart or touching, and the number of tokens."""
    spans, at = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS[:3])), max_size=6)
    ):
        spans.append(TagSpan(at + gap, at + gap + length, label))
        at += gap + length
    return spans, at + draw(st.integers(0, 2))


@given(flat_spans(), schemes)
def test_spans_come_back_from_the_tags_of_every_scheme(case: tuple[list[TagSpan], int], scheme: str) -> None:
    spans, length = case
    tags = spans_to_tags(reversed(spans), length, scheme)
    assert len(tags) == length
    assert decode(tags, scheme) == (spans, 0)


@given(st.lists(flat_spans(), min_size=1, max_size=4), schemes)
def test_the_detected_scheme_reads_the_same_spans(cases: list[tuple[list[TagSpan], int]], scheme: str) -> None:
    sequences = [spans_to_tags(spans, length, scheme) for spans, length in cases]
    found = detect_scheme(sequences)
    assert [decode(tags, found) for tags in sequences] == [(spans, 0) for spans, _ in cases]


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_each_scheme_is_told_by_its_tags(scheme: str) -> None:
    sequence = spans_to_tags([(0, 1, "PER"), (1, 4, "PER"), (5, 8, "LOC")], 9, scheme)
    assert detect_scheme([["O"], sequence]) == scheme


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "repairs"),
    [
        ("IOB2", "O I-PER I-PER", [(1, 3, "PER")], 1),
        ("IOB2", "B-PER I-LOC I-PER", [(0, 1, "PER"), (1, 2, "LOC"), (2, 3, "PER")], 2),
        ("IOB1", "I-PER I-PER B-PER O I-LOC", [(0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC")], 0),
        ("IOB1", "O B-PER I-PER", [(1, 3, "PER")], 1),
        ("BIOES", "B-PER O", [(0, 1, "PER")], 1),
        ("BIOES", "B-PER I-PER", [(0, 2, "PER")], 1),
        ("BIOES", "E-PER E-PER", [(0, 1, "PER"), (1, 2, "PER")], 2),
        ("BIOES", "B-PER S-PER E-PER", [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER")], 2),
        ("BMES", "B-PER M-PER E-PER S-LOC", [(0, 3, "PER"), (3, 4, "LOC")], 0),
        ("BILOU", "B-PER L-PER U-LOC", [(0, 2, "PER"), (2, 3, "LOC")], 0),
    ],
)
def test_inconsistent_tags_are_repaired_and_counted(
    scheme: str, tags: str, spans: list[tuple[int, int, str]], repairs: int
) -> None:
    assert decode(tags.split(), scheme) == (spans, repairs)


@given(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=12))
def test_repaired_sequences_read_as_seqeval_reads_them(tags: list[str]) -> None:
    sequence_labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    expected = [(start, last + 1, label) for label, start, last in sequence_labeling.get_entities(tags)]
    assert tags_to_spans(tags, "IOB2") == expected


@pytest.mark.parametrize("tag", ["", "o", "PER", "B-", "B_PER", "b-PER", "X-PER", "M-PER"])
def test_a_tag_that_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(InputError, match="no IOB2 tag"):
        tags_to_spans(["O", tag], "IOB2")


def test_tags_of_two_schemes_together_are_refused() -> None:
    with pytest.raises(InputError, match="mix schemes"):
        detect_scheme([["B-PER", "M-PER", "E-PER"], ["B-PER", "I-PER"]])


def test_an_unknown_scheme_is_answered_with_a_close_one() -> None:
    with pytest.raises(InputError, match="did you mean BIOES"):
        tags_to_spans(["O"], "BIOE")


@pytest.mark.parametrize("spans", [[(0, 2, "A"), (1, 3, "B")], [(0, 5, "A")], [(1, 1, "A")], [(-1, 1, "A")]])
def test_spans_that_no_tags_can_say_are_refused(spans: list[tuple[int, int, str]]) -> None:
    with pytest.raises(InputError, match="overlaps"):
        spans_to_tags(spans, 3)
