"""A program that stands for `ner-distill` in tests of studies: `train` leaves a run folder at once, `evaluate` counts.

    python fake_arm.py train --quality=0.8 --seed=1 --out=RUN      python fake_arm.py evaluate RUN --gold=G --counts=C
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option


@dataclass(frozen=True)
class FakeOptions(Options):
    """What the arms of these tests may say."""

    gold: tuple[Path, ...] = option((), "data")
    dev: str | None = option(None, "data")
    quality: float = option(0.8, "how good it becomes", above=0)
    k: float | None = option(None, "a parameter", above=0)
    epochs: int = option(3, "epochs", at_least=1)
    step_rows: int = option(10, "rows an epoch", at_least=1)
    fails: bool = option(False, "whether it fails")
    sleep: float = option(0.0, "seconds", at_least=0)
    seed: int = option(1, "seed")
    out: Path = option(help="run folder")


def train(given: dict[str, str], flags: set[str]) -> int:
    out, seed, epochs = Path(given["out"]), int(given["seed"]), int(given.get("epochs", 3))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "starts").open("a") as starts:
        starts.write(f"{time.time()}\n")
    time.sleep(float(given.get("sleep", 0)))
    if "fails" in flags:
        print("about to fail\nthe loss is nan in epoch 2", file=sys.stderr)
        return 2
    quality = float(given.get("quality", 0.8)) + random.Random(f"{seed}/{given.get('quality')}").uniform(-0.02, 0.02)
    rows = [
        {"epoch": e + 1, "w0": 1 - e / max(epochs - 1, 1), "w1": e / max(epochs - 1, 1), "loss": 1 / (e + 1),
         "dev": {"f1": quality * (e + 1) / epochs}}
        for e in range(epochs)
    ]  # fmt: skip
    (out / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps = epochs * int(given.get("step-rows", 10))
    report = {
        "best": {"f1": quality}, "best_epoch": epochs, "epochs": epochs, "steps": steps, "tokens": steps * 100,
        "seconds": 1.5, "rows": {"distilled": 0, "gold": steps},
    }  # fmt: skip
    for name in ("student", "student-last"):
        (out / name).mkdir(exist_ok=True)
    (out / "quality").write_text(str(quality))
    (out / "report.json").write_text(json.dumps(report))
    return 0


def evaluate(run: Path, given: dict[str, str]) -> int:
    documents = [json.loads(line) for line in Path(given["gold"]).read_text().splitlines()]
    quality, chance = float((run / "quality").read_text()), random.Random(run.name)
    with Path(given["counts"]).open("w") as out:
        for document in documents:
            right = {label: sum(chance.random() < quality for _ in range(2)) for label in ("LOC", "ORG")}
            out.write(json.dumps({"id": document["id"], "strict": {label: [n, 2, 2] for label, n in right.items()}}) + "\n")
    return 0


def main(arguments: list[str]) -> int:
    given = dict(part[2:].split("=", 1) for part in arguments if part.startswith("--") and "=" in part)
    flags = {part[2:] for part in arguments if part.startswith("--") and "=" not in part}
    if arguments[0] == "evaluate":
        target = Path(given["counts"])
        target.parent.mkdir(parents=True, exist_ok=True)
        return evaluate(Path(arguments[1]), given)
    return train(given, flags)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
