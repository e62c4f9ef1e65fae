"""Tuning: LoRA on conversations with trl's trainer, checked as it goes, resumable, on one GPU or several."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import PartialState
from peft import LoraConfig
from transformers import PrinterCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from distill.errors import CallError
from distill.files import whole_or_not_at_all
from distill.jsonl import dump_line
from distill.progress import say
from distill.runs import IDENTITY, RunFolder, commit, replace_folder, versions
from teachers.bases import fingerprint, load_dialogue, load_model, model_folder, positions, precision_of, quiet
from teachers.dialogue import Dialogue
from teachers.intake import identity
from teachers.quiz import Quiz
from teachers.schoolbook import Schoolbook, read_schoolbook
from teachers.tune_checks import Checks, newest
from teachers.tune_options import TuneOptions
from teachers.tune_report import TuneReport

LIBRARIES = ("ner-distill", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")
CHECKS = 4  # an epoch
NOTES = 10  # lines of metrics between two checks
_FREE = frozenset({"out", "conversations", "model", "json", "at_once"})  # compared by content or not at all


def tune(options: TuneOptions) -> TuneReport:
    """Tune a base model and leave `adapter/`, `metrics.jsonl` and what was left out in the run folder.

    The same call on the same folder goes on after the last checkpoint; a finished run only returns its report.
    Raises InputError before any training where a row teaches nothing.
    """
    if not options.conversations:
        raise CallError("rait tune needs at least one CONVERSATIONS file; `rait build` makes them")
    base, folder = model_folder(options.model), RunFolder(options.out)
    config = _config(options, base)
    folder.check(config)
    finished = folder.report()
    if finished is not None:
        say(f"{folder.path} is finished; nothing to tune")
        return TuneReport.from_json(folder.path, finished)
    dialogue = load_dialogue(base, options.template)
    book = read_schoolbook(options, dialogue, positions(base))
    state = PartialState()
    with torch.random.fork_rng(), ExitStack() as held:
        tuning = Tuning(options, folder, base, dialogue, book)
        if state.is_main_process:
            folder.claim(config)
            held.enter_context(folder.alone())
            tuning.write_left_out()
        return tuning.run()


def _config(options: TuneOptions, base: Path) -> dict[str, Any]:
    """`config.json`: everything resolved, what the data and the base were, versions and commit."""
    resolved = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()}
    resolved["conversations"] = [str(path) for path in options.conversations]
    data = [identity(path) for path in options.conversations if path.is_file()]
    kept: dict[str, Any] = {f"--{name.replace('_', '-')}": v for name, v in resolved.items() if name not in _FREE}
    kept["--precision"] = str(precision_of(options.precision)).removeprefix("torch.")
    kept["--model"] = fingerprint(base)
    kept["data CONVERSATIONS"] = [each["sha256"] for each in data]
    if Path(options.dev).is_file():
        kept["data dev"] = identity(Path(options.dev))["sha256"]
    return {
        "format": 1, "options": resolved, IDENTITY: kept, "base": {"folder": str(base), "weights": fingerprint(base)},
        "data": data, "versions": versions(LIBRARIES), "commit": commit(),
    }  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """How the batch is shared out among processes and steps."""

    at_once: int
    accumulate: int
    epoch: int
    check: int

    @classmethod
    def of(cls, options: TuneOptions, rows: int, processes: int) -> Pace:
        """Raises CallError where the batch cannot be divided so."""
        share, rest = divmod(options.batch_size, processes)
        at_once = options.at_once or share
        if rest or not share or share % at_once:
            raise CallError(
                f"--batch-size {options.batch_size} is not {processes} processes times a multiple of {at_once}; "
                "change it, or --at-once"
            )
        epoch = math.ceil(rows / options.batch_size)
        return cls(at_once, share // at_once, epoch, options.check_every or max(1, epoch // CHECKS))


class Tuning:
    """One tuning between its first step and its report."""

    def __init__(
        self, options: TuneOptions, folder: RunFolder, base: Path, dialogue: Dialogue, book: Schoolbook
    ) -> None:
        self.options, self.folder, self.base, self.dialogue, self.book = options, folder, base, dialogue, book
        self.state = PartialState()
        self.pace = Pace.of(options, len(book.train), self.state.num_processes)
        quiz = Quiz(book.questions, dialogue, options.max_tokens, 2 * self.pace.at_once)
        self.checks = Checks(folder, quiz, self.state)
        with quiet():
            self.trainer: Any = self._trainer()

    def run(self) -> TuneReport:
        """All steps that are not done yet, then the adapter and the report."""
        book = self.book
        began = newest(self.folder.path / "checkpoints")
        if began is not None:
            self.checks.rewind(int(began.name.rpartition("-")[2]))
            say(f"{self.folder.path}: going on after step {began.name.rpartition('-')[2]}")
        started = time.perf_counter()
        try:
            with quiet():
                self.trainer.train(resume_from_checkpoint=str(began) if began else None)
                if self.checks.last_checked != self.trainer.state.global_step and len(book.dev):
                    self.trainer.evaluate()
        except torch.OutOfMemoryError:
            hint = "lower --at-once, or give --recompute"
            raise CallError(f"the GPU has no memory for {self.pace.at_once} conversations; {hint}") from None
        steps = self.trainer.state.global_step
        self._check_weights()
        report = TuneReport(
            self.folder.path, steps, round(self.trainer.state.epoch or 0.0, 4), len(book.train), len(book.dev),
            len(book.questions), len(book.left_out), book.train.learnt, self.checks.last("loss"),
            self.checks.last("eval_loss"), self.checks.last("f1"), self.checks.last("unparsed"),
            round(time.perf_counter() - started, 1), self.dialogue.own,
        )  # fmt: skip
        if self.state.is_main_process:
            replace_folder(self.folder.path / "adapter", self._write_adapter)
            self.folder.write_report(report.kept())
            shutil.rmtree(self.folder.path / "checkpoints", ignore_errors=True)
        self.state.wait_for_everyone()
        return report

    def write_left_out(self) -> None:
        """`left-out.jsonl`: every conversation that no step will see, and why; no file where there is none."""
        path = self.folder.path / "left-out.jsonl"
        if self.book.left_out:
            with whole_or_not_at_all(path) as out:
                out.writelines(dump_line(row) + "\n" for row in self.book.left_out)

    def _trainer(self) -> SFTTrainer:
        options, dtype, dev = self.options, precision_of(self.options.precision), self.book.dev
        model = load_model(self.base, dtype)
        lora = LoraConfig(
            r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout,  # type: ignore[arg-type]
            target_modules="all-linear", task_type="CAUSAL_LM", base_model_name_or_path=str(self.base),
        )  # fmt: skip
        trainer = SFTTrainer(
            model=model, args=self._arguments(dtype), peft_config=lora, processing_class=self.dialogue.tokenizer,
            train_dataset=self.book.train.dataset(), eval_dataset=dev.dataset() if len(dev) else None,
            data_collator=DataCollatorForLanguageModeling(self.dialogue.pad), callbacks=[self.checks],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)  # stdout is for results
        return trainer

    def _arguments(self, dtype: torch.dtype) -> SFTConfig:
        options, pace, cuda = self.options, self.pace, torch.cuda.is_available()
        return SFTConfig(
            output_dir=str(self.folder.path / "checkpoints"),
            num_train_epochs=options.epochs, max_steps=options.steps or -1, learning_rate=options.lr,
            lr_scheduler_type=options.decay if options.decay != "constant" else "constant_with_warmup",
            warmup_steps=options.warmup if options.warmup < 1 else 0.999999, weight_decay=0.0, max_grad_norm=1.0,
            per_device_train_batch_size=pace.at_once, per_device_eval_batch_size=pace.at_once,
            gradient_accumulation_steps=pace.accumulate, gradient_checkpointing=cast(Any, None),
            activation_checkpointing=options.recompute,
            bf16=cuda and dtype == torch.bfloat16, use_cpu=not cuda, dataloader_pin_memory=cuda,
            eval_strategy="steps" if len(self.book.dev) else "no", eval_steps=pace.check, save_strategy="steps",
            save_steps=pace.check, save_total_limit=2, logging_steps=max(1, pace.check // NOTES), report_to="none",
            seed=options.seed, data_seed=options.seed, max_length=None, packing=False, remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True}, disable_tqdm=True, prediction_loss_only=True,
            ddp_find_unused_parameters=False if self.state.num_processes > 1 else None,
        )  # fmt: skip

    def _check_weights(self) -> None:
        """An adapter with a NaN in it would only show when it answers."""
        for name, weight in self.trainer.model.named_parameters():
            if weight.requires_grad and not bool(torch.isfinite(weight).all()):
                raise CallError(f"{name} is no number any more; lower --lr and give another --out")

    def _write_adapter(self, path: Path) -> None:
        model = self.trainer.accelerator.unwrap_model(self.trainer.model)
        model.save_pretrained(path, safe_serialization=True)
        (path / "README.md").unlink(missing_ok=True)
        self.dialogue.tokenizer.save_pretrained(path)
