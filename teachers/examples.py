"""Examples: the pool that worked examples come from, and the strategy that the options ask for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from distill.errors import CallError
from teachers.bm25 import Okapi
from teachers.conversations import Example
from teachers.embeddings import Embedder, embedded, embedder
from teachers.passages import Passage
from teachers.proximity import Places, top_k
from teachers.rait_options import RaitBuildOptions
from teachers.retrieval import Strategy, at_random, draw, either, keep, nearest, nothing, own_places, plain


@dataclass(frozen=True)
class Pool:
    """Worked examples, each text once; `left_out` says what did not become one, and why."""

    passages: tuple[Passage, ...]
    left_out: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def texts(self) -> list[str]:
        """What is looked for neighbours in."""
        return [each.text for each in self.passages]

    def example(self, place: int) -> Example:
        """The example at a place."""
        return self.passages[place].example()


def pool_of(passages: Iterable[Passage], size: int | None = None, seed: int = 0) -> Pool:
    """The passages that can be examples: with a mention, each text once; `size` of them, drawn by the seed."""
    left_out: Counter[str] = Counter()
    found: dict[str, Passage] = {}
    for passage in passages:
        if not passage.pairs:
            left_out["without a mention"] += 1
        elif found.setdefault(plain(passage.text), passage) is not passage:
            left_out["a text that stood before"] += 1
    kept = list(found.values())
    if size is not None and size < len(kept):
        left_out["beyond the size asked for"] = len(kept) - size
        chosen = sorted(Random(f"{seed}:pool").sample(range(len(kept)), size))
        kept = [kept[at] for at in chosen]
    return Pool(tuple(kept), left_out)


def strategy_for(
    options: RaitBuildOptions, queries: Sequence[str], pool: Pool, model: Embedder | None = None
) -> Strategy:
    """The strategy of the options, its neighbours of all queries already found; a given `model` embeds them.

    Raises CallError where the pool is empty.
    """
    if options.shots_by == "none" or not options.shots:
        return nothing
    if not len(pool):
        why = ", ".join(f"{count} {reason}" for reason, count in pool.left_out.items()) or "no passage at all"
        raise CallError(f"the pool of examples is empty ({why}); give labelled passages with --shots-from")
    count, seed, texts = options.shots, options.seed, pool.texts
    chosen = at_random(texts, count, seed)
    if options.shots_by != "random":
        wanted = max(count, options.candidates) if options.shots_by == "diverse" else count
        near = nearest(_table(options, queries, texts, wanted, model or embedder(options.embedder)), wanted)
        made = {"nearest": near, "diverse": draw(near, count, seed), "mixed": either(near, chosen, options.share, seed)}
        chosen = made[options.shots_by]
    if options.filter_bm25 is not None:
        chosen = keep(chosen, Okapi(texts).scores, options.filter_bm25)
    return chosen


def _table(
    options: RaitBuildOptions, queries: Sequence[str], texts: Sequence[str], count: int, model: Embedder
) -> Places:
    """The neighbours of all queries, of which no text is its own."""
    folder = embeddings_folder(options)
    pool = embedded(texts, model, folder)
    asking = pool if queries == texts else embedded(queries, model, folder)
    return top_k(asking, pool, count, own_places(queries, texts))


def embeddings_folder(options: RaitBuildOptions) -> Path:
    """Where embeddings are kept: the folder asked for, or one named after the embedder beside the output."""
    if options.embeddings is not None:
        return options.embeddings
    slug = re.sub(r"[^A-Za-z0-9]+", "-", Path(options.embedder).name or options.embedder).strip("-")
    return options.out.parent / f"embeddings-{slug}"
