"""The options of `rait build` and `rait evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option
from teachers.benches import BENCHES
from teachers.conversations import STYLES
from teachers.options import LANGUAGES

NEGATIVE_TYPES = ("frequency", "uniform", "none", "all")
QUERIES = ("each", "all", "free")
SHOTS_BY = ("none", "nearest", "diverse", "random", "mixed")


@dataclass(frozen=True)
class RaitBuildOptions(Options):
    """What `rait build` is told."""

    inputs: tuple[Path, ...] = option(
        (), "label files of open types; also Pile-NER, Sky-NER and conversation files", argument=True, flag="input"
    )
    out: Path = option(help="where the conversations go (JSONL)")
    style: str = option("rait", "rait quotes the type in its question, uniner does not", choices=STYLES)
    language: str = option("auto", "wording; auto looks at each text", choices=LANGUAGES)
    queries: str = option(
        "each", "one type a question, all in one question, or all without naming them", choices=QUERIES
    )
    alone: bool = option(False, "a conversation for each question, as at inference, instead of one for the passage")
    benchmark: str | None = option(None, "data set whose labels become natural words", choices=BENCHES)
    labels: Path | None = option(None, "label set (labels.toml) whose names are asked about")
    definitions: Path | None = option(None, "ask about definitions instead of types: labels.toml or {type: definition}")
    dataset: str = option("", "name of the data set in every passage, for supervised data whose labels conflict")
    negative_types: str = option("frequency", "how types that a passage lacks are drawn", choices=NEGATIVE_TYPES)
    negatives: float = option(0.5, "negative types for each positive one (RA-IT: 0.5)", at_least=0)
    n: int | None = option(None, "so many documents, drawn by the seed; all if not given", at_least=1)
    seed: int = option(0, "seed of every draw")
    chunk_tokens: int = option(512, "longer passages are divided between sentences; 0: never", at_least=0)
    chunk_tokenizer: Path | None = option(None, "tokenizer.json that counts tokens; estimated if not given")
    cut_off: int = option(2048, "tokens of a conversation; longer ones become several; 0: any length", at_least=0)
    shots: int = option(2, "examples in front of a passage", at_least=0)
    shots_by: str = option("none", "which examples: none makes the vanilla conversations", choices=SHOTS_BY)
    shots_from: tuple[Path, ...] = option((), "label files to take examples from; the input if not given")
    pool_size: int | None = option(None, "take them from so many, drawn by the seed", at_least=1)
    candidates: int = option(128, "diverse: draw from so many neighbours", at_least=1)
    share: float = option(0.5, "mixed: share of passages with nearest examples", at_least=0, at_most=1)
    filter_bm25: float | None = option(None, "leave out examples that score less (RA-IT: 20)", at_least=0)
    embedder: str = option("minilm", "what embeds sentences: minilm, a folder, or a name on the hub")
    embeddings: Path | None = option(None, "folder that keeps embeddings; embeddings-NAME beside --out if not given")
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class RaitEvaluateOptions(Options):
    """What `rait evaluate` is told."""

    systems: tuple[Path, ...] = option(
        (), "label files, conversations with answers, or recorded answers", argument=True, flag="system"
    )
    gold: tuple[Path, ...] = option((), "the data set, labelled by people, in its published form or as Documents")
    benchmark: str | None = option(None, "data set whose labels become natural words", choices=BENCHES)
    labels: Path | None = option(None, "label set (labels.toml) in place of a benchmark")
    samples: int = option(1000, "bootstrap samples of the intervals; 0: none", at_least=0)
    seed: int = option(0, "seed of the bootstrap")
    json: bool = option(False, "print the figures as JSON")
