"""The bundle's README, from manifests made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from students.bundle import Manifest
from students.card import card

FILE = {"name": "gold|1.jsonl", "sha256": "0" * 64}
FIGURES = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "gold": 4}
SCORES: dict[str, Any] = {
    "documents": 3, "words": 9, "words_with_other_tag": 0, "strict_f1": 0.5, "strict_f1_pytorch": 0.5,
    "strict_f1_interval": [0.25, 0.75], "labels": {"a|b": FIGURES}, "layers": 6, "layers_read": 2.5,
    "calibration": {"entities": 4, "ece_before": 0.1, "ece_after": 0.1},
}  # fmt: skip
MANIFEST = Manifest(
    ("a|b", "<b>"), 16, 4, "int8", False, 20, {}, scores=SCORES, exits={"2": 0.95},
    data={"verified_on": [FILE], "trained_on": {"dev": [FILE]}, "licence": "CC-BY |\n4.0", "notes": ["a\n# b"]},
    tolerances={"logits": 0.001, "logits_found": 1e-5}, verified={"instructions": "avx2", "onnxruntime": "1"},
)  # fmt: skip


def test_no_name_breaks_the_cards_tables() -> None:
    page = card(MANIFEST)
    for row in (
        "| a\\|b | 0.500 | 0.250 | 0.333 | 4 |", "| licence | CC-BY \\| 4.0 |", "| dev | gold\\|1.jsonl | `00000000",
        "- a # b\n", "It finds a\\|b, \\<b> in text",
    ):  # fmt: skip
        assert row in page


def test_a_label_that_nobody_met_has_a_row_without_figures() -> None:
    assert "| \\<b> | - | - | - | 0 |" in card(MANIFEST)


@pytest.mark.parametrize(
    ("checked", "learnt", "said"),
    [
        (FILE, [], "The epoch may have been\nchosen on these documents"),
        (FILE, [FILE], "The student\nlearnt from these documents, so expect less elsewhere."),
        (FILE | {"share": 0.2}, [FILE], "The epoch may have been\nchosen on these documents"),
    ],
)
def test_the_card_says_what_its_scores_are_worth(checked: Any, learnt: list[Any], said: str) -> None:
    data = {"verified_on": [checked], "trained_on": {"dev": [FILE], "gold": learnt}}
    assert said in card(replace(MANIFEST, data=data))
