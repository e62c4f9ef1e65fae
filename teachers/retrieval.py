"""Retrieval: which examples of a pool a passage gets. Strategies are functions, and combinations functions of them.

    filtered = keep(nearest(table, 2), bm25.scores, at_least=20)      RA-IT's rule for inference
    diverse  = draw(nearest(table, 128), 2, seed)
    mixed    = either(nearest(table, 2), at_random(pool, 2, seed), share=0.5, seed=seed)

A strategy that finds nothing leaves the passage without examples: the vanilla template. Every draw is decided by the
seed and the passage alone, so neither the order of the passages nor their number changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from teachers.embeddings import Embedder, Vectors, embedded
from teachers.proximity import Places, top_k


class Query(NamedTuple):
    """A passage that wants examples, and its place among all that do."""

    id: str
    text: str
    at: int = 0


Strategy = Callable[[Query], Sequence[int]]
"""The places in the pool of a query's examples, the best first."""
Scorer = Callable[[str, Sequence[int]], Sequence[float]]
"""How well texts of the pool go with a text."""


def nothing(_: Query) -> Sequence[int]:
    """No example for anybody."""
    return ()


def nearest(table: Places, count: int) -> Strategy:
    """The first `count` of a table of neighbours that `top_k` made for all queries together."""
    return lambda query: [place for place in table[query.at, :count].tolist() if place >= 0]


def searching(pool: Sequence[str], vectors: Vectors, model: Embedder, count: int) -> Strategy:
    """The `count` nearest to a text that comes alone, as a teacher meets them; never the text itself."""
    places = places_of(pool)

    def find(query: Query) -> Sequence[int]:
        own = [places.get(plain(query.text), -1)]
        row = top_k(embedded([query.text], model), vectors, count, own)[0] if pool else np.array([], dtype=np.int32)
        return [place for place in row.tolist() if place >= 0]

    return find


def at_random(pool: Sequence[str], count: int, seed: int) -> Strategy:
    """`count` of the pool, never the passage itself."""
    places = places_of(pool)

    def choose(query: Query) -> Sequence[int]:
        own = places.get(plain(query.text), -1)
        found = _random(seed, query, "random").sample(range(len(pool)), min(len(pool), count + 1))
        return [place for place in found if place != own][:count]

    return choose


def draw(strategy: Strategy, count: int, seed: int) -> Strategy:
    """`count` drawn from what a strategy finds: with many neighbours to draw from, examples are near and diverse."""

    def choose(query: Query) -> Sequence[int]:
        found = strategy(query)
        return _random(seed, query, "draw").sample(found, min(count, len(found)))

    return choose


def keep(strategy: Strategy, scorer: Scorer, at_least: float) -> Strategy:
    """Of what a strategy finds, the examples that score at least so much; perhaps none."""

    def choose(query: Query) -> Sequence[int]:
        found = strategy(query)
        scores = scorer(query.text, found) if found else ()
        return [place for place, score in zip(found, scores, strict=True) if score >= at_least]

    return choose


def either(one: Strategy, other: Strategy, share: float, seed: int) -> Strategy:
    """One strategy for this share of the passages, drawn by the seed, and the other for the rest."""
    return lambda query: (one if _random(seed, query, "either").random() < share else other)(query)


def plain(text: str) -> str:
    """What makes two texts the same: all but white space and case."""
    return " ".join(text.casefold().split())


def places_of(pool: Sequence[str]) -> dict[str, int]:
    """Where each text stands in a pool without repeats."""
    return {plain(text): place for place, text in enumerate(pool)}


def own_places(queries: Sequence[str], pool: Sequence[str]) -> list[int]:
    """For every query the place of its own text in the pool, or -1: what it may not get as an example."""
    places = places_of(pool)
    return [places.get(plain(text), -1) for text in queries]


def _random(seed: int, query: Query, what: str) -> Random:
    return Random(f"{seed}:{what}:{query.id}")
