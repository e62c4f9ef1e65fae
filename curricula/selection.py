"""Selection: how good a document's labels are, and which documents to label next; from documents and meta alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.clashes import keep_apart
from distill.corpora import check_jsonl_target, read_all
from distill.document import Document
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.libraries import resolve
from distill.options import Options, option
from distill.reports import count

REPAIRED = 0.5  # what a repaired mention is worth beside an exact one
POOL = 5  # by uncertainty and diversity: so many times n documents are clustered


def agreement(document: Document) -> float:
    """The share of teachers that side with the vote."""
    return _number(document, document.meta.get("agreement"), "agreement, which `vote` writes")


def alignment(document: Document) -> float:
    """The share of mentions that were found, a repaired one for half; 1 where the teacher named none."""
    ended = document.meta.get("alignment")
    if not isinstance(ended, Mapping):
        raise InputError(f"document {document.id!r} has no alignment, which `label` writes, in its meta")
    exact, repaired, lost = ended.get("exact", 0), sum(ended.get("repaired", {}).values()), ended.get("lost", 0)
    mentions = exact + repaired + lost
    return float((exact + REPAIRED * repaired) / mentions) if mentions else 1.0


def score(document: Document) -> float:
    """The mean score of the entities, an absent one counted as 1; 1 where there are none."""
    scores = [1.0 if entity.score is None else entity.score for entity in document.entities]
    return sum(scores) / len(scores) if scores else 1.0


def entropy(document: Document) -> float:
    """How unsure the student is: the entropy that `predict --uncertainty` wrote."""
    return _number(document, _uncertainty(document).get("entropy"), "uncertainty.entropy of `predict --uncertainty`")


def margin(document: Document) -> float:
    """How unsure the student is: 1 minus the margin that `predict --uncertainty` wrote."""
    found = _uncertainty(document).get("margin")
    return 1.0 - _number(document, found, "uncertainty.margin of `predict --uncertainty`")


QUALITIES: dict[str, Callable[[Document], float]] = {"agreement": agreement, "alignment": alignment, "score": score}
"""How good a document's labels are, in [0, 1]."""
DOUBTS: dict[str, Callable[[Document], float]] = {"entropy": entropy, "margin": margin}
"""How much there is to learn from labelling a document."""
DIVERSITY = "diversity"


@dataclass(frozen=True)
class SelectOptions(Options):
    """What `select` is told."""

    source: Path = option(help="label file, or what predict --uncertainty wrote", argument=True, flag="file")
    out: Path = option(help="where the documents go (JSONL)")
    by: str = option(help="what is measured", choices=(*QUALITIES, *DOUBTS, DIVERSITY))
    n: int | None = option(None, "write only the n best, or the n to label next", at_least=1)
    tiers: tuple[float, ...] = option((), "least quality of tier 1, of tier 2, ...; 0.9 and 0.7 if not given")
    vectors: Path | None = option(None, "a .npy file with a vector a document, in order, for diversity")
    seed: int = option(0, "seed of the clusters", at_least=0)
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class Selection:
    """What `select` wrote: documents of how many, and of each tier."""

    out: Path
    documents: int
    of: int
    by: str
    tiers: Mapping[int, int]

    def __str__(self) -> str:
        tiers = ", ".join(f"tier {tier}: {count(number)}" for tier, number in sorted(self.tiers.items()))
        return f"{self.out}: {count(self.documents)} of {count(self.of)} documents by {self.by}" + (
            f"; {tiers}" if tiers else ""
        )

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        tiers = {str(tier): number for tier, number in sorted(self.tiers.items())}
        return {"out": str(self.out), "documents": self.documents, "of": self.of, "by": self.by, "tiers": tiers}


