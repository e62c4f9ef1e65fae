"""Is it worth choosing what to label? So many chosen documents against as many random ones, over seeds.

    python benchmarks/selecting.py --pool ../shared/data/chatgpt_conll/train.txt --tag-column 1 \
        --gold ../shared/data/conll1000/gold.other1000.jsonl --dev ../shared/data/conll2003/dev.jsonl \
        --test ../shared/data/conll2003/test.jsonl --first 100 --n 500 --seeds 5 --out build/selecting

For every seed: a first student learns from `--first` gold documents; it says how unsure it is of each document of the
pool; each arm chooses `--n` of them (`random`, `entropy`, `margin`, `diversity`, `both`: entropy and diversity); the
labels of the chosen ones are those that stand in the pool; a student learns from them and from the same gold documents,
and is scored on the test file. `none` is the first student itself. All of it is done by `ner-distill` commands; what
was done is not done again, so the same call goes on where it was stopped. One row a run in OUT/rows.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from distill.document import Document
from distill.jsonl import read_jsonl, write_jsonl
from distill.words import words

ARMS = ("random", "entropy", "margin", "diversity", "both")
# Student's t at 97.5 % for one to nine degrees of freedom.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def call(*arguments: str | Path) -> None:
    """One `ner-distill` command; its failure ends the experiment. Tables are left to the rows."""
    told = subprocess.DEVNULL if arguments[0] == "evaluate" else None
    subprocess.run([sys.executable, "-m", "cli", *map(str, arguments)], check=True, stdout=told)


def made(path: Path, *arguments: str | Path) -> Path:
    """What a command writes into `path`, which it does whole or not at all; nothing where it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        call(*arguments)
    return path


def pool_of(options: argparse.Namespace, out: Path) -> Path:
    """The pool as JSONL, each text once, without those of dev, test and gold, where nothing could be learnt of them."""
    path, raw = out / "pool.jsonl", out / "pool.raw.jsonl"
    if path.exists():
        return path
    columns = ("--from", "conll", "--token-column", "0", "--tag-column", options.tag_column)
    made(raw, "convert", options.pool, raw, *(columns if options.tag_column else ()))
    known = {plain(document) for each in (options.dev, options.test, options.gold) for document in read_jsonl(each)}
    kept: dict[str, Document] = {}
    for document in read_jsonl(raw):
        if plain(document) not in known and document.text.strip():
            kept.setdefault(plain(document), document)
    write_jsonl(list(kept.values())[: options.pool_size], path)
    return path


def plain(document: Document) -> str:
    """A text without white space and case, to know it again."""
    return "".join(document.text.split()).casefold()


def first_student(options: argparse.Namespace, pool: Path, folder: Path, seed: int) -> tuple[Path, Path, Path]:
    """The few gold documents of a seed, the student of them, and the pool with its doubts."""
    gold = made(folder / "gold.jsonl", "sample", options.gold, "--out", folder / "gold.jsonl", "--n", options.first,
                "--seed", str(seed))  # fmt: skip
    run = trained(options, folder / "first", seed, "--gold", gold, "--schedule", "gold")
    bundle = made(folder / "bundle", "export", run, "--out", folder / "bundle", "--precision", "fp32")
    doubts = folder / "doubts.jsonl"
    made(doubts, "predict", bundle, pool, "--uncertainty", "--out", doubts)
    return gold, run, doubts


def trained(options: argparse.Namespace, run: Path, seed: int, *data: str | Path) -> Path:
    """A run; `train` goes on with one that was stopped, and does nothing to a finished one."""
    call("train", *data, "--dev", options.dev, "--seed", str(seed), "--out", run, *shlex.split(options.train))
    return run


def vectors_of(doubts: Path, out: Path) -> Path:
    """A vector for each document of the pool, in its order."""
    path = out / "vectors.npy"
    if not path.exists():
        import numpy

        from teachers.embeddings import embedded, embedder

        found = embedded([document.text for document in read_jsonl(doubts)], embedder("minilm"), out / "embeddings")
        with path.with_suffix(".part").open("wb") as file:
            numpy.save(file, found)
        path.with_suffix(".part").replace(path)
    return path


def chosen(options: argparse.Namespace, arm: str, doubts: Path, folder: Path, out: Path, seed: int) -> Path:
    """What an arm chooses from the pool."""
    path = folder / f"{arm}.jsonl"
    if arm == "random":
        return made(path, "sample", doubts, "--out", path, "--n", options.n, "--seed", str(seed))
    by = {"both": "entropy"}.get(arm, arm)
    spread = ("--vectors", vectors_of(doubts, out), "--seed", str(seed)) if arm in ("both", "diversity") else ()
    return made(path, "select", doubts, "--out", path, "--by", by, "--n", options.n, *spread)


