"""Texts of any length: read some of them at a time, with the same answer, in memory that follows the text's own."""

from __future__ import annotations

import random
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts
from tiny_student import tiny_tokenizer

from distill import words as grain
from distill.document import Document, Entity
from students import encode
from students.decode import best_path
from students.encode import Encoded, Encoder
from students.markup import Conll
from students.spans import Spans

ENCODER = Encoder(tiny_tokenizer(), max_length=16, stride=4)


@given(texts | st.text(st.characters(), max_size=30), st.sampled_from([0, 2]))
def test_a_text_read_by_blocks_has_the_same_words_pieces_and_windows(text: str, above: int) -> None:
    encoder = Encoder(tiny_tokenizer(), max_length=16, stride=4, sentences_above=above)
    whole = encoder.encode(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "_LONG", 3)
        patch.setattr(encode, "blocks", lambda text: grain.blocks(text, 3))
        found = encoder.encode(text)
    assert list(found.words) == list(whole.words) and found.cuts == whole.cuts and found.whole == whole.whole
    assert np.array_equal(found.ids, whole.ids) and np.array_equal(found.first, whole.first)
    assert encoder.windows(found) == encoder.windows(whole)


@given(st.lists(st.lists(st.integers(-9, 9), min_size=5, max_size=5), min_size=1, max_size=5))
def test_the_path_is_the_best_of_all_lawful_ones(rows: list[list[int]]) -> None:
    def lawful(path: tuple[int, ...]) -> bool:
        return all(tag in (0, 1, 3) or before in (tag - 1, tag) for before, tag in zip((0, *path), path, strict=False))

    def total(path: tuple[int, ...] | list[int]) -> int:
        return sum(row[tag] for row, tag in zip(rows, path, strict=True))

    found = best_path(np.array(rows, np.float32))
    assert lawful(tuple(found))
    assert total(found) == max(total(path) for path in product(range(5), repeat=len(rows)) if lawful(path))


def test_memory_follows_the_text() -> None:
    chance = random.Random(0)
    text = " ".join(chance.choices(["the", "mayor", "of", "Oslo", "left", "for", "Lima", "."], k=100_000))
    logits = np.random.default_rng(0).normal(size=(100_000, 9)).astype(np.float32)
    ENCODER.encode(text[:1000])
    encoded, most = _measured(lambda: ENCODER.encode(text))
    assert isinstance(encoded, Encoded) and isinstance(encoded.words, Spans) and len(encoded.words) == 100_000
    assert most < 20 * len(text)  # as one list of words it was 57
    path, most = _measured(lambda: best_path(logits))
    assert isinstance(path, list) and any(path)
    assert most < 4 * logits.nbytes  # with every word's floats kept it was 17


def _measured(work: object) -> tuple[object, int]:
    assert callable(work)
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_conll_goes_on_behind_a_block() -> None:
    text = "the mayor " * 10_000 + "Oslo"
    document = Document("1", text, (Entity(len(text) - 4, len(text), "LOC"),))
    lines = Conll().part(document).splitlines()
    assert len(lines) == 20_003 and lines[-2:] == ["Oslo\tB-LOC", ""]
