"""Exact neighbours beside sentence_transformers.util.semantic_search: the same ones, the time and the memory.

    python benchmarks/retrieval.py --rows 45000 --width 1024 --k 128

The vectors are random but for their clusters, since real embeddings are not spread evenly either. Each side runs in a
process of its own, so that its peak of memory is its own. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def vectors(rows: int, width: int, seed: int) -> Vectors:
    """Unit vectors around a hundred centres."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((100, width), dtype=np.float32)
    found = random.standard_normal((rows, width), dtype=np.float32)
    found += centres[random.integers(0, 100, rows)]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def ours(pool: Vectors, queries: int, k: int) -> NDArray[Any]:
    from teachers.proximity import top_k

    return top_k(pool[:queries], pool, k, np.arange(queries))


def theirs(pool: Vectors, queries: int, k: int) -> NDArray[Any]:
    import torch
    from sentence_transformers.util import dot_score, semantic_search

    corpus = torch.from_numpy(pool)
    hits = semantic_search(corpus[:queries], corpus, top_k=k + 1, score_function=dot_score)
    return np.array([[h["corpus_id"] for h in row if h["corpus_id"] != at][:k] for at, row in enumerate(hits)])


def measured(side: str, options: argparse.Namespace, out: Path) -> dict[str, float]:
    """One side in this process: seconds, and the peak of memory in MB."""
    pool = vectors(options.rows, options.width, options.seed)
    start, cpu = time.perf_counter(), time.process_time()
    found = (ours if side == "ours" else theirs)(pool, options.queries or options.rows, options.k)
    told = {"seconds": time.perf_counter() - start, "cpu seconds": time.process_time() - cpu}
    np.save(out, found, allow_pickle=False)
    return told | {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def apart(ours: NDArray[Any], theirs: NDArray[Any], options: argparse.Namespace) -> float:
    """How far the cosines of the two sides' neighbours differ, rank by rank: rounding decides between equal ones."""
    pool = vectors(options.rows, options.width, options.seed)
    rows = np.flatnonzero((np.sort(ours, axis=1) != np.sort(theirs, axis=1)).any(axis=1))
    each = (np.abs(np.sort(pool[ours[at]] @ pool[at]) - np.sort(pool[theirs[at]] @ pool[at])).max() for at in rows)
    return float(max(each, default=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--width", type=int, default=1_024)
    parser.add_argument("--k", type=int, default=128)
    parser.add_argument("--queries", type=int, help="only so many of the rows ask")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measured(options.side, options, options.out)))
        return
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = {}
        found = {}
        for side in ("ours", "theirs"):
            out = Path(folder) / f"{side}.npy"
            call = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--out", str(out)]
            told[side] = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            found[side] = np.load(out, allow_pickle=False)
    told["same neighbours"] = float(np.mean(np.sort(found["ours"], axis=1) == np.sort(found["theirs"], axis=1)))
    told["largest difference of cosines"] = apart(found["ours"], found["theirs"], options)
    told["times faster"] = told["theirs"]["seconds"] / told["ours"]["seconds"]
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
