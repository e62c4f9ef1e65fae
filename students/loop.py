"""The training loop, to be read from top to bottom: blend, batches, steps, dev score, checkpoint."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import nn

from curricula.blending import DISTILLED, GOLD, Blend
from curricula.schedules import schedule
from distill.errors import CallError
from distill.progress import Progress, progress, say
from distill.runs import replace_folder
from distill.scores import Score, score_documents
from students import checkpoints
from students.batches import Batch, Weighted, batches, collate
from students.decode import TagSet
from students.encode import Encoder
from students.hardware import Hardware, found_hardware, threads
from students.material import Material, read_material
from students.model import Student, load_student, longest_input, new_classifier, write_student, write_tokenizer
from students.options import Recipe, TrainOptions
from students.pace import Pace
from students.predictor import predict_encoded
from students.report import TrainReport, config_of
from students.runfolder import RunFolder
from students.targets import Examples, examples
from students.vocabulary import Vocabulary


def run(options: TrainOptions) -> TrainReport:
    """Train, or go on training, or find that all is done; see `students.train.fit`."""
    setting = setting_of(options)
    folder = RunFolder(options.out)
    config = config_of(options, setting.recipe, setting.material, setting.hardware)
    folder.check(config)
    finished = folder.report()
    if finished is not None:
        say(f"{folder.path} is finished; nothing to train")
        return TrainReport.from_json(folder.path, finished)
    with threads(setting.hardware.threads), torch.random.fork_rng(), TemporaryDirectory() as tokenizer:
        training = Training(setting, folder, Path(tokenizer))
        folder.claim(config)  # only now, so that a call that cannot be right leaves nothing behind
        return training.run()


@dataclass(frozen=True)
class Setting:
    """All that shapes a training; two of the same Setting end with the same student."""

    options: TrainOptions
    recipe: Recipe
    material: Material
    blend: Blend
    hardware: Hardware


def setting_of(options: TrainOptions) -> Setting:
    """Options with their recipe, data, blend and hardware. Raises CallError where the schedule lacks its data."""
    recipe, material = options.resolved(), read_material(options)
    blend = Blend(
        schedule(options.schedule, options.k, options.n), recipe.epochs, len(material.distilled), len(material.gold),
        options.seed, options.blend,
    )  # fmt: skip
    return Setting(options, recipe, material, blend, found_hardware(options.precision, options.threads))


@dataclass
class Done:
    """What a training has behind it; a checkpoint keeps it as JSON. Epochs count from 1."""

    epochs: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_f1: float = -1.0
    metrics: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """One training between its first step and its report."""

    def __init__(self, setting: Setting, folder: RunFolder, tokenizer: Path) -> None:
        """Load and encode all; `tokenizer` is an empty folder for the student's tokenizer."""
        self.setting, self.recipe, self.folder, self.tokenizer = setting, setting.recipe, folder, tokenizer
        self.done = Done()
        options, material = setting.options, setting.material
        write_tokenizer(self.recipe.student, tokenizer)
        encoder = Encoder.from_folder(tokenizer, self.recipe.max_length, self.recipe.stride)
        tags = TagSet(material.labels.ids)
        self.model = cast(Any, new_classifier(self.recipe.student, tags, options.layers, options.seed))
        _check_length(self.model, self.recipe.max_length)
        self.student = Student(self.model.to(setting.hardware.device), encoder, tags)
        self.sources: tuple[Examples, Examples] = (
            examples(material.distilled, encoder, tags, weighted=options.weighted),
            examples(material.gold, encoder, tags, weighted=options.weighted),
        )
        self.dev_texts = [encoder.encode(document.text) for document in material.dev]
        ids = [window.ids for source in self.sources for row in source.rows for window in row]
        self.vocabulary = Vocabulary(self.model, ids, encoder.pad_id)
        self.optimizer = _optimizer(self.model, self.recipe)
        self.plan = [len(self.batches_of(epoch)) for epoch in range(self.recipe.epochs)]
        self.pace = Pace(self.recipe, sum(self.plan))

    def run(self) -> TrainReport:
        """All epochs that are not done yet, then the report."""
        if self.folder.checkpoint.exists():
            self.done = Done(**checkpoints.restore(self.folder.checkpoint, self.model, self.optimizer))
            self.folder.write_metrics(self.done.metrics)
            say(f"{self.folder.path}: going on after epoch {self.done.epochs} of {self.recipe.epochs}")
        with progress("training", sum(self.plan)) as bar:
            bar.advance(self.done.steps)
            while self.done.epochs < self.recipe.epochs:
                self.keep(self.epoch(self.done.epochs, bar))
        with self.vocabulary.whole():
            replace_folder(self.folder.last, self._write_student)
            last = self.score(self.student)
        best = self.score(load_student(self.folder.best, self.setting.hardware.device))
        dev = (best, last) if best is not None and last is not None else None
        report = TrainReport.of(self.done, self.folder.path, (self.setting.material, self.sources), dev)
        self.folder.write_report(report.kept())
        shutil.rmtree(self.folder.checkpoint.parent)
        return report

    def epoch(self, number: int, bar: Progress) -> dict[str, Any]:
        """Train epoch `number` (from 0); returns its row of metrics."""
        # Dropout draws from torch's own generator: it starts every epoch anew, so resuming needs no state of it.
        torch.manual_seed(self.setting.options.seed * 1_000_003 + number)
        self.model.train()
        plan = self.batches_of(number)
        started, losses, words, tokens = time.perf_counter(), 0.0, 0, 0
        for step, chosen in enumerate(plan):
            batch = collate(chosen, self.student.encoder.pad_id)
            try:
                loss = self.step(batch, self.pace.lr(self.done.steps, number))
            except torch.OutOfMemoryError:
                shape = f"{len(batch.ids)} windows of {batch.ids.shape[1]} tokens"
                raise CallError(f"the GPU has no memory for {shape}; lower --batch-size or --max-length") from None
            if not math.isfinite(loss):
                raise CallError(self._diverged(number, step, loss))
            losses, words, tokens = losses + loss * len(batch.tags), words + len(batch.tags), tokens + batch.tokens
            self.done.steps += 1
            bar.advance()
        seconds = time.perf_counter() - started
        self.done.epochs, self.done.tokens = number + 1, self.done.tokens + tokens
        self.done.seconds += seconds
        w0, w1 = self.setting.blend.schedule.shares(number, self.recipe.epochs)
        rows = Counter(row.source for row in self.setting.blend.epoch(number))
        return {
            "epoch": number + 1, "w0": w0, "w1": w1, "distilled": rows[DISTILLED], "gold": rows[GOLD],
            "steps": len(plan), "loss": losses / max(words, 1), "lr": self.optimizer.param_groups[0]["lr"],
            "tokens": tokens, "seconds": round(seconds, 3), "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        }  # fmt: skip

    def batches_of(self, epoch: int) -> list[list[Weighted]]:
        """The batches of an epoch (from 0): the blend's rows, their windows, windows of like length together."""
        rows = self.setting.blend.epoch(epoch)
        windows = [Weighted(w, row.weight) for row in rows for w in self.sources[row.source].rows[row.index]]
        return batches(windows, self.recipe.batch_size, f"{self.setting.options.seed}/{epoch}")

    def step(self, batch: Batch, lr: float) -> float:
        """One step of the optimizer; returns the mean loss of the batch's words."""
        hardware = self.setting.hardware
        ids, mask, at, tags, weights = (
            torch.from_numpy(each).to(hardware.device) for each in (self.vocabulary.narrow(batch.ids), *batch[1:])
        )
        with torch.autocast(hardware.device, dtype=torch.bfloat16, enabled=hardware.bf16):
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        losses = nn.functional.cross_entropy(logits.flatten(0, 1)[at].float(), tags, reduction="none")
        # Over the number of words and not the sum of weights: a batch of lightly weighted rows pulls lightly.
        loss = (losses * weights).sum() / max(len(tags), 1)
        cast(Any, loss).backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.detach())

    def keep(self, row: dict[str, Any]) -> None:
        """Score dev, keep the student where it is the best so far, and write checkpoint and metrics."""
        started = time.perf_counter()
        with self.vocabulary.whole():
            dev = self.score(self.student, bf16=self.setting.hardware.bf16)
            best = dev is None or dev.f1 > self.done.best_f1  # without dev the latest is the best
            if best:
                self.done.best_epoch, self.done.best_f1 = self.done.epochs, -1.0 if dev is None else dev.f1
            if best and (dev is not None or self.done.epochs == self.recipe.epochs):
                replace_folder(self.folder.best, self._write_student)
        if dev is not None:
            row |= {"dev": dev.micro._asdict()}
        self.done.metrics.append(row | {"dev_seconds": round(time.perf_counter() - started, 3)})
        checkpoints.save(self.folder.checkpoint, self.model, self.optimizer, vars(self.done))
        self.folder.write_metrics(self.done.metrics)
        shown = f", dev F1 {dev.f1:.4f} (best {self.done.best_f1:.4f})" if dev is not None else ""
        speed = f"{row['tokens_per_second']:.0f} tokens/s"
        say(f"epoch {self.done.epochs}/{self.recipe.epochs}: loss {row['loss']:.4f}{shown}, {speed}")

    def score(self, student: Student, *, bf16: bool = False) -> Score | None:
        """Strict dev score of a student; None without dev.

        In bf16 it is as good for choosing an epoch and twice as fast; the report has it in fp32, as it will be used.
        """
        dev = self.setting.material.dev
        if not dev:
            return None
        found = predict_encoded(student, dev, self.dev_texts, self.recipe.dev_batch_size, bf16=bf16)
        return score_documents(dev, found)

    def _write_student(self, path: Path) -> None:
        shutil.copytree(self.tokenizer, path, dirs_exist_ok=True)
        write_student(self.student, path)

    def _diverged(self, epoch: int, step: int, loss: float) -> str:
        kept = f"; the state after epoch {epoch} is kept in {self.folder.path}" if epoch else ""
        return f"the loss is {loss} in epoch {epoch + 1}, step {step + 1} of {self.plan[epoch]}; lower --lr{kept}"


def _check_length(model: Any, max_length: int) -> None:
    limit = longest_input(model)
    if limit is not None and max_length > limit:
        hint = f"give --max-length {limit} --stride {limit // 4}"
        raise CallError(f"windows of {max_length} tokens: the student sees at most {limit}; {hint}")


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Fused AdamW; weight decay on matrices only, not on biases, norms and embeddings."""
    embedding = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in embedding]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
