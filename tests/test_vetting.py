"""Vetting: how good a teacher is, found out from gold, and that a student never learns from one that is not."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_student import tiny_tokenizer
from tokenizers import normalizers
from training_data import sentence as plain_sentence
from training_data import train_options

from curricula.vetting import Reading, expected_f1, teacher_f1, trusted
from distill.document import Document
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from students.committee import Guides
from students.evidence import evidence
from students.material import short_names
from students.options import TrainOptions
from students.setting import Setting
from students.train import fit


def sentence(number: int, seed: int = 0) -> Document:
    """A sentence that stands nowhere else."""
    made = plain_sentence(number, seed)
    return replace(made, text=f"{made.text} {seed} {number}")


def write_sentences(path: Path, count: int, seed: int) -> Path:
    write_jsonl((sentence(number, seed) for number in range(count)), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough gold to measure by, a teacher that is right, and one that mostly is not."""
    folder = tmp_path_factory.mktemp("data")
    write_sentences(folder / "gold.jsonl", 400, 1)
    write_sentences(folder / "dev.jsonl", 40, 2)
    write_sentences(folder / "good.jsonl", 160, 3)
    write_jsonl((spoilt(sentence(number, 4), 0.6) for number in range(160)), folder / "bad.jsonl")
    return folder


def spoilt(document: Document, share: float) -> Document:
    """So many of its entities, by chance, with the other label."""
    chance = random.Random(document.id)
    other = {"LOC": "ORG", "ORG": "LOC"}
    return document.with_entities(
        replace(each, label=other[each.label]) if chance.random() < share else each for each in document.entities
    )


def options(encoder: Path, data: Path, out: Path, *names: str, **given: Any) -> TrainOptions:
    files = tuple(data / f"{name}.jsonl" for name in names)
    return train_options(encoder, data, out, **({"distilled": files, "vet": None, "epochs": 2} | given))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "student" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    return all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(one).items())


