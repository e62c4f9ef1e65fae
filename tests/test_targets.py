"""Targets and batches: every word is learnt once, with its tag, whatever the windows and the batches."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_student import tiny_tokenizer
from training_data import sentence

from distill.document import Document, Entity
from distill.errors import InputError
from students.batches import Weighted, batches, collate
from students.decode import TagSet, entities
from students.encode import Encoder
from students.options import RECIPES
from students.pace import Pace
from students.targets import examples, word_tags

TAGS = TagSet(("LOC", "ORG"))
ENCODER = Encoder(tiny_tokenizer(), 16, 4)


def flat_documents() -> st.SearchStrategy[Document]:
    """Texts of any characters with entities that do not overlap."""

    def build(text: str, cuts: list[int], labels: list[str]) -> Document:
        edges = sorted({cut % (len(text) + 1) for cut in cuts})
        spans = zip(edges[::2], edges[1::2], strict=False)
        found = [Entity(a, b, label) for (a, b), label in zip(spans, labels, strict=False)]
        return Document("d", text, tuple(found))

    letters = st.one_of(st.sampled_from("abc oslo.,-  \n"), st.characters(codec="utf-8"))
    cuts = st.lists(st.integers(0, 200), max_size=12)
    labels = st.lists(st.sampled_from(["LOC", "ORG"]), min_size=6, max_size=6)
    return st.builds(build, st.text(letters, min_size=1, max_size=80), cuts, labels)


@given(flat_documents())
def test_tags_decode_to_the_entities_they_came_from_or_they_are_counted(document: Document) -> None:
    encoded = ENCODER.encode(document.text)
    targets = word_tags(document.entities, encoded, TAGS)
    logits = np.full((len(encoded.words), len(TAGS)), -50, np.float32)
    logits[np.arange(len(encoded.words)), targets.tags] = 50
    found = entities(encoded, logits, TAGS)
    kept = [entity for entity in document.entities if entity not in targets.lost]
    assert [entity.label for entity in found] == [entity.label for entity in kept]
    assert all(a.start < b.end and b.start < a.end for a, b in zip(found, kept, strict=True))
    if not targets.snapped:
        assert all(b.start <= a.start and a.end <= b.end for a, b in zip(found, kept, strict=True))


@given(flat_documents())
@settings(max_examples=50)
def test_every_word_stands_in_one_window_with_its_tag(document: Document) -> None:
    encoded = ENCODER.encode(document.text)
    (windows,) = examples([document], ENCODER, TAGS).rows
    expected = word_tags(document.entities, encoded, TAGS).tags[encoded.first >= 0]
    assert [int(tag) for window in windows for tag in window.tags] == expected.tolist()
    firsts = encoded.ids[encoded.first[encoded.first >= 0]]
    assert [int(window.ids[at]) for window in windows for at in window.at] == firsts.tolist()
    assert all(len(window.ids) <= 16 for window in windows)


def test_scores_and_row_weights_count_only_when_asked() -> None:
    document = Document("d", "the mayor of oslo", (Entity(13, 17, "LOC", score=0.5),), {"weight": 0.5})
    ((plain,),), ((weighted,),) = (examples([document], ENCODER, TAGS, weighted=asked).rows for asked in (False, True))
    assert plain.weights.tolist() == [1, 1, 1, 1]
    assert weighted.weights.tolist() == [0.5, 0.5, 0.5, 0.25]
    with pytest.raises(InputError, match=r"document 'd': meta\.weight is 'high'"):
        examples([replace(document, meta={"weight": "high"})], ENCODER, TAGS, weighted=True)


def windows_of(count: int) -> list[Weighted]:
    rows = examples([sentence(number) for number in range(count)], Encoder(tiny_tokenizer(), 64, 8), TAGS).rows
    return [Weighted(window, 1.0) for row in rows for window in row]


@given(st.integers(1, 120), st.integers(1, 9), st.integers(0, 3))
@settings(max_examples=30)
def test_batches_hold_every_window_once_and_follow_from_the_seed(count: int, size: int, seed: int) -> None:
    windows = windows_of(count)
    cut = batches(windows, size, str(seed))
    assert Counter(id(one) for batch in cut for one in batch) == Counter(map(id, windows))
    assert sum(len(batch) < size for batch in cut) <= 1
    again = batches(windows, size, str(seed))
    assert [[id(one) for one in batch] for batch in cut] == [[id(one) for one in batch] for batch in again]


def test_a_batch_finds_its_words_behind_the_padding() -> None:
    windows = windows_of(8)
    batch = collate(windows, 0)
    flat = batch.ids.reshape(-1)[batch.at]
    assert flat.tolist() == [int(one.example.ids[at]) for one in windows for at in one.example.at]
    assert batch.tokens == sum(len(one.example.ids) for one in windows) == (batch.ids != 0).sum()


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_the_learning_rate_rises_and_never_leaves_its_bounds(decay: str) -> None:
    pace = Pace(replace(RECIPES["default"], lr=1.0, decay=decay, warmup=0.1, lr_decay=1.0), 100)
    rates = [pace.lr(step, 0) for step in range(100)]
    assert rates[:11] == sorted(rates[:11]) and max(rates) == 1.0 and min(rates) > 0
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_factor_an_epoch_is_the_papers() -> None:
    pace = Pace(replace(RECIPES["huang2024"], lr_decay=0.95), 100)
    assert pace.lr(99, 0) == 1e-5
    assert pace.lr(99, 3) == pytest.approx(1e-5 * 0.95**3)
