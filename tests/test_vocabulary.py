"""Training the narrow embedding table gives what training the whole one would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_student import PIECES, make_tiny_student

from students.model import load_student
from students.vocabulary import Vocabulary

ROWS = [np.asarray([2, 50, 60, 3], np.int32), np.asarray([2, 61, 60, 3], np.int32)]


def trained(folder: Path, narrow: bool) -> Any:
    """The model after some steps of AdamW on ROWS, its dropout switched off."""
    model: Any = load_student(folder).model
    vocabulary = Vocabulary(model, ROWS, 0) if narrow else None
    ids = np.stack(ROWS).astype(np.int64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0, fused=True)
    for _ in range(5):
        seen = vocabulary.narrow(ids) if vocabulary else ids
        model(input_ids=torch.from_numpy(seen)).logits.square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    if vocabulary:
        with vocabulary.whole():
            return {name: value.clone() for name, value in model.state_dict().items()}
    return model.state_dict()


def test_narrow_and_whole_training_agree(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    whole, narrow = trained(folder, narrow=False), trained(folder, narrow=True)
    assert whole.keys() == narrow.keys()
    for name, value in whole.items():
        torch.testing.assert_close(value, narrow[name], rtol=1e-4, atol=1e-6, msg=name)
    table = "bert.embeddings.word_embeddings.weight"
    assert narrow[table].shape[0] == len(PIECES)
    before: Any = load_student(folder).model.state_dict()[table]
    untouched = [i for i in range(len(PIECES)) if i not in {0, 2, 3, 50, 60, 61}]
    assert torch.equal(before[untouched], narrow[table][untouched])
    assert not torch.equal(before[60], narrow[table][60])
