"""The self-test a bundle carries: texts with the answers they got when the bundle was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from distill.document import Document
from students.depth import nearest
from students.runtime import Student
from students.uncertainty import uncertainty

TOLERANCES = {"int8": 0.03, "fp32": 0.001}
"""How far a score may lie from the recorded one on another machine: float sums in another order, and for int8 the
activations that such a sum pushes over a rounding edge."""
SURE = 0.1
"""The margin a text's every word needs to be a test: more than twice the tolerance, so that it cannot flip a tag."""
MOST, LEAST = 40, 8

HARD = (
    "", " \t\n", "\x00\x07\x1b[0m \x7f", "\u200b\u200d\ufeff", "\ud83d", "👩‍👩‍👧 🇳🇴 ☃",
    "Zoe\u0301 from A\u030arhus met İpek at 10\u00a0Downing Street.", "رَحّب المدير في القاهرة بالضيوف",
    "שלום מירושלים", "东京和大阪的公司在北京开会。", "กรุงเทพมหานคร", "A" * 3000, "naïve co-op's U.N. 3.5% “deal” — №5",
)  # fmt: skip


def rehearsed(student: Student, documents: Iterable[Document], tolerance: float) -> list[Document]:
    """Texts with their entities, scores and uncertainty, as `selftest` will ask for them again.

    Hard texts first, then one long document for the windows, then the documents' own texts, as long as the student is
    SURE of them, and farther than `tolerance` from going another way at its early exits; where it is sure of few, the
    surest.
    """
    own = [document.text for document in documents][:400]
    long = " ".join(own[:60])
    texts = dict.fromkeys((*HARD, long, *own))
    sure: list[Document] = []
    unsure: list[Document] = []
    for number, text in enumerate(texts, 1):
        made = _recorded(Document(f"test-{number}", text), student)
        steady = _margin(made) >= SURE and nearest(student, made) > tolerance
        (sure if steady else unsure).append(made)
        if len(sure) == MOST:
            break
    if len(sure) < LEAST:
        sure += sorted(unsure, key=lambda document: -_margin(document))[: LEAST - len(sure)]
    return sure


def _recorded(document: Document, student: Student) -> Document:
    """One text alone, as the self-test replays it."""
    ((answer, reading),) = student.read([document])
    return replace(answer, meta={"uncertainty": uncertainty(reading.logits)})


def _margin(document: Document) -> float:
    return float(document.meta["uncertainty"]["margin"])


def differences(expected: Sequence[Document], student: Student, tolerance: float) -> list[str]:
    """What a replay finds other than recorded, a line a text; empty where all agree."""
    found = []
    for document in expected:
        again = _recorded(document, student)
        why = _difference(document, again, tolerance)
        if why:
            found.append(f"{document.id}: {why}")
    return found


def _difference(expected: Document, found: Document, tolerance: float) -> str:
    if expected.entities != found.entities:
        before, now = set(expected.entities), set(found.entities)
        gone = [f"[{e.start}, {e.end}) {e.label} is gone" for e in sorted(before - now)]
        new = [f"[{e.start}, {e.end}) {e.label} is new" for e in sorted(now - before)]
        return "; ".join((*gone, *new)[:4])
    far = [abs((a.score or 0) - (b.score or 0)) for a, b in zip(expected.entities, found.entities, strict=True)]
    before_, now_ = expected.meta["uncertainty"], found.meta["uncertainty"]
    far += [abs(before_["margin"] - now_["margin"])]
    return f"a score differs by {max(far):.4f}, {tolerance:g} is allowed" if max(far) > tolerance else ""
