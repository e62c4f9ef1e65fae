"""Where a step of training spends its time: embeddings, attention, feed-forward, head, optimizer, data, dev.

PyTorch's profiler gives times by operator. Here each operator of the forward pass is counted for the part of the model
it runs in, and each of the backward pass for the part whose operator it answers (autograd numbers them alike).
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import torch
from torch.profiler import ProfilerActivity, record_function

from students.batches import collate
from students.loop import Training

PARTS = {
    "embeddings": "embeddings", "attention": "attention", "intermediate": "feed-forward", "output": "feed-forward",
    "ffn": "feed-forward", "classifier": "head",
}  # fmt: skip
BACKWARD = "autograd::engine::evaluate_function: "


def profile(training: Training, steps: int = 10) -> str:
    """A table of the shares of a step, and of dev in an epoch."""
    handles = _marked(training.model)
    plan = [training.steps_of(0)[n % len(training.steps_of(0))] for n in range(steps + 3)]
    training.model.train()
    for step in plan[:3]:
        training.step(step, 1e-5)
    cuda = [ProfilerActivity.CUDA] if training.setting.hardware.device == "cuda" else []
    with torch.profiler.profile(activities=[ProfilerActivity.CPU, *cuda]) as seen:
        started = time.perf_counter()
        for step in plan[3:]:
            training.step(step, 1e-5)
        whole = time.perf_counter() - started
    for handle in handles:
        handle.remove()
    spent = _by_part(seen.events())
    started = time.perf_counter()
    for step in plan[3:]:
        for batch in step.batches:
            training.vocabulary.narrow(collate(batch, training.student.encoder.pad_id).ids)
    spent["data"] = time.perf_counter() - started
    spent["the rest: Python, and what no operator says"] = max(whole - sum(spent.values()), 0.0)
    return _table(spent, whole / steps, *_epoch(training))


def _marked(model: Any) -> list[Any]:
    """Hooks that name the part while it runs."""
    handles: list[Any] = []
    running: list[record_function] = []

    def enter(part: str) -> Any:
        def hook(*_: Any) -> None:
            running.append(record_function(f"part:{part}"))
            running[-1].__enter__()  # type: ignore[no-untyped-call]

        return hook

    def leave(*_: Any) -> None:
        running.pop().__exit__(None, None, None)

    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if last in PARTS and not name.endswith("attention.output"):
            handles += [module.register_forward_pre_hook(enter(PARTS[last])), module.register_forward_hook(leave)]
    return handles


def _by_part(events: Any) -> dict[str, float]:
    """Seconds by part: of the forward pass by where an operator stands, of the backward pass by its number."""
    spent: dict[str, float] = defaultdict(float)
    numbers: dict[int, str] = {}
    for event in events:
        part = _part_above(event)
        if part is not None and event.sequence_nr >= 0:
            numbers[event.sequence_nr] = part
        if event.name.startswith("part:"):
            spent[f"{event.name[5:]}, forward"] += event.cpu_time_total / 1e6
    for event in events:
        if event.name.startswith(BACKWARD):
            part = numbers.get(event.sequence_nr)
            what = "backward outside the parts" if part is None else f"{part}, backward"
            spent[what] += event.cpu_time_total / 1e6
        elif event.cpu_parent is None and event.name.startswith("Optimizer."):
            spent["optimizer"] += event.cpu_time_total / 1e6
        elif event.cpu_parent is None and ("foreach" in event.name or "linalg" in event.name):
            spent["clipping"] += event.cpu_time_total / 1e6
    return spent


def _part_above(event: Any) -> str | None:
    while event is not None:
        if event.name.startswith("part:"):
            return str(event.name[5:])
        event = event.cpu_parent
    return None


def _epoch(training: Training) -> tuple[float, float]:
    """Seconds of an epoch's dev score, and steps of an epoch."""
    with training.vocabulary.whole():
        started = time.perf_counter()
        training.score(training.student, bf16=training.setting.hardware.bf16)
        return time.perf_counter() - started, len(training.steps_of(0))


def _table(spent: dict[str, float], step: float, dev: float, steps: float) -> str:
    whole = sum(spent.values())
    lines = [f"\na step of ours takes {1000 * step:.0f} ms under the profiler, of which"]
    ordered = sorted(spent.items(), key=lambda one: -one[1])
    lines += [f"  {100 * seconds / whole:5.1f} %  {part}" for part, seconds in ordered]
    return "\n".join([*lines, f"and dev {dev:.1f} s an epoch, beside {steps:.0f} steps of {step * steps:.1f} s"])
