"""How long alignment takes and how it grows with the text, beside a plain search and fuzzy matching of everything.

    python benchmarks/alignment.py [--mentions 100] [--longest 200]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from distill.alignment import AlignmentRules, Mention, align

SYLLABLES = ("ka", "ro", "mi", "ten", "vol", "sha", "bri", "lu", "dor", "pen", "as", "qui", "no", "gra", "el")
LENGTHS = (1000, 2000, 4000, 20_000, 100_000)
COMMON = ("the", "of", "and", "to", "in", "said", "on", "for", "with", "market", "team", "after", "new", ",", ".")


def written(tokens: int, names: int, seed: int = 0) -> tuple[str, list[Mention]]:
    """A made-up text of so many tokens in which so many names stand, and those names in order."""
    random = Random(seed)
    words = [random.choice(COMMON) for _ in range(tokens)]
    mentions = []
    for place in sorted(random.sample(range(tokens), names)):
        name = " ".join("".join(random.choices(SYLLABLES, k=3)).title() for _ in range(random.randint(1, 3)))
        words[place] = name
        mentions.append(Mention(name, random.choice(("LOC", "ORG", "PER", "MISC"))))
    return " ".join(words), mentions


def careless(mentions: Sequence[Mention]) -> list[Mention]:
    """Every mention in capitals: all of them need the folded text."""
    return [Mention(mention.text.upper(), mention.label) for mention in mentions]


def misspelt(mentions: Sequence[Mention]) -> list[Mention]:
    """Every mention with a letter doubled: all of them need fuzzy matching."""
    return [Mention(mention.text[:2] + mention.text[1:], mention.label) for mention in mentions]


def plain(text: str, mentions: Sequence[Mention]) -> None:
    """What most tools do: the first place where the string stands, whatever is around it."""
    for mention in mentions:
        text.find(mention.text)


def fuzzy_everything(text: str, mentions: Sequence[Mention]) -> None:
    """rapidfuzz's partial_ratio_alignment for each mention."""
    from rapidfuzz import fuzz

    for mention in mentions:
        fuzz.partial_ratio_alignment(mention.text, text)


def common() -> list[Mention]:
    """A hundred mentions of words that stand on every line."""
    return [Mention(word, "X") for word in ("the", "TEAM", "of", "market")] * 25


def milliseconds(call: Callable[[], object], times: int = 5) -> float:
    """Processor time, the best of a few runs."""
    best = float("inf")
    for _ in range(times):
        start = process_time()
        call()
        best = min(best, process_time() - start)
    return best * 1000


def main() -> None:
    """Print one line for each length of text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=100)
    parser.add_argument("--longest", type=int, default=200, help="pages of 500 tokens")
    parser.add_argument("--best", type=int, default=5, help="of so many runs")
    given = parser.parse_args()
    ways: dict[str, Callable[[str, list[Mention]], object]] = {
        "find": plain,
        "exact": align,
        "all": lambda text, mentions: align(text, mentions, AlignmentRules(occurrences="all")),
        "case": lambda text, mentions: align(text, careless(mentions)),
        "fuzzy": lambda text, mentions: align(text, misspelt(mentions)),
        "common": lambda text, _: align(text, common()),
        "dots": lambda text, _: align("." * len(text), [Mention(dots, "X") for dots in (".", "..", "...", "?")]),
        "rapidfuzz": fuzzy_everything,
    }
    print(f"{given.mentions} mentions, milliseconds of processor time a text (best of {given.best})")
    print(f"{'tokens':>9}" + "".join(f"{name:>11}" for name in ways))
    for tokens in (size for size in LENGTHS if size <= given.longest * 500):
        text, mentions = written(tokens, given.mentions)
        times = [milliseconds(partial(way, text, mentions), given.best) for way in ways.values()]
        print(f"{tokens:9,}" + "".join(f"{time:11.2f}" for time in times), flush=True)


if __name__ == "__main__":
    main()
