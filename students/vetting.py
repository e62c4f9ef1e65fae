"""Vetting: a short training on gold alone says how good each file of distilled labels is; the bad ones are left out."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from curricula.vetting import ABLE
from distill.document import Document
from distill.progress import say
from students.committee import vetter
from students.judge import LEAST, Judge, Verdict
from students.material import Material, divided, short_names
from students.model import load_student
from students.options import TrainOptions
from students.processes import Processes
from students.setting import Setting, setting_of
from students.team import Team

HELD = 0.2
"""The share of gold that the judge does not learn, to be measured on."""
MOST = 250_000
"""Characters of gold, and of each file, that are looked at: more would cost more than they tell."""
STEPS = 300
"""Steps of the judge, of 8 windows each, as far as that is not more than 20 epochs."""
SEEN = 5
"""Mentions of a label in its gold without which the judge does not know it."""

Train = Callable[[TrainOptions, Material], Path]


def vetted(setting: Setting, train: Train, all_of_us: Processes) -> tuple[Setting, list[Verdict]]:
    """The Setting without the files that are not worth learning from, and what was found; its `notes` say it in words.

    `train` makes a run folder of the judge's options and data. Where nothing is left and there are no unlabelled texts,
    the schedule is gold: the student is, to the bit, the one of a training without --distilled.
    """
    options = setting.options
    learnt, held = _parted(setting)
    mentions = sum(len(document.entities) for document in held)
    if mentions < LEAST:
        few = f"gold has too few mentions to measure a teacher by ({mentions} held out, {LEAST} needed): all are learnt"
        return replace(setting, notes=(few,)), []
    say(f"{options.out}: the judge of the teachers, a short training on gold alone")
    plain = replace(setting.material, distilled=[], parts=[], gold=learnt, dev=[], unlabelled=[])
    folder = train(vetter(options, _epochs(learnt, setting)), plain)
    found = _verdicts(setting, folder, learnt, held, str(all_of_us.device))
    verdicts = all_of_us.gathered(found)[0]  # one for all: rounding may be another elsewhere
    for verdict in verdicts:
        say(f"{options.out}: {verdict.told}")
    narrowed = _narrowed(setting, {verdict.file for verdict in verdicts if not verdict.kept})
    return replace(narrowed, notes=tuple(verdict.told for verdict in verdicts)), verdicts


def _parted(setting: Setting) -> tuple[list[Document], list[Document]]:
    """What the judge learns of gold, and what it is measured on; no text is in both."""
    some = _some(setting.material.gold, setting.options.seed)
    if round(HELD * len(some)) < 1:
        return some, []
    learnt, held = divided(some, HELD, setting.options.seed)
    return learnt, _without(held, learnt)


def _without(documents: Sequence[Document], known: Sequence[Document]) -> list[Document]:
    texts = {document.text for document in known}
    return [document for document in documents if document.text not in texts]


def _some(documents: Sequence[Document], seed: int) -> list[Document]:
    """Documents drawn by the seed until there are MOST characters, at least ten, in their order."""
    order, size, chosen = list(range(len(documents))), 0, list[int]()
    random.Random(f"{seed}/vetting").shuffle(order)
    for at in order:
        if size > MOST and len(chosen) >= 10:
            break
        chosen.append(at)
        size += len(documents[at].text)
    return [documents[at] for at in sorted(chosen)]


def _epochs(learnt: Sequence[Document], setting: Setting) -> int:
    """Epochs that come to about STEPS."""
    length = 3 * setting.recipe.max_length  # characters of a window, roughly
    windows = sum(max(1, math.ceil(len(document.text) / length)) for document in learnt)
    return max(1, min(20, math.ceil(8 * STEPS / windows)))


def _verdicts(
    setting: Setting, folder: Path, learnt: Sequence[Document], held: Sequence[Document], device: str
) -> list[Verdict]:
    """What the judge in `folder` says of every file."""
    count = Counter(entity.label for document in learnt for entity in document.entities)
    known = frozenset(label for label, number in count.items() if number >= SEEN)
    team = Team(setting.shares, setting.hardware.threads // setting.shares)
    judge = Judge(load_student(folder, device), known, team, setting.recipe.dev_batch_size, setting.hardware.bf16)
    with team:
        own = judge.reading(held)
        if own.agreement < ABLE:
            why = f"not measured, as a judge of gold has a strict F1 of {own.agreement:.2f} itself ({ABLE:g} needed)"
            return [Verdict(name, None, True, f"{name}: {why}") for name in _files(setting)]
        return [
            judge.verdict(name, _without(_some(documents, setting.options.seed), learnt), own)
            for name, documents in _files(setting).items()
        ]


def _files(setting: Setting) -> dict[str, list[Document]]:
    """The Documents of every distilled file by its short name."""
    names, parts = short_names(setting.options.distilled), _parts(setting.material)
    return {names[path]: own for path, own in zip(setting.options.distilled, parts, strict=True)}


def _parts(material: Material) -> list[list[Document]]:
    """The distilled Documents by file."""
    rest = iter(material.distilled)
    return [list(islice(rest, size)) for size in material.parts]


def _narrowed(setting: Setting, left_out: set[str]) -> Setting:
    if not left_out:
        return setting
    options, names = setting.options, short_names(setting.options.distilled)
    pairs = zip(options.distilled, _parts(setting.material), strict=True)
    files = [(path, own) for path, own in pairs if names[path] not in left_out]
    if not any(own for _, own in files):
        files = []  # those without a document are not worth a schedule that waits for them
    distilled = [document for _, own in files for document in own]
    material = replace(setting.material, distilled=distilled, parts=[len(own) for _, own in files])
    change: dict[str, Any] = {"distilled": tuple(path for path, _ in files), "vet": False}
    if not files:
        change["denoise"] = False
        change |= {} if material.unlabelled else {"schedule": "gold", "k": None, "n": None}
    return setting_of(replace(options, **change), material)
