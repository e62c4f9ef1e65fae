"""The corruptor: seeded slips on careful answers, and how many mentions alignment still puts where they belong.

    python tests/corruptor.py --data ../shared/data [--seed 0] [--only case] [--show wrong]
    python tests/corruptor.py --data ../shared/data --corpus crossner --most 300

Careful answers are our own sentences, recorded ones (`--data`), or the gold labels of a corpus (`--corpus`). Truth is
the span of the careful answer. A mention is *recovered* at its true span (of two mentions that read the same under one
label either may take either span), *lost*, *wrong*, or *elsewhere*: at another place that reads like the name or like
what was said, where the text has more such places than the answer has mentions of them, so that nothing tells them
apart. The last columns count the mentions whose true span is *unique* in that sense, those of them that were *missed*,
and the answers that did not parse.
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cases import CORPORA, Case, corpus, recorded, written
from slips import ANSWER_SLIPS, MENTION_SLIPS, Said

from distill.alignment import AlignmentRules, Mention, Outcome, align
from distill.document import Span
from distill.words import is_spaceless
from teachers.answers import UnparsedAnswer, parse_answer

RULES = AlignmentRules()
# A letter or digit of a script with spaces: Chinese, Japanese and Thai ones end no Latin word.
_LETTER = r"[^\W_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"
COLUMNS = ("said", "recovered", "lost", "elsewhere", "wrong", "unique", "missed", "unparsed")


@dataclass
class Tally:
    """Mentions by how they ended, and for the curious what was said and where it went."""

    said: int = 0
    recovered: int = 0
    lost: int = 0
    elsewhere: int = 0
    wrong: int = 0
    unique: int = 0
    missed: int = 0
    unparsed: int = 0
    stories: list[str] = field(default_factory=list)

    def __iadd__(self, other: Tally) -> Tally:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


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
    if slip != "as it is" and (said.text, said.mentions) == (case.text, case.mentions):
        return Tally()
    return _score(case, said, truth, rules)


def _score(case: Case, said: Said, truth: Sequence[Span], rules: AlignmentRules) -> Tally:
    tally = Tally(said=len(said.mentions))
    found = align(said.text, said.mentions, rules).outcomes
    told = _Told(said.text, said, truth)
    reached = {(_where(outcome), outcome.mention.label) for outcome in found}
    for at, mention in zip(said.origin, said.mentions, strict=True):
        if at is not None and told.unique(at, mention):
            tally.unique += 1
            if (truth[at], mention.label) not in reached:
                tally.missed += 1
                tally.stories.append(f"missed: {mention.text!r} for {case.mentions[at].text!r} in {case.text!r}")
    for at, outcome in zip(said.origin, found, strict=True):
        end = told.end(at, outcome)
        setattr(tally, end, getattr(tally, end) + 1)
        if outcome.entities and end != "recovered":
            tally.stories.append(f"{end}: {_story(said.text, outcome, None if at is None else truth[at])}")
    return tally


def _story(text: str, outcome: Outcome, true: Span | None) -> str:
    span = outcome.entities[0].span
    meant = "a repeat" if true is None else f"{text[true.start : true.end]!r} at {true.start}"
    here = f"{text[span.start : span.end]!r} at {span.start} ({outcome.how or 'exact'})"
    return f"{outcome.mention.text!r} for {meant} went to {here} in {text!r}"


def _where(outcome: Outcome) -> Span | None:
    whole = outcome.entities and not outcome.entities[0].fragments
    return outcome.entities[0].span if whole else None


class _Told:
    """What a slipped answer still tells of the careful one."""

    def __init__(self, text: str, said: Said, truth: Sequence[Span]) -> None:
        self._text = text
        kept = [(at, mention) for at, mention in zip(said.origin, said.mentions, strict=True) if at is not None]
        self._names = {at: text[truth[at].start : truth[at].end] for at, _ in kept}
        self._rest = _without(text, [truth[at] for at, _ in kept])
        self._labels: dict[str, set[str]] = {}
        self._spans: dict[tuple[str, str], set[Span]] = {}
        for at, mention in kept:
            for form in {_plain(self._names[at]), _plain(mention.text)}:
                self._labels.setdefault(form, set()).add(mention.label)
                self._spans.setdefault((mention.label, form), set()).add(truth[at])

    def unique(self, at: int | None, mention: Mention) -> bool:
        """Whether neither the name nor what was said reads like another place, or like a mention of another label.

        Capitals tell places apart so long as the slip left them alone.
        """
        name = mention.text if at is None else self._names[at]
        # Nothing tells a repeat from a second mention in other capitals.
        fold = str.casefold if at is None or _case_slipped(mention.text, name) else str
        forms = {_plain(mention.text), _plain(name)}
        shared = any(len(self._labels.get(form, ())) > 1 for form in forms)
        return not shared and not any(self._more(each, fold) for each in (mention.text, name))

    def _more(self, name: str, fold: Callable[[str], str]) -> bool:
        """Whether such a place is left outside the true spans, or reaches out of one."""
        form = fold(_composed(name))
        accounted = sum(places(fold(each), form) for each in self._names.values())
        return places(fold(self._rest), form) > 0 or places(fold(self._text), form) > accounted

    def spans(self, at: int | None, mention: Mention) -> set[Span]:
        """The true spans of a mention and of those that read like it under its label: they stand for one another."""
        forms = {_plain(mention.text), _plain(mention.text if at is None else self._names[at])}
        return set().union(*(self._spans.get((mention.label, form), set()) for form in forms))

    def end(self, at: int | None, outcome: Outcome) -> str:
        if not outcome.entities:
            return "lost"
        if _where(outcome) in self.spans(at, outcome.mention):
            return "recovered"
        return "wrong" if self.unique(at, outcome.mention) else "elsewhere"


def _without(text: str, spans: Iterable[Span]) -> str:
    letters = list(text)
    for start, end in spans:
        letters[start:end] = "\n" * (end - start)
    return "".join(letters)


def _case_slipped(said: str, name: str) -> bool:
    one, other = _composed(said), _composed(name)
    folded, plain = (each(one) in each(other) or each(other) in each(one) for each in (str.casefold, str))
    return folded and not plain


def _composed(text: str) -> str:
    """White space and Unicode normalisation aside."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _plain(text: str) -> str:
    """Case aside, too."""
    return _composed(text).casefold()


