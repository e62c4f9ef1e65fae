"""The training loop, to be read from top to bottom: blend, batches, steps, dev score, checkpoint."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from curricula.blending import DISTILLED, GOLD
from distill.errors import CallError
from distill.progress import Progress, progress, say
from distill.runs import replace_folder
from distill.scores import Score, score_documents
from students import checkpoints
from students.batches import Step, Weighted, batches, collate, some_lowered, steps
from students.beliefs import Beliefs
from students.casing import sees_case
from students.committee import Guides
from students.decode import TagSet
from students.dropout import cheapen, follows
from students.encode import Encoder
from students.exits import fitted, write_exits
from students.memory import fit_of, heaviest
from students.model import (
    Student,
    load_student,
    longest_input,
    new_classifier,
    take_case,
    write_student,
    write_tokenizer,
)
from students.optimizers import optimizers
from students.pace import Pace
from students.predictor import predict_encoded
from students.processes import Processes
from students.report import TrainReport
from students.runfolder import RunFolder
from students.setting import Setting
from students.shares import Shares
from students.targets import Examples, examples, sentence_length
from students.team import Team
from students.vocabulary import Vocabulary

LOOK = 16
"""Steps after which the losses are looked at: a look waits for the device, and a GPU is best left to run ahead."""


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

    def __init__(
        self, setting: Setting, folder: RunFolder, tokenizer: Path, all_of_us: Processes, guides: Guides | None = None
    ) -> None:
        """Load and encode all; `tokenizer` is an empty folder for the student's tokenizer."""
        self.setting, self.recipe, self.folder, self.tokenizer = setting, setting.recipe, folder, tokenizer
        self.processes, self.done = all_of_us, Done()
        options, material = setting.options, setting.material
        write_tokenizer(self.recipe.student, tokenizer)
        encoder = Encoder.from_folder(tokenizer, self.recipe.max_length, self.recipe.stride)
        tags = TagSet(material.labels.ids)
        self.model = cast(Any, new_classifier(self.recipe.student, tags, options.layers, options.seed))
        self.notes = self._take_case(encoder)
        _check_length(self.model, self.recipe.max_length)
        self.student = Student(self.model.to(all_of_us.device), encoder, tags)
        self.beliefs = Beliefs(setting, guides or Guides(), encoder, tags, str(all_of_us.device))
        taught, weighted = [*material.distilled, *material.unlabelled], options.weighted
        distilled = examples(taught, encoder, tags, weighted=weighted, beliefs=self.beliefs.shares)
        gold = examples(material.gold, encoder, tags, weighted=weighted)
        self.sources: tuple[Examples, Examples] = (distilled, gold)
        mine = slice(all_of_us.rank, None, all_of_us.count)
        self.dev = material.dev[mine]
        texts = [document.text for document in (*taught, *material.gold)]
        encoder.sentences_above = sentence_length(texts, self.sources)
        self.dev_texts = [encoder.encode(document.text) for document in self.dev]
        ids = [window.ids for source in self.sources for row in source.rows for window in row]
        self.vocabulary = Vocabulary(self.model, ids, encoder.pad_id)
        if setting.hardware.device == "cpu":
            cheapen(self.model)
        shares = setting.shares if setting.shares > 1 and follows(self.model) else 1
        self.team = Team(shares, setting.hardware.threads // shares)
        self.optimizers = optimizers(self.model, self.recipe, shares)
        self.trained = all_of_us.prepare(self.model)
        bf16 = setting.hardware.bf16
        self.shares = Shares(self.model, self.team, self.optimizers, bf16=bf16) if shares > 1 else None
        self.plan = [len(self.steps_of(epoch)) for epoch in range(self.recipe.epochs)]
        self.pace = Pace(self.recipe, sum(self.plan))

    def _take_case(self, encoder: Encoder) -> list[str]:
        """Show capitals where they are wanted and can be; returns what there is to tell of it."""
        asked, student = self.setting.options.case, self.recipe.student
        wanted = self.recipe.case or (asked is None and sees_case(self.model))
        encoder.case = wanted and take_case(self.model, encoder)
        if asked and not encoder.case:
            raise CallError(f"--case is for tokenizers without capitals and models with segments; {student} is not so")
        blind = wanted and not encoder.case and not encoder.sees_case()
        return ["words lose their capitals: the tokenizer has none, and the model no segments to show them"] * blind

    def run(self, *, exits: bool = False) -> TrainReport:
        """All epochs that are not done yet, the best student's early exits where asked for, then the report."""
        self.go_on()
        with progress("training", sum(self.plan)) as bar:
            bar.advance(self.done.steps)
            while not self.is_over:
                self.keep(self.epoch(self.done.epochs, bar))
        first = self.processes.first
        with self.vocabulary.whole():
            if first:
                replace_folder(self.folder.last, self._write_student)
            last = self.score(self.student)
        self.processes.wait()  # until the best is whole, which all read
        same = self.done.best_epoch == self.done.epochs
        best = last if same else self.score(load_student(self.folder.best, str(self.processes.device)))
        if exits and first:
            student = load_student(self.folder.best, str(self.processes.device))
            rows = [row for source in self.sources for row in source.rows]
            write_exits(fitted(student, rows, self.setting.options.seed), self.folder.best)
        self.processes.wait()
        dev = (best, last) if best is not None and last is not None else None
        data = (self.setting, self.sources)
        report = TrainReport.of(self.done, self.folder.path, data, dev, [*self.notes, *self.beliefs.notes])
        if first:
            self.folder.write_report(report.kept())
            shutil.rmtree(self.folder.checkpoint.parent)
        return report

    def go_on(self) -> None:
        """Take up what a stopped training left behind."""
        if self.folder.checkpoint.exists():
            self.done = Done(**checkpoints.restore(self.folder.checkpoint, self.model, self.optimizers))
            say(f"{self.folder.path}: going on after epoch {self.done.epochs} of {self.recipe.epochs}")
        if len(set(self.processes.gathered(self.done.epochs))) > 1:
            raise CallError(f"not all processes see the checkpoint in {self.folder.path}; --out must be one for all")
        if self.processes.first and self.done.epochs:
            self.folder.write_metrics(self.done.metrics)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or so many brought no better dev score that patience is at its end."""
        patience = self.setting.options.patience
        waited = self.done.epochs - self.done.best_epoch
        return self.done.epochs == self.recipe.epochs or (patience is not None and waited >= patience)

    def epoch(self, number: int, bar: Progress) -> dict[str, Any]:
        """Train epoch `number` (from 0); returns its row of metrics."""
        # Dropout draws from torch's own generator: it starts every epoch anew, so resuming needs no state of it.
        torch.manual_seed(self.setting.options.seed * 1_000_003 + number + 499_979 * self.processes.rank)
        self.model.train()
        if self.shares is not None:
            self.shares.refresh()
        plan = self.steps_of(number)
        started = time.perf_counter()
        losses: list[float] = []
        unseen: list[torch.Tensor] = []
        for place, step in enumerate(plan):
            unseen.append(self.step_or_stop(step, self.pace.lr(self.done.steps, number)))
            self.done.steps += 1
            bar.advance()
            if len(unseen) == LOOK or place + 1 == len(plan):
                losses += self.look(unseen, number, len(losses), plan)
                unseen = []
        seconds, tokens, words = time.perf_counter() - started, sum(s.tokens for s in plan), [s.words for s in plan]
        self.done.epochs, self.done.tokens = number + 1, self.done.tokens + tokens
        self.done.seconds += seconds
        w0, w1 = self.setting.blend.schedule.shares(number, self.recipe.epochs)
        rows = Counter(row.source for row in self.setting.blend.epoch(number))
        loss = sum(loss * count for loss, count in zip(losses, words, strict=True)) / max(sum(words), 1)
        return {
            "epoch": number + 1, "w0": w0, "w1": w1, "distilled": rows[DISTILLED], "gold": rows[GOLD],
            "steps": len(plan), "loss": loss, "lr": self.optimizers[0].param_groups[0]["lr"],
            "tokens": tokens, "seconds": round(seconds, 3), "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        }  # fmt: skip

    def steps_of(self, epoch: int) -> list[Step]:
        """The steps of an epoch (from 0): the blend's rows, their windows, windows of like length together."""
        rows, options = self.setting.blend.epoch(epoch), self.setting.options
        windows = [Weighted(w, row.weight) for row in rows for w in self.sources[row.source].rows[row.index]]
        seed = f"{options.seed}/{epoch}"
        if self.student.encoder.case:
            windows = some_lowered(windows, seed)
        return steps(batches(windows, self.recipe.batch_size, seed, tokens=options.batch_tokens), options.accumulate)

    def step(self, step: Step, lr: float) -> torch.Tensor:
        """One step of the optimizer; returns the loss that this process's windows add, over the step's words."""
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = lr
        if self.shares is not None:
            seed = f"{self.setting.options.seed}/{self.done.steps}"
            return self.shares.step(step, self.losses, clip=self.recipe.clip, seed=seed)
        words, loss = max(step.words, 1), torch.zeros((), device=self.processes.device)
        for place, windows in enumerate(step.batches):
            with self.processes.apart(self.trained, place + 1 < len(step.batches)):
                own = self.losses(self.trained, self.processes.share(windows)) / words
                (own * self.processes.count).backward()  # DDP takes the mean over processes, a step the sum
            loss += own.detach()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    def losses(self, model: Any, windows: Sequence[Weighted]) -> torch.Tensor:
        """The sum of the losses of the windows' words by a model, each times its weight."""
        hardware, batch = self.setting.hardware, collate(windows, self.student.encoder.pad_id)
        ids, mask, at, tags, weights = (
            torch.from_numpy(each).to(self.processes.device, non_blocking=True)
            for each in (self.vocabulary.narrow(batch.ids), *batch[1:])
        )
        with torch.autocast(hardware.device, dtype=torch.bfloat16, enabled=hardware.bf16):
            logits = model(input_ids=ids, attention_mask=mask).logits
        losses = nn.functional.cross_entropy(logits.flatten(0, 1)[at].float(), tags, reduction="none")
        # Divided by the number of words and not the sum of weights: lightly weighted rows pull lightly.
        return (losses * weights).sum()

    def step_or_stop(self, step: Step, lr: float) -> torch.Tensor:
        """A step; raises CallError with a size that fits where the GPU has no memory for it."""
        try:
            return self.step(step, lr)
        except torch.OutOfMemoryError:
            pass  # so that the error lets go of the tensors before smaller steps are tried
        raise CallError(self._too_large(step))

    def look(self, unseen: Sequence[torch.Tensor], epoch: int, before: int, plan: Sequence[Step]) -> list[float]:
        """The losses of the last steps, over all processes; raises CallError for one that is no number."""
        losses: list[float] = self.processes.total(torch.stack(tuple(unseen))).tolist()
        for place, loss in enumerate(losses, before):
            if not math.isfinite(loss):
                raise CallError(self._diverged(epoch, place, loss, plan[place]))
        if before + len(losses) == len(plan) and not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            raise CallError(self._diverged(epoch, len(plan) - 1, math.nan, plan[-1]))  # by the last step's gradient
        return losses

    def keep(self, row: dict[str, Any]) -> None:
        """Score dev, keep the student where it is the best so far, and write checkpoint and metrics."""
        started, first = time.perf_counter(), self.processes.first
        with self.vocabulary.whole():
            dev = self.score(self.student, bf16=self.setting.hardware.bf16)
            best = dev is None or dev.f1 > self.done.best_f1  # without dev the latest is the best
            if best:
                self.done.best_epoch, self.done.best_f1 = self.done.epochs, -1.0 if dev is None else dev.f1
            if first and best and (dev is not None or self.done.epochs == self.recipe.epochs):
                replace_folder(self.folder.best, self._write_student)
        if dev is not None:
            row |= {"dev": dev.micro._asdict()}
        self.done.metrics.append(row | {"dev_seconds": round(time.perf_counter() - started, 3)})
        if first:
            checkpoints.save(self.folder.checkpoint, self.model, self.optimizers, vars(self.done))
            self.folder.write_metrics(self.done.metrics)
        shown = f", dev F1 {dev.f1:.4f} (best {self.done.best_f1:.4f})" if dev is not None else ""
        speed = f"{row['tokens_per_second']:.0f} tokens/s"
        say(f"epoch {self.done.epochs}/{self.recipe.epochs}: loss {row['loss']:.4f}{shown}, {speed}")

    def score(self, student: Student, *, bf16: bool = False) -> Score | None:
        """Strict dev score of a student; None without dev. Each process scores its share, and all know the sum.

        In bf16 it is as good for choosing an epoch and twice as fast; the report has it in fp32, as it will be used.
        """
        if not self.setting.material.dev:
            return None

        def own(size: int) -> Score:
            found = predict_encoded(student, self.dev, self.dev_texts, size, bf16=bf16, team=self.team)
            return score_documents(self.dev, found)

        size = self.recipe.dev_batch_size
        try:
            return sum(self.processes.gathered(own(size)), Score())
        except torch.OutOfMemoryError:
            pass  # as in a step
        raise CallError(f"the GPU has no memory for {size} windows on dev; {fit_of('--dev-batch-size', size, own)}")

    def _write_student(self, path: Path) -> None:
        shutil.copytree(self.tokenizer, path, dirs_exist_ok=True)
        write_student(self.student, path)

    def _diverged(self, epoch: int, place: int, loss: float, step: Step) -> str:
        kept = f"; the state after epoch {epoch} is kept in {self.folder.path}" if epoch else ""
        where = f"epoch {epoch + 1}, step {place + 1} of {self.plan[epoch]}"
        return f"the loss is {loss} in {where} ({self._rows(step)}); lower --lr{kept}"

    def _rows(self, step: Step) -> str:
        """The documents of a step by their ids, the first few of them."""
        inside, material = {id(one.example) for one in step.windows}, self.setting.material
        data = zip(([*material.distilled, *material.unlabelled], material.gold), self.sources, strict=True)
        pairs = [pair for documents, source in data for pair in zip(documents, source.rows, strict=True)]
        ids = [document.id for document, windows in pairs if any(id(window) in inside for window in windows)]
        return f"rows {', '.join(ids[:8])}" + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")

    def _too_large(self, step: Step) -> str:
        """What did not fit, and the largest size that does, found by trying the longest windows."""
        tokens = self.setting.options.batch_tokens
        largest = max(step.batches, key=lambda batch: len(batch) * len(batch[-1].example.ids))
        what = f"the GPU has no memory for {len(largest)} windows of {len(largest[-1].example.ids)} tokens"
        option, size = ("--batch-tokens", tokens) if tokens else ("--batch-size", self.recipe.batch_size)
        if self.processes.count > 1:  # the others are waiting in a step of their own: nothing can be tried
            return f"{what} in {self.processes.count} parts; try {option} {max(size // 2, 1)}"
        windows = [one for epoch in range(self.recipe.epochs) for s in self.steps_of(epoch) for one in s.windows]

        def works(smaller: int) -> None:
            self.model.zero_grad()
            self.step(Step([heaviest(windows, smaller, tokens=tokens is not None)]), 0.0)

        remedy = fit_of(option, size, works, self.recipe.max_length if tokens else 1)
        return f"{what}; {remedy}; --accumulate adds batches up to steps of the same size"


def _check_length(model: Any, max_length: int) -> None:
    limit = longest_input(model)
    if limit is not None and max_length > limit:
        hint = f"give --max-length {limit} --stride {limit // 4}"
        raise CallError(f"windows of {max_length} tokens: the student sees at most {limit}; {hint}")
