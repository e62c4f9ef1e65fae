"""Retrieval: the exact neighbours, never the text itself; BM25 on the paper's scale; embeddings made once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distill.errors import InputError
from teachers.bm25 import Okapi, content_words
from teachers.embeddings import Embedder, embedded
from teachers.proximity import top_k
from teachers.retrieval import Query, at_random, draw, either, keep, nearest, nothing, own_places, searching

POOL = ["oslo is cold", "lima is warm", "oslo and bergen", "the bank of oslo", "quito lies high", "bergen is wet"]
QUERIES = [Query(f"q{n}", text, n) for n, text in enumerate(POOL)]


class Letters:
    """An embedder that counts letters, and how many texts it was given."""

    def __init__(self, width: int = 26) -> None:
        self.width, self.seen = width, 0

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += len(texts)
        counts = np.array([[text.count(chr(97 + n)) + 0.1 for n in range(self.width)] for text in texts])
        found: NDArray[np.float32] = (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)
        return found


def model(letters: Letters, identity: str = "letters:1") -> Embedder:
    return Embedder("letters", identity, letters)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 70), st.integers(1, 5), st.integers(0, 9))
def test_neighbours_are_those_of_a_full_sort_in_any_blocks(n: int, m: int, k: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    queries, pool = (random.integers(-2, 3, (size, 3)).astype(np.float32) for size in (n, m))  # many ties
    own = random.integers(-1, m, n)
    cosines = queries @ pool.T
    barred = own >= 0
    cosines[np.flatnonzero(barred), own[barred]] = -np.inf
    expected = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, m)]
    expected[np.take_along_axis(cosines, expected, axis=1) == -np.inf] = -1
    assert np.array_equal(top_k(queries, pool, k, own, block=rows * m), expected)


def test_a_text_never_gets_itself_nor_a_copy_that_differs_in_case_or_blanks() -> None:
    asking = ["Oslo  is cold", "BERGEN is wet\n", "somewhere else"]
    own = own_places(asking, POOL)
    assert own == [0, 5, -1]
    vectors = embedded([text.lower() for text in asking], model(Letters()))
    table = top_k(vectors, embedded(POOL, model(Letters())), len(POOL), own)
    assert 0 not in table[0] and 5 not in table[1] and sorted(table[2]) == list(range(6))
    for at, text in enumerate(asking):
        assert own[at] not in at_random(POOL, 6, 1)(Query("x", text))
        assert own[at] not in searching(POOL, embedded(POOL, model(Letters())), model(Letters()), 6)(Query("x", text))


def test_a_text_alone_finds_what_all_find_together() -> None:
    letters = model(Letters())
    vectors = embedded(POOL, letters)
    together = nearest(top_k(vectors, vectors, 3, list(range(6))), 3)
    alone = searching(POOL, vectors, letters, 3)
    assert [list(together(query)) for query in QUERIES] == [list(alone(query)) for query in QUERIES]


def test_strategies_combine_and_the_seed_decides() -> None:
    vectors = embedded(POOL, model(Letters()))
    near = nearest(top_k(vectors, vectors, 5, list(range(6))), 5)
    diverse = draw(near, 2, seed=3)
    for query in QUERIES:
        assert set(diverse(query)) <= set(near(query)) and len(diverse(query)) == 2
        assert diverse(query) == draw(near, 2, seed=3)(query._replace(at=query.at))
    assert any(draw(near, 2, seed=s)(QUERIES[0]) != diverse(QUERIES[0]) for s in range(5))
    shares = [sum(bool(either(near, nothing, share, 0)(q)) for q in QUERIES * 1) for share in (0.0, 0.5, 1.0)]
    assert shares[0] == 0 < shares[1] < shares[2] == 6


def test_examples_below_the_threshold_go_and_perhaps_none_is_left() -> None:
    scores = {0: 25.0, 1: 20.0, 2: 19.9}
    kept = keep(lambda _: [0, 1, 2], lambda _, places: [scores[place] for place in places], 20)
    assert list(kept(QUERIES[0])) == [0, 1]
    assert list(keep(lambda _: [2], lambda _, places: [scores[place] for place in places], 20)(QUERIES[0])) == []
    assert list(keep(nothing, lambda _, places: [1 / 0], 20)(QUERIES[0])) == []


def reference(query: list[str], text: list[str], pool: list[list[str]]) -> float:
    """Okapi's BM25 as the paper's library has it, in a few lines."""
    held = Counter(word for each in pool for word in set(each))
    idf = {word: log(len(pool) - n + 0.5) - log(n + 0.5) for word, n in held.items()}
    low = 0.25 * sum(idf.values()) / len(idf)
    idf = {word: value if value >= 0 else low for word, value in idf.items()}
    spread = 1.5 * (1 - 0.75 + 0.75 * len(text) / (sum(map(len, pool)) / len(pool)))
    times = Counter(text)
    return sum(idf.get(w, 0.0) * times[w] * 2.5 / (times[w] + spread) for w in query)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12), min_size=1, max_size=8))
def test_bm25_is_okapis_on_the_papers_scale(pool: list[list[str]]) -> None:
    texts = [" ".join(words) for words in pool]
    found = Okapi(texts, str.split)
    for query in pool:
        expected = [reference(query, text, pool) for text in pool]
        assert found.scores(" ".join(query), range(len(pool))) == pytest.approx(expected)


def test_bm25_is_two_and_a_half_times_a_library_without_the_factor() -> None:
    bm25s = pytest.importorskip("bm25s")
    pool = [text.split() for text in POOL]
    other = bm25s.BM25(k1=1.5, b=0.75, method="robertson")
    other.index(pool, show_progress=False)
    ours = Okapi(POOL, str.split).scores("lima quito wet", range(6))
    assert ours == pytest.approx([2.5 * score for score in other.get_scores(["lima", "quito", "wet"])], rel=1e-5)
    assert max(ours) > 0


def test_stop_words_and_punctuation_count_nowhere() -> None:
    assert content_words("The bank, and its vault: it's LARGE!") == ["bank", "vault", "large"]
    pytest.importorskip("jieba")
    assert content_words("银行和它的金库很大。") == ["银行", "金库", "很大"]


def test_a_text_is_embedded_once_whatever_it_stands_in(tmp_path: Path) -> None:
    letters = Letters()
    first = embedded(POOL[:4], model(letters), tmp_path / "e")
    again = embedded(POOL[::-1] + POOL[:1], model(letters), tmp_path / "e")
    assert letters.seen == 6
    assert np.array_equal(first, again[::-1][1:5])
    assert again.dtype == np.float32
    assert not [path for path in (tmp_path / "e").iterdir() if path.suffix not in (".npy", ".keys", ".json")]


def test_embeddings_of_another_model_are_one_clear_error(tmp_path: Path) -> None:
    embedded(POOL, model(Letters()), tmp_path)
    with pytest.raises(InputError, match=r"another model \(letters, letters:1\), not of letters \(letters:2\)"):
        embedded(POOL, model(Letters(9), "letters:2"), tmp_path)


def test_a_folder_that_holds_something_else_or_is_broken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="no folder of embeddings"):
        embedded(POOL, model(Letters()), tmp_path / "own")
    embedded(POOL, model(Letters()), tmp_path / "e")
    (vectors,) = (tmp_path / "e").glob("*.npy")
    vectors.write_bytes(vectors.read_bytes()[:-9])
    with pytest.raises(InputError, match="broken embeddings"):
        embedded(POOL, model(Letters()), tmp_path / "e")
