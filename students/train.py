"""Training a student on a blend of distilled and gold data: the loop, to be read from top to bottom."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from curricula.blending import Blend
from curricula.schedules import schedule
from distill.errors import CallError
from distill.progress import Progress, progress, say
from distill.scores import Score, score_documents
from students import checkpoints
from students.batches import Batch, Weighted, batches, collate
from students.decode import TagSet
from students.encode import Encoder
from students.hardware import Hardware, found_hardware, threads
from students.material import Material, read_material
from students.model import Student, longest_input, new_classifier, write_student, write_tokenizer
from students.options import Recipe, TrainOptions
from students.pace import Pace
from students.predictor import predict_encoded
from students.report import TrainReport, config_of
from students.runfolder import RunFolder, replace_folder
from students.targets import Examples, examples
from students.vocabulary import Vocabulary


def fit(options: TrainOptions) -> TrainReport:
    """Train a student and leave its run folder.

    The same options on the same folder go on after the last whole epoch and end, on a CPU, with the very weights of an
    uninterrupted run; a finished run only returns its report. Raises CallError for other options on a used folder.
    """
    recipe = options.resolved()
    material = read_material(options)
    blend = Blend(
        schedule(options.schedule, options.k, options.n), recipe.epochs, len(material.distilled), len(material.gold),
        options.seed, options.blend,
    )  # fmt: skip
    hardware = found_hardware(options.precision, options.threads)
    folder = RunFolder(options.out)
    folder.claim(config_of(options, recipe, material, hardware))
    finished = folder.report()
    if finished is not None:
        say(f"{folder.path} is finished; nothing to train")
        return TrainReport.from_json(folder.path, finished)
    with threads(hardware.threads), torch.random.fork_rng():
        return Training(options, recipe, material, blend, hardware, folder).run()


@dataclass
class Progressed:
    """What a training knows of itself after some epochs; a checkpoint keeps it as JSON."""

    epochs: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_f1: float = -1.0
    metrics: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """One training between its first step and its report."""

    def __init__(
        self, options: TrainOptions, recipe: Recipe, material: Material, blend: Blend, hardware: Hardware, folder: RunFolder
    ) -> None:
        self.options, self.recipe, self.material, self.blend = options, recipe, material, blend
        self.hardware, self.folder, self.done = hardware, folder, Progressed()
        replace_folder(folder.tokenizer, lambda path: write_tokenizer(recipe.student, path))
        encoder = Encoder.from_folder(folder.tokenizer, recipe.max_length, recipe.stride)
        tags = TagSet(material.labels.ids)
        model = new_classifier(recipe.student, tags, options.layers, options.seed).to(hardware.device)
        _check_length(model, recipe.max_length)
        self.student = Student(model, encoder, tags)
        self.sources: tuple[Examples, Examples] = (
            examples(material.distilled, encoder, tags, weighted=options.weighted),
            examples(material.gold, encoder, tags, weighted=options.weighted),
        )
        self.dev_texts = [encoder.encode(document.text) for document in material.dev]
        windows = [window.ids for source in self.sources for row in source.rows for window in row]
        self.vocabulary = Vocabulary(model, windows, encoder.pad_id)
        self.optimizer = _optimizer(model, recipe, hardware)
        self.plan = [len(self.epoch_batches(epoch)) for epoch in range(recipe.epochs)]
        self.pace = Pace(recipe, sum(self.plan))

    def run(self) -> TrainReport:
        """All epochs that are not done yet, then the report."""
        if self.folder.checkpoint.exists():
            self.done = Progressed(**checkpoints.restore(self.folder.checkpoint, self.student.model, self.optimizer))
            self.folder.write_metrics(self.done.metrics)
            say(f"{self.folder.path}: going on after epoch {self.done.epochs} of {self.recipe.epochs}")
        with progress("training", sum(self.plan)) as bar:
            bar.advance(self.done.steps)
            while self.done.epochs < self.recipe.epochs:
                self.epoch(bar)
        with self.vocabulary.whole():
            replace_folder(self.folder.last, self._write_student)
        report = TrainReport.of(self.folder.path, self.done, self.material, self.sources)
        self.folder.write_report(report.as_json())
        shutil.rmtree(self.folder.checkpoint.parent)
        return report

    def epoch(self, bar: Progress) -> None:
        """Train one epoch, score dev, keep the student where it is the best so far, and write the checkpoint."""
        number, started = self.done.epochs, time.perf_counter()
        # Dropout draws from torch's own generator: it starts every epoch anew, so that resuming needs no state of it.
        torch.manual_seed(_epoch_seed(self.options.seed, number))
        plan = self.epoch_batches(number)
        losses, words, tokens, seen = 0.0, 0, 0, [0, 0]
        self.student.model.train()
        for step, chosen in enumerate(plan):
            batch = collate(chosen, self.student.encoder.pad_id)
            loss = self.step(batch, number)
            if not math.isfinite(loss):
                raise CallError(self._diverged(number, step, loss))
            losses, words, tokens = losses + loss * len(batch.tags), words + len(batch.tags), tokens + batch.tokens
            self.done.steps += 1
            bar.advance()
        for row in self.blend.epoch(number):
            seen[row.source] += 1
        seconds = time.perf_counter() - started
        self.done.epochs, self.done.tokens = number + 1, self.done.tokens + tokens
        self.done.seconds += seconds
        w0, w1 = self.blend.schedule.shares(number, self.recipe.epochs)
        row = {
            "epoch": number + 1, "w0": w0, "w1": w1, "distilled": seen[0], "gold": seen[1], "steps": len(plan),
            "loss": losses / max(words, 1), "lr": self.optimizer.param_groups[0]["lr"], "tokens": tokens,
            "seconds": round(seconds, 3), "tokens_per_second": round(tokens / seconds, 1),
        }  # fmt: skip
        self._keep(row)

    def epoch_batches(self, epoch: int) -> list[list[Weighted]]:
        """The batches of an epoch: the blend's rows, their windows, and windows of like length together."""
        rows = self.blend.epoch(epoch)
        windows = [Weighted(w, row.weight) for row in rows for w in self.sources[row.source].rows[row.index]]
        return batches(windows, self.recipe.batch_size, f"{self.options.seed}/{epoch}")

    def step(self, batch: Batch, epoch: int) -> float:
        """One step of the optimizer; returns the mean loss of the batch's words."""
        model, device = self.student.model, self.hardware.device
        ids = torch.from_numpy(self.vocabulary.narrow(batch.ids)).to(device)
        mask, at, tags, weights = (torch.from_numpy(each).to(device) for each in batch[1:])
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.hardware.bf16):
            logits = model(input_ids=ids, attention_mask=mask).logits
        losses = nn.functional.cross_entropy(logits.flatten(0, 1)[at].float(), tags, reduction="none")
        # Over the number of words and not the sum of weights: a batch of lightly weighted rows pulls lightly.
        loss = (losses * weights).sum() / max(len(tags), 1)
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(model.parameters(), self.recipe.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.pace.lr(self.done.steps, epoch)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.detach())

    def score(self) -> Score | None:
        """Strict dev score of the student as it is, in fp32 as it will be used; None without dev."""
        if not self.material.dev:
            return None
        model, encoder, tags = self.student.model, self.student.encoder, self.student.tags
        found = predict_encoded(model, encoder, tags, self.material.dev, self.dev_texts, self.recipe.dev_batch_size)
        return score_documents(self.material.dev, found, "strict")

    def _keep(self, row: dict[str, Any]) -> None:
        started = time.perf_counter()
        with self.vocabulary.whole():
            dev = self.score()
            f1 = float(self.done.epochs) if dev is None else dev.micro.f1  # without dev the latest is the best
            if f1 > self.done.best_f1:
                self.done.best_f1, self.done.best_epoch = f1, self.done.epochs
                if dev is not None or self.done.epochs == self.recipe.epochs:
                    replace_folder(self.folder.best, self._write_student)
        if dev is not None:
            row |= {"dev": dev.micro._asdict()}
        self.done.metrics.append(row | {"dev_seconds": round(time.perf_counter() - started, 3)})
        checkpoints.save(self.folder.checkpoint, self.student.model, self.optimizer, vars(self.done))
        self.folder.write_metrics(self.done.metrics)
        shown = "" if dev is None else f", dev F1 {f1:.4f} (best {self.done.best_f1:.4f} in epoch {self.done.best_epoch})"
        speed = f"{row['tokens_per_second']:.0f} tokens/s"
        say(f"epoch {self.done.epochs}/{self.recipe.epochs}: loss {row['loss']:.4f}{shown}, {speed}")

    def _write_student(self, path: Any) -> None:
        shutil.copytree(self.folder.tokenizer, path, dirs_exist_ok=True)
        write_student(self.student, path)

    def _diverged(self, epoch: int, step: int, loss: float) -> str:
        kept = f"; the state after epoch {epoch} is kept in {self.folder.path}" if epoch else ""
        return f"the loss is {loss} in epoch {epoch + 1}, step {step + 1} of {self.plan[epoch]}; lower --lr{kept}"


def _epoch_seed(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch + 1) % 2**63


def _check_length(model: Any, max_length: int) -> None:
    limit = longest_input(model)
    if limit is not None and max_length > limit:
        raise CallError(f"--max-length {max_length}: the student sees at most {limit} tokens")


def _optimizer(model: nn.Module, recipe: Recipe, hardware: Hardware) -> torch.optim.Optimizer:
    """Fused AdamW; weight decay on matrices only, not on biases, norms and embeddings."""
    embedding = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in embedding]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
