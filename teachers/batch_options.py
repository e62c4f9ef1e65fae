"""The options of `batch submit`, `status` and `collect`, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option
from teachers.options import LabelOptions


@dataclass(frozen=True)
class BatchSubmitOptions(LabelOptions):
    """What `label` can be told, for a Batch API; [batch.submit] in ner-distill.toml."""

    structured: str = option("off", "hold answers to a JSON schema; a batch cannot find out", choices=("on", "off"))
    files_only: bool = option(False, "write the request files, for vllm run-batch or an upload by hand; submit nothing")


@dataclass(frozen=True)
class BatchStatusOptions(Options):
    """Which labelling to look after; [batch.status] in ner-distill.toml."""

    out: Path = option(help="the --out that batch submit was given")
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class BatchCollectOptions(Options):
    """Which labelling to finish, and what becomes of requests without an answer; [batch.collect]."""

    out: Path = option(help="the --out that batch submit was given")
    results: tuple[Path, ...] = option((), "result files that are here, as vllm run-batch writes them")
    retry: str = option("report", "requests without an answer: report, or ask online", choices=("report", "online"))
    json: bool = option(False, "print the report as JSON")
