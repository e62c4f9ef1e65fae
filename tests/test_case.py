"""Capitals: an uncased student that sees them, in training, in its folder, in the bundle."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bundles import sign
from sealed import export_tiny
from tiny_student import make_tiny_encoder, make_tiny_student, tiny_tokenizer
from tokenizers import normalizers
from training_data import train_options

from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from students.batches import Weighted, collate, some_lowered
from students.bundle import read_manifest
from students.case import CAPITALS, DROPPED, INITIAL, LOWER, MIXED, STEP, case_of, piece_of
from students.encode import Encoder
from students.model import load_student
from students.predictor import predict_documents
from students.report import TrainReport
from students.runtime import Student
from students.targets import Example
from students.train import fit

WORDS = ("oslo", "acme", "turin", "bank", "city")


def shouted(number: int) -> Document:
    """A sentence whose words are places with a capital, companies in capitals, and nothing in lower case."""
    chance, text, entities = random.Random(number), "the mayor said", []
    for _ in range(4):
        form, label = chance.choice(((str.lower, None), (str.title, "LOC"), (str.upper, "ORG")))
        word = form(chance.choice(WORDS))
        text += f" {chance.choice(('the', 'and', 'of'))} "
        entities += [Entity(len(text), len(text) + len(word), label)] if label else []
        text += word
    return Document(f"c{number}", text, tuple(entities))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for part, name in enumerate(("distilled", "gold", "dev")):
        write_jsonl([shouted(number) for number in range(part * 100, part * 100 + 80)], folder / f"{name}.jsonl")
    return folder


@pytest.fixture(scope="module")
def run(encoder: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    return fit(train_options(encoder, data, tmp_path_factory.mktemp("run") / "case", epochs=8))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("oslo", LOWER), ("Oslo", INITIAL), ("OSLO", CAPITALS), ("iPhone", MIXED), ("McKay", MIXED), ("A", INITIAL),
        ("4th", LOWER), ("4Th", INITIAL), ("G7", INITIAL), ("EU27", CAPITALS), ("", LOWER), ("1996", LOWER),
        ("Éire", INITIAL), ("ÉIRE", CAPITALS), ("İpek", INITIAL), ("東京", LOWER), ("Ⅳ", INITIAL), ("ⒶⒷ", MIXED),
        ("\ud83d", LOWER), ("ǅ", LOWER), ("ẞ", INITIAL),
    ],
)  # fmt: skip
def test_the_case_of_a_word(word: str, kind: int) -> None:
    assert case_of(word) == kind


def test_ids_carry_the_case_of_their_word() -> None:
    plain, cased = Encoder(tiny_tokenizer(), 16, 4), Encoder(tiny_tokenizer(), 16, 4, case=True)
    text = "Acme met HOOLI in osloville . Osloville"
    one, other = plain.encode(text), cased.encode(text)
    assert piece_of(other.ids).tolist() == one.ids.tolist() and other.words == one.words
    kinds = (other.ids // STEP).tolist()
    assert kinds == [INITIAL, LOWER, CAPITALS, LOWER, LOWER, LOWER, LOWER, INITIAL, INITIAL]
    (window,) = cased.windows(other)
    assert cased.row(other, window)[0] == plain.prefix[0]  # special tokens have none
    assert cased.encode(text.lower()).ids.tolist() == plain.encode(text.lower()).ids.tolist()


def test_a_student_learns_what_only_capitals_tell(encoder: Path, data: Path, run: TrainReport, tmp_path: Path) -> None:
    assert run.best is not None and run.best["f1"] > 0.95
    blind = fit(train_options(encoder, data, tmp_path / "blind", epochs=8, case=False))
    assert blind.best is not None and blind.best["f1"] < 0.6


def test_its_folder_and_its_bundle_see_them_too(run: TrainReport, data: Path, tmp_path: Path) -> None:
    document = shouted(7)
    student = load_student(run.folder)
    assert student.encoder.case and student.model.config.type_vocab_size == 4
    (found,) = predict_documents(student, [document])
    assert {(e.start, e.end, e.label) for e in found.entities} == {(e.start, e.end, e.label) for e in document.entities}
    for precision in ("fp32", "int8"):
        bundle = export_tiny(run.folder, tmp_path / precision, precision=precision, verify=(data / "dev.jsonl",))
        manifest = read_manifest(bundle)
        assert manifest.case and manifest.scores["strict_f1"] > 0.95
        (again,) = Student.load(bundle).tag([document.text])
        assert [(e.start, e.label) for e in again.entities] == [(e.start, e.label) for e in found.entities]


def test_a_bundle_whose_manifest_and_graph_disagree_is_refused(
    run: TrainReport, data: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = export_tiny(run.folder, tmp_path / "bundle", precision="fp32", verify=(data / "dev.jsonl",))
    sign(bundle, replace(read_manifest(bundle), case=1))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a value is not of its kind"):
        Student.load(bundle)
    blind = shutil.copytree(tiny_bundle, tmp_path / "blind")
    sign(blind, replace(read_manifest(blind), case=True))
    with pytest.raises(InputError, match="does not see capitals"):
        Student.load(blind)


@pytest.mark.parametrize("value", ["yes", 1, True])
def test_a_folder_that_only_claims_to_see_capitals_is_refused(value: object, data: Path, tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"sees_case": value}))
    with pytest.raises(InputError, match=r"config\.json.*sees_case"):
        load_student(folder)
    with pytest.raises(InputError, match=r"config\.json.*sees_case"):
        fit(train_options(folder, data, tmp_path / "run"))


def test_a_student_that_saw_capitals_goes_on_seeing_them(run: TrainReport, data: Path, tmp_path: Path) -> None:
    given = {"epochs": 1, "lr": 1e-9, "warmup": 0.0}
    again = fit(train_options(run.student, data, tmp_path / "again", recipe="huang2024", **given))
    assert again.best is not None and run.best is not None and again.best["f1"] == pytest.approx(run.best["f1"])


def test_a_tokenizer_with_capitals_needs_no_telling(encoder: Path, data: Path, tmp_path: Path) -> None:
    cased = make_tiny_encoder(tmp_path / "cased")
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.save(str(cased / "tokenizer.json"))
    settings = json.loads((cased / "tokenizer_config.json").read_text())
    (cased / "tokenizer_config.json").write_text(json.dumps(settings | {"do_lower_case": False}))
    report = fit(train_options(cased, data, tmp_path / "run", epochs=1))
    assert not load_student(report.folder).encoder.case
    with pytest.raises(CallError, match="--case is for tokenizers without capitals"):
        fit(train_options(cased, data, tmp_path / "other", case=True))


def test_a_share_of_rows_is_shown_in_lower_case_as_the_seed_has_it() -> None:
    ids = np.asarray([2, 50 + INITIAL * STEP, 3], np.int32)
    example = Example(ids, np.asarray([1]), np.asarray([0]), np.ones(1, np.float32))
    windows = [Weighted(example, 1.0)] * 4000
    shown = some_lowered(windows, "1/0")
    assert shown == some_lowered(windows, "1/0") != some_lowered(windows, "1/1")
    share = sum(one.lower for one in shown) / len(shown)
    assert share == pytest.approx(DROPPED, abs=0.02)
    batch = collate([Weighted(example, 1.0, lower=True), Weighted(example, 1.0)], 0)
    assert batch.ids.tolist() == [[2, 50, 3], ids.tolist()]


def test_without_being_told_a_student_reads_all_as_lower_case(run: TrainReport) -> None:
    """What `transformers` alone does with its folder."""
    from transformers import AutoModelForTokenClassification

    student, alone = load_student(run.folder), AutoModelForTokenClassification.from_pretrained(str(run.student)).eval()
    ids = torch.tensor([student.encoder.encode("The mayor of Oslo").ids.tolist()])
    with torch.inference_mode():
        lowered = student.model(input_ids=ids % STEP).logits
        assert torch.allclose(alone(input_ids=ids % STEP).logits, lowered, atol=1e-6)
        assert not torch.allclose(lowered, student.model(input_ids=ids).logits, atol=1e-2)
