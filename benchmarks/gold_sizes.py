"""Gold of several sizes for `benchmarks/study-gold-sizes.toml`, each within the next.

    python benchmarks/gold_sizes.py --first ../shared/data/conll1000/gold.other1000.jsonl \
        --more ../shared/data/conll2003/train.txt --without ../shared/data/conll1000/gold.jsonl \
        ../shared/data/conll2003/dev.jsonl ../shared/data/conll2003/test.jsonl --out build/gold

The first sizes are the first so many documents of `--first`; a size beyond it goes on with documents of `--more`, drawn
by a seed, whose texts stand in none of the other files, case and white space aside.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from selecting import plain

from distill.corpora import read_all
from distill.jsonl import write_jsonl

SIZES = (250, 500, 1000, 2000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=Path, required=True)
    parser.add_argument("--more", type=Path, required=True)
    parser.add_argument("--without", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    gold = read_all(options.first)
    known = {plain(document) for path in (options.first, *options.without) for document in read_all(path)}
    others = {plain(document): document for document in read_all(options.more)}
    drawn = [document for text, document in others.items() if text not in known]
    random.Random(1).shuffle(drawn)
    gold += drawn[: max(SIZES) - len(gold)]
    options.out.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        path, entities = options.out / f"{size}.jsonl", sum(len(document.entities) for document in gold[:size])
        write_jsonl(gold[:size], path)
        print(f"{path}: {size} documents, {entities} entities")


if __name__ == "__main__":
    main()
