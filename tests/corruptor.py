"""The corruptor: seeded slips on recorded answers, and how many mentions alignment still puts where they belong.

    python tests/corruptor.py --data ../shared/data [--seed 0] [--only case]

Truth is the span of the careful answer. A mention is *recovered* at its true span, *lost*, *wrong*, or *elsewhere*:
at another place where the text reads the same, which nothing in the slipped answer tells from the true one. The last
columns count the mentions whose true span is *unique* (the text has no more such places than the answer has mentions),
those of them that were *missed*, and the answers that did not parse.
"""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bracketed import SENTENCES
from slips import ANSWER_SLIPS, MENTION_SLIPS, Said, as_dictionary

from distill.alignment import AlignmentRules, Mention, align
from distill.document import Span
from teachers.answers import UnparsedAnswer, parse_answer

RULES = AlignmentRules()
RECORDED = (
    ("conll1000/cot.jsonl", "conll1000/cot.responses.jsonl"),
    ("conll1000/standard.jsonl", "conll1000/standard.responses.jsonl"),
    ("bbc/sentences966.jsonl", "bbc/sentences966.cot.responses.jsonl"),
)


@dataclass(frozen=True)
class Case:
    """A text, the answer of a careful teacher, its mentions, and their spans."""

    text: str
    answer: str
    mentions: tuple[Mention, ...]
    truth: tuple[Span, ...]


@dataclass
class Tally:
    """Mentions by how they ended."""

    said: int = 0
    recovered: int = 0
    lost: int = 0
    elsewhere: int = 0
    wrong: int = 0
    unique: int = 0
    missed: int = 0
    unparsed: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def careful(text: str, answer: str) -> Case | None:
    """A case if the answer, as it stands, aligns exactly; None otherwise."""
    mentions = parse_answer(answer, "dictionary").mentions
    aligned = align(text, mentions)
    if any(outcome.status != "exact" for outcome in aligned.outcomes):
        return None
    return Case(text, answer, mentions, tuple(outcome.entities[0].span for outcome in aligned.outcomes))


def recorded(folder: Path) -> Iterator[Case]:
    for texts, answers in RECORDED:
        text = {row["id"]: row["text"] for row in _rows(folder / texts)}
        for row in _rows(folder / answers):
            case = careful(text[row["id"]], row["response"])
            if case and case.mentions:
                yield case


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def written() -> Iterator[Case]:
    """Cases of our own: what stands between brackets is a mention, `[LOC Paris]`."""
    for sentence in SENTENCES:
        text, mentions = "", []
        for part in sentence.replace("]", "[").split("["):
            label, _, name = part.partition(" ")
            named = label in ("LOC", "ORG", "PER", "MISC")
            text += name if named else part
            mentions += [Mention(name, label)] if named else []
        answer = f"Step 1. News.\nResult: {json.dumps(as_dictionary(tuple(mentions)), ensure_ascii=False)}"
        case = careful(text, answer)
        assert case, sentence
        yield case


def measure(cases: Iterable[Case], slip: str, seed: int = 0, rules: AlignmentRules = RULES) -> Tally:
    """How the mentions of `cases` end when every answer slips once."""
    tally = Tally()
    for number, case in enumerate(cases):
        random = Random(zlib.crc32(f"{seed} {slip} {number}".encode()))
        if slip in ANSWER_SLIPS:
            tally += _answer(case, slip, random, rules)
        else:
            tally += _mentions(case, slip, random, rules)
    return tally


def _answer(case: Case, slip: str, random: Random, rules: AlignmentRules) -> Tally:
    answer = ANSWER_SLIPS[slip](case.answer, random)
    try:
        mentions = parse_answer(answer, "dictionary").mentions
    except UnparsedAnswer:
        return Tally(said=len(case.mentions), lost=len(case.mentions), unparsed=1)
    origin: list[int | None] = []
    free = list(range(len(case.mentions)))
    for mention in mentions:
        match = next((at for at in free if case.mentions[at] == mention), None)
        origin.append(match)
        if match is not None:
            free.remove(match)
    tally = _score(case, Said(case.text, mentions, tuple(origin)), case.truth, rules)
    return Tally(**{**vars(tally), "said": len(case.mentions), "lost": tally.lost + len(free)})


