"""On site, a bundle that answers otherwise than recorded is found, and the difference explained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import make_bundle, word_graph

from distill.errors import CheckFailed, InputError
from students.bundle import read_manifest
from students.bundle_options import SelftestOptions
from students.selftest import reason, selftest


def _recorded(score: float = 0.98670, end: int = 4, margin: float = 0.98005) -> str:
    meta = {"uncertainty": {"entropy": 0.08, "margin": margin}}
    entities = [{"start": 0, "end": end, "label": "LOC", "score": score}]
    return json.dumps({"id": "t", "text": "Oslo", "entities": entities, "meta": meta}) + "\n"


def _bundle(folder: Path, selftest: str) -> SelftestOptions:
    bundle = make_bundle(folder / "bundle", word_graph({"oslo": 1}, 3), selftest=selftest)
    return SelftestOptions(bundle=bundle, threads=1)


def test_scores_within_the_tolerance_agree(tmp_path: Path) -> None:
    assert selftest(_bundle(tmp_path, _recorded(score=0.98675))).texts == 1


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (_recorded(end=3), r"t: \[0, 3\) LOC is gone; \[0, 4\) LOC is new"),
        (_recorded(score=0.9), r"t: a score differs by 0\.0867, 0\.001 is allowed"),
        (_recorded(margin=0.5), "a score differs"),
    ],
)
def test_another_answer_fails_and_is_shown(tmp_path: Path, recorded: str, said: str) -> None:
    with pytest.raises(CheckFailed, match=said) as failed:
        selftest(_bundle(tmp_path, recorded))
    assert "1 of 1 replayed texts differ" in str(failed.value) and failed.value.exit_code == 1


def test_the_likely_reason_of_a_difference_is_named(tmp_path: Path) -> None:
    made = {"instructions": "avx512_vnni", "onnxruntime": "1.31.1"}
    manifest = replace(read_manifest(_bundle(tmp_path, _recorded()).bundle), precision="int8", verified=made)
    assert "here is avx2" in reason(manifest, "avx2", "1.31.1")
    assert "onnxruntime 1.31.1, here is avx512_vnni with 1.20.0" in reason(manifest, "avx512_vnni", "1.20.0")
    assert "memory" in reason(manifest, "avx512_vnni", "1.31.1")


@pytest.mark.parametrize("lines", ["", "no json\n", '{"id": "x", "text": 5}\n', '{"text": "Oslo"}\n'])
def test_a_selftest_without_texts_is_a_broken_bundle(tmp_path: Path, lines: str) -> None:
    with pytest.raises(InputError, match=r"selftest\.jsonl"):
        selftest(_bundle(tmp_path, lines))
