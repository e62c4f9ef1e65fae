"""The committee: who its members are, what they think of unlabelled texts, and that a student learns it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_data import sentence, train_options, write_parts

from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from students.batches import Weighted, collate
from students.committee import member, opinion
from students.decode import TagSet, probabilities
from students.encode import Encoder
from students.model import load_student
from students.options import TrainOptions
from students.predictor import word_logits
from students.targets import examples
from students.team import ALONE
from students.train import fit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("data"), 32, "unlabelled")


def options(encoder: Path, data: Path, out: Path, **given: Any) -> TrainOptions:
    usual: dict[str, Any] = {"unlabelled": (data / "unlabelled.jsonl",), "committee": 2, "epochs": 3}
    return train_options(encoder, data, out, **(usual | given))


@pytest.fixture(scope="module")
def run(encoder: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(options(encoder, data, tmp_path_factory.mktemp("whole") / "run")).folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "student" / "model.safetensors")


def test_each_member_is_what_train_makes_of_the_labelled_data_alone(
    encoder: Path, data: Path, run: Path, tmp_path: Path
) -> None:
    given = options(encoder, data, tmp_path / "run")
    seeds = {member(given, number).seed for number in (1, 2)} | {given.seed}
    assert len(seeds) == 3
    alone = fit(member(given, 1)).folder
    assert all(torch.equal(t, weights(run / "committee" / "1")[name]) for name, t in weights(alone).items())


def test_the_report_tells_how_far_the_members_agree(run: Path, encoder: Path, data: Path) -> None:
    report = fit(options(encoder, data, run))
    assert any(note.startswith("a committee of 2 labelled 32 texts; all agree on ") for note in report.notes)


def test_stopped_between_the_members_and_the_student_it_ends_with_the_same_student(
    encoder: Path, data: Path, run: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copy(run / "config.json", cut)
    shutil.copytree(run / "committee" / "1", cut / "committee" / "1")
    fit(options(encoder, data, cut))
    assert all(torch.equal(tensor, weights(run)[name]) for name, tensor in weights(cut).items())


def test_opinions_are_means_and_agreement_is_counted(run: Path) -> None:
    members = [run / "committee" / "1", run / "committee" / "2"]
    students = [load_student(each) for each in members]
    texts = [students[0].encoder.encode(sentence(number, 7).text) for number in range(12)]
    found = opinion(members, texts, device="cpu", batch_size=4, bf16=False, team=ALONE)
    one, other = ([probabilities(each) for each in word_logits(student, texts)] for student in students)
    for mean, a, b in zip(found.beliefs, one, other, strict=True):
        np.testing.assert_allclose(mean, (a + b) / 2, atol=1e-6)
        np.testing.assert_allclose(mean.sum(axis=1), 1, atol=1e-5)
    assert found.agreed == sum(int((a.argmax(1) == b.argmax(1)).sum()) for a, b in zip(one, other, strict=True))
    assert found.words == sum(len(text.words) for text in texts)


def test_certain_beliefs_teach_what_tags_teach(encoder: Path) -> None:
    """A batch of tags beside certain beliefs has, word by word, the same cross-entropy as the tags alone."""
    documents, tags = [sentence(number) for number in range(6)], TagSet(("LOC", "ORG"))
    plain = examples(documents, Encoder.from_folder(encoder, 16, 4), tags)
    words = [np.concatenate([window.tags for window in row]) for row in plain.rows]
    sure = [np.eye(len(tags), dtype=np.float32)[each] for each in words]
    believed = examples(documents, Encoder.from_folder(encoder, 16, 4), tags, beliefs=sure)
    half = [*plain.rows[:3], *believed.rows[3:]]
    one, other = (collate([Weighted(w, 1.0) for row in rows for w in row], 0) for rows in (plain.rows, half))
    assert other.tags.shape == (*one.tags.shape, len(tags))
    logits = torch.randn(len(one.tags), len(tags), generator=torch.Generator().manual_seed(0))
    cross_entropy = partial(torch.nn.functional.cross_entropy, logits, reduction="none")
    torch.testing.assert_close(cross_entropy(torch.from_numpy(one.tags)), cross_entropy(torch.from_numpy(other.tags)))


def test_with_gold_alone_the_members_learn_gold(encoder: Path, data: Path, tmp_path: Path) -> None:
    given = options(encoder, data, tmp_path / "run", distilled=(), schedule="power", n=0.2, epochs=2)
    assert (member(given, 1).schedule, member(given, 1).n) == ("gold", None)
    report = fit(given)
    assert report.rows["distilled"] > 0 and (tmp_path / "run" / "committee" / "2" / "report.json").exists()


def test_a_teacher_is_measured_and_its_labels_corrected(encoder: Path, data: Path, tmp_path: Path) -> None:
    """A teacher that calls half of the places companies: the report names it, and the student learns better."""
    wrong = [
        replace(s, entities=tuple(replace(e, label="ORG") if e.label == "LOC" and n % 2 else e for e in s.entities))
        for n, s in enumerate(sentence(number, 5) for number in range(96))
    ]
    write_jsonl(wrong, tmp_path / "wrong.jsonl")
    given = {"distilled": (tmp_path / "wrong.jsonl",), "unlabelled": (), "committee": 0, "epochs": 8, "schedule": "all"}
    report = fit(options(encoder, data, tmp_path / "run", denoise=True, **given))
    assert any("wrong.jsonl" in note and "LOC as ORG 0." in note for note in report.notes)
    plain = fit(options(encoder, data, tmp_path / "plain", **given))
    assert report.last and plain.last and report.last["f1"] > plain.last["f1"]


def test_a_call_that_cannot_be_right_leaves_nothing_behind(encoder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        fit(options(encoder, data, tmp_path / "run", unlabelled=(tmp_path / "missing.jsonl",)))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="no texts"):
        fit(options(encoder, data, tmp_path / "run", unlabelled=(tmp_path / "empty.jsonl",)))
    assert not (tmp_path / "run").exists()
    with pytest.raises(CallError, match="give --committee 3"):
        options(encoder, data, tmp_path / "run", committee=0)
    with pytest.raises(CallError, match="nothing to label"):
        options(encoder, data, tmp_path / "run", unlabelled=())
    with pytest.raises(CallError, match="give both"):
        options(encoder, data, tmp_path / "run", gold=(), schedule="distilled", denoise=True)
    with pytest.raises(CallError, match="the gold schedule never shows"):
        fit(options(encoder, data, tmp_path / "run", schedule="gold"))
    assert not (tmp_path / "run").exists()
