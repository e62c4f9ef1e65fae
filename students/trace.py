"""A PyTorch student as an ONNX graph in fp32, for rows without padding."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface

from students.graph import tidy
from students.lean import flatten

OPSET = 20  # the first with Gelu as one node; onnxruntime 1.17 and later read it
_ATTENTION = "unpadded"


class _Unpadded(nn.Module):
    """The student as a function of `input_ids` alone: every token of a row counts, so there is no mask."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.segments = "token_type_ids" in inspect.signature(model.forward).parameters

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, length, tags)."""
        extra = {"token_type_ids": torch.zeros_like(input_ids)} if self.segments else {}
        logits: torch.Tensor = self.model(input_ids=input_ids, **extra).logits
        return logits


def _attend(
    _module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, _mask: Any, **settings: Any
) -> tuple[torch.Tensor, None]:
    """Attention as it stands in the paper, without the branches for masks and empty rows."""
    scaling = settings.get("scaling") or query.shape[-1] ** -0.5
    shares = torch.softmax(torch.matmul(query * scaling, key.transpose(2, 3)), dim=-1)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


def trace(model: Any) -> onnx.ModelProto:
    """The student's graph: `input_ids` (batch, length) to `logits` (batch, length, tags), weights inside."""
    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, lambda *_, **__: None)
    before = model.config._attn_implementation
    model.eval().set_attn_implementation(_ATTENTION)
    dynamic = torch.export.Dim.DYNAMIC  # an axis of 1, or an example shorter than 3, would be taken for a constant
    example = torch.arange(14).reshape(2, 7) % model.config.vocab_size
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                _Unpadded(model), (example,), dynamo=True, input_names=["input_ids"], output_names=["logits"],
                dynamic_shapes=({0: dynamic, 1: dynamic},), opset_version=OPSET, verbose=False, external_data=False,
            )  # fmt: skip
    finally:
        model.set_attn_implementation(before)
    assert program is not None
    graph = program.model_proto
    flatten(graph)
    return tidy(graph)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own inner workings; our gates check what comes out."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
