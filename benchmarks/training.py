"""Training speed, step by step beside the reference loop's, on the same sentences in one run.

Both sides train MiniLM on batches of 8 rows of the same file. The reference tokenises, collates in file order, runs in
fp32 and steps AdamW as `benchmarks/reference_loop.py` does; ours is `students.loop` with its defaults. The variants
between them switch one thing at a time. Wall time is what a user waits; on a machine shared with others, compare
tokens per CPU second instead.

    python benchmarks/training.py --gold gold.jsonl --steps 40 [--threads 2] [--student minilm]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from reference_loop import LABELS, collate, read
from transformers import AutoModelForTokenClassification, AutoTokenizer

from students.batches import collate as put_together
from students.loop import Training, setting_of
from students.model import quiet, source_of
from students.options import TrainOptions
from students.runfolder import RunFolder

Step = Callable[[], int]


def reference(path: Path, student: str, *, bf16: bool = False, fused: bool = False) -> Step:
    """A step of the reference loop; returns its tokens without padding."""
    source, settings = source_of(student), {"num_labels": len(LABELS), "dtype": torch.float32}
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(source)
        model: Any = AutoModelForTokenClassification.from_pretrained(source, **settings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=fused or None)
    rows, at = read([path]), iter(range(0, 1_000_000, 8))
    model.train()

    def step() -> int:
        place = next(at) % (len(rows) - 8)
        batch = collate(rows[place : place + 8], tokenizer)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return int(batch["attention_mask"].sum())

    return step


def ours(path: Path, student: str, folder: Path, **given: Any) -> Step:
    """A step of our loop, from collating to the optimizer."""
    options = TrainOptions(gold=(path,), schedule="gold", student=student, out=folder, epochs=2, **given)
    folder.mkdir()
    training = Training(setting_of(options), RunFolder(folder), folder)
    batches = [batch for epoch in range(2) for batch in training.batches_of(epoch)]
    at = iter(range(1_000_000))
    training.model.train()

    def step() -> int:
        batch = put_together(batches[next(at) % len(batches)], training.student.encoder.pad_id)
        training.step(batch, 5e-5)
        return batch.tokens

    return step


def measured(name: str, step: Step, steps: int) -> tuple[float, float]:
    """Tokens a second of wall and of CPU time."""
    for _ in range(3):
        step()
    wall, cpu, tokens = time.perf_counter(), time.process_time(), 0
    for _ in range(steps):
        tokens += step()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    speed = f"{tokens / wall:8.0f} tokens/s {tokens / cpu:8.0f} tokens/CPU-s {1000 * wall / steps:7.0f} ms/step"
    print(f"{name:42s} {speed}", flush=True)
    return tokens / wall, tokens / cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--student", default="minilm")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as folder:
        sides: dict[str, Callable[[], Step]] = {
            "reference (fp32, file order)": lambda: reference(options.gold, options.student),
            "reference with bf16 and fused AdamW": lambda: reference(
                options.gold, options.student, bf16=True, fused=True
            ),
            "ours in fp32": lambda: ours(options.gold, options.student, Path(folder) / "a", precision="fp32"),
            "ours": lambda: ours(options.gold, options.student, Path(folder) / "b"),
            "ours, batches of 16": lambda: ours(options.gold, options.student, Path(folder) / "c", batch_size=16),
        }
        speeds = {name: measured(name, make(), options.steps) for name, make in sides.items()}
    first = speeds["reference (fp32, file order)"]
    for name, speed in speeds.items():
        print(f"{name:42s} {speed[0] / first[0]:8.2f} times in wall, {speed[1] / first[1]:6.2f} in CPU time")


if __name__ == "__main__":
    main()
