"""Greedy answers of a local model: many prompts at once, and what prompts begin with in common is read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch

Ids = Sequence[int]


class Said(NamedTuple):
    """The ids of an answer, its stop token among them; `whole` unless the limit of tokens ended it."""

    ids: list[int]
    whole: bool


@dataclass(frozen=True)
class Greedy:
    """A model that always says what is likeliest; the answers do not depend on what stands in a batch together.

    `rows` prompts are answered at once. With `reuse` the beginning that the prompts of a group share is computed once
    and its keys and values are copied; without it, every prompt is read from its start.
    """

    model: Any
    stop: int
    pad: int
    most: int
    rows: int = 16
    reuse: bool = True

    @torch.inference_mode()
    def answers(self, groups: Sequence[Sequence[Ids]]) -> list[list[Said]]:
        """The answers to every prompt of every group; the prompts of a group are questions about one text."""
        found: list[list[Said]] = [[] for _ in groups]
        for batch in _batches(groups, self.rows):
            openings = [_shared(groups[number]) if self.reuse else [] for number, _ in batch]
            said = iter(self._batch([groups[n][some] for n, some in batch], openings))
            for number, some in batch:
                found[number] += [next(said) for _ in groups[number][some]]
        return found

    def _batch(self, groups: Sequence[Sequence[Ids]], openings: Sequence[Ids]) -> list[Said]:
        owner = [number for number, group in enumerate(groups) for _ in group]
        rests = [prompt[len(opening) :] for group, opening in zip(groups, openings, strict=True) for prompt in group]
        state = self._opened(openings)
        state.keep(torch.tensor(owner, device=self.model.device))
        ids, mask = self._padded(rests)
        return self._spoken(state, ids, mask)

    def _opened(self, openings: Sequence[Ids]) -> _State:
        """What the model knows after the openings; nothing where there are none."""
        ids, mask = self._padded(openings)
        if not ids.shape[1]:
            return _State(None, mask)
        return self._read(_State(None, mask[:, :0]), ids, mask)[0]

    def _spoken(self, state: _State, ids: torch.Tensor, mask: torch.Tensor) -> list[Said]:
        said: list[list[int]] = [[] for _ in range(len(ids))]
        ended = [False] * len(ids)
        alive = list(range(len(ids)))  # rows of the input that still speak, in the order of the state's rows
        for _ in range(self.most):
            state, best = self._read(state, ids, mask)
            for row, token in zip(alive, best, strict=True):
                said[row].append(token)
                ended[row] = token == self.stop
            left = [at for at, row in enumerate(alive) if not ended[row]]
            if not left:
                break
            if len(left) < len(alive):
                state.keep(torch.tensor(left, device=ids.device))
                alive = [alive[at] for at in left]
            ids = torch.tensor([[said[row][-1]] for row in alive], device=ids.device)
            mask = torch.ones_like(ids)
        return [Said(ids, whole) for ids, whole in zip(said, ended, strict=True)]

    def _read(self, state: _State, ids: torch.Tensor, mask: torch.Tensor) -> tuple[_State, list[int]]:
        """Read on; the likeliest next token of each row. Padding stands in front: the last column is each row's end."""
        seen = torch.cat([state.mask, mask], dim=1)
        places = (seen.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        told = self.model(
            input_ids=ids, attention_mask=seen, position_ids=places, past_key_values=state.cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        best = told.logits[:, -1].argmax(-1).tolist()
        return _State(told.past_key_values, seen), cast("list[int]", best)

    def _padded(self, rows: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask, filled on the left."""
        width = max(map(len, rows))
        ids = [[self.pad] * (width - len(row)) + list(row) for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        device = self.model.device
        return (
            torch.tensor(ids, dtype=torch.long, device=device).reshape(len(rows), width),
            torch.tensor(mask, dtype=torch.long, device=device).reshape(len(rows), width),
        )


@dataclass
class _State:
    """Keys and values of what was read, and which of its columns are padding."""

    cache: Any
    mask: torch.Tensor

    def keep(self, rows: torch.Tensor) -> None:
        """These rows, any number of times each, in this order."""
        self.mask = self.mask[rows]
        if self.cache is not None:
            self.cache.batch_select_indices(rows)


def _shared(prompts: Sequence[Ids]) -> Ids:
    """What all begin with, but never a whole prompt: its last token is what the answer follows."""
    low, high = min(prompts, key=tuple), max(prompts, key=tuple)
    most = min(len(low), len(high), *(len(prompt) for prompt in prompts)) - 1
    same = next((at for at in range(most) if low[at] != high[at]), most)
    return low[:same]


def _batches(groups: Sequence[Sequence[Ids]], rows: int) -> Iterator[list[tuple[int, slice]]]:
    """Batches of at most `rows` prompts: whole groups where they fit, parts of one that is larger."""
    batch: list[tuple[int, slice]] = []
    size = 0
    for number, group in enumerate(groups):
        for start in range(0, len(group), rows):
            part = slice(start, min(start + rows, len(group)))
            if batch and size + part.stop - part.start > rows:
                yield batch
                batch, size = [], 0
            batch.append((number, part))
            size += part.stop - part.start
    if batch:
        yield batch
