"""The gates a bundle passes before it appears: its graph, its tags and its F1 beside PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from distill.document import Document
from distill.errors import CheckFailed
from distill.progress import progress
from distill.scores import Score, bootstrap_interval, strict, total
from students.case import KINDS, STEP
from students.decode import Floats, best_tags, entities, word_scores
from students.depth import layers_read
from students.exits import layers_of
from students.model import Student as TorchStudent
from students.model import longest_input
from students.predictor import window_logits
from students.runtime import Student
from students.session import open_session

LOGITS = 1e-3
"""How far a logit of the fp32 graph may lie from PyTorch's: sums in another order differ by some 1e-5."""
SHAPES = ((1, 1), (1, 2), (1, 3), (2, 5), (7, 1), (3, 32), (1, 512), (64, 16), (64, 512))
FLIPPED = 0.001  # share of words that may get another tag in company than alone
FREE_ENTITIES = 3  # a drop that so few entities make says nothing
_COMPARED = 2  # rows of a shape that PyTorch computes too


def check_graph(model: Any, graph: bytes, threads: int, *, case: bool = False) -> float:
    """Sweep shapes over the fp32 graph: the largest distance of a logit from PyTorch's; CheckFailed above LOGITS.

    With `case` the ids carry it, as they do for a student that sees it.
    """
    session = open_session(graph, threads)
    longest, size = longest_input(model) or 512, int(model.config.vocab_size)
    generator, worst = np.random.default_rng(0), 0.0
    with progress("shapes", len(SHAPES)) as bar:
        for batch, length in SHAPES:
            shape = (batch, min(length, longest))
            ids = generator.integers(0, size, shape)
            ids += STEP * generator.integers(0, KINDS, shape) if case else 0
            (found,) = session.run(None, {"input_ids": ids})
            with torch.inference_mode():
                few = torch.from_numpy(ids[:_COMPARED])
                expected = model(input_ids=few, attention_mask=torch.ones_like(few)).logits.float().numpy()
            far = float(np.abs(found[:_COMPARED] - expected).max())
            worst = max(worst, far if np.isfinite(found).all() else float("inf"))
            if not worst <= LOGITS:
                message = f"the graph's logits are {worst:.2g} away from PyTorch's at shape {batch}x{length}"
                raise CheckFailed(f"no bundle: {message}, {LOGITS:g} is allowed")
            bar.advance()
    return worst


@dataclass(frozen=True)
class Verdict:
    """What the comparison on real sentences found."""

    torch: Score
    bundle: Score
    interval: tuple[float, float]
    words: int
    other_tags: int
    documents: int

    @property
    def drop(self) -> float:
        """Strict F1 lost on the way from PyTorch to the bundle; negative where it was won."""
        return self.torch.f1 - self.bundle.f1

    @property
    def allowed_by_count(self) -> float:
        """The F1 that FREE_ENTITIES correct entities make."""
        counts = self.torch.total
        return 2 * FREE_ENTITIES / max(counts.predicted + counts.gold, 1)

    def holds(self, max_drop: float) -> bool:
        """Whether it fell by no more than `max_drop`, or than FREE_ENTITIES make."""
        return self.drop <= max(max_drop, self.allowed_by_count)

    def to_json(self) -> dict[str, Any]:
        return {
            "documents": self.documents, "words": self.words, "words_with_other_tag": self.other_tags,
            "strict_f1_pytorch": round(self.torch.f1, 6), "strict_f1": round(self.bundle.f1, 6),
            "strict_f1_interval": [round(value, 6) for value in self.interval],
            "labels": {
                label: {name: round(value, 6) for name, value in counts.ratios._asdict().items()}
                for label, counts in sorted(self.bundle.labels.items())
            },
        }  # fmt: skip


def compare(outside: TorchStudent, inside: Student, gold: Sequence[Document]) -> tuple[Verdict, list[Floats]]:
    """Both students on the same documents; also the bundle's logits of each document's words."""
    expected = torch_logits(outside, gold)
    with progress("comparing", len(gold)) as bar:
        readings = []
        for _, reading in inside.read(gold):
            readings.append(reading)
            bar.advance()
    scores: list[tuple[Score, Score]] = []
    other = words = 0
    for document, theirs, reading in zip(gold, expected, readings, strict=True):
        made = [entities(reading.encoded, logits, inside.tags) for logits in (theirs, reading.logits)]
        scores.append((strict(document.entities, made[0]), strict(document.entities, made[1])))
        words += len(theirs)
        if len(theirs):
            other += int((best_tags(theirs) != best_tags(reading.logits)).sum())
    own = [score for _, score in scores]
    verdict = Verdict(total(s for s, _ in scores), total(own), bootstrap_interval(own), words, other, len(gold))
    return verdict, [reading.logits for reading in readings]


def torch_logits(student: TorchStudent, documents: Sequence[Document]) -> list[Floats]:
    """PyTorch's logits per word of each document."""
    encoded = [student.encoder.encode(document.text) for document in documents]
    windows = [student.encoder.windows(each) for each in encoded]
    rows = [student.encoder.row(each, window) for each, own in zip(encoded, windows, strict=True) for window in own]
    logits = iter(window_logits(student, rows))
    return [
        word_scores(each, own, [next(logits) for _ in own], len(student.tags))
        for each, own in zip(encoded, windows, strict=True)
    ]


def check_f1(verdict: Verdict, max_drop: float, *, exits: bool = False) -> None:
    """CheckFailed where strict F1 fell by more than `max_drop`, and by more than FREE_ENTITIES make.

    `exits` says that early exits may be why.
    """
    if not verdict.holds(max_drop):
        remedy = "--no-early-exit or --precision fp32" if exits else "--precision fp32"
        raise CheckFailed(
            f"no bundle: strict F1 fell from {verdict.torch.f1:.4f} in PyTorch to {verdict.bundle.f1:.4f}, by "
            f"{verdict.drop:.4f}; --max-f1-drop allows {max_drop:g}. Try {remedy}"
        )


def check_company(student: Student, documents: Sequence[Document], together: Sequence[Floats]) -> int:
    """How many words get another tag in company than alone, each window in a call of its own.

    Company is what they had when they got the logits `together`, and once more that of equal length: every document
    among the others and beside its own words backwards. CheckFailed above FLIPPED.
    """
    beside = [reading.logits for _, reading in student.read(_backwards(documents))][::2]
    flipped = words = 0
    for document, *company in zip(documents, together, beside, strict=True):
        pieces, whole = student.taken_apart(document)
        alone = whole([student.alone(each) for each in pieces])[1].logits.argmax(-1)
        words += len(alone)
        flipped += max(int((alone != logits.argmax(-1)).sum()) for logits in company)
    if flipped > FLIPPED * words:
        message = f"{flipped} of {words} words get another tag among other texts than alone"
        raise CheckFailed(f"no bundle: {message}; {FLIPPED:.1%} may")
    return flipped


def depth(outside: TorchStudent, inside: Student, documents: Sequence[Document]) -> dict[str, Any]:
    """Of a bundle with early exits: how many layers its student has, and through how many a token goes on average."""
    if not inside.manifest.exits:
        return {}
    layers = layers_of(outside)
    return {"layers": layers, "layers_read": round(layers_read(inside, documents, layers), 2)}


def _backwards(documents: Iterable[Document]) -> Iterator[Document]:
    """Each document, then its words from the last to the first, which make as many tokens."""
    for document in documents:
        yield document
        yield Document(document.id, " ".join(reversed(document.text.split())))
