"""Scores agree with seqeval, add up, and do not depend on the order of predictions."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import entities, texts

from distill.document import Document, Entity, Span
from distill.errors import InputError
from distill.scores import (
    Counts,
    Score,
    bootstrap_interval,
    normalised,
    partial,
    score_documents,
    scores_by_document,
    strict,
    string_sets,
    total,
)
from distill.tags import tags_to_spans

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]


def well_formed(tags: list[str]) -> list[str]:
    """The sequence with every I- that follows from nothing turned into O."""
    found: list[str] = []
    for tag in tags:
        label = tag[2:]
        follows = not tag.startswith("I-") or (found and found[-1] in (f"B-{label}", f"I-{label}"))
        found.append(tag if follows else "O")
    return found


sequences = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n).map(well_formed)] * 2)
)


def of_tags(tags: list[str]) -> list[Entity]:
    return [Entity(start, end, label) for start, end, label in tags_to_spans(tags)]


@given(st.lists(sequences, min_size=1, max_size=6))
def test_strict_agrees_with_seqeval(pairs: list[tuple[list[str], list[str]]]) -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme").IOB2
    gold, found = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    score = sum((strict(of_tags(a), of_tags(b)) for a, b in pairs), Score())
    means = {"micro": score.micro, "macro": score.macro, "weighted": score.weighted}
    labels = {tag[2:] for tags in gold + found for tag in tags} - {""}
    assert set(score.labels) == labels
    for average, ratios in means.items() if labels else ():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # seqeval warns of every 0/0 and of NumPy's weights
            p, r, f1, _ = metrics.v1.precision_recall_fscore_support(
                gold, found, average=average, scheme=scheme, zero_division=0
            )
        assert ratios[:3] == pytest.approx((p, r, f1), abs=1e-12)


@given(texts.flatmap(lambda t: st.tuples(st.just(t), entities(t), entities(t))), st.randoms(use_true_random=False))
def test_the_order_of_entities_and_their_repeats_do_not_matter(
    case: tuple[str, tuple[Entity, ...], tuple[Entity, ...]], chance: random.Random
) -> None:
    text, gold, found = case
    mixed_gold, mixed_found = [*gold, *gold], [*found, *found]
    chance.shuffle(mixed_gold)
    chance.shuffle(mixed_found)
    assert strict(mixed_gold, mixed_found) == strict(gold, found)
    assert partial(text, mixed_gold, mixed_found) == partial(text, gold, found)


@given(texts.flatmap(lambda t: st.tuples(st.just(t), entities(t), entities(t))))
def test_partial_lies_between_strict_and_the_smaller_side(
    case: tuple[str, tuple[Entity, ...], tuple[Entity, ...]],
) -> None:
    text, gold, found = case
    exact, lenient = strict(gold, found), partial(text, gold, found)
    assert set(exact.labels) == set(lenient.labels)
    for label, counts in lenient.labels.items():
        assert exact.labels[label].correct <= counts.correct <= min(counts.predicted, counts.gold)
        assert 0 <= counts.f1 <= 1


def test_scores_of_parts_add_up_to_the_score_of_the_whole() -> None:
    first = strict([Entity(0, 3, "PER"), Entity(4, 7, "LOC")], [Entity(0, 3, "PER")])
    second = strict([Entity(0, 3, "PER")], [Entity(0, 2, "PER"), Entity(4, 7, "ORG")])
    whole = first + second
    assert whole.labels == {"PER": Counts(1, 2, 2), "LOC": Counts(0, 0, 1), "ORG": Counts(0, 1, 0)}
    assert whole == total([first, second]) == sum([first, second], Score())
    assert whole.micro[:3] == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert whole.macro.f1 == pytest.approx(0.5 / 3)
    assert whole.weighted.f1 == pytest.approx(0.5 * 2 / 3)


def test_scores_of_two_kinds_never_mix() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        strict([], []) + string_sets([], [])


def test_nothing_against_nothing_is_zero() -> None:
    score = strict([], [])
    assert score.micro == score.macro == score.weighted == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "gold", "found", "correct"),
    [
        ("Ada Lin Berg spoke", [(0, 12, "PER")], [(4, 12, "PER")], 0.5),
        ("Ada Lin Berg spoke", [(0, 12, "PER")], [(4, 12, "ORG")], 0),
        ("Ada Lin Berg spoke", [(0, 12, "PER")], [(0, 3, "PER"), (4, 12, "PER")], 0.5),  # one to one
        ("Ada Lin Berg spoke", [(0, 3, "PER"), (4, 12, "PER")], [(0, 12, "PER")], 0.5),
        ("Ada Lin Berg spoke", [(0, 12, "PER")], [(0, 12, "PER"), (0, 3, "PER")], 1),  # exact goes first
        ("Ada Lin Berg spoke", [(0, 3, "PER")], [(1, 2, "PER")], 0.5),  # the same word
        ("Ada Lin Berg spoke", [(0, 3, "PER")], [(4, 7, "PER")], 0),
        ("Ada Lin Berg spoke", [(0, 4, "PER")], [(3, 7, "PER")], 0),  # a shared space is no word
        ("Ada Lin Berg", [(0, 7, "PER"), (4, 12, "PER")], [(0, 3, "PER"), (4, 7, "PER")], 1),  # left to right
        ("她住在北京市", [(3, 6, "LOC")], [(3, 5, "LOC")], 0.5),
        ("她住在北京市", [(3, 5, "LOC")], [(5, 6, "LOC")], 0),
        ("カタカナ", [(0, 2, "LOC")], [(2, 4, "LOC")], 0),  # one word to BERT, other characters to us
        ("カタカナ", [(0, 3, "LOC")], [(2, 4, "LOC")], 0.5),
    ],
)
def test_partial_counts_an_overlap_of_words_as_half(
    text: str, gold: list[tuple[int, int, str]], found: list[tuple[int, int, str]], correct: float
) -> None:
    score = partial(text, [Entity(*each) for each in gold], [Entity(*each) for each in found])
    assert score.total == Counts(correct, len(found), len(gold))


def test_a_discontinuous_entity_needs_the_same_fragments() -> None:
    apart = Entity(0, 9, "ADE", None, (Span(0, 3), Span(6, 9)))
    assert strict([apart], [Entity(0, 9, "ADE")]).total.correct == 0
    assert partial("abc def ghi", [apart], [Entity(0, 9, "ADE")]).total.correct == 0.5
    assert strict([apart], [apart]).total.correct == 1


def test_string_sets_compare_normalised_mentions_once() -> None:
    score = string_sets([("The U.N.", "ORG"), ("un", "ORG"), ("Oslo", "LOC")], [("UN", "ORG"), ("Oslo", "ORG")])
    assert score.labels == {"LOC": Counts(0, 0, 1), "ORG": Counts(1, 2, 1)}
    assert normalised(" A  Tale of the  Sea! ") == "tale of sea"


def test_an_answer_that_could_not_be_parsed_counts_as_empty_and_is_shown() -> None:
    score = string_sets([("Oslo", "LOC")], None) + string_sets([("Oslo", "LOC")], [("Oslo", "LOC")])
    assert (score.total, score.unparsed) == (Counts(1, 1, 2), 1)


GOLD = [Document("a", "Oslo", (Entity(0, 4, "LOC"),)), Document("b", "Bern")]


def test_documents_are_paired_by_id_in_any_order() -> None:
    assert score_documents(GOLD, GOLD[::-1]).micro == (1, 1, 1, 1)
    assert list(scores_by_document(GOLD, GOLD[::-1])) == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (GOLD[:1], "1 of 2 gold documents have no prediction, the first is 'b'"),
        ([*GOLD, Document("c", "")], "1 predicted documents are not in gold, the first is 'c'"),
        ([GOLD[0], Document("b", "Rome")], "'b' has one text in gold, another"),
        ([*GOLD, GOLD[0]], "'a' stands twice in found"),
    ],
)
def test_documents_that_do_not_pair_are_an_error(found: list[Document], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_documents(GOLD, found)


def test_an_unknown_kind_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="strict, partial, strings"):
        score_documents(GOLD, GOLD, "loose")


@pytest.fixture
def one_score() -> Callable[[int, int, int], Score]:
    return lambda correct, predicted, gold: Score({"PER": Counts(correct, predicted, gold)}, "strict")


def test_the_interval_holds_the_score_and_narrows_with_more_documents(
    one_score: Callable[[int, int, int], Score],
) -> None:
    few = [one_score(1, 1, 1)] * 30 + [one_score(0, 1, 1)] * 10
    low, high = bootstrap_interval(few, seed=1)
    assert low < total(few).f1 == 0.75 < high
    closer = bootstrap_interval(few * 25, seed=1)
    assert low < closer[0] < 0.75 < closer[1] < high
    assert bootstrap_interval(few, seed=1) == (low, high)
    assert bootstrap_interval(few, level=0.5)[0] > low
    # binomial: 40 draws of .75 have a standard deviation of .0685
    assert (high - low) / 2 == pytest.approx(1.96 * 0.0685, rel=0.2)


def test_the_interval_of_little_is_no_error(one_score: Callable[[int, int, int], Score]) -> None:
    assert bootstrap_interval([]) == (0, 0)
    assert bootstrap_interval([one_score(0, 0, 0)] * 3) == (0, 0)
    assert bootstrap_interval([one_score(2, 2, 2)] * 3) == (1, 1)
