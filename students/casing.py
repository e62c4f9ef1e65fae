"""Students that see a word's case: BERT's segments become kinds of case (`students.case`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from distill.errors import InputError
from students.case import KINDS, STEP

FLAG = "sees_case"


def segments_of(model: Any) -> nn.Embedding | None:
    """The embeddings of a model's segments, None where it has none."""
    table = getattr(getattr(model.base_model, "embeddings", None), "token_type_embeddings", None)
    return table if isinstance(table, nn.Embedding) else None


def sees_case(model: Any) -> bool:
    """Whether a model was trained with its words' case; its `config.json` says so, wherever it comes from.

    Raises InputError where that cannot be: for another number of segments, or a value that is neither true nor false.
    """
    said = getattr(model.config, FLAG, False)
    table = segments_of(model)
    if type(said) is not bool or (said and (table is None or table.num_embeddings != KINDS)):
        message = f"not a student that can be used: {FLAG} is {said!r}, which does not fit the model's segments"
        raise InputError(message, path=Path(model.config.name_or_path) / "config.json")
    return said


def give_case(model: Any) -> bool:
    """Make a model's segments kinds of case, all of them at first as the one it knows; False where it has none."""
    table = segments_of(model)
    if table is None:
        return False
    weight = table.weight.detach()[:1].repeat(KINDS, 1)
    model.base_model.embeddings.token_type_embeddings = nn.Embedding(KINDS, weight.shape[1], _weight=weight)
    model.config.type_vocab_size = KINDS
    setattr(model.config, FLAG, True)
    return True


def read_case(model: Any) -> None:
    """Let a model take ids that carry the case of their word."""
    model.register_forward_pre_hook(_taken_apart, with_kwargs=True)


def _taken_apart(_model: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    ids: torch.Tensor = named["input_ids"]
    pieces = torch.remainder(ids, STEP)
    return given, {**named, "input_ids": pieces, "token_type_ids": torch.div(ids - pieces, STEP, rounding_mode="floor")}
