"""Training beside `transformers.Trainer`: tokens a second, and the time to the same F1.

The same encoder, sentences, batch size and epochs on every side, the same windows and tags, dev scored by the same
code; only training is timed. Trainer has its own collator, optimizer, schedule and precision, all at their defaults
(fp32, 5e-5, linear). "Padded to 128" is the same but for its collator, as papers' code pads; it learns what Trainer
learns, so its speed is taken from one epoch. Ours runs twice: at Trainer's batch size and learning rate, and at its own
defaults. Tokens are counted without padding. Wall time is what a user waits; where others use the machine, look at CPU
time.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/training.py --gold gold.jsonl --dev dev.jsonl [--rows 600]
        [--dev-rows 400] [--epochs 6] [--batch-size 8] [--student minilm] [--threads N] [--seed 1] [--device auto]
        [--json rows.jsonl]

`--batch-size 4 --student bert-base-uncased` is the paper's setting. At the end stands a profile of a step of ours
by one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import torch
from training_profile import profile
from transformers import (
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from distill.progress import Silent
from distill.scores import score_documents
from students.hardware import found_hardware
from students.loop import Training
from students.model import Student, new_classifier, quiet
from students.options import TrainOptions
from students.predictor import predict_encoded
from students.processes import Processes, processes
from students.runfolder import RunFolder
from students.setting import setting_of
from students.waiting import keep_memory


@dataclass
class Clock:
    """Wall and CPU seconds of training alone: it stands while dev is scored."""

    wall: float = 0.0
    cpu: float = 0.0
    _since: tuple[float, float] = (0.0, 0.0)

    def go(self) -> None:
        _arrive()
        self._since = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        _arrive()
        self.wall += time.perf_counter() - self._since[0]
        self.cpu += time.process_time() - self._since[1]


def _arrive() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass
class Side:
    """What one side did: after each epoch its seconds so far and its dev F1."""

    name: str
    tokens: int
    epochs: list[dict[str, float]] = field(default_factory=list)

    def after(self, clock: Clock, f1: float) -> None:
        self.epochs.append({"wall": round(clock.wall, 3), "cpu": round(clock.cpu, 3), "f1": round(f1, 4)})
        print(f"  {self.name}: epoch {len(self.epochs)}, {clock.wall:.1f} s, dev F1 {f1:.4f}", flush=True)

    def speed(self, kind: str) -> float:
        return self.tokens * len(self.epochs) / self.epochs[-1][kind]

    @property
    def best(self) -> float:
        return max(row["f1"] for row in self.epochs)

    def seconds_to(self, f1: float, kind: str) -> float:
        """Seconds until the first epoch that reaches an F1."""
        return next((row[kind] for row in self.epochs if row["f1"] >= f1), float("nan"))


def made(call: argparse.Namespace, inside: Path, one: Processes, **given: Any) -> Training:
    """Our training, encoded and ready; the other sides take its windows, its dev texts and its encoder."""
    folder = Path(mkdtemp(dir=inside))
    options = TrainOptions(
        gold=(call.gold,), dev=str(call.dev), schedule="gold", student=call.student, out=folder, epochs=call.epochs,
        seed=call.seed, threads=call.threads, device=call.device, case=False, **given,
    )  # fmt: skip
    return Training(setting_of(options), RunFolder(folder), folder, one)


def ours(name: str, training: Training) -> Side:
    """Our loop, epoch by epoch."""
    clock, side = Clock(), Side(name, sum(step.tokens for step in training.steps_of(0)))
    with training.team:
        for epoch in range(training.recipe.epochs):
            clock.go()
            training.epoch(epoch, Silent())
            clock.stop()
            with training.vocabulary.whole():
                dev = training.score(training.student, bf16=training.setting.hardware.bf16)
            assert dev is not None
            side.after(clock, dev.f1)
    return side


class Watch(TrainerCallback):
    """Stops the clock at the end of each of Trainer's epochs and scores dev by our code."""

    def __init__(self, side: Side, training: Training, student: Student) -> None:
        self.side, self.training, self.student, self.clock = side, training, student, Clock()

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.clock.go()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.clock.stop()
        mine = self.training
        found = predict_encoded(self.student, mine.dev, mine.dev_texts)
        self.side.after(self.clock, score_documents(mine.dev, found).f1)


