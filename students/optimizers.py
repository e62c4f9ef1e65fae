"""AdamW over a student's parameters, in as many parts as there are threads to take the step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from students.options import Recipe


def optimizers(model: nn.Module, recipe: Recipe, count: int = 1) -> list[torch.optim.Optimizer]:
    """Fused AdamW for each of `count` parts; weight decay on matrices only, not on biases, norms and embeddings."""
    embedding = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    made: list[torch.optim.Optimizer] = []
    for part in _parts(list(model.parameters()), count):
        matrices = [p for p in part if p.ndim >= 2 and id(p) not in embedding]
        chosen = {id(p) for p in matrices}
        rest = [p for p in part if id(p) not in chosen]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        made.append(torch.optim.AdamW(groups, lr=recipe.lr, fused=True))
    return made


def _parts(parameters: Sequence[nn.Parameter], count: int) -> list[list[nn.Parameter]]:
    """Parameters in parts of about as many numbers each: the largest first, always to the smallest part."""
    chosen: list[list[int]] = [[] for _ in range(count)]
    sizes = [0] * count
    for n in sorted(range(len(parameters)), key=lambda n: -parameters[n].numel()):
        part = sizes.index(min(sizes))
        chosen[part].append(n)
        sizes[part] += parameters[n].numel()
    return [[parameters[n] for n in sorted(part)] for part in chosen]
