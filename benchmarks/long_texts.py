"""Long texts: labelled sentences joined to texts of many, read in windows and sentence by sentence.

    python benchmarks/long_texts.py BUNDLE --texts dev.jsonl

`--above` is the length in pieces from which on texts are read by sentences; otherwise the bundle's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from distill.corpora import read_all
from distill.document import Document, Entity
from distill.scores import strict, total
from students.runtime import Student


def joined(documents: Sequence[Document], separator: str) -> Document:
    """One Document of many, with all their entities."""
    text, entities = "", list[Entity]()
    for document in documents:
        text += separator if text else ""
        entities += [Entity(each.start + len(text), each.end + len(text), each.label) for each in document.entities]
        text += document.text
    return Document(documents[0].id, text, tuple(entities))


def f1(student: Student, gold: Sequence[Document], above: int) -> float:
    """Strict F1 where texts of more pieces than `above` are read by sentences."""
    student.encoder.sentences_above = above
    found = [document for document, _ in student.read(gold)]
    return total(strict(a.entities, b.entities) for a, b in zip(gold, found, strict=True)).f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--most", type=int, default=600, help="sentences to join")
    parser.add_argument("--above", type=int, help="pieces")
    given = parser.parse_args()
    student, documents = Student.load(given.bundle), read_all(given.texts)
    above = given.above or student.manifest.sentences_above
    whole = [f1(student, documents, length) for length in (0, above)]
    print(f"all {len(documents)} as they are: {whole[0]:.4f}, by sentences {whole[1]:.4f}")
    some = documents[: given.most]
    print(f"{len(some)} as they are: {f1(student, some, 0):.4f}\n")
    print("| joined by | sentences a text | in windows | by sentences |\n|---|---|---|---|")
    for name, separator in (("a space", " "), ("a line break", "\n")):
        for size in (3, 40):
            texts = [joined(some[at : at + size], separator) for at in range(0, len(some), size)]
            print(f"| {name} | {size} | {f1(student, texts, 0):.4f} | {f1(student, texts, above):.4f} |")


if __name__ == "__main__":
    main()
