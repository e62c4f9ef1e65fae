"""A teacher's confusion is found again from what it said, and corrects it."""

from __future__ import annotations

import numpy as np
import pytest

from curricula.confusion import measured

LABELS = ("LOC", "ORG")
TRUE = np.array([
    [0.96, 0.01, 0.01, 0.01, 0.01],
    [0.05, 0.90, 0.00, 0.05, 0.00],
    [0.05, 0.00, 0.90, 0.00, 0.05],
    [0.10, 0.40, 0.00, 0.50, 0.00],
    [0.10, 0.00, 0.40, 0.00, 0.50],
])  # fmt: skip


def simulated(words: int, doubt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True tags, a prior that knows how often it is wrong, and what the teacher says."""
    chance, usual = np.random.default_rng(0), np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    tags = chance.choice(5, words, p=usual)
    guess = np.where(chance.random(words) < doubt, chance.integers(0, 5, words), tags)
    prior = usual * (doubt / 5 + (1 - doubt) * np.eye(5)[guess])
    prior /= prior.sum(axis=1, keepdims=True)
    said = np.array([chance.choice(5, p=TRUE[tag]) for tag in tags], np.int32)
    return tags, prior.astype(np.float32), said


def test_the_confusion_is_found_and_both_together_know_more_than_either() -> None:
    tags, prior, said = simulated(8000, 0.3)
    found = measured(prior, said)
    np.testing.assert_allclose(found.matrix, TRUE, atol=0.05)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1, atol=1e-5)
    right = (found.posterior.argmax(axis=1) == tags).mean()
    assert right > max((prior.argmax(axis=1) == tags).mean(), (said == tags).mean()) + 0.03


def test_the_worst_confusions_are_named_by_label() -> None:
    _, prior, said = simulated(8000, 0.1)
    (first, second, *_) = measured(prior, said).worst(LABELS)
    assert first[:2] == ("ORG", "LOC") and first[2] == pytest.approx(0.4, abs=0.05)
    assert second[:2] == ("ORG", "")


def test_a_teacher_that_is_always_right_is_believed_and_has_no_confusion() -> None:
    tags, prior, _ = simulated(2000, 0.2)
    found = measured(prior, tags.astype(np.int32))
    assert (found.posterior.argmax(axis=1) == tags).mean() > 0.99 and not found.worst(LABELS)


def test_a_word_nobody_doubts_and_a_tag_nobody_says_stay_numbers() -> None:
    found = measured(np.array([[1, 0, 0], [1, 0, 0]], np.float32), np.array([0, 1], np.int32))
    assert np.isfinite(found.posterior).all() and np.isfinite(found.matrix).all()
