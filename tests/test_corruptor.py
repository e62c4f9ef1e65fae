"""Slips of teachers: a sample of the corruptor's counts, on our own sentences and on recorded answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import Case, recorded, written
from corruptor import measure
from slips import ANSWER_SLIPS, MENTION_SLIPS

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
LOSSY = {"typo (fuzzy)", "truncation"}


def check(cases: list[Case], slip: str, seed: int) -> None:
    tally = measure(cases, slip, seed)
    assert tally.said == tally.recovered + tally.lost + tally.elsewhere + tally.wrong
    if slip != "typo (fuzzy)":
        assert tally.wrong == 0, (slip, seed)
    if slip not in LOSSY:
        assert tally.missed == 0, (slip, seed)
        assert tally.unparsed == 0, (slip, seed)


@pytest.mark.parametrize("slip", [*MENTION_SLIPS, *ANSWER_SLIPS])
def test_slips_on_our_own_sentences_are_mended(slip: str) -> None:
    cases = list(written())
    for seed in range(10):
        check(cases, slip, seed)


@pytest.fixture(scope="module")
def answers() -> list[Case]:
    if not DATA.exists():
        pytest.skip("the corpora are not beside the project (../shared/data)")
    return list(recorded(DATA))


@pytest.mark.corpora
@pytest.mark.parametrize("slip", [*MENTION_SLIPS, *ANSWER_SLIPS])
def test_slips_on_recorded_answers_are_mended(answers: list[Case], slip: str) -> None:
    check(answers[::9], slip, seed=7)


@pytest.mark.corpora
def test_typing_errors_are_found_or_lost_but_hardly_ever_put_elsewhere(answers: list[Case]) -> None:
    tally = measure(answers[::5], "typo (fuzzy)", seed=3)
    assert tally.recovered > 0.7 * tally.said
    assert tally.wrong <= 0.005 * tally.said
