"""What voting gains over the best single teacher, and whether agreement means what it says.

    python benchmarks/voting.py [--data ../shared/data] [--plots build/voting] [--seed 0]

Three corpora: NoiseBench (six noisy label sets of CoNLL sentences), label files of 1,000 CoNLL sentences, and 500
WikiGold sentences labelled five times by one model. The first and the last are converted here. Calibration is fitted
on a random half of the documents and measured on the other half.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from distill.alignment import AlignmentRules, Mention, align
from distill.calibration import (
    Bin,
    Calibration,
    calibration_error,
    fit,
    read_calibration,
    reliability,
    reliability_table,
    write_calibration,
)
from distill.document import Document, Entity
from distill.files import open_lines
from distill.jsonl import read_jsonl
from distill.reports import count, figure, table
from distill.scores import scores_by_document, total
from distill.tags import decode
from distill.text import join
from teachers.majority import Ballot, Rules, decide
from teachers.vote import ballots

RULES = {
    "majority (> 1/2)": Rules(), "at least 1/3": Rules(0.333), "at least 1/2": Rules(0.5), "at least 2/3": Rules(0.667),
}  # fmt: skip
Teachers = dict[str, list[Document]]


@dataclass
class Corpus:
    """Gold, the single teachers that are known one by one, and a ballot for every gold document, in order."""

    gold: list[Document]
    teachers: Teachers
    ballots: list[Ballot]


def cast(gold: Sequence[Document], teachers: Teachers) -> list[Ballot]:
    """The teachers' ballots in gold's order."""
    voices = [(name, iter(each)) for name, each in teachers.items()]
    found = {document.id: ballot for document, ballot in ballots(voices)}
    return [found[document.id] for document in gold]


def noisebench(data: Path) -> Corpus:
    """One file holds the tokens and seven tag sequences a sentence; `clean` is gold."""
    sets: Teachers = {}
    for _, line in open_lines(data / "noisebench" / "sentences.jsonl.gz"):
        row = json.loads(line)
        text, places = join(row["tokens"])
        for name, tags in row["tags"].items():
            found = [Entity(places[s.start].start, places[s.end - 1].end, s.label) for s in decode(tags).spans]
            sets.setdefault(name.removeprefix("noise_"), []).append(Document(row["id"], text, tuple(found)))
    gold = sets.pop("clean")
    return Corpus(gold, sets, cast(gold, sets))


def conll1000(data: Path, names: Sequence[str]) -> Corpus:
    """Label files of the same 1,000 sentences."""
    sets = {name: list(read_jsonl(data / "conll1000" / f"{name}.jsonl")) for name in names}
    gold = list(read_jsonl(data / "conll1000" / "gold.jsonl"))
    return Corpus(gold, sets, cast(gold, sets))


def wikigold(data: Path) -> Corpus:
    """One model asked five times: dictionaries of mentions, those named at least twice with their votes of five.

    Gold is a dictionary too, so every occurrence of a mention counts, in gold and in the answers.
    """
    votes = json.loads((data / "wikigold" / "chatgpt500.votes5.json").read_text(encoding="utf-8"))
    single = json.loads((data / "wikigold" / "chatgpt500.single.json").read_text(encoding="utf-8"))
    once = {row["idx"]: ast.literal_eval(row["self_annotate"]["prediction"]) for row in single}
    gold, asked, found = [], [], []
    for row in votes:
        identity, text = str(row["idx"]), row["sentence"]
        gold.append(Document(identity, text, located(text, ast.literal_eval(row["label"]))))
        asked.append(Document(identity, text, located(text, once[row["idx"]])))
        counted = ast.literal_eval(row["self_annotate"]["consistency_score"])["entities"]
        ballot = Ballot([f"answer {number}" for number in range(1, 6)])
        for (mention, label), number in counted.items():
            for entity in located(text, {mention: label}):
                ballot.votes[entity] = ballot.voters[:number]
        found.append(ballot)
    return Corpus(gold, {"one answer": asked}, found)


def located(text: str, mentions: dict[str, str]) -> tuple[Entity, ...]:
    """Every place of every mention."""
    found = align(text, [Mention(*item) for item in mentions.items()], AlignmentRules("all")).entities
    return tuple(replace(entity, how=None) for entity in found)


def verdicts(corpus: Corpus, rules: Rules) -> list[Document]:
    return [d.with_entities(decide(b, rules).entities) for d, b in zip(corpus.gold, corpus.ballots, strict=True)]


def figures(corpus: Corpus, found: Sequence[Document]) -> tuple[str, ...]:
    score = total(scores_by_document(corpus.gold, found, "strict").values())
    return (*(figure(value) for value in score.micro[:3]), figure(score.macro.f1))


def gains(corpus: Corpus) -> str:
    """Every teacher and every rule of voting, strict scores."""
    singles = [(name, *figures(corpus, found)) for name, found in corpus.teachers.items()]
    voted = [(f"vote, {name}", *figures(corpus, verdicts(corpus, rules))) for name, rules in RULES.items()]
    singles.sort(key=lambda row: row[3], reverse=True)
    return table(("", "P", "R", "F1", "macro F1"), [singles, voted], markdown=True)


def evidence(corpus: Corpus, places: Sequence[int]) -> tuple[list[float], list[bool]]:
    """For every candidate of these documents, its share of the votes and whether gold has it."""
    shares, right = [], []
    for place in places:
        known, ballot = set(corpus.gold[place].entities), corpus.ballots[place]
        shares += [ballot.share(entity) for entity in ballot.votes]
        right += [entity in known for entity in ballot.votes]
    return shares, right


def calibrate(corpus: Corpus, seed: int, out: Path) -> tuple[list[Bin], list[Bin], Calibration]:
    """Reliability of the raw shares on one half, and of the curve fitted on the other half."""
    places = list(range(len(corpus.gold)))
    Random(seed).shuffle(places)
    half = len(places) // 2
    write_calibration(fit(*evidence(corpus, places[:half])), out)
    curve = read_calibration(out)
    shares, right = evidence(corpus, places[half:])
    return reliability(shares, right), reliability([curve(share) for share in shares], right), curve


def draw(before: list[Bin], after: list[Bin], title: str, path: Path) -> None:
    """The reliability diagram: on the diagonal a score means what it says."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for bins, name, mark in ((before, "share of teachers", "o"), (after, "isotonic, other half", "s")):
        label = f"{name}, ECE {figure(calibration_error(bins))}"
        axes.plot([b.score for b in bins], [b.right for b in bins], marker=mark, label=label)
    axes.set(xlabel="score", ylabel="share right", title=title, xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="upper left")
    picture.savefig(path, dpi=120)
    pyplot.close(picture)


