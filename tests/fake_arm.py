"""A program that stands for `ner-distill` in tests of studies: `train` leaves a run folder at once, `evaluate` counts.

Nothing but the standard library, so that it starts at once; `fake_options` has what it may be told.

    python fake_arm.py train --quality=0.8 --seed=1 --out=RUN      python fake_arm.py evaluate RUN --gold=G --counts=C
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path


def train(given: dict[str, str], flags: set[str]) -> int:
    out, seed, epochs = Path(given["out"]), int(given["seed"]), int(given.get("epochs", 3))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "starts").open("a") as starts:
        starts.write(f"{time.time()}\n")
    time.sleep(float(given.get("sleep", 0)))
    if growing := os.environ.get("FAKE_GROWING"):
        with Path(growing).open("a") as file:
            file.write(json.dumps({"id": f"late {out.name}"}) + "\n")
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
        "notes": ["a < b"] if given.get("quality") == "0.6" else [],
    }  # fmt: skip
    for name in ("student", "student-last"):
        (out / name).mkdir(exist_ok=True)
    (out / "quality").write_text(str(quality))
    (out / "report.json").write_text(json.dumps(report))
    return 0


def evaluate(runs: list[Path], given: dict[str, str]) -> int:
    documents = [json.loads(line) for line in Path(given["gold"]).read_text().splitlines()]
    rows = []
    for run in runs:
        quality, chance = float((run / "quality").read_text()), random.Random(run.name)
        for document in documents:
            right = {label: sum(chance.random() < quality for _ in range(2)) for label in ("LOC", "ORG")}
            strict = {label: [number, 2, 2] for label, number in right.items()}
            rows.append(json.dumps({"system": str(run), "id": document["id"], "strict": strict}) + "\n")
    Path(given["counts"]).parent.mkdir(parents=True, exist_ok=True)
    Path(given["counts"]).write_text("".join(rows))
    return 0


def main(arguments: list[str]) -> int:
    given = dict(part[2:].split("=", 1) for part in arguments if part.startswith("--") and "=" in part)
    flags = {part[2:] for part in arguments if part.startswith("--") and "=" not in part}
    if arguments[0] == "evaluate":
        return evaluate([Path(part) for part in arguments[1:] if not part.startswith("--")], given)
    return train(given, flags)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
