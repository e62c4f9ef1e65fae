"""The temperature that makes a student's scores mean what they say: of entities scored 0.8, four in five are right.

Logits are divided by it before they become probabilities. It is chosen so that the entities' scores explain best which
of them are right (the smallest log loss); the tags themselves are those of the undivided logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from distill.calibration import calibration_error, reliability
from distill.document import Document
from students.decode import Floats, TagSet, best_tags, entities, probabilities
from students.encode import Encoder

FEWEST = 50  # entities; fewer say nothing of a temperature
_CHOICES = np.geomspace(0.5, 5, 232)  # 1 % apart


class Answers(NamedTuple):
    """Entities as a student found them: their words' logits and tags, the entity each word belongs to, and the truth.

    `logits` (words, tags), `tags` and `owner` (words,); `right` (entities,); `half` (entities,) is the document's
    parity.
    """

    logits: Floats
    tags: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]
    half: npt.NDArray[np.int64]

    def scores(self, temperature: float) -> npt.NDArray[np.float64]:
        """The entities' scores at a temperature: the product of their words' probabilities."""
        sure = probabilities(self.logits / np.float32(temperature))[np.arange(len(self.tags)), self.tags]
        found = np.ones(len(self.right))
        np.multiply.at(found, self.owner, sure)
        return found


def answers(gold: Sequence[Document], logits: Sequence[Floats], encoder: Encoder, tags: TagSet) -> Answers:
    """What a student answered, from its undivided logits of the documents' words."""
    rows = [np.zeros((0, len(tags)), np.float32)]
    chosen: list[int] = []
    owner: list[int] = []
    right: list[bool] = []
    half: list[int] = []
    for number, (document, values) in enumerate(zip(gold, logits, strict=True)):
        encoded = encoder.encode(document.text)
        found = entities(encoded, values, tags)
        if not found:
            continue
        real = np.flatnonzero(encoded.first >= 0)
        best = best_tags(values[real])
        inside = np.flatnonzero(best)
        rows.append(values[real[inside]])
        chosen += best[inside].tolist()
        owner += (np.cumsum(best[inside] % 2) - 1 + len(right)).tolist()
        truth = set(document.entities)
        right += [entity in truth for entity in found]
        half += [number % 2] * len(found)
    return Answers(
        np.concatenate(rows), np.asarray(chosen, np.int64), np.asarray(owner, np.int64), np.asarray(right, bool),
        np.asarray(half, np.int64),
    )  # fmt: skip


def fitted(found: Answers, among: npt.NDArray[np.bool_] | None = None) -> float:
    """The temperature with the smallest log loss over the entities, or those `among` them."""
    use = np.ones(len(found.right), bool) if among is None else among
    losses = [_loss(found.scores(each)[use], found.right[use]) for each in _CHOICES]
    return round(float(_CHOICES[int(np.argmin(losses))]), 3)


def _loss(scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    likely = np.clip(np.where(right, scores, 1 - scores), 1e-7, 1)
    return float(-np.log(likely).mean())


def tempered(found: Answers) -> tuple[float, dict[str, Any]]:
    """The temperature, and for the manifest how far scores lie from the truth (ECE) without and with it.

    The second figure is honest: each half of the documents is scored at the temperature fitted on the other half.
    With fewer than FEWEST entities the temperature is 1.
    """
    before = found.scores(1.0)
    said: dict[str, Any] = {"entities": len(found.right), "ece_before": _ece(before, found.right)}
    if len(found.right) < FEWEST or min(found.half.sum(), (1 - found.half).sum()) < FEWEST // 5:
        return 1.0, said | {"ece_after": said["ece_before"]}
    crossed = before.copy()
    for half in (0, 1):
        own = found.half == half
        crossed[own] = found.scores(fitted(found, ~own))[own]
    return fitted(found), said | {"ece_after": _ece(crossed, found.right)}


def _ece(scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    return round(calibration_error(reliability(np.minimum(scores, 1).tolist(), right.tolist())), 6)
