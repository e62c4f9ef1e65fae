"""What a teacher says of people's mentions, by their first character: `train --denoise` finds it without their labels.

    python benchmarks/confusion.py chatgpt.jsonl --gold gold.jsonl
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from distill.corpora import read_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--gold", type=Path, required=True)
    given = parser.parse_args()
    found = {document.id: document for document in read_all(given.labelled)}
    said: Counter[tuple[str, str]] = Counter()
    mentions: Counter[str] = Counter()
    for document in read_all(given.gold):
        teacher = found[document.id].entities
        for entity in document.entities:
            own = next((each.label for each in teacher if each.start <= entity.start < each.end), "nothing")
            said[entity.label, own] += 1
            mentions[entity.label] += 1
    for (label, own), count in said.most_common():
        if own != label:
            print(f"{label} as {own} {count / mentions[label]:.2f} ({count} of {mentions[label]})")


if __name__ == "__main__":
    main()
