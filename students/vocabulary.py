"""Training only the embeddings that occur: the others cannot change, so the optimizer need not walk over them.

BERT's embedding table holds most of a small student's parameters, of which a corpus of a few thousand sentences meets
a small part. A row without gradient keeps its value under AdamW without weight decay, so training the narrow table
gives what training the whole one would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from students.case import piece_of
from students.encode import Ids


class Vocabulary:
    """A model whose embedding table holds, while it trains, only the pieces of its data."""

    def __init__(self, model: Any, rows: Iterable[Ids], pad_id: int) -> None:
        """Put a narrow table into `model`. `rows` are all ids it will be trained on."""
        self._model, self._full = model, model.get_input_embeddings()
        # Ids up to the padding's keep their place: RoBERTa's family counts positions by comparing with it.
        used = set(range(pad_id + 1)).union(*(set(piece_of(row).tolist()) for row in rows))
        self.used = np.asarray(sorted(used), np.int64)
        self._place = np.zeros(self._full.num_embeddings, np.int64)
        self._place[self.used] = np.arange(len(self.used))
        weight = self._full.weight.detach()[torch.from_numpy(self.used).to(self._full.weight.device)].clone()
        self._narrow = nn.Embedding(len(self.used), weight.shape[1], padding_idx=self._full.padding_idx, _weight=weight)
        model.set_input_embeddings(self._narrow)

    def narrow(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where the narrow table has these ids, each with the case it came with."""
        pieces = piece_of(ids)
        return np.asarray(self._place[pieces] + (ids - pieces))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The model with its whole vocabulary and what it has learnt: for prediction and for saving."""
        with torch.no_grad():
            self._full.weight[torch.from_numpy(self.used).to(self._full.weight.device)] = self._narrow.weight
        self._model.set_input_embeddings(self._full)
        try:
            yield
        finally:
            self._model.set_input_embeddings(self._narrow)
