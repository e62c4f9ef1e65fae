"""Early exits: small heads that read a student's middle layers, so that plain sentences need not go through all.

The student itself stays as it is. A head learns what the last layer says of the training texts' words, no gold among
it (after Xin et al. 2020, DeeBERT, and Li et al. 2021, who tag so; their heads are trained with the model). Where it is
sure of each word of a window, the runtime stops there (students/early.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from distill.errors import InputError
from distill.progress import progress
from students.batches import by_length
from students.model import Student
from students.predictor import padded
from students.targets import Example

FILE = "exits.safetensors"
INNER = 128  # width of a head
WORDS = 60_000
"""Words to learn from at the most: 280 MB of states for MiniLM."""
_EPOCHS, _BATCH, _LR, _DECAY = 6, 256, 1e-3, 0.01
_ROWS = 32  # windows a forward pass

Exits = Mapping[int, nn.Sequential]
"""Heads by the number of layers below them: from states (words, width) to logits (words, tags)."""


def exit_layers(layers: int) -> list[int]:
    """After which of a student's layers there is an exit: a third, half, two thirds of them."""
    return sorted({round(layers * share) for share in (1 / 3, 1 / 2, 2 / 3)} - {0, layers})


def fitted(student: Student, rows: Iterable[Sequence[Example]], seed: int) -> Exits:
    """The exits of a trained student, which stays as it is; `rows` are the windows of each text to learn from."""
    wanted = exit_layers(layers_of(student))
    windows = _some([window for row in rows for window in row if len(window.at)], seed)
    if not windows or not wanted:
        return {}
    states, shares = _read(student, windows, wanted)
    return {layer: _fit(states[layer], shares, 1_009 * seed + layer) for layer in wanted}


def layers_of(student: Student) -> int:
    """How many layers a student has; 0 where its kind does not say."""
    return int(getattr(student.model.config, "num_hidden_layers", 0))


def _some(windows: list[Example], seed: int) -> list[Example]:
    """All windows, or some that have WORDS words."""
    random.Random(f"{seed}/exits").shuffle(windows)
    words, kept = 0, []
    for window in windows:
        if words >= WORDS:
            break
        kept.append(window)
        words += len(window.at)
    return kept


def _read(
    student: Student, windows: Sequence[Example], wanted: Sequence[int]
) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
    """The words' states after each wanted layer, (words, width), and the shares of their tags, (words, tags)."""
    model: Any = student.model
    states: dict[int, list[torch.Tensor]] = {layer: [] for layer in wanted}
    shares: list[torch.Tensor] = []
    with torch.no_grad(), progress("early exits", len(windows)) as bar:
        for chosen in by_length([window.ids for window in windows], _ROWS):
            ids, mask = padded([windows[i].ids for i in chosen], student.encoder.pad_id)
            ids, mask = ids.to(model.device), mask.to(model.device)
            out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            places = [torch.from_numpy(windows[i].at).long() + n * ids.shape[1] for n, i in enumerate(chosen)]
            at = torch.cat(places).to(model.device)
            for layer in wanted:
                states[layer].append(out.hidden_states[layer].flatten(0, 1)[at].float())
            shares.append(out.logits.flatten(0, 1)[at].float().softmax(-1))
            bar.advance(len(chosen))
    return {layer: torch.cat(own) for layer, own in states.items()}, torch.cat(shares)


def _fit(states: torch.Tensor, shares: torch.Tensor, seed: int) -> nn.Sequential:
    """A head that gives the shares for the states: cross entropy with soft targets, the same from the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = new_head(states.shape[1], shares.shape[1]).to(states.device)
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=_DECAY)
        steps, done = _EPOCHS * -(-len(states) // _BATCH), 0
        for _ in range(_EPOCHS):
            for chosen in torch.randperm(len(states)).to(states.device).tensor_split(steps // _EPOCHS):
                optimizer.param_groups[0]["lr"] = _LR * (1 - done / steps)
                loss = -(shares[chosen] * head(states[chosen]).log_softmax(-1)).sum(-1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1
    return head


def new_head(width: int, tags: int) -> nn.Sequential:
    """A head that has learnt nothing yet."""
    return nn.Sequential(nn.Linear(width, INNER), nn.GELU(), nn.Linear(INNER, tags))


def write_exits(exits: Exits, folder: Path) -> None:
    """Put the exits beside a student's files; nothing where there are none."""
    tensors = {
        f"{layer}.{name}": value.detach().cpu().contiguous()
        for layer, head in exits.items() for name, value in head.state_dict().items()
    }  # fmt: skip
    if tensors:
        fresh = folder / f"{FILE}.new"
        save_file(tensors, fresh)
        fresh.replace(folder / FILE)


def read_exits(folder: Path, student: Student) -> Exits:
    """The exits in a student's folder, in order; none without their file, InputError where it is not this student's."""
    path = folder / FILE
    if not path.is_file():
        return {}
    width, tags = student.model.config.hidden_size, len(student.tags)
    try:
        tensors = load_file(path)
        exits = {layer: new_head(width, tags) for layer in exit_layers(layers_of(student))}
        for layer, head in exits.items():
            own = {name.removeprefix(f"{layer}."): t for name, t in tensors.items() if name.startswith(f"{layer}.")}
            head.load_state_dict(own)
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"not the early exits of this student: {reason}; delete it to do without", path=path) from None
    return exits


def arrays(exits: Exits) -> dict[int, list[npt.NDArray[np.float32]]]:
    """The heads' weights for `students.early`: (width, inner), (inner,), (inner, tags), (tags,)."""
    return {layer: [each.detach().numpy().T.copy() for each in head.parameters()] for layer, head in exits.items()}