def main() -> None:
    """Print every table as markdown; pictures and curves go to --plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--plots", type=Path, default=Path("build/voting"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.plots.mkdir(parents=True, exist_ok=True)
    for name, corpus in corpora(given.data).items():
        before, after, curve = calibrate(corpus, given.seed, given.plots / f"{slug(name)}.json")
        draw(before, after, name, given.plots / f"{slug(name)}.png")
        knots = ", ".join(f"{x:.2f} → {y:.2f}" for x, y in zip(curve.x, curve.y, strict=True))
        print(f"### {name}\n\n{count(len(corpus.gold))} documents.\n\n{gains(corpus)}\n")
        print(f"Shares as they are, ECE {figure(calibration_error(before))}:\n")
        print(reliability_table(before, markdown=True) + "\n")
        print(f"Isotonic, fitted on the other half ({knots}), ECE {figure(calibration_error(after))}:\n")
        print(reliability_table(after, markdown=True) + "\n", flush=True)


def corpora(data: Path) -> dict[str, Corpus]:
    whole = noisebench(data)
    machines = {name: whole.teachers[name] for name in ("crowd", "distant", "weak", "llm")}
    return {
        "NoiseBench, six teachers": whole,
        "NoiseBench, without expert and crowdbest": Corpus(whole.gold, machines, cast(whole.gold, machines)),
        "CoNLL 1000, eight teachers": conll1000(
            data, ("cot", "standard", "chatgpt", "kb", "crowd", "weak", "gpt35", "uniner")
        ),
        "CoNLL 1000, the six weaker ones": conll1000(data, ("chatgpt", "kb", "crowd", "weak", "gpt35", "uniner")),
        "WikiGold, one model asked five times": wikigold(data),
    }


def slug(name: str) -> str:
    return name.lower().replace(",", "").replace(" ", "-")


if __name__ == "__main__":
    main()
