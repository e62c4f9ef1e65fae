"""The options of the sealed room's commands: export, selftest, predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option

PRECISIONS = ("int8", "fp32")
SOURCES = ("jsonl", "text", "conll")
FORMATS = ("jsonl", "conll", "table", "html")
OFFSETS = ("codepoint", "utf8", "utf16")


@dataclass(frozen=True)
class ExportOptions(Options):
    """What `export` needs to know."""

    run: Path = option(help="the run folder, or a student's", argument=True)
    out: Path = option(help="the bundle to make: a folder, or one file where the name ends in .tar.gz")
    precision: str = option("int8", "of the weights", choices=PRECISIONS)
    reduce_range: bool = option(True, "weights a little coarser: a fifth faster on CPUs without VNNI instructions")
    early_exit: bool | None = option(None, "words that a middle layer is sure of go no further; default: in int8")
    verify: tuple[Path, ...] = option((), "documents labelled by people to check on; otherwise the run's dev file")
    max_f1_drop: float = option(0.003, "how far strict F1 may fall below PyTorch's", at_least=0, at_most=1)
    licence: str = option("", "the licence of the student and its data, for the manifest")
    threshold: tuple[str, ...] = option((), "LABEL=SCORE: by default report that label's entities from that score on")
    wheels: bool = option(False, "put in what runs it, as wheels, with an install.sh that needs no network")
    platform: str | None = option(None, "of the wheels, such as manylinux_2_28_x86_64; otherwise this machine's")
    python_version: str | None = option(None, "of the wheels, such as 3.12; otherwise this Python's")
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class SelftestOptions(Options):
    """What `selftest` needs to know."""

    bundle: Path = option(help="the bundle to test", argument=True)
    threads: int | None = option(None, "CPU threads; otherwise what this process may use", at_least=1)
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class PredictOptions(Options):
    """What `predict` needs to know."""

    bundle: Path = option(help="the bundle", argument=True)
    inputs: tuple[Path, ...] = option((), "texts to tag (JSONL, text, CoNLL); - is stdin", argument=True, flag="input")
    text: str | None = option(None, "a text to tag")
    source: str | None = option(None, "what is read; otherwise as it looks", choices=SOURCES, flag="from")
    format: str = option("jsonl", "of the answer", choices=FORMATS)
    offsets: str = option("codepoint", "what offsets in the JSONL count", choices=OFFSETS)
    out: Path | None = option(None, "write the answer into this file")
    threshold: tuple[str, ...] = option((), "LABEL=SCORE: report that label's entities from that score on")
    uncertainty: bool = option(False, "add entropy and margin to each document's meta")
    threads: int | None = option(None, "CPU threads; otherwise what this process may use", at_least=1)
