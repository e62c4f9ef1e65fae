"""Scores that mean what they say, and thresholds on them; the tags stay what they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import make_bundle, sign, word_graph

from distill.document import Document
from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl
from students.bundle import read_manifest
from students.bundle_options import PredictOptions, SelftestOptions
from students.predict import predict
from students.runtime import Student
from students.selftest import selftest
from students.temper import Answers, answers, fitted, tempered
from students.thresholds import thresholds


def _overconfident(temperature: float, number: int = 4000) -> Answers:
    """Entities of one word that are right as often as their logits say once divided by `temperature`."""
    rng = np.random.default_rng(0)
    honest = rng.normal(1.0, 1.0, number)
    right = rng.random(number) < 1 / (1 + np.exp(-honest))
    logits = np.stack((np.zeros(number), honest * temperature), axis=1).astype(np.float32)
    count = np.arange(number)
    return Answers(logits, np.ones(number, np.int64), count, right, count % 2)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_scores_is_found_again(temperature: float) -> None:
    found, said = tempered(_overconfident(temperature))
    assert found == pytest.approx(temperature, rel=0.12)
    assert said["ece_after"] < 0.03 and said["entities"] == 4000
    if temperature != 1:
        assert said["ece_after"] < said["ece_before"] / 2


def test_few_entities_say_nothing_of_a_temperature() -> None:
    found, said = tempered(_overconfident(3.0, 20))
    assert found == 1.0 and said["ece_after"] == said["ece_before"]
    assert tempered(_overconfident(3.0, 0)) == (1.0, {"entities": 0, "ece_before": 0, "ece_after": 0})


def _untempered(bundle: Path) -> Student:
    student = Student.load(bundle, threads=1)
    return student.under(replace(student.manifest, temperature=1.0))


def test_answers_are_the_entities_and_scores_that_the_runtime_gives(tiny_run: Path, tiny_bundle: Path) -> None:
    gold, student = list(read_jsonl(tiny_run / "gold.jsonl")), _untempered(tiny_bundle)
    warm = student.under(replace(student.manifest, temperature=1.7))
    logits = [reading.logits for _, reading in student.read(gold)]
    found = answers(gold, logits, student.encoder, student.tags)
    given = [entity for document, _ in warm.read(gold) for entity in document.entities]
    assert found.scores(1.7).tolist() == pytest.approx([entity.score for entity in given], rel=1e-4)
    assert len(found.right) == len(given) and found.right.any()
    assert 0.5 <= fitted(found) <= 5


def test_a_temperature_changes_scores_and_uncertainty_but_no_tag(tiny_run: Path, tiny_bundle: Path) -> None:
    student = _untempered(tiny_bundle)
    texts = [document.text for document in read_jsonl(tiny_run / "gold.jsonl")]
    plain = student.tag(texts)
    for temperature in (0.5, 3.0):
        other = student.under(replace(student.manifest, temperature=temperature)).tag(texts)
        assert [document.entities for document in other] == [document.entities for document in plain]
        scores = [[entity.score or 0 for document in each for entity in document.entities] for each in (plain, other)]
        assert all(a != b for a, b in zip(*scores, strict=True))
        assert (sum(scores[1]) < sum(scores[0])) == (temperature > 1)
    reading = next(student.under(replace(student.manifest, temperature=2.0)).read([Document("1", texts[0])]))[1]
    raw = next(student.read([Document("1", texts[0])]))[1]
    np.testing.assert_allclose(reading.logits * 2, raw.logits, rtol=1e-5)


def _two_labels(folder: Path) -> Path:
    return make_bundle(folder, word_graph({"oslo": 1, "acme": 3}, 5), ("LOC", "ORG"))


def test_a_threshold_drops_only_what_lies_below_it(tmp_path: Path) -> None:
    student = Student.load(_two_labels(tmp_path / "bundle"), threads=1)
    (all_of_it,) = student.tag(["Acme left Oslo"])
    assert [entity.label for entity in all_of_it.entities] == ["ORG", "LOC"]
    score = all_of_it.entities[0].score or 0
    out = tmp_path / "out.jsonl"
    for limit, labels in ((score - 1e-6, ["ORG", "LOC"]), (score + 1e-6, ["LOC"])):
        options = PredictOptions(
            bundle=tmp_path / "bundle", text="Acme left Oslo", threshold=(f"ORG={limit}",), out=out
        )
        predict(options)
        assert [entity.label for entity in next(read_jsonl(out)).entities] == labels


def test_the_bundles_own_thresholds_hold_until_the_call_names_others(tmp_path: Path) -> None:
    bundle = _two_labels(tmp_path / "bundle")
    sign(bundle, replace(read_manifest(bundle), thresholds={"ORG": 1.0, "LOC": 1.0}))
    assert Student.load(bundle).tag(["Acme left Oslo"])[0].entities == ()
    out = tmp_path / "out.jsonl"
    predict(PredictOptions(bundle=bundle, text="Acme left Oslo", threshold=("ORG=0",), out=out))
    assert [entity.label for entity in next(read_jsonl(out)).entities] == ["ORG"]
    for wrong in ({"ORG": 2}, {"ORG": "x"}, ["ORG"]):
        sign(bundle, replace(Student.load(_two_labels(tmp_path / str(wrong))).manifest, thresholds=wrong))  # type: ignore[arg-type]
        with pytest.raises(InputError, match="kind"):
            read_manifest(bundle)


def test_a_selftest_looks_below_the_thresholds(tmp_path: Path) -> None:
    entity = '{"start": 0, "end": 4, "label": "LOC", "score": 0.9867}'
    line = f'{{"id": "t", "text": "Oslo", "entities": [{entity}], "meta": {{"uncertainty": {{"margin": 0.98005}}}}}}\n'
    bundle = make_bundle(tmp_path / "bundle", word_graph({"oslo": 1}, 3), selftest=line)
    sign(bundle, replace(read_manifest(bundle), thresholds={"LOC": 1.0}))
    assert selftest(SelftestOptions(bundle=bundle, threads=1)).texts == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("ORGG=0.5",), "did you mean ORG"), (("ORG",), "LABEL=SCORE"), (("ORG=1.5",), "between 0 and 1"),
        (("ORG=nan",), "between 0 and 1"), (("ORG=x",), "between 0 and 1"), (("ORG=0.1", "ORG=0.2"), "twice"),
    ],
)  # fmt: skip
def test_a_threshold_that_means_nothing_is_one_clear_error(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(CallError, match=said):
        thresholds(given, ("LOC", "ORG"))