def select(options: SelectOptions) -> Selection:
    """Write tiers and weights into the meta, or the documents to label next.

    By a quality every document gets `tier` and `weight` (what `train --weighted` uses), and `--n` keeps the best. By a
    doubt or diversity `--n` documents are chosen for a teacher or a person.
    """
    check_jsonl_target(options.out)
    keep_apart([("the label file", options.source), ("--vectors", options.vectors)], [("--out", options.out)])
    documents = read_all(options.source)
    tiers: dict[int, int] = {}
    try:
        if options.by in QUALITIES:
            chosen = _graded(documents, options)
            for document in chosen:
                tiers[document.meta["tier"]] = tiers.get(document.meta["tier"], 0) + 1
        else:
            chosen = _next(documents, options)
    except InputError as error:
        raise error.at(options.source) from None
    return Selection(options.out, write_jsonl(chosen, options.out), len(documents), options.by, tiers)


def _graded(documents: Sequence[Document], options: SelectOptions) -> list[Document]:
    bounds = options.tiers or (0.9, 0.7)
    if list(bounds) != sorted(set(bounds), reverse=True):
        raise CallError("--tiers fall from tier 1 on, such as --tiers 0.9 --tiers 0.7")
    quality = QUALITIES[options.by]
    graded = []
    for document in documents:
        value = min(max(quality(document), 0.0), 1.0)
        tier = 1 + sum(value < bound for bound in bounds)
        graded.append(replace(document, meta={**document.meta, "tier": tier, "weight": round(value, 4)}))
    kept = _best([document.meta["weight"] for document in graded], options.n)
    return [graded[place] for place in kept]


def _next(documents: Sequence[Document], options: SelectOptions) -> list[Document]:
    if options.n is None:
        raise CallError(f"select --by {options.by} needs --n, how many documents to choose")
    if options.by == DIVERSITY and options.vectors is None:
        raise CallError("select --by diversity needs --vectors, a .npy file with a vector a document")
    doubt = DOUBTS.get(options.by)
    values = [doubt(document) for document in documents] if doubt else [0.0] * len(documents)
    if options.vectors is None:
        return [documents[place] for place in _best(values, options.n)]
    pool = _best(values, options.n * POOL if doubt else None)
    return [documents[place] for place in _spread(pool, values, options.n, _vectors(options, documents), options.seed)]


def _best(values: Sequence[float], n: int | None) -> list[int]:
    """The places of the n highest values, in order; of equal ones the first."""
    return sorted(sorted(range(len(values)), key=lambda place: -values[place])[:n])


def _spread(pool: Sequence[int], values: Sequence[float], n: int, vectors: Any, seed: int) -> list[int]:
    """One place a cluster of the pool: the highest value, and of equal ones the nearest to the centre."""
    if len(pool) <= n:
        return list(pool)
    model = resolve("sklearn.cluster:KMeans", "retrieve")(n_clusters=n, random_state=seed, n_init=1)
    distances = model.fit_transform(vectors[list(pool)])
    best: dict[int, tuple[float, float, int]] = {}
    for row, place in enumerate(pool):
        cluster = int(model.labels_[row])
        rank = (-values[place], float(distances[row, cluster]), place)
        best[cluster] = min(best.get(cluster, rank), rank)
    chosen = {place for _, _, place in best.values()}
    # Documents that are all alike make fewer clusters than asked for; the rest goes by value.
    spare = [pool[at] for at in _best([values[place] for place in pool], None) if pool[at] not in chosen]
    return sorted([*chosen, *spare[: n - len(chosen)]])


def _vectors(options: SelectOptions, documents: Sequence[Document]) -> Any:
    import numpy

    try:
        with Path(options.vectors or "").open("rb") as file:
            found = numpy.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise CallError(f"{options.vectors}: {error.strerror}") from None
    except ValueError:  # numpy would advise to unpickle it
        raise CallError(f"{options.vectors}: no .npy file of numbers, or a broken one") from None
    if found.ndim != 2 or len(found) != len(documents):
        raise CallError(
            f"{options.vectors} has the shape {found.shape}; a row for each of the {len(documents)} documents is needed"
        )
    if found.dtype.kind not in "fiu" or not found.size or not numpy.isfinite(found).all():
        raise CallError(f"{options.vectors}: holds something else than finite numbers")
    return found


def _uncertainty(document: Document) -> Mapping[str, Any]:
    found = document.meta.get("uncertainty")
    return found if isinstance(found, Mapping) else {}


def _number(document: Document, value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"document {document.id!r} has no {what}, in its meta")
    return float(value)
