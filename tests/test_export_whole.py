"""The whole of export: a run that `train` made, and a gate that fails after all was done."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sealed import SENTENCES
from tiny_student import make_tiny_encoder
from training_data import write_sentences

from distill.command import reported
from distill.document import Document
from distill.errors import InputError
from distill.jsonl import read_jsonl, write_jsonl
from students.bundle import read_manifest
from students.bundle_options import ExportOptions
from students.export import export
from students.model import load_student
from students.options import TrainOptions
from students.predictor import predict_documents
from students.runtime import Student
from students.train import fit


@pytest.fixture(scope="module")
def outlier_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with one huge activation a layer that nothing looks at: harmless in fp32, ruin in 8 bits.

    A product scales each token by its largest value, and all that matters rounds to nothing beside that one.
    """
    folder = shutil.copytree(tiny_run, tmp_path_factory.mktemp("outlier") / "run")
    model: Any = load_student(folder).model
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.output.dense.weight *= 100  # so that tags depend on it
            layer.intermediate.dense.bias[0] = 1e4
            layer.output.dense.weight[:, 0] = 0
    model.save_pretrained(folder / "student")
    sentences = [Document(f"s{number}", text) for number, text in enumerate(SENTENCES)]
    write_jsonl(predict_documents(load_student(folder), sentences), folder / "gold.jsonl")
    return folder


def test_a_student_that_eight_bits_ruin_becomes_no_bundle_and_the_message_says_by_how_much(
    outlier_run: Path, tiny_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    older = shutil.copytree(tiny_bundle, tmp_path / "older")
    for out in (tmp_path / "fresh", older):
        options = ExportOptions(run=outlier_run, out=out, verify=(outlier_run / "gold.jsonl",))
        assert reported(partial(_exported, options)) == 1
        said = capfd.readouterr().err
        assert "no bundle: strict F1 fell from 1.0000 in PyTorch to 0." in said and "Try --precision fp32" in said
    assert [path.name for path in tmp_path.iterdir()] == ["older"]
    assert read_manifest(older) == read_manifest(tiny_bundle)


def _exported(options: ExportOptions) -> None:
    export(options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a student that learned its sentences, twice: chosen on a dev file, and on a share of gold."""
    folder = tmp_path_factory.mktemp("trained")
    encoder = make_tiny_encoder(folder / "encoder")
    gold, dev = write_sentences(folder / "gold.jsonl", 60, 1), write_sentences(folder / "dev.jsonl", 40, 2)
    for name, chosen_on in (("by-file", str(dev)), ("by-share", "0.4")):
        fit(TrainOptions(
            gold=(gold,), dev=chosen_on, schedule="gold", student=str(encoder), epochs=6, lr=5e-3, max_length=64,
            stride=8, threads=1, precision="fp32", out=folder / name,
        ))  # fmt: skip
    return folder


def test_a_trained_run_is_checked_on_the_dev_file_it_was_chosen_on(trained: Path, tmp_path: Path) -> None:
    report = export(ExportOptions(run=trained / "by-file", out=tmp_path / "bundle", licence="CC0"))
    dev = trained / "dev.jsonl"
    named = {"name": "dev.jsonl", "sha256": hashlib.sha256(dev.read_bytes()).hexdigest()}
    data = read_manifest(report.bundle).data
    assert data["verified_on"] == [named] == data["trained_on"]["dev"]
    assert [row["name"] for row in data["trained_on"]["gold"]] == ["gold.jsonl"] and data["licence"] == "CC0"
    notes = json.loads((trained / "by-file" / "report.json").read_text())["notes"]
    assert data.get("notes", []) == notes
    assert report.f1 > 0.8 and report.manifest.scores["documents"] == 40
    gold = list(read_jsonl(dev))
    found = Student.load(report.bundle).tag([document.text for document in gold])
    right = sum(set(a.entities) == set(b.entities) for a, b in zip(gold, found, strict=True))
    assert right >= 30


def test_the_card_tells_what_the_training_told(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained / "by-file", tmp_path / "run")
    said = json.loads((run / "report.json").read_text()) | {"notes": ["bad.jsonl: left out"]}
    (run / "report.json").write_text(json.dumps(said))
    bundle = export(ExportOptions(run=run, out=tmp_path / "bundle")).bundle
    assert "The training says:\n\n- bad.jsonl: left out\n\n" in (bundle / "README.md").read_text()
    (run / "report.json").write_text("[]")
    with pytest.raises(InputError, match=r"report\.json: is no report of a training"):
        export(ExportOptions(run=run, out=tmp_path / "other"))


def test_a_run_chosen_on_a_share_of_gold_is_checked_on_that_share(trained: Path, tmp_path: Path) -> None:
    manifest = export(ExportOptions(run=trained / "by-share", out=tmp_path / "bundle")).manifest
    (named,) = manifest.data["verified_on"]
    assert (named["name"], named["share"], named["seed"]) == ("gold.jsonl", 0.4, 1)
    assert manifest.scores["documents"] == 24