def _mentions(case: Case, slip: str, random: Random, rules: AlignmentRules) -> Tally:
    before = Said(case.text, case.mentions, tuple(range(len(case.mentions))))
    said, truth = MENTION_SLIPS[slip](before, random), case.truth
    if slip == "NFD text":
        moved = {at: len(unicodedata.normalize("NFD", said.text[:at])) for span in truth for at in span}
        truth = tuple(Span(moved[start], moved[end]) for start, end in truth)
        said = Said(unicodedata.normalize("NFD", said.text), said.mentions, said.origin)
    if (said.text, said.mentions) == (case.text, case.mentions):
        return Tally()
    return _score(case, said, truth, rules)


def _score(case: Case, said: Said, truth: Sequence[Span], rules: AlignmentRules) -> Tally:
    tally = Tally(said=len(said.mentions))
    meant = {(truth[at], case.mentions[at].label): at for at in said.origin if at is not None}
    names = [case.mentions[at].text for at in meant.values()]
    shared = {one.text.casefold() for one in case.mentions for other in case.mentions if _two_labels(one, other)}
    slipped = {at: mention.text for at, mention in zip(said.origin, said.mentions, strict=True) if at is not None}
    found = align(said.text, said.mentions, rules).outcomes
    # The same name twice under one label: either may take either place, and a repeat the place of the first.
    reached = {(entity.span, entity.label) for outcome in found for entity in outcome.entities}
    for place, true in meant.items():
        name = case.mentions[true].text
        unique = name.casefold() not in shared and not _ambiguous(case.text, name, slipped[true], names)
        tally.unique += unique
        tally.missed += unique and place not in reached
    for outcome, at in zip(found, said.origin, strict=True):
        name = outcome.mention.text if at is None else case.mentions[at].text
        if not outcome.entities:
            tally.lost += 1
        elif (outcome.entities[0].span, outcome.mention.label) in meant:
            tally.recovered += 1
        elif name.casefold() in shared or _ambiguous(case.text, name, outcome.mention.text, names):
            tally.elsewhere += 1
        else:
            tally.wrong += 1
    return tally


def _two_labels(one: Mention, other: Mention) -> bool:
    """Whether one name stands under two labels: nothing in a dictionary says which of its places is whose."""
    return one.label != other.label and one.text.casefold() == other.text.casefold()


def _ambiguous(text: str, true: str, said: str, names: Sequence[str]) -> bool:
    """Whether the text holds more places that read like the name than the answer has mentions of it."""
    flat = text.casefold()
    return any(
        flat.count(name) > sum(name in each.casefold() for each in names)
        for name in {true.casefold(), said.casefold()}
    )


def table(cases: Sequence[Case], slips: Iterable[str], seed: int) -> str:
    columns = ("said", "recovered", "lost", "elsewhere", "wrong", "unique", "missed", "unparsed")
    lines = [f"{'slip':16}" + "".join(f"{column:>11}" for column in columns)]
    for slip in slips:
        tally = vars(measure(cases, slip, seed))
        lines.append(f"{slip:16}" + "".join(f"{tally[column]:11,}" for column in columns))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of conll1000/ and bbc/; default: our own sentences")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=[*MENTION_SLIPS, *ANSWER_SLIPS])
    given = parser.parse_args()
    cases = list(recorded(given.data)) if given.data else list(written())
    print(f"{len(cases):,} answers, {sum(len(case.mentions) for case in cases):,} mentions, seed {given.seed}")
    print(table(cases, given.only or [*MENTION_SLIPS, *ANSWER_SLIPS], given.seed))


if __name__ == "__main__":
    main()