@pytest.fixture(scope="module")
def alone(encoder: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student of gold alone."""
    return fit(options(encoder, data, tmp_path_factory.mktemp("alone") / "run", schedule="gold")).folder


@pytest.fixture(scope="module")
def run(encoder: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was given the bad teacher alone."""
    return fit(options(encoder, data, tmp_path_factory.mktemp("bad") / "run", "bad")).folder


def test_a_bad_teacher_alone_leaves_to_the_bit_the_student_of_gold(
    encoder: Path, data: Path, run: Path, alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = fit(options(encoder, data, run, "bad"))
    assert same(run, alone) and report.rows["distilled"] == 0
    (note,) = [note for note in report.notes if "bad.jsonl" in note]
    assert "strict F1 of about 0." in note and note.endswith("left out (--no-vet keeps it)")
    (verdict,) = json.loads((run / "vetting.json").read_text())
    assert verdict["file"] == "bad.jsonl" and verdict["kept"] is False and 0 < verdict["f1"] < 0.7
    assert not (run / "vetting").exists()
    assert json.loads((run / "config.json").read_text())["identity"]["--vet"] is True


def test_what_is_left_out_is_said_at_once(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(options(encoder, data, tmp_path / "run", "bad"))
    told = capsys.readouterr().err
    assert told.index("bad.jsonl: strict F1 of about") < told.index("epoch 1/2")


def test_a_good_teacher_beside_it_stays_and_the_rest_is_as_without_the_bad_one(
    encoder: Path, data: Path, tmp_path: Path
) -> None:
    report = fit(options(encoder, data, tmp_path / "both", "bad", "good"))
    plain = fit(options(encoder, data, tmp_path / "good", "good", vet=False))
    assert same(report.folder, plain.folder)
    assert report.rows == plain.rows
    bad, good = (next(n for n in report.notes if n.startswith(name)) for name in ("bad", "good"))
    assert "left out" in bad and "left out" not in good


def test_no_vet_learns_from_whatever_is_given(encoder: Path, data: Path, tmp_path: Path, alone: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", "bad", vet=False))
    assert report.rows["distilled"] > 0 and not (tmp_path / "run" / "vetting").exists() and not same(
        report.folder, alone
    )


def test_stopped_after_the_judge_it_goes_on_with_the_student(
    encoder: Path, data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    given = options(encoder, data, tmp_path / "cut", "bad")

    def killed(setting: Setting, _: object) -> Guides:
        if setting.options.out == given.out:
            raise KeyboardInterrupt
        return Guides()

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("students.runner._guides", killed)
        fit(given)
    assert (tmp_path / "cut" / "vetting" / "report.json").exists()
    capsys.readouterr()
    fit(given)
    told = capsys.readouterr().err
    assert same(tmp_path / "cut", run) and "vetting is finished; nothing to train" in told and "bad.jsonl" in told


def test_labels_that_gold_lacks_are_never_taken_away(encoder: Path, data: Path, tmp_path: Path) -> None:
    new = [replace(d, entities=tuple(replace(e, label="SHIP") for e in d.entities)) for d in map(sentence, range(80))]
    write_jsonl(new, tmp_path / "new.jsonl")
    report = fit(options(encoder, data, tmp_path / "run", distilled=(tmp_path / "new.jsonl",)))
    assert report.rows["distilled"] > 0 and "new.jsonl: not measured, as gold has hardly any SHIP" in report.notes


def test_little_gold_measures_nobody(encoder: Path, data: Path, tmp_path: Path) -> None:
    little = write_sentences(tmp_path / "little.jsonl", 60, 1)
    report = fit(options(encoder, data, tmp_path / "run", "bad", gold=(little,)))
    assert any("100 needed): all are learnt" in note for note in report.notes)
    assert not (tmp_path / "run" / "vetting").exists() and report.rows["distilled"] > 0
    one = write_sentences(tmp_path / "one.jsonl", 1, 1)
    fit(options(encoder, data, tmp_path / "one", "bad", gold=(one,)))


def test_few_distilled_mentions_measure_nobody(encoder: Path, data: Path, tmp_path: Path) -> None:
    few = [spoilt(sentence(number, 4), 1.0) for number in range(20)]
    write_jsonl(few, tmp_path / "few.jsonl")
    report = fit(options(encoder, data, tmp_path / "run", distilled=(tmp_path / "few.jsonl",)))
    assert "few.jsonl: not measured, as it has too few mentions (100 needed)" in report.notes
    assert report.rows["distilled"] > 0


def test_only_a_training_on_both_is_vetted(encoder: Path, data: Path, tmp_path: Path, alone: Path) -> None:
    assert "--vet" not in json.loads((alone / "config.json").read_text())["identity"]  # as runs of before have it
    fit(options(encoder, data, tmp_path / "distilled", "bad", gold=(), schedule="distilled"))
    fit(options(encoder, data, tmp_path / "huang", "bad", recipe="huang2024"))
    assert not (tmp_path / "distilled" / "vetting").exists() and not (tmp_path / "huang" / "vetting").exists()
    with pytest.raises(CallError, match="--vet measures"):
        options(encoder, data, tmp_path / "run", "bad", gold=(), schedule="distilled", vet=True)
    with pytest.raises(CallError, match="the gold schedule shows one"):
        fit(options(encoder, data, tmp_path / "run", "bad", schedule="gold", vet=True))


def test_with_nobody_left_a_committee_and_denoise_go_on_with_gold(encoder: Path, data: Path, tmp_path: Path) -> None:
    texts = write_sentences(tmp_path / "texts.jsonl", 40, 9)
    given: dict[str, Any] = {"unlabelled": (texts,), "committee": 2, "denoise": True}
    report = fit(options(encoder, data, tmp_path / "run", "bad", **given))
    assert report.rows["distilled"] > 0 and not (tmp_path / "run" / "judge").exists()
    assert any(note.startswith("a committee of 2 labelled 40 texts") for note in report.notes)


def test_a_bad_file_and_an_empty_one_leave_gold(encoder: Path, data: Path, tmp_path: Path, alone: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    files = (data / "bad.jsonl", tmp_path / "empty.jsonl")
    assert same(fit(options(encoder, data, tmp_path / "run", distilled=files)).folder, alone)


def test_a_stray_label_does_not_save_a_bad_file(encoder: Path, data: Path, tmp_path: Path) -> None:
    lines = (data / "bad.jsonl").read_text().splitlines(keepends=True)
    stray = lines[0].replace("s4-0", "stray").replace("LOC", "SHIP").replace("ORG", "SHIP")
    (tmp_path / "stray.jsonl").write_text("".join(lines) + stray)
    given = options(encoder, data, tmp_path / "run", distilled=(tmp_path / "stray.jsonl",))
    assert any("left out" in note for note in fit(given).notes)


def test_labels_that_end_inside_words_are_measured_as_they_are_learnt(
    encoder: Path, data: Path, tmp_path: Path
) -> None:
    right = [sentence(number, 3) for number in range(160)]
    short = [d.with_entities(replace(each, end=each.end - 1) for each in d.entities) for d in right]
    write_jsonl(short, tmp_path / "short.jsonl")
    report = fit(options(encoder, data, tmp_path / "run", distilled=(tmp_path / "short.jsonl",)))
    assert report.rows["distilled"] > 0 and not any("left out" in note for note in report.notes)


def test_large_steps_of_the_student_do_not_weaken_the_judge(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", "bad", accumulate=64))
    assert any("left out" in note for note in report.notes)


def test_a_tokenizer_with_capitals_is_vetted_like_any(encoder: Path, data: Path, tmp_path: Path) -> None:
    """The default recipe shows capitals where that can be; asking for it by name is an error where it cannot."""
    cased = shutil.copytree(encoder, tmp_path / "cased")
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.save(str(cased / "tokenizer.json"))
    settings = json.loads((cased / "tokenizer_config.json").read_text())
    (cased / "tokenizer_config.json").write_text(json.dumps(settings | {"do_lower_case": False}))
    report = fit(options(cased, data, tmp_path / "run", "bad"))
    assert any("left out" in note or "not measured" in note for note in report.notes)


def test_a_judge_that_knows_too_little_says_nothing(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", "bad", lr=1e-9))
    assert any("not measured, as a judge of gold has a strict F1 of 0." in note for note in report.notes)
    assert report.rows["distilled"] > 0


def test_a_weight_that_is_none_is_refused_before_the_judge_learns(encoder: Path, data: Path, tmp_path: Path) -> None:
    write_jsonl([replace(sentence(n, 3), meta={"weight": "much"}) for n in range(3)], tmp_path / "odd.jsonl")
    with pytest.raises(InputError, match=r"meta\.weight is 'much'"):
        fit(options(encoder, data, tmp_path / "run", distilled=(tmp_path / "odd.jsonl",), weighted=True))
    assert not (tmp_path / "run").exists()


def test_files_of_one_name_are_told_apart_and_one_given_twice_is_one(encoder: Path, data: Path, tmp_path: Path) -> None:
    for name, source in (("a", "bad"), ("b", "good")):
        (tmp_path / name).mkdir()
        shutil.copy(data / f"{source}.jsonl", tmp_path / name / "labels.jsonl")
    files = tuple(tmp_path / name / "labels.jsonl" for name in "abb")
    report = fit(options(encoder, data, tmp_path / "run", distilled=files))
    assert [note.split(":")[0] for note in report.notes if "judge" in note] == ["a/labels.jsonl", "b/labels.jsonl"]
    assert report.rows["distilled"] == 320  # both times, in one of two epochs
    assert short_names([Path("x/a/l"), Path("y/a/l")]) == {Path("x/a/l"): "x/a/l", Path("y/a/l"): "y/a/l"}


def test_a_bundle_does_not_claim_a_file_that_was_left_out(encoder: Path, data: Path, run: Path) -> None:
    trained_on = evidence(run, (), ("LOC", "ORG"), "").data["trained_on"]
    assert trained_on["distilled"] == [] and len(trained_on["gold"]) == 1


@pytest.mark.parametrize(("teacher", "judge"), [(0.9, 0.8), (0.55, 0.8), (0.7, 0.6)])
def test_the_estimate_is_right_where_errors_are_independent(teacher: float, judge: float) -> None:
    """Mentions found with a chance, and nothing else found: F1 by each of two against truth, and by one against one."""
    chance = np.random.default_rng(0)
    by_teacher, by_judge = (chance.random(40_000) < recall for recall in (teacher, judge))
    true, own = (2 * hit.sum() / (len(hit) + hit.sum()) for hit in (by_teacher, by_judge))
    agreed = 2 * (by_teacher & by_judge).sum() / (by_teacher.sum() + by_judge.sum())
    found = teacher_f1(Reading(agreed, 0.7), Reading(own, 0.7))
    assert found == pytest.approx(true, abs=0.06)


def test_where_texts_are_strange_to_the_judge_agreement_is_worth_more() -> None:
    held = Reading(agreement=0.8, expected=0.7)
    assert teacher_f1(Reading(0.6, 0.7), held) == pytest.approx(0.75)
    assert teacher_f1(Reading(0.6, 0.525), held) == pytest.approx(1.0)
    assert teacher_f1(Reading(0.7, 0.525), held) == 1.0
    assert teacher_f1(Reading(0.6, 0.99), held) == pytest.approx(0.6)  # nobody is more than always right
    assert teacher_f1(Reading(0.0, 0.0), held) is None and teacher_f1(Reading(0.5, 0.5), Reading(0.0, 0.0)) is None
    assert expected_f1([0.9, 0.5], 2.0) == pytest.approx(0.7) and expected_f1([], 0.0) == 0.0


def test_a_teacher_better_than_the_judge_is_trusted_however_bad() -> None:
    able, poor = Reading(0.85, 0.7), Reading(0.4, 0.5)
    assert trusted(0.7, able) and not trusted(0.69, able)
    assert trusted(0.45, poor) and not trusted(0.39, poor)
