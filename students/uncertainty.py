"""How unsure a student is of a text, for choosing what people should label next."""

from __future__ import annotations

import numpy as np

from students.decode import Floats, probabilities


def uncertainty(logits: Floats) -> dict[str, float]:
    """`entropy`: the words' mean, in nats; `margin`: the smallest gap between a word's two most probable tags.

    A text without words is certain: entropy 0 and margin 1.
    """
    if not len(logits):
        return {"entropy": 0.0, "margin": 1.0}
    shares = probabilities(logits).astype(np.float64)
    entropy = -(shares * np.log(np.maximum(shares, 1e-30))).sum(axis=1).mean()
    best = np.sort(shares, axis=1)
    return {"entropy": round(max(0.0, float(entropy)), 6), "margin": round(float((best[:, -1] - best[:, -2]).min()), 6)}
