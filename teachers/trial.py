"""Trials: one arm of a study of RA-IT, from open labels to the figure that the papers publish, as one command.

Build conversations, tune, merge, let the model label a benchmark, score. Every step is the command of its own that it
is elsewhere; what is finished is not done again. `report.json` has what `ner-distill study` reads.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from distill.errors import CallError, InputError
from distill.files import whole_or_not_at_all
from distill.jsonl import write_jsonl
from distill.libraries import resolve
from distill.progress import say
from distill.reports import figure
from distill.scores import KINDS
from teachers.benches import Bench, bench, read_gold
from teachers.building import build
from teachers.examination import examine
from teachers.options import LabelOptions
from teachers.rait_options import RaitBuildOptions, RaitEvaluateOptions, RaitTrialOptions
from teachers.tune_options import MergeOptions, TuneOptions


@dataclass(frozen=True)
class TrialReport:
    """F1 by kind on the benchmark, the number of answers that could not be parsed, and what tuning took."""

    folder: Path
    title: str
    f1: dict[str, float]
    unparsed: int
    tuned: dict[str, Any]

    def __str__(self) -> str:
        shown = ", ".join(f"{kind} F1 {figure(self.f1[kind])}" for kind in KINDS)
        return f"{self.folder}: {self.title}: {shown}; {self.unparsed} answers unparsed; {self.tuned['steps']} steps"

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {"folder": str(self.folder), "benchmark": self.title, "f1": self.f1, "unparsed": self.unparsed,
                "tuned": self.tuned}  # fmt: skip


def trial(options: RaitTrialOptions) -> TrialReport:
    """Go the whole road with one set of options; a stopped trial goes on with the step it was in."""
    started, out, source = time.monotonic(), options.out, _checked(options)
    out.mkdir(parents=True, exist_ok=True)
    _once(out / "conversations.jsonl", lambda path: build(_building(options, path)))
    tuned = resolve("teachers.tuning:tune", "tune")(_tuning(options)).kept()
    if not (out / "labelled.jsonl").exists():
        _once(out / "model", lambda path: resolve("teachers.adapters:merge", "tune")(
            MergeOptions(run=out / "tuned", out=path)))  # fmt: skip
        resolve("teachers.labelling:label", "llama")(_labelling(options, source))
        shutil.rmtree(out / "model")  # gigabytes that the adapter and its base make anew
    found = examine(RaitEvaluateOptions(
        systems=(out / "labelled.jsonl",), gold=(cast(Path, options.gold),), benchmark=options.benchmark, samples=0
    ))  # fmt: skip
    (marks,) = found.systems.values()
    report = TrialReport(
        out, source.title, {kind: marks.scores[kind].f1 for kind in KINDS}, marks.unparsed, tuned
    )
    _keep(report, found.to_json(), time.monotonic() - started)
    return report


def _checked(options: RaitTrialOptions) -> Bench:
    """The benchmark, when all that is read after the tuning has been read before it: that may take hours."""
    if not options.inputs or not options.benchmark or options.gold is None:
        raise CallError("rait trial needs INPUT (label files), --benchmark and --gold (its data)")
    if options.ask_by != "none" and options.ask_from is None:
        raise CallError(f"--ask-by {options.ask_by} needs --ask-from, labelled data to take examples from")
    source = bench(options.benchmark)
    if not list(read_gold(options.gold, source.labels, source.left_out, source)):
        raise InputError("no documents to score on", path=options.gold)
    pool = list(source.read(cast(Path, options.ask_from))) if options.ask_by != "none" else None
    if pool is not None and not any(record.pairs for record in pool):
        raise InputError("no document with a mention to take as an example", path=options.ask_from)
    return source


def _once(path: Path, make: Callable[[Path], object]) -> None:
    if not path.exists():
        say(str(make(path)))


def _building(options: RaitTrialOptions, path: Path) -> RaitBuildOptions:
    return RaitBuildOptions(
        inputs=options.inputs, out=path, style=options.style, negative_types=options.negative_types,
        negatives=options.negatives, n=options.n, seed=options.seed, shots=options.shots, shots_by=options.shots_by,
        share=options.share, candidates=options.candidates, filter_bm25=options.filter_bm25, embedder=options.embedder,
        embeddings=options.embeddings,
    )  # fmt: skip


def _tuning(options: RaitTrialOptions) -> TuneOptions:
    given = {
        name: value for name in ("epochs", "lr", "batch_size", "rank", "alpha", "steps", "at_once")
        if (value := getattr(options, name)) is not None
    }  # fmt: skip
    return TuneOptions(
        conversations=(options.out / "conversations.jsonl",), model=options.model, out=options.out / "tuned",
        dev="0", seed=options.seed, recompute=options.recompute, precision=options.precision, **given,
    )  # fmt: skip


def _labelling(options: RaitTrialOptions, source: Bench) -> LabelOptions:
    """The benchmark's texts, its types as words, and the pool of examples, written down for `label`."""
    out = options.out
    assert options.gold is not None
    gold = read_gold(options.gold, source.labels, source.left_out, source)
    write_jsonl((one.document.with_entities(()) for one in gold), out / "texts.jsonl")
    with whole_or_not_at_all(out / "labels.toml") as file:
        for each in source.labels:
            file.write(f"[{json.dumps(each.id)}]\nname = {json.dumps(each.name, ensure_ascii=False)}\n\n")
    pool = _pool(options, source)
    return LabelOptions(
        inputs=(out / "texts.jsonl",), out=out / "labelled.jsonl", teacher="llama", model=str(out / "model"),
        labels=out / "labels.toml", style=options.style, language=source.language, shots=options.shots,
        shots_by=options.ask_by if pool else "none", shots_from=pool, embedder=options.embedder, seed=options.seed,
        attempts=1, concurrency=options.concurrency,
        param=(f"max_tokens={options.max_tokens}", f"precision={options.precision}"),
    )  # fmt: skip


def _pool(options: RaitTrialOptions, source: Bench) -> Path | None:
    """The examples shown while asking: all of a file, or so many of it, drawn by the seed."""
    if options.ask_by == "none" or options.ask_from is None:
        return None
    found = [record.document() for record in source.read(options.ask_from)]
    if options.ask_size is not None and options.ask_size < len(found):
        found = Random(f"{options.seed}:pool").sample(found, options.ask_size)
    write_jsonl(found, options.out / "pool.jsonl")
    return options.out / "pool.jsonl"


def _keep(report: TrialReport, figures: dict[str, Any], seconds: float) -> None:
    kept = {
        "best": {"f1": report.f1["strings"]}, "f1": report.f1, "unparsed": report.unparsed,
        "seconds": round(seconds, 1), **{name: report.tuned.get(name) for name in ("epochs", "steps", "rows")},
        "figures": figures,
    }  # fmt: skip
    with whole_or_not_at_all(report.folder / "report.json") as out:
        out.write(json.dumps(kept, ensure_ascii=False, indent=2) + "\n")
