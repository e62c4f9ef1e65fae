"""Steps: what one is made of, what its loss is the mean of, and what is said when one cannot be made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tiny_student import make_tiny_encoder, tiny_tokenizer
from training_data import sentence, write_sentences

from distill.errors import CallError
from distill.jsonl import read_jsonl, write_jsonl
from students.batches import Step, Weighted, batches, collate, steps
from students.decode import TagSet
from students.encode import Encoder
from students.loop import Training
from students.options import TrainOptions
from students.processes import processes
from students.runfolder import RunFolder
from students.setting import setting_of
from students.targets import examples
from students.train import fit


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"), dropout=False)


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentences(tmp_path_factory.mktemp("data") / "gold.jsonl", 24)


def options(encoder: Path, gold: Path, out: Path, **given: Any) -> TrainOptions:
    values: dict[str, Any] = {
        "gold": (gold,), "schedule": "gold", "student": str(encoder), "epochs": 1, "lr": 1e-3, "max_length": 64,
        "stride": 8, "threads": 1, "precision": "fp32", "out": out,
    }  # fmt: skip
    return TrainOptions(**(values | given))


@pytest.fixture
def training(encoder: Path, gold: Path, tmp_path: Path) -> Iterator[Training]:
    with processes("cpu") as one, torch.random.fork_rng():
        (tmp_path / "tokenizer").mkdir()
        setting = setting_of(options(encoder, gold, tmp_path / "run", batch_size=8))
        yield Training(setting, RunFolder(tmp_path / "run"), tmp_path / "tokenizer", one)


def windows_of(count: int) -> list[Weighted]:
    rows = examples([sentence(n) for n in range(count)], Encoder(tiny_tokenizer(), 64, 8), TagSet(("LOC", "ORG"))).rows
    return [Weighted(window, 1.0) for row in rows for window in row]


@given(st.integers(1, 120), st.integers(64, 400), st.integers(0, 3))
@settings(max_examples=30)
def test_batches_by_tokens_keep_their_budget_and_every_window(count: int, tokens: int, seed: int) -> None:
    windows = windows_of(count)
    cut = batches(windows, 8, str(seed), tokens=tokens)
    assert Counter(id(one) for batch in cut for one in batch) == Counter(map(id, windows))
    assert all(collate(batch, 0).ids.size <= tokens for batch in cut)
    if count > 60:
        used = sum(collate(batch, 0).ids.size for batch in cut)
        assert used > 0.7 * tokens * (len(cut) - 1)  # and make use of it; a stretch's last batch is what is left


def test_accumulated_batches_make_the_step_of_one_large_batch(encoder: Path, gold: Path, tmp_path: Path) -> None:
    whole = fit(options(encoder, gold, tmp_path / "whole", batch_size=24))
    parts = fit(options(encoder, gold, tmp_path / "parts", batch_size=5, accumulate=5))
    assert (whole.steps, parts.steps) == (1, 1)
    one, other = (load_file(each.student / "model.safetensors") for each in (whole, parts))
    assert all(torch.allclose(one[name], other[name], atol=2e-5) for name in one)


def test_the_loss_is_a_mean_over_the_words_of_the_step_and_weights_scale_it(training: Training) -> None:
    (step,) = steps([training.steps_of(0)[0].windows], 1)
    training.model.eval()
    whole = float(training.losses(training.model, step.windows).detach())
    single = sum(float(training.losses(training.model, [one]).detach()) for one in step.windows)
    assert single == pytest.approx(whole, rel=1e-4)
    assert float(training.step(step, 0.0)) == pytest.approx(whole / step.words, rel=1e-5)
    light = [one._replace(weight=0.25) for one in step.windows]
    assert float(training.losses(training.model, light).detach()) == pytest.approx(whole / 4, rel=1e-4)
    window = step.windows[0].example
    marked = window._replace(weights=window.weights * (window.tags == 0))  # entities of score 0
    teaches = float(training.losses(training.model, [Weighted(marked, 1.0)]).detach())
    assert 0 < teaches < float(training.losses(training.model, [Weighted(window, 1.0)]).detach())


def test_rows_of_weight_zero_teach_nothing_when_weighted(encoder: Path, gold: Path, tmp_path: Path) -> None:
    rows = list(read_jsonl(gold))
    write_jsonl([replace(row, meta={"weight": 0}) for row in rows], tmp_path / "zero.jsonl")
    given = {"weighted": True, "weight_decay": 0.0, "case": False}
    report = fit(options(encoder, tmp_path / "zero.jsonl", tmp_path / "run", **given))
    (row,) = (json.loads(line) for line in (report.folder / "metrics.jsonl").read_text().splitlines())
    before, after = load_file(encoder / "model.safetensors"), load_file(report.student / "model.safetensors")
    assert row["loss"] == 0 and all(torch.equal(value, after[f"bert.{name}"]) for name, value in before.items())


def test_training_stops_early_when_dev_grows_no_better(encoder: Path, gold: Path, tmp_path: Path) -> None:
    given = {"dev": str(gold), "epochs": 9, "patience": 2, "lr": 1e-9}
    report = fit(options(encoder, gold, tmp_path / "run", **given))
    assert (report.epochs, report.best_epoch) == (3, 1)
    assert "stopped after epoch 3 of 9: no better dev score in 2 epochs" in str(report)
    assert fit(options(encoder, gold, tmp_path / "run", **given)) == report


def test_no_memory_names_the_size_that_fits(training: Training) -> None:
    def full(module: Any, args: Any, given: Any) -> None:
        if given["input_ids"].shape[0] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    training.model.register_forward_pre_hook(full, with_kwargs=True)
    step = training.steps_of(0)[0]
    says = r"no memory for 8 windows of \d+ tokens; --batch-size 2 fits; --accumulate adds batches up"
    with pytest.raises(CallError, match=says):
        training.step_or_stop(step, 1e-3)


def test_no_memory_for_anything_says_so(training: Training) -> None:
    def full(module: Any, args: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    training.model.register_forward_pre_hook(full)
    with pytest.raises(CallError, match=r"no memory .*; lower --max-length, or take a smaller student"):
        training.step_or_stop(training.steps_of(0)[0], 1e-3)


def test_no_memory_on_dev_names_the_size_that_fits(encoder: Path, gold: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    setting = setting_of(options(encoder, gold, tmp_path / "run", dev=str(gold), dev_batch_size=16))
    with processes("cpu") as one, torch.random.fork_rng():
        training = Training(setting, RunFolder(tmp_path / "run"), tmp_path / "tokenizer", one)

        def full(module: Any, args: Any, given: Any) -> None:
            if given["input_ids"].shape[0] > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")

        training.model.register_forward_pre_hook(full, with_kwargs=True)
        with training.vocabulary.whole(), pytest.raises(CallError, match="on dev; --dev-batch-size 4 fits"):
            training.score(training.student)


def test_a_loss_that_is_no_number_names_its_rows_and_keeps_the_epochs_before(
    encoder: Path, gold: Path, tmp_path: Path
) -> None:
    wild = [replace(row, id=f"wild-{n}", meta={"weight": 1e38}) for n, row in enumerate(read_jsonl(gold))]
    write_jsonl(wild, tmp_path / "wild.jsonl")
    given = {"distilled": (gold,), "weighted": True, "schedule": "mix", "epochs": 4, "batch_size": 4}
    for _ in range(2):  # called again it goes on, and ends the same
        says = r"loss is (inf|nan) in epoch 3, step 1 of 6 \(rows wild-\d+, .*\).* state after epoch 2 is kept"
        with pytest.raises(CallError, match=says):
            fit(options(encoder, tmp_path / "wild.jsonl", tmp_path / "run", **given))
        assert (tmp_path / "run" / "checkpoints" / "last.safetensors").exists()


def test_weights_that_are_no_numbers_are_never_kept(training: Training) -> None:
    plan = training.steps_of(0)
    next(training.model.parameters()).data.fill_(torch.nan)
    with pytest.raises(CallError, match="loss is nan in epoch 1, step 3 of 3"):
        training.look([torch.tensor(1.0)], 0, len(plan) - 1, plan)


def test_a_run_of_an_earlier_version_stays_readable(encoder: Path, gold: Path, tmp_path: Path) -> None:
    report = fit(options(encoder, gold, tmp_path / "run"))
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    for name in ("--accumulate", "--batch-tokens", "--patience", "the number of processes"):
        assert config["identity"].pop(name, None) is None
    path.write_text(json.dumps(config))
    assert fit(options(encoder, gold, tmp_path / "run")) == report
    with pytest.raises(CallError, match="--accumulate is not given there and 2 here"):
        fit(options(encoder, gold, tmp_path / "run", accumulate=2))


def test_a_function_that_changed_under_a_run_is_refused(encoder: Path, gold: Path, tmp_path: Path) -> None:
    (tmp_path / "curve.py").write_text("def w(t, T):\n    return 0, 1\n")
    given = {"schedule": f"{tmp_path}/curve.py:w"}
    fit(options(encoder, gold, tmp_path / "run", **given))
    (tmp_path / "curve.py").write_text("def w(t, T):\n    return 0, 0.5\n")
    with pytest.raises(CallError, match="the data of --schedule has changed"):
        fit(options(encoder, gold, tmp_path / "run", **given))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"batch_size": 4, "batch_tokens": 400}, "give one of them"),
        ({"batch_tokens": 40}, "--batch-tokens 40 holds no window of --max-length 64"),
        ({"patience": 2}, "there is no dev"),
        ({"accumulate": 0}, "--accumulate must be at least 1"),
        ({"schedule": "power", "n": -1.0}, "--n must be above 0"),
        ({"schedule": "sigmoid", "k": 0.0}, "--k must be above 0"),
        ({"schedule": "sigmoid", "k": float("inf")}, "--k must be a finite number"),
        ({"schedule": "0:0.5"}, "the points 0:0.5 schedule needs distilled data and there is none; give --distilled"),
    ],
)
def test_a_call_that_cannot_be_right_is_one_line(
    encoder: Path, gold: Path, tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(CallError, match=says):
        fit(options(encoder, gold, tmp_path / "run", **given))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_line(encoder: Path, gold: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="--device cuda: PyTorch finds no GPU"):
        fit(options(encoder, gold, tmp_path / "run", device="cuda"))


def test_steps_hold_every_batch_once() -> None:
    cut = [[one] for one in windows_of(7)]
    made = steps(cut, 3)
    assert [len(step.batches) for step in made] == [3, 3, 1]
    assert [step.words for step in made] == [sum(len(b[0].example.tags) for b in cut[i : i + 3]) for i in (0, 3, 6)]
    assert isinstance(made[0], Step)
