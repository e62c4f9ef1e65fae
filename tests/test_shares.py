"""Steps that threads take together: what one thread does, for the same seed to the very bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_student import make_tiny_encoder, make_tiny_student
from training_data import sentence, write_sentences

from students.dropout import cheapen, drawing, follows
from students.encode import Encoded
from students.model import load_student
from students.options import TrainOptions
from students.predictor import predict_encoded
from students.setting import setting_of
from students.team import Team
from students.train import fit


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"), dropout=False)


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """29 sentences: the last batch of eight is smaller, and the last share of five is empty."""
    return write_sentences(tmp_path_factory.mktemp("data") / "gold.jsonl", 29)


def options(encoder: Path, gold: Path, out: Path, **given: Any) -> TrainOptions:
    values: dict[str, Any] = {
        "gold": (gold,), "dev": str(gold), "schedule": "gold", "student": str(encoder), "epochs": 2, "lr": 1e-3,
        "max_length": 64, "stride": 8, "precision": "fp32", "out": out,
    }  # fmt: skip
    return TrainOptions(**(values | given))


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"threads": 3, "batch_size": 7, "accumulate": 2},
        {"batch_size": 28},  # whose last batch is one window: a share is empty
        {"clip": 0.01, "weight_decay": 0.1},
    ],
)
def test_threads_take_the_steps_of_one(encoder: Path, gold: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    one = fit(options(encoder, gold, tmp_path / "one", **(given | {"threads": 1})))
    two = fit(options(encoder, gold, tmp_path / "two", **({"threads": 2} | given)))
    first, second = (load_file(each.folder / "student-last" / "model.safetensors") for each in (one, two))
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in first)
    for row, other in zip(metrics(one.folder), metrics(two.folder), strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert all(row[name] == other[name] for name in ("steps", "tokens", "lr"))


def test_threads_take_the_steps_of_one_in_bf16_too(encoder: Path, gold: Path, tmp_path: Path) -> None:
    losses = []
    for threads in (1, 2):
        setting = setting_of(options(encoder, gold, tmp_path / f"{threads}", threads=threads, precision="auto"))
        if not setting.hardware.bf16:
            pytest.skip("this machine has no bf16 instructions")
        fit(setting.options)
        losses.append([row["loss"] for row in metrics(tmp_path / f"{threads}")])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({"threads": 1}, 1), ({"threads": 2}, 2), ({"threads": 16}, 4), ({"threads": 16, "batch_size": 32}, 16),
        ({"threads": 2, "batch_size": 3}, 1), ({"threads": 4, "batch_size": None, "batch_tokens": 192}, 3),
    ],
)  # fmt: skip
def test_a_share_has_two_windows_at_least(
    encoder: Path, gold: Path, tmp_path: Path, given: dict[str, Any], shares: int
) -> None:
    assert setting_of(options(encoder, gold, tmp_path, **given)).shares == shares


def test_several_processes_divide_the_batches_already(
    encoder: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert setting_of(options(encoder, gold, tmp_path, threads=2)).shares == 1


def test_an_error_arrives_when_all_threads_are_done() -> None:
    done: list[int] = []

    def job(number: int) -> int:
        if number < 2:
            raise ValueError(f"job {number}")
        done.append(number)
        return number

    team = Team(4, 1)
    with team:
        for _ in range(3):
            with pytest.raises(ValueError, match="job 0"):
                team.map(job)
        assert team.map(lambda number: torch.get_num_threads()) == [1] * 4
        assert team.map(lambda number: number) == [0, 1, 2, 3]
    assert sorted(done) == [2] * 3 + [3] * 3


def test_a_team_leaves_the_callers_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    with Team(2, before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_a_team_predicts_what_one_does(tmp_path: Path) -> None:
    student = load_student(make_tiny_student(tmp_path / "student"))
    documents = [sentence(number) for number in range(23)]
    texts: list[Encoded] = [student.encoder.encode(each.text) for each in documents]
    team = Team(3, 1)
    with team:
        found = predict_encoded(student, documents, texts, 4, team=team)
    assert found == predict_encoded(student, documents, texts, 4)


def test_what_is_dropped_follows_from_the_thread_s_own_generator(tmp_path: Path) -> None:
    model: Any = load_student(make_tiny_student(tmp_path / "student")).model
    assert not follows(model)  # PyTorch's dropout knows only PyTorch's generator
    cheapen(model)
    assert follows(model)
    ids = torch.tensor([[2, 9, 8, 7, 3]])

    def seen(seed: int) -> torch.Tensor:
        with drawing(torch.Generator().manual_seed(seed)), torch.no_grad():
            found: torch.Tensor = model.train()(input_ids=ids).logits
        return found

    assert torch.equal(seen(1), seen(1)) and not torch.equal(seen(1), seen(2))
