"""How near does vetting come to a teacher's strict F1? Label files of the same texts, judged by gold of other texts.

    python benchmarks/vetting.py --gold ../shared/data/conll1000/gold.other1000.jsonl --seeds 3 \
        --truth ../shared/data/conll1000/gold.jsonl ../shared/data/conll1000/{cot,chatgpt,kb,gpt35,uniner}.jsonl \
        ../shared/data/bbc/sentences966.cot.jsonl

What `train` says of each file by seed, beside its F1 against `--truth`, which training never sees; nothing there for
files of other texts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.corpora import read_all
from distill.document import Document
from distill.scores import strict, total
from students.options import TrainOptions
from students.processes import processes
from students.runner import trained
from students.setting import setting_of
from students.vetting import vetted


def true_f1(labelled: list[Document], truth: list[Document]) -> str:
    """The file's own strict F1, where the texts are those of the truth."""
    known = {document.id: document for document in truth}
    if any(each.id not in known or known[each.id].text != each.text for each in labelled):
        return "-"
    return f"{total(strict(known[each.id].entities, each.entities) for each in labelled).f1:.3f}"


def verdicts(given: argparse.Namespace, seed: int, folder: Path) -> tuple[str, ...]:
    """What is said of each file."""
    options = TrainOptions(
        distilled=tuple(given.files), gold=(given.gold,), seed=seed, threads=1, device="cpu", precision="fp32",
        out=folder / "run",
    )  # fmt: skip

    with processes("cpu") as alone:
        return vetted(setting_of(options), trained, alone)[0].notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    truth = read_all(given.truth) if given.truth else []
    for path in given.files:
        print(f"{path.name}: strict F1 {true_f1(read_all(path), truth)}")
    for seed in range(1, given.seeds + 1):
        with TemporaryDirectory() as folder:
            for told in verdicts(given, seed, Path(folder)):
                print(f"seed {seed}, {told}", flush=True)


if __name__ == "__main__":
    main()
