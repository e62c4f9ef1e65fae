"""A teacher's confusion: how it labels words of each true tag, measured without anyone's labels for its texts.

Dawid and Skene's (1979) model of an observer who errs, with a prior for every word: a classifier trained on clean data
gives the shares of each word's tags, the teacher's tag is seen, and expectation maximisation finds the teacher's
confusion together with what the words' tags then are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.float32]
Tags = npt.NDArray[np.int32]

ROUNDS = 30
LEAST = 1e-6
"""The prior's share of a tag is taken to be at least this: whoever is certain can be wrong, too."""
TOLD = 0.05
"""Confusions less frequent than this are not worth a line."""


@dataclass(frozen=True)
class Confusion:
    """What was measured.

    `matrix[t, y]` is the teacher's chance to say tag y of a word whose tag is t, shape (tags, tags); `counts[t]` the
    expected number of words of tag t; `posterior` the shares of each word's tags, shape (words, tags).
    """

    matrix: Floats
    counts: Floats
    posterior: Shares

    def worst(self, labels: Sequence[str], most: int = 3) -> list[tuple[str, str, float]]:
        """The most frequent confusions as (label, what the teacher says in its place, share of the label's mentions).

        Counted at the first words of mentions; `""` stands for no label. Tags are O, then B- and I- of each label.
        """
        names = ["", *(label for label in labels for _ in "BI")]
        told: dict[tuple[str, str], float] = {}
        for at, label in enumerate(labels):
            for said, share in zip(names, self.matrix[2 * at + 1], strict=True):
                if said != label:
                    told[label, said] = told.get((label, said), 0.0) + float(share)
        mentions = dict(zip(labels, self.counts[1::2].tolist(), strict=True))
        order = sorted(told, key=lambda pair: -told[pair] * mentions[pair[0]])
        return [(*pair, told[pair]) for pair in order if told[pair] >= TOLD][:most]


def measured(prior: Shares, said: Tags) -> Confusion:
    """The confusion of a teacher that said tag `said[w]` of word w, shape (words,), whose tags have the shares
    `prior[w]`, shape (words, tags), before the teacher is heard.

    Every row of the matrix starts with one word spread over all tags, so that nothing is ever impossible.
    """
    size = prior.shape[1]
    before = np.log(np.maximum(prior.astype(np.float64), LEAST))
    posterior, heard = prior.astype(np.float64), np.eye(size)[said]
    for _ in range(ROUNDS):
        counts = posterior.T @ heard + 1 / size
        matrix = counts / counts.sum(axis=1, keepdims=True)
        posterior = _normal(before + np.log(matrix)[:, said].T)
    return Confusion(matrix, counts.sum(axis=1), posterior.astype(np.float32))


def _normal(logs: Floats) -> Floats:
    shares: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
