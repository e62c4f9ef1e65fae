"""A step in shares: threads that each take a part of a batch, and then a part of the weights.

A small student's operators are too small to be divided: waking a second OpenMP thread costs what it saves. So a batch
is divided instead. Each share goes through the student on a core of its own, and the shares' gradients are added in
their order. What does not shrink with a share is done once, divided by parameters: the weights in bf16, the sum of
gradients, clipping, AdamW.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from students.batches import Step, Weighted
from students.dropout import drawing
from students.team import Team

Losses = Callable[[Any, Sequence[Weighted]], torch.Tensor]
Gradients = Sequence[torch.Tensor | None]


class Shares:
    """What the threads of a team need to take steps together."""

    def __init__(
        self, model: nn.Module, team: Team, optimizers: Sequence[torch.optim.Optimizer], *, bf16: bool
    ) -> None:
        """`optimizers` are one a thread, each over a part of the model's parameters."""
        self._team, self._optimizers = team, optimizers
        self._weights = list(model.parameters())
        # The copy has the very parameters of the model, but for those that are in bf16.
        self._copy: Any = copy.deepcopy(model, {id(weight): weight for weight in self._weights}).train()
        if bf16:
            _in_bf16(self._copy)
        self._leaves = list(self._copy.parameters())
        place = {id(weight): n for n, weight in enumerate(self._weights)}
        self._parts = [[place[id(p)] for group in each.param_groups for p in group["params"]] for each in optimizers]
        self._generators = [torch.Generator() for _ in range(team.count)]

    def refresh(self) -> None:
        """Take over the model's weights; to be called where others than `step` have changed them."""
        self._team.map(self._refresh)

    def step(self, step: Step, losses: Losses, *, clip: float, seed: str) -> torch.Tensor:
        """One step of the optimizers; returns the step's loss.

        `losses` gives the sum of the losses of some windows by a model. Dropout follows from `seed` and the share.
        """
        found = self._team.map(lambda share: self._learn(share, step, losses, seed))
        norms = self._team.map(lambda part: self._collect(part, [gradients for _, gradients in found]))
        norm = torch.linalg.vector_norm(torch.stack(norms))
        scale = (norm / clip).clamp(min=1.0) if clip else torch.ones(())  # a norm that is no number stays none
        self._team.map(lambda part: self._update(part, scale))
        return torch.stack([loss for loss, _ in found]).sum()

    def _learn(self, share: int, step: Step, losses: Losses, seed: str) -> tuple[torch.Tensor, Gradients]:
        """The loss and the gradients of a share of each of the step's batches."""
        loss = torch.zeros(())
        gradients: Gradients = [None] * len(self._leaves)
        generator = self._generators[share].manual_seed(random.Random(f"{seed}/{share}").getrandbits(63))
        with drawing(generator):
            for windows in step.batches:
                if own := windows[share :: self._team.count]:  # sorted by length, so shares are about equal
                    part = losses(self._copy, own) / max(step.words, 1)
                    found = torch.autograd.grad(part, self._leaves, allow_unused=True)
                    gradients = [_sum(*pair) for pair in zip(gradients, found, strict=True)]
                    loss += part.detach()
        return loss, gradients

    def _collect(self, part: int, found: Sequence[Gradients]) -> torch.Tensor:
        """Add up the shares' gradients of a part's weights; returns their norm."""
        norms = [torch.zeros(())]
        for n in self._parts[part]:
            total: torch.Tensor | None = None
            for gradients in found:
                total = _sum(total, gradients[n])
            if total is not None:
                self._weights[n].grad = total = total.float()
                norms.append(torch.linalg.vector_norm(total))  # now, while it is in the cache
        norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm

    def _update(self, part: int, scale: torch.Tensor) -> None:
        """AdamW on a part, which divides the gradients by `scale` in passing, as it does for a gradient scaler."""
        optimizer: Any = self._optimizers[part]
        optimizer.grad_scale, optimizer.found_inf = scale, torch.zeros(())
        optimizer.step()
        optimizer.zero_grad()
        self._refresh(part)

    def _refresh(self, part: int) -> None:
        with torch.no_grad():
            for n in self._parts[part]:
                if self._leaves[n] is not self._weights[n]:
                    self._leaves[n].copy_(self._weights[n])


def _in_bf16(model: nn.Module) -> None:
    """Give a model's matrix products weights in bf16 of their own: what autocast would make anew in every share."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(weight.detach().bfloat16()))


def _sum(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
    """Two gradients added in fp32, of which either may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return one + other if one.dtype == torch.float32 else one.float().add_(other)
