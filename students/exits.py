"""Early exits: small heads that read a student's middle layers, so that plain words need not go through all.

The student itself stays as it is. A head learns what the last layer says of the training texts' words, no gold among
it (after Xin et al. 2020, DeeBERT, and Li et al. 2021, who tag so; their heads are trained with the model). Where it is
sure of a word, the runtime leaves the word there (students/early.py). Words that go on still look at those that stay:
a shortcut, one matrix in the place of a layer, says where a layer would take them (Din et al. 2023).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
_RIDGE = 1e-3  # of the states' mean variance
_ROWS = 32  # windows a forward pass

Arrays = Mapping[int, list[npt.NDArray[np.float32]]]


class Exits(NamedTuple):
    """Heads by the number of layers below them: from states (words, width) to logits (words, tags).

    Shortcuts by the number of layers below the one that they stand for: from states (tokens, width) to what is to be
    added to them, of the same shape.
    """

    heads: Mapping[int, nn.Sequential]
    shortcuts: Mapping[int, nn.Linear]


def exit_layers(layers: int) -> list[int]:
    """After which of a student's layers there is an exit: a third, half, two thirds of them."""
    return sorted({round(layers * share) for share in (1 / 3, 1 / 2, 2 / 3)} - {0, layers})


def shortcut_layers(layers: int) -> list[int]:
    """Layers that have a shortcut, by the number of those below: all behind the first exit but the last."""
    return list(range(min(exit_layers(layers), default=layers), layers - 1))


def fitted(student: Student, rows: Iterable[Sequence[Example]], seed: int) -> Exits:
    """The exits of a trained student, which stays as it is; `rows` are the windows of each text to learn from."""
    layers = layers_of(student)
    windows = _some([window for row in rows for window in row if len(window.at)], seed)
    if not windows or not exit_layers(layers):
        return Exits({}, {})
    states: dict[int, list[torch.Tensor]] = {layer: [] for layer in exit_layers(layers)}
    shares: list[torch.Tensor] = []
    ways = {layer: _Way(student.model.config.hidden_size) for layer in shortcut_layers(layers)}
    for read, at, of_words in _read(student, windows):
        for layer, own in states.items():
            own.append(read[layer].flatten(0, 1)[at.words].float())
        for layer, way in ways.items():
            way.add(read[layer][at.tokens], read[layer + 1][at.tokens])
        shares.append(of_words)
    said = torch.cat(shares)
    heads = {layer: _fit(torch.cat(own), said, 1_009 * seed + layer) for layer, own in states.items()}
    return Exits(heads, {layer: way.shortcut() for layer, way in ways.items()})


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


class _Places(NamedTuple):
    """Where words' first pieces stand among a batch's tokens; and which of these, (windows, length), are no filling."""

    words: torch.Tensor
    tokens: torch.Tensor


def _read(
    student: Student, windows: Sequence[Example]
) -> Iterator[tuple[Sequence[torch.Tensor], _Places, torch.Tensor]]:
    """Batch by batch: the states after each layer, (windows, length, width), and the shares of words' tags."""
    model: Any = student.model
    with torch.no_grad(), progress("early exits", len(windows)) as bar:
        for chosen in by_length([window.ids for window in windows], _ROWS):
            ids, mask = padded([windows[i].ids for i in chosen], student.encoder.pad_id)
            ids, mask = ids.to(model.device), mask.to(model.device)
            out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            places = [torch.from_numpy(windows[i].at).long() + n * ids.shape[1] for n, i in enumerate(chosen)]
            at = _Places(torch.cat(places).to(model.device), mask.bool())
            yield out.hidden_states, at, out.logits.flatten(0, 1)[at.words].float().softmax(-1)
            bar.advance(len(chosen))


class _Way:
    """What it takes to say linearly where a layer takes its tokens: sums over tokens, and the ridge's answer."""

    def __init__(self, width: int) -> None:
        self.tokens = 0
        self.sums = torch.zeros(2, width, dtype=torch.float64)
        self.squares, self.products = (torch.zeros(width, width, dtype=torch.float64) for _ in range(2))

    def add(self, before: torch.Tensor, after: torch.Tensor) -> None:
        """States of tokens before and after the layer, (tokens, width)."""
        states, steps = before.double().cpu(), (after.double() - before.double()).cpu()
        self.tokens += len(states)
        self.sums += torch.stack((states.sum(0), steps.sum(0)))
        self.squares += states.T @ states
        self.products += states.T @ steps

    def shortcut(self) -> nn.Linear:
        """From a token's state to the step that the layer takes with it."""
        mean, step = self.sums / self.tokens
        squares = self.squares / self.tokens - torch.outer(mean, mean)
        squares += torch.eye(len(mean), dtype=torch.float64) * (_RIDGE * squares.diagonal().mean() + 1e-9)
        found = torch.linalg.solve(squares, self.products / self.tokens - torch.outer(mean, step))
        made = new_shortcut(len(mean))
        with torch.no_grad():
            made.weight.copy_(found.T)
            made.bias.copy_(step - mean @ found)
        return made


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


def new_shortcut(width: int) -> nn.Linear:
    """A shortcut that leads nowhere in particular yet."""
    with torch.random.fork_rng():
        return nn.Linear(width, width)


def _modules(exits: Exits) -> dict[str, nn.Module]:
    """All parts by the beginning of their names in FILE."""
    heads = {f"{layer}.": head for layer, head in exits.heads.items()}
    return heads | {f"{layer}.shortcut.": shortcut for layer, shortcut in exits.shortcuts.items()}


def write_exits(exits: Exits, folder: Path) -> None:
    """Put the exits beside a student's files; nothing where there are none."""
    tensors = {
        f"{prefix}{name}": value.detach().cpu().contiguous()
        for prefix, module in _modules(exits).items() for name, value in module.state_dict().items()
    }  # fmt: skip
    if tensors:
        fresh = folder / f"{FILE}.new"
        save_file(tensors, fresh)
        fresh.replace(folder / FILE)


def read_exits(folder: Path, student: Student) -> Exits:
    """The exits in a student's folder, in order; none without their file, InputError where it is not this student's."""
    path = folder / FILE
    if not path.is_file():
        return Exits({}, {})
    width, tags, layers = student.model.config.hidden_size, len(student.tags), layers_of(student)
    exits = Exits(
        {layer: new_head(width, tags) for layer in exit_layers(layers)},
        {layer: new_shortcut(width) for layer in shortcut_layers(layers)},
    )
    try:
        tensors = load_file(path)
        for prefix, module in _modules(exits).items():
            module.load_state_dict({name: tensors[f"{prefix}{name}"] for name in module.state_dict()})
    except (SafetensorError, RuntimeError, KeyError) as error:
        reason = f"no {error.args[0]} in it" if isinstance(error, KeyError) else str(error).splitlines()[-1].strip()
        message = f"not the early exits of this student: {reason}; train it again, or delete the file to do without"
        raise InputError(message, path=path) from None
    return exits


def arrays(exits: Exits) -> tuple[Arrays, Arrays]:
    """Their weights for `students.early`: heads' (width, inner), (inner,), (inner, tags), (tags,), shortcuts'."""
    heads, shortcuts = (
        {layer: [each.detach().numpy().T.copy() for each in module.parameters()] for layer, module in part.items()}
        for part in exits
    )
    return heads, shortcuts
