"""Checkpoints: model, optimizers and progress in one safetensors file that is whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from distill.errors import InputError
from distill.files import filling
from distill.runs import GOES_ON

MODEL, OPTIMIZER = "model/", "optimizer/"
Optimizers = Sequence[torch.optim.Optimizer]
"""Each has its own part of the parameters, and moments are numbered through all of them."""


def save(path: Path, model: nn.Module, optimizers: Optimizers, progress: dict[str, Any]) -> None:
    """Write all that goes on: weights, the optimizers' moments, and `progress` as JSON.

    Randomness needs no state: every epoch draws from its own number and the seed.
    """
    tensors = {MODEL + name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for optimizer, before in zip(optimizers, _before(optimizers), strict=True):
        for index, moments in optimizer.state_dict()["state"].items():
            own = f"{OPTIMIZER}{before + index}/"
            tensors |= {own + name: value.detach().cpu().contiguous() for name, value in moments.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with filling(path, GOES_ON):
        save_file(tensors, fresh, metadata={"progress": json.dumps(progress)})
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
    fresh.replace(path)


def _before(optimizers: Optimizers) -> list[int]:
    """How many parameters the optimizers before each one have."""
    counts = [sum(len(group["params"]) for group in each.param_groups) for each in optimizers]
    return [sum(counts[:n]) for n in range(len(counts))]


def restore(path: Path, model: nn.Module, optimizers: Optimizers) -> dict[str, Any]:
    """Put a checkpoint back into `model` and `optimizers`; returns its progress."""
    try:
        with safe_open(path, framework="pt") as stored:
            progress = json.loads(stored.metadata()["progress"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no dict
        model.load_state_dict({n.removeprefix(MODEL): t for n, t in tensors.items() if n.startswith(MODEL)})
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        message = f"not this run's checkpoint: {reason}; remove the run folder to start anew"
        raise InputError(message, path=path) from None
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMIZER):
            index, moment = name.removeprefix(OPTIMIZER).split("/")
            state.setdefault(int(index), {})[moment] = tensor
    for optimizer, before in zip(optimizers, _before(optimizers), strict=True):
        groups = optimizer.state_dict()["param_groups"]
        own = {index: state[before + index] for group in groups for index in group["params"] if before + index in state}
        optimizer.load_state_dict({"state": own, "param_groups": groups})
    assert isinstance(progress, dict)
    return progress
