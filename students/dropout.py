"""Dropout on a CPU at a fraction of its price: one drawn number decides over four values.

PyTorch draws a number for each value, which takes 6 nanoseconds, and computes attention with dropout in several passes.
Here 64 drawn bits are four numbers of 16, and attention is written out. The chance to drop is right to 1/65536; what is
dropped follows from the same generator, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "sdpa_with_cheap_dropout"
_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def drawing(generator: torch.Generator) -> Iterator[None]:
    """Let what this thread drops follow from `generator` instead of PyTorch's own, which all threads share."""
    before = _generator.set(generator)
    try:
        yield
    finally:
        _generator.reset(before)


def dropped(values: torch.Tensor, chance: float) -> torch.Tensor:
    """`values` with each set to 0 by `chance`, the others raised so that the mean stays."""
    count = values.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None, generator=_generator.get())
    keep = bits.view(torch.int16)[:count].view(values.shape) >= round(chance * 2**16) - 2**15
    return values * keep.to(values.dtype).mul_(1 / (1 - chance))


class CheapDropout(nn.Module):
    """nn.Dropout, cheaper."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return dropped(values, self.p) if self.training and self.p else values


def attention(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None,
    *, dropout: float = 0.0, scaling: float | None = None, **rest: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """An encoder's attention in the form transformers calls it; shapes (windows, heads, tokens, width)."""
    if not dropout or getattr(module, "is_causal", True):
        whole: Any = sdpa_attention_forward
        return whole(module, query, key, value, mask, dropout=dropout, scaling=scaling, **rest)  # type: ignore[no-any-return]
    with torch.autocast("cpu", enabled=False):  # in fp32, as scaled_dot_product_attention does it with dropout
        scores = (query.float() * (query.shape[-1] ** -0.5 if scaling is None else scaling)) @ key.float().mT
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(torch.float32).min)
        found = dropped(scores.softmax(-1), dropout) @ value.float()
    return found.to(query.dtype).transpose(1, 2).contiguous(), None


def cheapen(model: Any) -> None:
    """Put cheap dropout into a model that trains on a CPU, and into its attention where transformers lets one."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Dropout):
                setattr(parent, name, CheapDropout(child.p).train(child.training))
    if model.config._attn_implementation == "sdpa" and model._supports_attention_backend:
        AttentionInterface.register(NAME, attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def follows(model: Any) -> bool:
    """Whether all that a model drops follows from `drawing`'s generator; a model may have dropout of its own kind."""
    before, ids = torch.random.get_rng_state(), torch.zeros((1, 4), dtype=torch.long)
    with drawing(torch.Generator()), torch.no_grad():
        model.train()(input_ids=ids, attention_mask=torch.ones_like(ids))
    after = torch.random.get_rng_state()
    torch.random.set_rng_state(before)
    return torch.equal(before, after)
