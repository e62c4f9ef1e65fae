"""Schedules compared over seeds: train every pair, choose on dev, report on test, one row a run and a table.

    python benchmarks/blends.py --distilled D.jsonl --gold G.jsonl --dev dev.jsonl --test test.jsonl \
        --schedules gold --schedules mix --schedules "sigmoid --k 32" --seeds 3 --out build/blends

Runs are ordinary `ner-distill train` calls into OUT/<schedule>-<seed>; a finished one is not trained again. The test
file is opened once, after the last training. The interval is Student's t over the seeds.
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

# Student's t at 97.5 % for one to nine degrees of freedom.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def call(*arguments: str) -> None:
    """One `ner-distill` command; its failure ends the comparison."""
    subprocess.run([sys.executable, "-m", "cli", *arguments], check=True)


def train(options: argparse.Namespace, schedule: str, seed: int) -> Path:
    """Train one run, or find it finished."""
    family, _, _ = schedule.partition(" ")
    run = Path(options.out) / f"{family}-{seed}"
    data = [f"--{name}={path}" for name in ("distilled", "gold") for path in getattr(options, name)]
    call("train", *data, f"--dev={options.dev}", "--schedule", *shlex.split(schedule), f"--seed={seed}",
         f"--out={run}", *shlex.split(options.train))
    return run


def summary(rows: list[dict[str, Any]], schedule: str) -> str:
    """One line of the table."""
    test = [row["test"] for row in rows if row["schedule"] == schedule]
    dev = [row["dev"] for row in rows if row["schedule"] == schedule]
    spread = stdev(test) if len(test) > 1 else 0.0
    half = T[len(test) - 2] * spread / math.sqrt(len(test)) if 1 < len(test) <= len(T) + 1 else float("nan")
    return f"| {schedule} | {len(test)} | {mean(dev):.4f} | {mean(test):.4f} | {spread:.4f} | ± {half:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("distilled", "gold", "schedules"):
        parser.add_argument(f"--{name}", action="append", required=True)
    for name in ("dev", "test", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", default="--student minilm --epochs 20", help="more options for train")
    options = parser.parse_args()
    runs = {(schedule, seed): train(options, schedule, seed)
            for seed in range(1, options.seeds + 1) for schedule in options.schedules}
    scores = Path(options.out) / "test.json"
    call("evaluate", *map(str, runs.values()), f"--gold={options.test}", f"--json={scores}")
    systems = json.loads(scores.read_text(encoding="utf-8"))["systems"]
    rows = []
    for (schedule, seed), run in runs.items():
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        strict = systems[str(run)]["strict"]
        rows.append({
            "schedule": schedule, "seed": seed, "dev": report["best"]["f1"], "best_epoch": report["best_epoch"],
            "test": strict["micro"]["f1"], "test_interval": strict["interval"],
            "rows": report["rows"], "steps": report["steps"], "tokens": report["tokens"], "seconds": report["seconds"],
        })
    (Path(options.out) / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print("| schedule | seeds | dev F1 | test F1 | deviation | 95 % |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(summary(rows, schedule) for schedule in options.schedules))


if __name__ == "__main__":
    main()
