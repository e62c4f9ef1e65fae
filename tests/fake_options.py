"""What `fake_arm` may be told: the options of the arms in tests of studies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option


@dataclass(frozen=True)
class FakeOptions(Options):
    """What the arms of these tests may say."""

    gold: tuple[Path, ...] = option((), "data")
    dev: str | None = option(None, "data")
    quality: float = option(0.8, "how good it becomes", above=0)
    k: float | None = option(None, "a parameter", above=0)
    epochs: int = option(3, "epochs", at_least=1)
    step_rows: int = option(10, "rows an epoch", at_least=1)
    fails: bool = option(False, "whether it fails")
    sleep: float = option(0.0, "seconds", at_least=0)
    seed: int = option(1, "seed", at_most=9)
    out: Path = option(help="run folder")