def places(text: str, name: str) -> int:
    """How often the text reads like the name; as a whole word in scripts that have such."""
    folded = re.escape(name)
    before = f"(?<!{_LETTER})" if name[:1].isalnum() and not is_spaceless(name[0]) else ""
    after = f"(?!{_LETTER})" if name[-1:].isalnum() and not is_spaceless(name[-1]) else ""
    return len(re.findall(before + folded + after, _composed(text)))


def table(cases: Sequence[Case], slips: Iterable[str], seed: int, show: Sequence[str] = ()) -> str:
    lines = [f"{'slip':16}" + "".join(f"{column:>11}" for column in COLUMNS)]
    for slip in slips:
        tally = measure(cases, slip, seed)
        lines.append(f"{slip:16}" + "".join(f"{getattr(tally, column):11,}" for column in COLUMNS))
        lines += [f"    {story}" for story in tally.stories if story.startswith(tuple(show))] if show else []
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the corpora; default: our own sentences")
    parser.add_argument("--corpus", action="append", choices=[*CORPORA], default=[], help="gold labels as answers")
    parser.add_argument("--most", type=int, default=300, help="documents of each corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=[*MENTION_SLIPS, *ANSWER_SLIPS])
    parser.add_argument("--show", action="append", choices=["wrong", "missed", "elsewhere"], default=[])
    given = parser.parse_args()
    if given.corpus and not given.data:
        parser.error("--corpus needs --data")
    sets = {name: corpus(name, given.data, given.most, given.seed) for name in given.corpus}
    sets = sets or {"answers": list(recorded(given.data) if given.data else written())}
    for name, cases in sets.items():
        said = sum(len(case.mentions) for case in cases)
        print(f"{name}: {len(cases):,} answers, {said:,} mentions, seed {given.seed}")
        slips = given.only or [*MENTION_SLIPS, *([] if given.corpus else ANSWER_SLIPS)]
        print(table(cases, slips, given.seed, given.show), flush=True)


if __name__ == "__main__":
    main()
