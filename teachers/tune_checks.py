"""What a tuning tells on its way: `metrics.jsonl`, a quiz at every check, and which checkpoints are whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from distill.progress import say
from distill.runs import RunFolder
from teachers.quiz import Quiz

WHOLE = "whole"  # stands in a checkpoint that was written to its end


class Checks(TrainerCallback):
    """The trainer's listener; of several processes the first one writes."""

    def __init__(self, folder: RunFolder, quiz: Quiz, state: PartialState) -> None:
        self._folder, self._quiz, self._state = folder, quiz, state
        self.rows: list[dict[str, Any]] = []
        self.last_checked = -1

    def rewind(self, step: int) -> None:
        """Forget what was told after a checkpoint."""
        self.rows = [row for row in self._folder.metrics() if row["step"] <= step]
        self.last_checked = max((row["step"] for row in self.rows if "seconds" in row), default=-1)
        self._write()

    def last(self, name: str) -> float | None:
        """The latest value of a column."""
        return next((row[name] for row in reversed(self.rows) if name in row), None)

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002 - the trainer's call
        logs = given.get("logs") or {}
        if "loss" in logs:
            self._add(state, {"loss": logs["loss"], "lr": logs["learning_rate"], "grad_norm": logs.get("grad_norm")})

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        self._check(given["model"], state, given["metrics"]["eval_loss"])

    def _check(self, model: Any, state: Any, loss: float) -> None:
        started = time.perf_counter()
        row: dict[str, Any] = {"eval_loss": loss}
        if self._quiz.questions:
            bare = model.module if hasattr(model, "module") else model
            score = self._quiz.score(bare, self._state.process_index, self._state.num_processes)
            row |= {**score.micro._asdict(), "unparsed": score.unparsed, "questions": len(self._quiz.questions)}
        self.last_checked = state.global_step
        self._add(state, row | {"seconds": round(time.perf_counter() - started, 3)})
        if self._state.is_main_process and "f1" in row:
            say(f"step {state.global_step}: held-out loss {loss:.4f}, string-set F1 {row['f1']:.4f}, "
                f"{row['unparsed']} of {row['questions']} answers unparsed")  # fmt: skip

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if self._state.is_main_process:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()

    def _add(self, state: Any, row: dict[str, Any]) -> None:
        self.rows.append({"step": state.global_step, "epoch": round(state.epoch or 0.0, 4), **row})
        self._write()

    def _write(self) -> None:
        if self._state.is_main_process:
            self._folder.write_metrics(self.rows)


def newest(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end; a process that was killed may have left half of one."""
    found = [path.parent for path in folder.glob(f"checkpoint-*/{WHOLE}")]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
