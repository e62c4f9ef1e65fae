"""The options of training and evaluation, and the recipes: named sets of values for what was not given."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from curricula.custom import is_function
from curricula.schedules import schedule
from distill.errors import CallError
from distill.options import Options, option

BLENDS = ("rows", "loss")
DECAYS = ("linear", "cosine", "constant")
PRECISIONS = ("auto", "bf16", "fp32")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Recipe:
    """What a training uses where the user says nothing.

    Where `epochs` make fewer than `least_steps` steps, there are more of them, at the most twice as many.
    """

    student: str
    schedule: str
    case: bool
    vet: bool
    epochs: int
    least_steps: int
    lr: float
    decay: str
    lr_decay: float
    warmup: float
    batch_size: int
    dev_batch_size: int
    max_length: int
    stride: int
    weight_decay: float
    clip: float


RECIPES = {
    # What measured best here on CoNLL's dev with MiniLM (docs/training.md).
    "default": Recipe(
        student="minilm", schedule="power", case=True, vet=True, epochs=10, least_steps=1500, lr=1e-4, decay="linear",
        lr_decay=1.0, warmup=0.05, batch_size=8, dev_batch_size=32, max_length=256, stride=64, weight_decay=0.01,
        clip=1.0,
    ),
    # Huang: bert-base-uncased, batch 4 and 2, length 128, 1e-5, 20 epochs, with or without x0.95 an epoch (--lr-decay).
    # Ours, as the paper does not say: AdamW, its weight decay of 0.01, no warm-up, clipping at 1, windows by 32.
    "huang2024": Recipe(
        student="bert-base-uncased", schedule="mix", case=False, vet=False, epochs=20, least_steps=0, lr=1e-5,
        decay="constant", lr_decay=1.0, warmup=0.0, batch_size=4, dev_batch_size=2, max_length=128, stride=32,
        weight_decay=0.01, clip=1.0,
    ),
}  # fmt: skip


def _from_recipe(name: str, help: str) -> str:
    return f"{help} [{getattr(RECIPES['default'], name)}; huang2024: {getattr(RECIPES['huang2024'], name)}]"


_EPOCHS = "passes over the blend; by default as many more, up to twice, as make 1,500 steps"
_SCHEDULES = (
    "when to trust the distilled data: mix, sigmoid, cosine, power, all, distilled, gold, points such as "
    "0:1, 10:0.5, 20:0, or your own function as file.py:name"
)


@dataclass(frozen=True)
class TrainOptions(Options):
    """What `train` needs to know. Values that are None come from the recipe."""

    distilled: tuple[Path, ...] = option((), "documents labelled by a teacher (JSONL)")
    gold: tuple[Path, ...] = option((), "documents labelled by people (JSONL)")
    unlabelled: tuple[Path, ...] = option((), "texts for the committee to label (JSONL, text)")
    committee: int = option(0, "students that are trained first, to label the unlabelled texts", at_least=0)
    denoise: bool = option(False, "measure each teacher against a student of gold, and correct its labels by that")
    vet: bool | None = option(None, _from_recipe("vet", "leave out files that gold finds to be labelled badly"))
    dev: str | None = option(None, "choose the best epoch on this file, or on this share of gold (0.1), kept apart")
    labels: Path | None = option(None, "labels.toml; otherwise the labels found in the data")
    schedule: str | None = option(None, _from_recipe("schedule", _SCHEDULES))
    k: float | None = option(None, "steepness of the sigmoid [32]", above=0)
    n: float | None = option(None, "exponent of the power decay [0.2]", above=0)
    blend: str = option("rows", "what the schedule shares out: rows, or the weight of the loss", choices=BLENDS)
    weighted: bool = option(False, "weight the loss by entity scores and meta.weight")
    recipe: str = option("default", "values for all that is not given", choices=tuple(RECIPES))
    student: str | None = option(None, _from_recipe("student", "minilm, a folder, or a name on the hub"))
    case: bool | None = option(None, _from_recipe("case", "show capitals to a student that knows none"))
    layers: int | None = option(None, "keep this many evenly spaced layers", at_least=1)
    epochs: int | None = option(None, _from_recipe("epochs", _EPOCHS), at_least=1)
    patience: int | None = option(None, "stop after so many epochs without a better dev score", at_least=1)
    lr: float | None = option(None, _from_recipe("lr", "learning rate at its highest"), above=0)
    decay: str | None = option(None, _from_recipe("decay", "the learning rate's way to the end"), choices=DECAYS)
    lr_decay: float | None = option(None, _from_recipe("lr_decay", "factor an epoch on top"), above=0, at_most=1)
    warmup: float | None = option(None, _from_recipe("warmup", "share of the steps"), at_least=0, at_most=1)
    batch_size: int | None = option(None, _from_recipe("batch_size", "windows a step"), at_least=1)
    batch_tokens: int | None = option(None, "instead: windows of so many tokens a step, padding included", at_least=1)
    accumulate: int = option(1, "add up the gradients of so many batches before a step", at_least=1)
    dev_batch_size: int | None = option(None, _from_recipe("dev_batch_size", "windows at once on dev"), at_least=1)
    max_length: int | None = option(None, _from_recipe("max_length", "tokens a window, special ones too"), at_least=8)
    stride: int | None = option(None, _from_recipe("stride", "tokens that windows of a long text share"), at_least=0)
    weight_decay: float | None = option(None, _from_recipe("weight_decay", "AdamW's, on matrices"), at_least=0)
    clip: float | None = option(None, _from_recipe("clip", "longest gradient, 0 for no limit"), at_least=0)
    seed: int = option(1, "everything random follows from it", at_least=0, at_most=2**32 - 1)
    device: str = option("auto", "auto: the GPU where there is one", choices=DEVICES)
    precision: str = option("auto", "auto: bf16 where the hardware has it", choices=PRECISIONS)
    threads: int | None = option(None, "CPU cores to use; otherwise all that the container gives", at_least=1)
    out: Path = option(help="the run folder")
    json: bool = option(False, "print the report as JSON")

    def __post_init__(self) -> None:
        super().__post_init__()
        named = self.resolved().schedule
        if not is_function(named):  # a function is only run where its shares are needed
            schedule(named, self.k, self.n)
        if self.batch_size is not None and self.batch_tokens is not None:
            raise CallError("--batch-size counts windows and --batch-tokens tokens; give one of them")
        self._check_guides()
        if self.patience is not None and self.dev is None:
            raise CallError("--patience waits for a better dev score and there is no dev; give --dev too")
        length = self.resolved().max_length
        if self.batch_tokens is not None and self.batch_tokens < length:
            raise CallError(f"--batch-tokens {self.batch_tokens} holds no window of --max-length {length} tokens")

    def _check_guides(self) -> None:
        if self.unlabelled and not self.committee:
            raise CallError("--unlabelled texts need a committee of students that labels them; give --committee 3 too")
        if self.committee and not self.unlabelled:
            raise CallError("--committee has nothing to label; give --unlabelled")
        if self.denoise and not (self.distilled and self.gold):
            raise CallError("--denoise measures --distilled labels against a student of --gold; give both")
        if self.vet and not (self.distilled and self.gold):
            raise CallError("--vet measures --distilled labels against a student of --gold; give both")

    def resolved(self) -> Recipe:
        """The recipe with the given values in the place of its own."""
        given = {each.name: getattr(self, each.name, None) for each in fields(Recipe)}
        return replace(RECIPES[self.recipe], **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """What `evaluate` needs to know."""

    systems: tuple[Path, ...] = option((), "students, runs, bundles or label files", argument=True, flag="system")
    gold: tuple[Path, ...] = option((), "documents labelled by people (JSONL)")
    labels: Path | None = option(None, "labels.toml; otherwise the labels found in gold")
    batch_size: int = option(32, "windows at once", at_least=1)
    samples: int = option(1000, "bootstrap samples for the intervals, 0 for none", at_least=0)
    seed: int = option(0, "of the bootstrap", at_least=0)
    json: Path | None = option(None, "write the figures into this file")
    counts: Path | None = option(None, "write every document's strict counts into this file (JSONL)")
