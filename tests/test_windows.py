"""Windows: whatever the lengths of the words, every piece is answered for once, by a window that holds it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tiny_student import tiny_tokenizer

from students.encode import Encoder

ENCODER = Encoder(tiny_tokenizer(), max_length=16, stride=4)


@given(lengths=st.lists(st.integers(1, 5) | st.integers(1, 60), min_size=1, max_size=20))
def test_every_piece_has_one_owner_and_every_window_moves_on(lengths: list[int]) -> None:
    encoded = ENCODER.encode(" ".join("y" * length for length in lengths))  # a letter is a piece
    windows = ENCODER.windows(encoded)
    assert windows[0].own_start == windows[0].start == 0
    assert windows[-1].own_end == windows[-1].end == len(encoded.ids) == sum(lengths)
    assert all(a.own_end == b.own_start and a.start < b.start and a.end < b.end for a, b in pairwise(windows))
    for window in windows:
        assert window.start <= window.own_start < window.own_end <= window.end <= window.start + ENCODER.budget


SENTENCES = st.lists(st.lists(st.integers(1, 5) | st.integers(1, 60), min_size=1, max_size=6), min_size=1, max_size=6)


@given(sentences=SENTENCES, ending=st.sampled_from([". ", "\n", "! "]), above=st.integers(1, 40))
def test_texts_longer_than_the_student_learned_from_are_read_by_sentences(
    sentences: list[list[int]], ending: str, above: int
) -> None:
    encoder = Encoder(tiny_tokenizer(), max_length=16, stride=4)
    encoder.sentences_above = above
    texts = [" ".join(["Z", *("y" * length for length in lengths)]) + ending.rstrip(" ") for lengths in sentences]
    encoded = encoder.encode(" ".join(texts))
    windows = encoder.windows(encoded)
    assert [0, *(w.own_end for w in windows)] == [*(w.own_start for w in windows), len(encoded.ids)]
    if len(encoded.ids) <= above:
        assert windows == ENCODER.windows(encoded) and not encoded.cuts
        return
    alone = [ENCODER.encode(text) for text in texts]
    assert [encoded.ids[w.start : w.end].tolist() for w in windows] == [
        each.ids[w.start : w.end].tolist() for each in alone for w in ENCODER.windows(each)
    ]


def test_an_endless_word_has_the_pieces_that_the_tokenizer_gives_it() -> None:
    tokenizer = tiny_tokenizer()
    for word in ("a" * 99, "a" * 10_001, "7b" * 20_000, "a" * 12_000 + "é", "a" * 6_000 + "-" + "b" * 12_000):
        expected = tokenizer.encode(word, add_special_tokens=False).ids
        assert Encoder(tiny_tokenizer(), 16, 4).encode(f"{word}").ids.tolist() == expected