def trainer(name: str, training: Training, *, pad_to: int | None = None, epochs: int) -> Side:
    """transformers.Trainer over a model of its own and the windows of `training`, which is used for nothing else."""
    windows = [window for row in training.sources[1].rows for window in row]
    rows = [
        {"input_ids": w.ids.tolist(), "attention_mask": [1] * len(w.ids), "labels": _labels(w)} for w in windows
    ]  # fmt: skip
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(training.tokenizer)
    padding: dict[str, Any] = {"padding": "max_length", "max_length": pad_to} if pad_to else {}
    side = Side(name, sum(len(w.ids) for w in windows))
    cuda = training.setting.hardware.device == "cuda"
    arguments = TrainingArguments(
        output_dir=str(training.tokenizer / "trainer"), num_train_epochs=epochs, seed=training.setting.options.seed,
        per_device_train_batch_size=training.recipe.batch_size, use_cpu=not cuda, dataloader_pin_memory=cuda,
        save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    tags, recipe = training.student.tags, training.recipe
    model: Any = new_classifier(recipe.student, tags, None, training.setting.options.seed)
    watch = Watch(side, training, Student(model.to(training.processes.device), training.student.encoder, tags))
    trained: Any = Trainer(
        model=model, args=arguments, train_dataset=rows, callbacks=[watch],
        data_collator=DataCollatorForTokenClassification(tokenizer, **padding),
    )  # fmt: skip
    trained.remove_callback(PrinterCallback)
    trained.train()
    return side


def _labels(window: Any) -> list[int]:
    labels = [-100] * len(window.ids)
    for at, tag in zip(window.at.tolist(), window.tags.tolist(), strict=True):
        labels[at] = tag
    return labels


def measured(call: argparse.Namespace, folder: Path) -> list[Side]:
    """All sides in turn, on one device and with the same threads."""
    same = {"batch_size": call.batch_size}
    as_trainer = same | {"lr": 5e-5, "warmup": 0.0, "weight_decay": 0.0}  # what Trainer does by default
    with processes(found_hardware("auto", None, call.device).device) as one:
        make = partial(made, call, folder, one)
        theirs = [
            trainer("Trainer", make(**as_trainer), epochs=call.epochs),
            trainer("Trainer, padded to 128", make(**as_trainer), pad_to=128, epochs=1),
        ]
        keep_memory()  # as `train` does; it stays so until the program ends
        return [
            *theirs,
            ours("ours, Trainer's batch size and rate", make(**as_trainer)),
            ours("ours, its defaults", make()),
        ]


def told(sides: list[Side]) -> None:
    """Speeds, times to the same F1, and how often they go into Trainer's."""
    first, padded = sides[:2]
    target = min(side.best for side in sides if side is not padded)
    print(f"\n{'':38s}{'tokens/s':>9s}{'times':>7s}{'a CPU-s':>9s}{'times':>7s}{'s to F1 ' + f'{target:.3f}':>16s}"
          f"{'times':>7s}{'best F1':>9s}")  # fmt: skip
    for side in sides:
        wall, cpu = side.speed("wall"), side.speed("cpu")
        # Padding changes no loss: the padded Trainer needs the epochs of the other.
        seconds = (first if side is padded else side).seconds_to(target, "wall")
        base = first.seconds_to(target, "wall")
        seconds *= first.speed("wall") / wall if side is padded else 1.0
        f1 = "" if side is padded else f"{side.best:.4f}"
        print(f"{side.name:38s}{wall:9.0f}{wall / first.speed('wall'):7.2f}{cpu:9.0f}{cpu / first.speed('cpu'):7.2f}"
              f"{seconds:16.1f}{base / seconds:7.2f}{f1:>9s}")  # fmt: skip


def first_rows(path: Path, count: int, folder: Path) -> Path:
    """The first rows of a file, as a file of their own."""
    kept = folder / path.name
    with path.open(encoding="utf-8") as lines:
        kept.write_text("".join(islice(lines, count)), encoding="utf-8")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gold", "dev"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, default in (("rows", 600), ("dev-rows", 400), ("epochs", 6), ("batch-size", 8), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--student", default="minilm")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="append each side's epochs to this file")
    call = parser.parse_args()
    hardware = found_hardware("auto", call.threads, call.device)
    torch.set_num_threads(hardware.threads)
    set_seed(call.seed)
    print(f"{hardware}; {call.rows} rows, {call.dev_rows} of dev, {call.epochs} epochs, batches of {call.batch_size}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "gold").mkdir()
        (folder / "dev").mkdir()
        call.gold = first_rows(call.gold, call.rows, folder / "gold")
        call.dev = first_rows(call.dev, call.dev_rows, folder / "dev")
        sides = measured(call, folder)
        told(sides)
        call.threads = 1  # a step whose operators follow each other
        with processes(hardware.device) as one:
            training = made(call, folder, one)
            with training.team:
                print(profile(training))
    if call.json:
        with call.json.open("a", encoding="utf-8") as out:
            out.writelines(json.dumps({**vars(side), "device": hardware.device}) + "\n" for side in sides)


if __name__ == "__main__":
    main()