def labelled(selection: Path, pool: Path) -> Path:
    """The chosen documents with the labels of the pool: the teacher is asked, so to speak."""
    path = selection.with_suffix(".labelled.jsonl")
    wanted = {document.id for document in read_jsonl(selection)}
    write_jsonl((document for document in read_jsonl(pool) if document.id in wanted), path)
    return path


def row_of(options: argparse.Namespace, arm: str, seed: int, run: Path, data: Path | None) -> dict[str, Any]:
    """The scores of a run, and how much there was to read in what was chosen."""
    scores = run.parent / f"{run.name}.test.json"
    call("evaluate", run, "--gold", options.test, "--json", scores)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    strict = json.loads(scores.read_text(encoding="utf-8"))["systems"][str(run)]["strict"]
    documents = list(read_jsonl(data)) if data else []
    return {
        "arm": arm, "seed": seed, "documents": len(documents),
        "words": sum(len(words(document.text)) for document in documents),
        "entities": sum(len(document.entities) for document in documents), "dev": report["best"]["f1"],
        "test": strict["micro"]["f1"], "test_interval": strict["interval"], "steps": report["steps"],
    }  # fmt: skip


def rows_of(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The runs that are done."""
    path = out / "rows.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(row["arm"], row["seed"]): row for row in map(json.loads, lines)}


def kept(out: Path, row: dict[str, Any]) -> None:
    """One more row, on the disk before the next run begins."""
    print(json.dumps(row), flush=True)
    with (out / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def one_seed(options: argparse.Namespace, out: Path, pool: Path, seed: int) -> None:
    """All arms of a seed."""
    folder, done = out / f"seed-{seed}", rows_of(out)
    arms = [arm for arm in ("none", *options.arms) if (arm, seed) not in done]
    if not arms:
        return
    gold, first, doubts = first_student(options, pool, folder, seed)
    for arm in arms:
        if arm == "none":
            kept(out, row_of(options, arm, seed, first, None))
            continue
        data = labelled(chosen(options, arm, doubts, folder, out, seed), pool)
        schedule = shlex.split(options.schedule)
        run = trained(options, folder / arm, seed, "--distilled", data, "--gold", gold, "--schedule", *schedule)
        kept(out, row_of(options, arm, seed, run, data))


def table(rows: dict[tuple[str, int], dict[str, Any]], arms: tuple[str, ...]) -> str:
    """A line an arm: the mean, and the mean difference to `random` on the same seeds with its 95 % interval."""
    lines = ["| arm | runs | words | test F1 | beyond random | 95 % |", "| --- | --- | --- | --- | --- | --- |"]
    for arm in arms:
        mine = {seed: row for (name, seed), row in rows.items() if name == arm}
        pairs = [row["test"] - rows["random", seed]["test"] for seed, row in mine.items() if ("random", seed) in rows]
        if not mine:
            continue
        sure = 1 < len(pairs) <= len(T) + 1
        half = f"± {T[len(pairs) - 2] * stdev(pairs) / math.sqrt(len(pairs)):.4f}" if sure else ""
        beyond = f"{mean(pairs):+.4f} | {half}" if pairs and arm != "random" else " | "
        score, read = mean(row["test"] for row in mine.values()), mean(row["words"] for row in mine.values())
        lines.append(f"| {arm} | {len(mine)} | {read:.0f} | {score:.4f} | {beyond} |")
    return "\n".join(lines)


def same_call(options: argparse.Namespace, out: Path) -> None:
    """Rows of another call must not stand among these; more seeds and other arms may come later."""
    path = out / "settings.json"
    settings = {name: value for name, value in vars(options).items() if name not in ("arms", "seeds", "out")}
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != settings:
        sys.exit(f"{path} has other settings; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pool", "gold", "dev", "test"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--tag-column", default="", help="of a pool in CoNLL's format: 1 is ChatGPT's, 2 is gold")
    parser.add_argument("--pool-size", type=int, help="no more documents than this")
    parser.add_argument("--first", default="100", help="gold documents of the first student")
    parser.add_argument("--n", default="500", help="documents that each arm chooses")
    parser.add_argument("--arms", nargs="+", default=["random", "entropy", "diversity", "both"], choices=ARMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--schedule", default="mix", help="of the chosen documents and the gold ones")
    parser.add_argument("--train", default="--student minilm --epochs 20", help="more options for train")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    out = Path(options.out)
    same_call(options, out)
    pool = pool_of(options, out)
    for seed in range(1, options.seeds + 1):
        one_seed(options, out, pool, seed)
    print(table(rows_of(out), ("none", *ARMS)))


if __name__ == "__main__":
    main()
