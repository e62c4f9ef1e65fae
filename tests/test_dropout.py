"""Cheap dropout drops what dropout drops, and leaves no trace in the student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_student import make_tiny_student

from students.dropout import NAME, attention, cheapen, dropped
from students.model import load_student


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        ones = torch.ones(301, 999, requires_grad=True)
        found = dropped(ones, 0.1)
        torch.manual_seed(1)
        assert torch.equal(found, dropped(ones, 0.1))
    assert float((found == 0).float().mean()) == pytest.approx(0.1, abs=0.003)
    assert float(found.detach().mean()) == pytest.approx(1, abs=0.004)
    (slope,) = torch.autograd.grad(found.sum(), ones)
    assert torch.equal(slope, found.detach())
    halves = [(found[:, at::2] == 0).float() for at in (0, 1)]  # neighbours fall independently
    together = float((halves[0][:, :499] * halves[1][:, :499]).mean())
    assert together == pytest.approx(0.01, abs=0.002)


def test_attention_is_that_of_pytorch() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        query, key, value = (torch.randn(3, 2, 7, 4) for _ in range(3))
    mask = torch.ones(3, 1, 7, 7, dtype=torch.bool)
    mask[1, :, :, 4:] = False
    encoder: Any = torch.nn.Module()
    encoder.is_causal = False
    for given in (mask, None):
        nothing_dropped, _ = attention(encoder, query, key, value, given, dropout=1e-9)
        expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=given)
        assert torch.allclose(nothing_dropped, expected.transpose(1, 2), atol=1e-6)


def test_a_student_predicts_and_is_saved_as_if_nothing_had_been_exchanged(tmp_path: Path) -> None:
    model: Any = load_student(make_tiny_student(tmp_path / "student")).model
    ids = torch.tensor([[2, 9, 8, 7, 3, 0], [2, 9, 8, 7, 6, 3]])
    with torch.inference_mode():
        before = model(input_ids=ids, attention_mask=(ids != 0).long()).logits
        cheapen(model)
        after = model(input_ids=ids, attention_mask=(ids != 0).long()).logits
    assert torch.equal(before, after) and model.config._attn_implementation == NAME
    model.save_pretrained(tmp_path / "saved")
    assert NAME not in (tmp_path / "saved" / "config.json").read_text()
    assert sorted(model.state_dict()) == sorted(load_student(tmp_path / "student").model.state_dict())
    model.train()
    assert not torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)  # it does drop
