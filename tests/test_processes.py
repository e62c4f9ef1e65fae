"""Several processes: the blend and the result of one, whoever is killed when."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_student import make_tiny_encoder
from training_data import sentence, write_sentences

from distill.document import Document
from distill.errors import CallError
from distill.jsonl import write_jsonl
from students.batches import Weighted
from students.options import TrainOptions
from students.processes import processes
from students.train import fit

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Options of a training without dropout, whose last batch of an epoch is a single window."""
    folder = tmp_path_factory.mktemp("data")
    encoder = make_tiny_encoder(folder / "encoder")
    config = json.loads((encoder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (encoder / "config.json").write_text(json.dumps(config))
    for seed, name in enumerate(("distilled", "gold", "dev")):
        write_sentences(folder / f"{name}.jsonl", 46, seed)
    return {
        "distilled": str(folder / "distilled.jsonl"), "gold": str(folder / "gold.jsonl"), "schedule": "cosine",
        "dev": str(folder / "dev.jsonl"), "student": str(encoder), "epochs": "4", "lr": "1e-3", "max_length": "64",
        "stride": "8", "threads": "1", "precision": "fp32", "batch_size": "5", "accumulate": "2",
    }  # fmt: skip


def started(given: dict[str, str], out: Path, count: int = 2) -> list[subprocess.Popen[str]]:
    """The processes of one training, as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
    call = [sys.executable, "-m", "cli", "train", *flags, "--out", str(out)]
    world = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "PYTHONPATH": str(ROOT)}
    world |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "LOCAL_WORLD_SIZE": str(count)}
    return [
        subprocess.Popen(
            call, cwd=out.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(count)
    ]  # fmt: skip


def finished(children: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    said = [child.communicate(timeout=600) for child in children]
    assert [child.returncode for child in children] == [0] * len(children), said[0][1] + said[-1][1]
    return said


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "student-last" / "model.safetensors")


def options(given: dict[str, str], out: Path) -> TrainOptions:
    read: dict[str, Any] = {name: int(value) if value.isdigit() else value for name, value in given.items()}
    data = {name: (Path(given[name]),) for name in ("distilled", "gold")}
    return TrainOptions(**(read | data | {"lr": float(given["lr"])}), out=out)


@pytest.fixture(scope="module")
def both(given: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes that nobody killed."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    said = finished(started(given, folder))
    assert "strict F1" in said[0][0] and "epoch 4/4" in said[0][1]  # the first speaks
    assert said[1] == ("", "")  # and only the first
    return folder


@pytest.mark.timeout(900)  # on a busy machine starting python six times takes minutes
def test_two_processes_train_what_one_does(given: dict[str, str], both: Path, tmp_path: Path) -> None:
    fit(options(given, tmp_path / "alone"))
    one, two = metrics(tmp_path / "alone"), metrics(both)
    for name in ("distilled", "gold", "steps", "tokens", "lr", "w0"):
        assert [row[name] for row in one] == [row[name] for row in two]
    assert [row["loss"] for row in one] == pytest.approx([row["loss"] for row in two], rel=1e-3)
    assert [row["dev"]["gold"] for row in one] == [row["dev"]["gold"] for row in two]
    first, second = weights(tmp_path / "alone"), weights(both)
    assert all(torch.allclose(first[name], second[name], atol=1e-3) for name in first)
    with pytest.raises(CallError, match="the number of processes is 2 there and not given here"):
        fit(options(given, both))


@pytest.mark.timeout(900)
def test_two_processes_go_on_after_a_kill_to_the_very_same_student(
    given: dict[str, str], both: Path, tmp_path: Path
) -> None:
    cut = started(given, tmp_path / "cut")
    path = tmp_path / "cut" / "metrics.jsonl"
    while cut[0].poll() is None and not path.exists():
        time.sleep(0.002)
    for child in cut:
        child.kill()
        child.communicate()
    assert not (tmp_path / "cut" / "report.json").exists(), "the processes ended before they could be killed"
    assert "going on after epoch" in finished(started(given, tmp_path / "cut"))[0][1]
    first, second = weights(both), weights(tmp_path / "cut")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.timeout(900)
def test_torchrun_vets_the_teachers_and_trains_in_one_meeting(given: dict[str, str], tmp_path: Path) -> None:
    """The judge is a training of its own: processes that part after it and meet anew may miss each other."""
    wrong = [
        replace(d, id=f"w{n}", text=f"{d.text} {n}", entities=tuple(replace(e, label="LOC") for e in d.entities))
        for n, d in enumerate(sentence(number, 7) for number in range(400))
    ]
    gold = [replace(d, text=f"{d.text} g {n}") for n, d in enumerate(sentence(number, 8) for number in range(400))]
    write_jsonl(wrong, tmp_path / "wrong.jsonl")
    write_jsonl(gold, tmp_path / "gold.jsonl")
    asked = given | {"distilled": str(tmp_path / "wrong.jsonl"), "gold": str(tmp_path / "gold.jsonl"), "epochs": "2"}
    asked |= {"lr": "5e-3"}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items()]
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cli", "train"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    for _ in range(2):  # the second call finds all done
        call = subprocess.run([*run, *flags, "--out", str(tmp_path / "run")], cwd=tmp_path, text=True, env=env,
                              capture_output=True, timeout=600, check=False)  # fmt: skip
        assert call.returncode == 0, call.stderr
    assert "left out (--no-vet keeps it)" in (tmp_path / "run" / "report.json").read_text()
    assert not json.loads((tmp_path / "run" / "vetting.json").read_text())[0]["kept"]


def test_every_window_goes_to_one_process_and_none_stands_idle() -> None:
    windows: list[Any] = [Weighted(Document(str(n), "a"), 1.0) for n in range(5)]  # type: ignore[arg-type]
    with processes("cpu") as one:
        assert one.share(windows) == windows
        one.count = 2
        shares: list[Any] = []
        for one.rank in range(2):
            shares.append(one.share(windows))
        assert sorted(window.example.id for share in shares for window in share) == ["0", "1", "2", "3", "4"]
        assert one.share(windows[:1]) == [windows[0]._replace(weight=0.0)]
        one.count = 1
