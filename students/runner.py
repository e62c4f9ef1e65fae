"""One call of `train`, from its options to its report: run folder, committee, and the processes around the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from distill.progress import say
from students import committee
from students.committee import Guides
from students.hardware import threads
from students.loop import Training
from students.material import Material
from students.options import TrainOptions
from students.processes import processes
from students.report import TrainReport, config_of
from students.runfolder import RunFolder
from students.setting import Setting, setting_of
from students.vetting import vetted


def run(options: TrainOptions) -> TrainReport:
    """Train, or go on training, or find that all is done; see `students.train.fit`."""
    return _run(setting_of(options), lambda: None)


def _run(setting: Setting, claim: Callable[[], None]) -> TrainReport:
    """`claim` is called when it is clear that training can begin."""
    options = setting.options
    folder = RunFolder(options.out)
    config = config_of(setting)
    folder.check(config)
    finished = folder.report()
    if finished is not None:
        say(f"{folder.path} is finished; nothing to train")
        return TrainReport.from_json(folder.path, finished)

    def claimed() -> None:  # only now, so that a call that cannot be right leaves nothing behind
        claim()
        folder.claim(config)

    if setting.recipe.vet:
        setting = vetted(setting, partial(trained, claim=claimed), setting.hardware.device)
    guides = _guides(setting, claimed)
    with (
        processes(setting.hardware.device) as all_of_us,
        threads(setting.hardware.threads),
        torch.random.fork_rng(),
        TemporaryDirectory() as tokenizer,
    ):
        training = Training(setting, folder, Path(tokenizer), all_of_us, guides)
        if all_of_us.first:
            claimed()
        with training.team:
            return training.run()


def trained(options: TrainOptions, material: Material, claim: Callable[[], None] = lambda: None) -> Path:
    """The run folder of a student that comes before another, of material of its own."""
    return _run(setting_of(options, material), claim).folder


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
