"""The options of `rait tune` and `rait merge`, declared once; what the papers do is what is done unless told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option

LOSSES = ("answers", "turns")
DECAYS = ("cosine", "linear", "constant")
PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class TuneOptions(Options):
    """What `rait tune` can be told. Learning rate, decay, epochs, batch, warm-up and cut-off are RA-IT's."""

    conversations: tuple[Path, ...] = option((), "what `rait build` wrote (JSONL)", argument=True)
    model: str = option(help="the base model: a folder, or a name on the hub")
    out: Path = option(help="the run folder")
    dev: str = option("0.05", "held out: a file of conversations, or a share of the texts; 0 for none")
    dev_most: int = option(200, "held-out questions that each check answers for the F1, at most", at_least=0)
    epochs: int = option(3, "passes over the conversations", at_least=1)
    lr: float = option(5e-5, "learning rate at its highest", above=0)
    decay: str = option("cosine", "the learning rate's way to the end", choices=DECAYS)
    warmup: float = option(0.03, "share of the steps", at_least=0, at_most=1)
    batch_size: int = option(8, "conversations a step, all GPUs together", at_least=1)
    at_once: int | None = option(None, "of them at once on a GPU; fewer need less memory", at_least=1)
    cut_off: int = option(2048, "tokens; a longer conversation is left out and reported", at_least=8)
    rank: int = option(8, "of LoRA, on all linear layers", at_least=1)
    alpha: float = option(16.0, "of LoRA", above=0)
    dropout: float = option(0.0, "of LoRA", at_least=0, at_most=1)
    loss: str = option("answers", "what is learnt: answers, or all turns of the assistant", choices=LOSSES)
    template: str = option("auto", "the base's chat template where it has one, or plain", choices=("auto", "plain"))
    max_tokens: int = option(256, "of an answer while checking", at_least=1)
    check_every: int | None = option(None, "steps between checks; four checks an epoch if not given", at_least=1)
    steps: int | None = option(None, "stop after so many steps", at_least=1)
    recompute: bool = option(False, "keep no activations for the way back: slower, far less memory")
    precision: str = option("auto", "auto: bf16 on a GPU, fp32 otherwise", choices=PRECISIONS)
    seed: int = option(1, "everything random follows from it", at_least=0)
    json: bool = option(False, "print the report as JSON")


@dataclass(frozen=True)
class MergeOptions(Options):
    """What `rait merge` can be told."""

    run: Path = option(help="the run folder of `rait tune`", argument=True)
    model: str | None = option(None, "where the base model lies now, if it has moved")
    out: Path = option(help="the folder of the merged model")
    json: bool = option(False, "print the report as JSON")
