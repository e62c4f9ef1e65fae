"""The study: arms times seeds as processes, several at once, then scored, compared and written up."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import Interrupted
from distill.files import whole_or_not_at_all
from distill.progress import say
from distill.studies.arms import checksum
from distill.studies.folder import Row, StudyFolder
from distill.studies.jobs import Job, Jobs, Place, devices, slots
from distill.studies.options import StudyOptions
from distill.studies.page import as_page
from distill.studies.plan import Commands, Plan, read_plan
from distill.studies.results import results_of
from distill.studies.runs import Run, Runs, command_of, epochs_for, row_of, runs_of
from distill.studies.writing import as_csv, as_json, as_markdown, as_table

BATCH = 8  # runs that are scored in one process
PROGRAM = (sys.executable, str(Path(__file__).parents[1] / "cli.py"))


@dataclass(frozen=True)
class StudyReport:
    """What a call of `study` did: the text of its report, the results as plain data, and what failed."""

    folder: Path
    text: str
    results: dict[str, Any]
    failures: tuple[str, ...]
    finished: int
    planned: int

    def __str__(self) -> str:
        ended = f"{self.finished} of {self.planned} runs are finished; {self.folder / 'report.html'} shows all"
        return "\n\n".join([self.text, *(f"failed: {each}" for each in self.failures), ended])

    def to_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "finished": self.finished, "planned": self.planned,
                "failures": list(self.failures), **self.results}  # fmt: skip

    @property
    def exit_code(self) -> int:
        """1 where a run has failed."""
        return int(bool(self.failures))


@dataclass(frozen=True)
class DryRun:
    """The runs that there would be."""

    commands: tuple[str, ...]
    finished: int
    same_as: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.commands, *self.same_as, f"{len(self.commands)} runs, {self.finished} finished"])

    def to_json(self) -> dict[str, Any]:
        return {"commands": list(self.commands), "finished": self.finished, "same_as": list(self.same_as)}


def study(options: StudyOptions, commands: Commands, program: Sequence[str] = PROGRAM) -> StudyReport | DryRun:
    """Run what is not finished yet, score it, and write results.csv, report.md and report.html.

    `commands` has the options class of every command that an arm may be, `program` starts one of them. The file that is
    reported on is opened when all training is done. Raises CallError for a folder of another study or of changed data.
    """
    plan = read_plan(options, commands)
    folder = StudyFolder(options.out)
    runs = runs_of(plan, commands, folder)
    if options.dry_run:
        return _dry(runs, folder, commands)
    with folder.taken() as lock:
        folder.claim(plan.title, runs.identities)
        threads = max([int(arm.values.get("threads") or 1) for arm in plan.arms])
        place = Place(folder.path, slots(options.jobs, threads, devices()), lock)
        work = _Work(plan, runs, folder, commands, tuple(program), Jobs(place), options.keep)
        with _going_on(work):
            work.train()
            work.score()
        return work.report(options.out, options.samples)


def _dry(runs: Runs, folder: StudyFolder, commands: Commands) -> DryRun:
    rows = folder.rows()
    lines = []
    for run in runs.runs:
        matched = f"   # with the steps of {run.arm.steps_of}" if run.arm.steps_of else ""
        lines.append(shlex.join(["ner-distill", *command_of(run, commands, None)]) + matched)
    same = tuple(f"{name} is {other}: trained once" for name, other in runs.same_as.items())
    return DryRun(tuple(lines), sum(run.key in rows for run in runs.runs), same)


@contextmanager
def _going_on(work: _Work) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        done = f"{work.finished} of {len(work.runs.runs)} runs finished"
        raise Interrupted(f"stopped with {done}; the same command goes on where it was") from None


@dataclass
class _Work:
    """One call at work on a study."""

    plan: Plan
    runs: Runs
    folder: StudyFolder
    commands: Commands
    program: tuple[str, ...]
    jobs: Jobs
    keep: str
    rows: dict[str, Row] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        return sum(run.key in self.rows for run in self.runs.runs)

    def train(self) -> None:
        """Every run that has no row yet."""
        self.rows = self.folder.rows()
        todo = [run for run in self.runs.runs if run.key not in self.rows]
        if todo:
            count = len(self.jobs.place.slots)
            say(f"{len(todo)} of {len(self.runs.runs)} runs to do, {min(count, len(todo))} at once")
        keys = {run.key for run in todo}
        self.jobs.run([self._training(run, frozenset(self._references(run)) & keys) for run in todo])

    def _references(self, run: Run) -> list[str]:
        """The runs whose steps decide how long this one is: those of the first seed, so that an arm is one thing."""
        if run.arm.steps_of is None:
            return []
        return [self.runs.of(str(name))[0].key for name in (run.arm.like, run.arm.steps_of)]

    def _command(self, run: Run) -> list[str]:
        rows = [self.rows[key] for key in self._references(run)]
        return command_of(run, self.commands, epochs_for(*rows) if rows else None)

    def _training(self, run: Run, needs: frozenset[str]) -> Job:
        late = self.folder.about().get("judged", [None])[0] == "test"

        def then(seconds: float) -> None:
            row = row_of(run, self._command(run), seconds, late)
            self.folder.add(row)
            self.rows[run.key] = row
            if self.keep != "all":
                shutil.rmtree(run.folder / "student-last", ignore_errors=True)
            dev = "" if row["dev"] is None else f"dev F1 {row['dev']:.4f}, "
            say(f"[{self.finished}/{len(self.runs.runs)}] {run.name}: {dev}{seconds:.0f} s")

        log = self.folder.path / "logs" / f"{run.folder.name}.log"
        return Job(run.key, run.name, lambda: [*self.program, *self._command(run)], log, then, needs)

    def score(self) -> None:
        """Every finished run that is not scored yet; the first look at what is reported on."""
        name, paths = self.plan.judged
        done = [run for run in self.runs.runs if run.key in self.rows]
        if not paths or not done:
            return
        checksum.cache_clear()
        places = [self.folder.runs / str(self.rows[run.key]["folder"]) for run in done]
        self.folder.judge([checksum(path) for path in paths], name, places)
        todo = self._unscored(done)
        if todo:
            say(f"scoring {len(todo)} runs on {name}")
        # Together, as a process takes longer to start than to score; and those of a call that failed each alone.
        trained = list(self.jobs.failures)
        self.jobs.run([self._scoring(runs, paths) for runs in self._batches(todo)])
        if left := self._unscored(done):
            self.jobs.failures = trained
            self.jobs.run([self._scoring([run], paths) for run in left])

    def _unscored(self, runs: Sequence[Run]) -> list[Run]:
        return [run for run in runs if not self._counts(run).exists()]

    def _batches(self, runs: Sequence[Run]) -> list[list[Run]]:
        """Runs to score in one process: those of the same label set, a few at a time and shared out among the slots."""
        size = min(BATCH, -(-len(runs) // len(self.jobs.place.slots)) or 1)
        by_labels: dict[Any, list[Run]] = {}
        for run in runs:
            by_labels.setdefault(run.arm.values.get("labels"), []).append(run)
        return [group[at : at + size] for group in by_labels.values() for at in range(0, len(group), size)]

    def _counts(self, run: Run) -> Path:
        return self.folder.scores / f"{run.key}.jsonl"

    def _scoring(self, runs: Sequence[Run], paths: Sequence[Path]) -> Job:
        folders = {str(self.folder.runs / str(self.rows[run.key]["folder"])): run for run in runs}
        labels, counts = runs[0].arm.values.get("labels"), self.folder.scores / f".{runs[0].key}.jsonl"
        command = [
            *self.program, *self.plan.evaluate.split(), *folders, *(f"--gold={path}" for path in paths),
            f"--counts={counts}", "--samples=0", *([f"--labels={labels}"] if labels else []),
        ]  # fmt: skip

        def then(_seconds: float) -> None:
            self.folder.divide(counts, {system: self._counts(run) for system, run in folders.items()})
            for folder in folders if self.keep == "none" else ():
                shutil.rmtree(Path(folder) / "student", ignore_errors=True)

        name = runs[0].name if len(runs) == 1 else f"{len(runs)} runs from {runs[0].name}"
        log = self.folder.path / "logs" / f"{Path(next(iter(folders))).name}.score.log"
        return Job(runs[0].key, f"scoring {name}", lambda: command, log, then)

    def report(self, shown_as: Path, samples: int) -> StudyReport:
        """Write results.csv, report.md and report.html, and say what they say."""
        failures = tuple(str(each) for each in self.jobs.failures)
        told = [each.split("\n")[0] for each in failures]
        results = results_of(self.plan, self.runs, self.folder, samples, told)
        written = {"results.csv": as_csv(results), "report.md": as_markdown(results), "report.html": as_page(results)}
        for name, text in written.items():
            with whole_or_not_at_all(self.folder.path / name) as out:
                out.write(text)
        return StudyReport(
            shown_as, as_table(results), as_json(results), failures, self.finished, len(self.runs.runs)
        )
