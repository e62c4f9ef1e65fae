"""One call of `train`, from its options to its report: run folder, vetting, committee, and the processes around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from distill.progress import say
from students import committee
from students.committee import Guides
from students.hardware import threads
from students.judge import Verdict
from students.loop import Training
from students.material import Material
from students.options import TrainOptions
from students.processes import Processes, processes
from students.report import TrainReport, config_of
from students.runfolder import RunFolder
from students.setting import Setting, setting_of
from students.vetting import vetted


def run(options: TrainOptions) -> TrainReport:
    """Train, or go on training, or find that all is done; see `students.train.fit`."""
    return _run(setting_of(options), lambda: None, exits=True)


def trained(options: TrainOptions, material: Material, claim: Callable[[], None] = lambda: None) -> Path:
    """The run folder of a student that comes before another, of material of its own."""
    return _run(setting_of(options, material), claim, exits=False).folder


def _run(setting: Setting, claim: Callable[[], None], *, exits: bool) -> TrainReport:
    """`claim` is called when it is clear that training can begin; `exits` asks for early exits, which a bundle uses."""
    folder = RunFolder(setting.options.out)
    config = config_of(setting)
    folder.check(config)
    finished = folder.report()
    if finished is not None:
        say(f"{folder.path} is finished; nothing to train")
        return TrainReport.from_json(folder.path, finished)

    held = ExitStack()
    mine: list[RunFolder] = []

    def claimed() -> None:  # only now, so that a call that cannot be right leaves nothing behind
        claim()
        folder.claim(config)
        if not mine:  # each of the trainings before the student claims its folder too
            held.enter_context(folder.alone())
            mine.append(folder)

    # One meeting for all trainings of the call: processes that part and meet again may miss each other.
    with held, processes(setting.hardware.device) as all_of_us:
        return _trained(setting, folder, all_of_us, claimed, exits=exits)


def _trained(
    setting: Setting, folder: RunFolder, all_of_us: Processes, claimed: Callable[[], None], *, exits: bool
) -> TrainReport:
    verdicts: list[Verdict] = []
    if setting.recipe.vet:
        setting, verdicts = vetted(setting, partial(trained, claim=claimed), all_of_us)
    guides = _guides(setting, claimed)
    with threads(setting.hardware.threads), torch.random.fork_rng(), TemporaryDirectory() as tokenizer:
        training = Training(setting, folder, Path(tokenizer), all_of_us, guides)
        if all_of_us.first:
            claimed()
            if verdicts:
                folder.write_verdicts([asdict(verdict) for verdict in verdicts])
        with training.team:
            report = training.run(exits=exits)
    if all_of_us.first:
        shutil.rmtree(folder.path / "vetting", ignore_errors=True)  # the verdicts say what it has said
    return report


def _guides(setting: Setting, claim: Callable[[], None]) -> Guides:
    """Train those who come before the student; each is a run of its own, which goes on where it was."""
    options, material = setting.options, replace(setting.material, unlabelled=[])
    judge, members = None, []
    if options.denoise:
        say(f"{options.out}: the judge, a student of gold alone")
        own = committee.judge(options)
        judge = trained(own, replace(material, distilled=[], parts=[]), claim)
    for number in range(1, options.committee + 1):
        say(f"{options.out}: student {number} of {options.committee} of the committee")
        members.append(trained(committee.member(options, number), material, claim))
    return Guides(judge, tuple(members))
