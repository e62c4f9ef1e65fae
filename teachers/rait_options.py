"""The options of `rait build`, `rait evaluate` and `rait trial`."""

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
ASK_BY = ("none", "nearest", "filtered", "diverse", "random")


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


@dataclass(frozen=True)
class RaitTrialOptions(Options):
    """What `rait trial` is told: what its steps are told that the papers vary; the rest is as they have it."""

    inputs: tuple[Path, ...] = option((), "label files of open types to tune on", argument=True, flag="input")
    model: str = option(help="the base model: a folder, or a name on the hub")
    out: Path = option(help="the trial's folder")
    benchmark: str | None = option(None, "data set to score on", choices=BENCHES)
    gold: Path | None = option(None, "the file of that data set")
    style: str = option("rait", "wording of the questions", choices=STYLES)
    n: int | None = option(None, "tune on so many documents, drawn by the seed", at_least=1)
    negative_types: str = option("frequency", "how types that a passage lacks are drawn", choices=NEGATIVE_TYPES[:3])
    negatives: float = option(0.5, "negative types for each positive one", at_least=0)
    shots: int = option(2, "examples in front of a passage, in tuning and in asking", at_least=0)
    shots_by: str = option("nearest", "which examples in tuning; none: vanilla", choices=SHOTS_BY)
    share: float = option(0.5, "mixed: share of passages with nearest examples", at_least=0, at_most=1)
    candidates: int = option(128, "diverse: draw from so many neighbours", at_least=1)
    filter_bm25: float | None = option(None, "in tuning, leave out examples that score less", at_least=0)
    ask_by: str = option("none", "which examples in asking; filtered: those that BM25 scores 20", choices=ASK_BY)
    ask_from: Path | None = option(None, "labelled data to take these from: another domain's, or the benchmark's")
    ask_size: int | None = option(None, "take them from so many, drawn by the seed", at_least=1)
    embedder: str = option("minilm", "what embeds sentences: minilm, a folder, or a name on the hub")
    embeddings: Path | None = option(None, "folder that keeps embeddings, for several trials")
    epochs: int = option(3, "passes over the conversations", at_least=1)
    steps: int | None = option(None, "stop tuning after so many steps", at_least=1)
    lr: float = option(5e-5, "learning rate at its highest", above=0)
    batch_size: int = option(8, "conversations a step", at_least=1)
    at_once: int | None = option(None, "of them at once on a GPU", at_least=1)
    rank: int = option(8, "of LoRA", at_least=1)
    alpha: float = option(16.0, "of LoRA", above=0)
    recompute: bool = option(False, "keep no activations for the way back")
    precision: str = option("auto", "auto: bf16 on a GPU, fp32 otherwise", choices=("auto", "bf16", "fp32"))
    max_tokens: int = option(256, "of an answer", at_least=1)
    concurrency: int = option(64, "questions answered at once", at_least=1)
    seed: int = option(1, "everything random follows from it", at_least=0)
    json: bool = option(False, "print the report as JSON")
