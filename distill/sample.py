"""A sample of a corpus of any size: one pass, memory for the sample alone, the same for the same seed.

Each text draws a ticket, the hash of the seed and the text, and the lowest tickets win. So every different text has the
same chance, a text that stands twice has one ticket, and neither the order of the files nor their number matters.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count as counting
from pathlib import Path

from distill.clashes import keep_apart, named
from distill.corpora import FORMATS, check_jsonl_target, read_documents
from distill.document import Document
from distill.errors import CallError
from distill.files import stem
from distill.jsonl import write_jsonl
from distill.options import Options, option
from distill.parquet import HUB, read_hub
from distill.progress import progress
from distill.reports import count
from distill.sentences import pieces
from distill.words import words

UNITS = ("document", "paragraph", "sentence")


@dataclass(frozen=True)
class SampleOptions(Options):
    """What `sample` is told."""

    inputs: tuple[Path, ...] = option(
        (), "files, folders of shards, or hub:OWNER/NAME:SPLIT", argument=True, flag="input"
    )
    out: Path = option(help="where the sample goes (JSONL)")
    n: int = option(help="how many different texts", at_least=1)
    seed: int = option(0, "seed of the draw")
    unit: str = option("document", "what is drawn: documents, or their paragraphs or sentences", choices=UNITS)
    min_words: int = option(0, "leave out texts with fewer words", at_least=0)
    max_words: int | None = option(None, "leave out texts with more words", at_least=1)
    format: str | None = option(
        None, "format of the input; told by its suffix or first lines", choices=tuple(FORMATS), flag="from"
    )
    json: bool = option(False, "print the report as JSON")


@dataclass
class SampleReport:
    """What was seen and what was drawn. `repeats` counts further copies of texts that were in the sample when met."""

    out: Path
    documents: int = 0
    units: int = 0
    too_short: int = 0
    too_long: int = 0
    repeats: int = 0
    drawn: int = 0
    wanted: int = 0
    torn_entities: int = 0

    def __str__(self) -> str:
        lines = [
            f"{self.out}: {count(self.drawn)} texts of {count(self.units)} in {count(self.documents)} documents; "
            f"{count(self.too_short)} too short, {count(self.too_long)} too long, {count(self.repeats)} repeats"
        ]
        if self.drawn < self.wanted:
            lines.append(f"only {count(self.drawn)} different texts were there, {count(self.wanted)} were asked for")
        if self.torn_entities:
            lines.append(f"{count(self.torn_entities)} entities went beyond their piece and were left out")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "out": str(self.out), "documents": self.documents, "units": self.units, "too_short": self.too_short,
            "too_long": self.too_long, "repeats": self.repeats, "drawn": self.drawn, "wanted": self.wanted,
            "torn_entities": self.torn_entities,
        }  # fmt: skip


def sample(options: SampleOptions) -> SampleReport:
    """Draw `n` different texts and write them in the order in which they stand in the input."""
    if not options.inputs:
        raise CallError("sample needs an INPUT")
    check_jsonl_target(options.out)
    keep_apart(named("an input", options.inputs), [("--out", options.out)])
    report = SampleReport(options.out, wanted=options.n)
    drawn = draw(_fitting(options, report), options.n, options.seed, report)
    report.drawn = write_jsonl(_unique(drawn), options.out)
    return report


def draw(
    documents: Iterator[tuple[str, Document]], n: int, seed: int, report: SampleReport
) -> list[tuple[str, Document]]:
    """The `n` lowest tickets, each text once, in the order of the input; memory holds no more than these."""
    key = seed.to_bytes(16, "big", signed=True)
    heap: list[tuple[int, int]] = []  # negative ticket and place: the highest ticket is on top
    held: dict[int, tuple[str, Document]] = {}
    for place, (source, document) in enumerate(documents):
        ticket = ticket_of(document.text, key)
        if ticket in held:
            report.repeats += 1
        elif len(heap) < n:
            heapq.heappush(heap, (-ticket, place))
            held[ticket] = (source, document)
        elif ticket < -heap[0][0]:
            loser, _ = heapq.heapreplace(heap, (-ticket, place))
            del held[-loser]
            held[ticket] = (source, document)
    return [held[-ticket] for ticket, _ in sorted(heap, key=lambda item: item[1])]


def ticket_of(text: str, key: bytes) -> int:
    """A number that seed and text alone decide; white space and case make no other text."""
    plain = " ".join(text.casefold().split())
    return int.from_bytes(blake2b(plain.encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest(), "big")


def _fitting(options: SampleOptions, report: SampleReport) -> Iterator[tuple[str, Document]]:
    with progress("reading") as shown:
        for path in options.inputs:
            for document in _read(path, options.format):
                report.documents += 1
                shown.advance()
                for piece, torn in pieces(document, options.unit):
                    report.units += 1
                    report.torn_entities += torn
                    if _fits(piece, options, report):
                        yield stem(path), piece


def _read(path: Path, format: str | None) -> Iterator[Document]:
    return read_hub(str(path)) if str(path).startswith(HUB) else read_documents(path, format)


def _fits(document: Document, options: SampleOptions, report: SampleReport) -> bool:
    length = len(words(document.text))
    report.too_short += length < max(options.min_words, 1)
    report.too_long += options.max_words is not None and length > options.max_words
    return length >= max(options.min_words, 1) and (options.max_words is None or length <= options.max_words)


def _unique(drawn: Sequence[tuple[str, Document]]) -> Iterator[Document]:
    """Ids that stand more than once get the name of their file, and a number where that is not enough."""
    times = Counter(document.id for _, document in drawn)
    taken: set[str] = {identity for identity, number in times.items() if number == 1}
    for source, document in drawn:
        if times[document.id] == 1:
            yield document
            continue
        numbered = (f"{source}/{document.id}" + (f"#{number}" if number > 1 else "") for number in counting(1))
        identity = next(name for name in numbered if name not in taken)
        taken.add(identity)
        yield replace(document, id=identity)
