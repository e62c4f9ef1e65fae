"""What a training leaves in words: the configuration it ran under, and its report."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from curricula.custom import is_function
from distill.reports import count, figure
from distill.runs import IDENTITY, commit, kept_fields, versions
from distill.scores import Score
from students.material import Material, checksums
from students.setting import Setting
from students.targets import Examples

LIBRARIES = ("ner-distill", "torch", "transformers", "tokenizers", "safetensors", "numpy")
# In the identity by their content, by what follows from them, or not at all:
_FREE = frozenset({"out", "distilled", "gold", "unlabelled", "dev", "labels", "json", "least_steps"})
# Not in the identity, so that earlier runs stay readable:
_NOT_THERE_BEFORE: Mapping[str, Any] = {"accumulate": 1, "case": False, "committee": 0, "denoise": False, "vet": False}
_NEVER = object()
_REPEATS = 0.05  # of dev: a corpus may have the same headline in both


class Finished(Protocol):
    """What a training says of itself at the end."""

    epochs: int
    steps: int
    tokens: int
    seconds: float
    best_epoch: int
    metrics: list[dict[str, Any]]


def config_of(setting: Setting) -> dict[str, Any]:
    """`config.json`: everything resolved, data checksums, versions and commit.

    Its identity is what a second call on the folder must agree with: all that shapes the result, by option.
    """
    options, recipe, material = setting.options, setting.recipe, setting.material
    data = checksums(options)
    resolved = {**_plain(asdict(options)), **asdict(recipe)}
    shaping = {n: v for n, v in resolved.items() if n not in _FREE and v != _NOT_THERE_BEFORE.get(n, _NEVER)}
    identity: dict[str, Any] = {f"--{name.replace('_', '-')}": value for name, value in shaping.items()}
    identity["--dev"] = "a file" if data["dev"] else options.dev
    identity |= setting.hardware.as_options()
    identity |= {f"data {name}": [each["sha256"] for each in files] for name, files in data.items()}
    if is_function(recipe.schedule):
        curve = json.dumps(setting.blend.schedule.curve(recipe.epochs))
        identity["data schedule"] = hashlib.sha256(curve.encode()).hexdigest()
    return {
        "format": 1, "options": resolved, IDENTITY: identity, "labels": list(material.labels.ids), "data": data,
        "rows": {
            "distilled": len(material.distilled), "unlabelled": len(material.unlabelled), "gold": len(material.gold),
            "dev": len(material.dev),
        },
        "versions": versions(LIBRARIES), "commit": commit(),
    }  # fmt: skip


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them."""
    return {name: [str(one) for one in v] if isinstance(v, tuple) else _text(v) for name, v in values.items()}


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class TrainReport:
    """What a training did: epochs count from 1; `best` and `last` are strict dev ratios, None without dev."""

    folder: Path
    epochs: int
    steps: int
    best_epoch: int
    best: dict[str, float] | None
    last: dict[str, float] | None
    rows: dict[str, int]
    tokens: int
    seconds: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        best = f"strict F1 {figure(self.best['f1'])} on dev after epoch {self.best_epoch} of" if self.best else "after"
        rows = ", ".join(f"{count(number)} {name}" for name, number in self.rows.items() if number)
        lines = [
            f"{self.folder}: {best} {self.epochs} epochs",
            f"{count(self.steps)} steps over {rows} rows, {self.seconds:.0f} s of training at "
            f"{self.tokens_per_second:,.0f} tokens/s",
        ]
        return "\n".join([*lines, *self.notes])

    @property
    def student(self) -> Path:
        """The best epoch's student."""
        return self.folder / "student"

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0

    @classmethod
    def of(
        cls,
        done: Finished,
        folder: Path,
        data: tuple[Setting, Sequence[Examples]],
        dev: tuple[Score, Score] | None,
        notes: Sequence[str] = (),
    ) -> TrainReport:
        """The report of a training that has just ended; `dev` holds the scores of the best and of the last epoch.

        `notes` are what else there is to say.
        """
        setting, sources = data
        best, last = (score.micro._asdict() for score in dev) if dev else (None, None)
        rows = {name: sum(row[name] for row in done.metrics) for name in ("distilled", "gold")}
        return cls(
            folder, done.epochs, done.steps, done.best_epoch, best, last, rows, done.tokens, round(done.seconds, 1),
            (*_early(done, setting), *setting.notes, *notes, *_notes(setting.material, sources)),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {"folder": str(self.folder)} | self.kept()

    def kept(self) -> dict[str, Any]:
        """What the run folder keeps of it: all but the folder, which may be moved."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}

    @classmethod
    def from_json(cls, folder: Path, row: Mapping[str, Any]) -> TrainReport:
        """The report of a run that ended before; InputError where it is not what such a run writes."""
        kept = kept_fields(cls, row, folder, "train")
        return cls(folder=folder, **{**kept, "notes": tuple(kept["notes"])})


def _early(done: Finished, setting: Setting) -> list[str]:
    """Where a training stopped before its last epoch, and why."""
    planned, patience = setting.recipe.epochs, setting.options.patience
    if done.epochs == planned:
        return []
    return [f"stopped after epoch {done.epochs} of {planned}: no better dev score in {patience} epochs"]


def _untaught(material: Material) -> str:
    """The labels of dev that stand nowhere in what is learnt, misspelt perhaps."""
    taught, asked = (
        {entity.label for document in some for entity in document.entities}
        for some in ((*material.distilled, *material.gold), material.dev)
    )
    names = ", ".join(sorted(asked - taught))
    return f"nothing teaches {names}, which dev has: no such entity will be found" if names else ""


def _notes(material: Material, sources: Sequence[Examples]) -> list[str]:
    """What was cut into windows, snapped, lost and dropped; nothing where nothing was."""
    windowed, snapped = sum(s.windowed for s in sources), sum(s.snapped for s in sources)
    empty, lost = sum(s.empty for s in sources), sum((s.lost for s in sources), Counter[str]())
    notes = ["" if material.dev else "no dev data: the last epoch is kept as the best", _seen_before(material)]
    notes.append(_untaught(material))
    notes.append(f"{windowed} rows longer than the window were read in several" if windowed else "")
    notes.append(f"{snapped} entities end inside a word and took the whole word" if snapped else "")
    notes.append(f"{empty} rows have no word" if empty else "")
    notes.append(_counted("entities have no word of their own", lost))
    notes.append(_counted("overlapping or discontinuous distilled entities were left out", material.overlapping))
    notes.append(_counted("entities of labels the set does not know were left out", material.unknown))
    return [note for note in notes if note]


def _counted(what: str, counts: Counter[str]) -> str:
    by_label = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
    return f"{counts.total()} {what} ({by_label})" if counts else ""


def _seen_before(material: Material) -> str:
    """What to say where a good part of dev is trained on: its score is too good, and later epochs look better."""
    trained = {document.text for document in (*material.distilled, *material.gold)}
    seen = sum(document.text in trained for document in material.dev)
    if seen <= _REPEATS * len(material.dev):
        return ""
    return f"{seen} of {len(material.dev)} dev texts are trained on too: the score on dev says little of other texts"
