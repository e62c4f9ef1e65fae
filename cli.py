"""The roof: options in, one call, one result out. Nobody imports it."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from curricula.options import SchedulesOptions
from curricula.selection import SelectOptions
from distill.census import StatsOptions
from distill.command import COMMANDS, command, open_stderr, reported
from distill.conversion import ConvertOptions
from distill.files import STREAM
from distill.libraries import resolve
from distill.progress import speaks
from distill.project import InitOptions
from distill.review import ReviewOptions
from distill.sample import SampleOptions
from distill.studies.options import StudyOptions
from students.bundle_options import ExportOptions, PredictOptions, SelftestOptions
from students.options import EvaluateOptions, TrainOptions
from students.serve_options import ServeOptions
from teachers.batch_options import BatchCollectOptions, BatchStatusOptions, BatchSubmitOptions
from teachers.options import LabelOptions
from teachers.rait_options import RaitBuildOptions, RaitEvaluateOptions, RaitTrialOptions
from teachers.tune_options import MergeOptions, TuneOptions
from teachers.vote_options import VoteOptions

app = typer.Typer(
    name="ner-distill",
    help="A large language model teaches, a curriculum decides when to trust it, a compact BERT learns, and the result "
    "runs on a CPU in a room with no network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
batch = typer.Typer(no_args_is_help=True, help="The same labelling through a Batch API, at its price.")
app.add_typer(batch, name="batch")
rait = typer.Typer(name="rait", no_args_is_help=True, help="The LLM path: conversations, tuning, and its scores.")
app.add_typer(rait)


def emit(text: str) -> None:
    """A result, on stdout; what its encoding cannot say, such as half an emoji in a label, as an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def emit_json(value: Any) -> None:
    """A result for programs, on stdout."""
    emit(json.dumps(value, ensure_ascii=False, indent=2))


def told(report: Any, as_json: bool) -> int:
    """A report for people or for programs; returns its exit code, where it knows one."""
    if not speaks():
        pass
    elif as_json:
        emit_json(report.to_json())
    else:
        emit(str(report))
    return int(getattr(report, "exit_code", 0))


def thin(group: typer.Typer, name: str, options: type, target: str, says: str, *, extra: str = "all") -> None:
    """A command that is one call: `target` takes the options and gives the report."""

    def run(given: Any) -> int:
        return told(resolve(target, extra)(given), given.json)

    run.__doc__ = f"{says}\n\nA thin skin over `{target.replace(':', '.')}`."
    table = name if group is app else f"{group.info.name}.{name}"
    command(group, name, options, table=table)(run)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # its e-mail parser is slow to load

        emit(f"ner-distill {version('ner-distill')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What every command shares; each takes its options from flags or from its table in ner-distill.toml."""


@command(app, "init", InitOptions)
def init(options: InitOptions) -> None:
    """Start a project: its options, its label set and its folders, with --demo the demo corpus too.

    A thin skin over `distill.project.init`.
    """
    from distill.project import init as begin

    emit(str(begin(options)))


@command(app, "label", LabelOptions)
def label(options: LabelOptions) -> int:
    """Let a teacher label documents; every mention ends as exact, repaired or lost, and is counted.

    What cannot be labelled goes to *.rejected.jsonl with the reason (exit code 1). Stopped at any moment, the same
    command goes on where it was and asks nothing twice. A thin skin over `teachers.labelling.label`.
    """
    from teachers.estimate import estimate
    from teachers.labelling import label as run

    if options.dry_run:
        return told(estimate(options), options.json)
    return told(run(options), options.json)


@command(batch, "submit", BatchSubmitOptions, table="batch.submit")
def batch_submit(options: BatchSubmitOptions) -> int:
    """Submit a labelling to a Batch API, or write the request files for `vllm run-batch`.

    A thin skin over `teachers.batch.submit`.
    """
    from teachers.batch import submit
    from teachers.estimate import estimate

    return told(estimate(options) if options.dry_run else submit(options), options.json)


@command(batch, "status", BatchStatusOptions, table="batch.status")
def batch_status(options: BatchStatusOptions) -> int:
    """Say how the batches of a labelling stand; exit code 1 while one is running.

    A thin skin over `teachers.batch.status`.
    """
    from teachers.batch import status

    return told(status(options), options.json)


@command(batch, "collect", BatchCollectOptions, table="batch.collect")
def batch_collect(options: BatchCollectOptions) -> int:
    """Fetch the results of a submitted labelling, and label with them.

    A thin skin over `teachers.batch.collect`.
    """
    from teachers.batch import collect

    return told(collect(options), options.json)


thin(
    app, "vote", VoteOptions, "teachers.vote:vote",
    "Join label files over the same texts by majority; the share that agrees becomes the score.",
)  # fmt: skip


thin(
    app, "sample", SampleOptions, "distill.sample:sample",
    "Draw texts from corpora of any size, the same for the same seed: one pass, each different text once.",
)  # fmt: skip


thin(
    app, "select", SelectOptions, "curricula.selection:select",
    "Put labelled documents into tiers or weights by their quality, or choose what to label next.",
)  # fmt: skip


thin(
    rait, "build", RaitBuildOptions, "teachers.building:build",
    "Make conversations of label files with open types: passages, questions, negative types, retrieved examples.",
    extra="retrieve",
)  # fmt: skip
thin(
    rait, "tune", TuneOptions, "teachers.tuning:tune",
    "Tune a base model on conversations by LoRA: the answers alone are learnt, and nothing is cut.\n\n"
    "Stopped at any moment, the same command goes on after the last check; several GPUs by `accelerate launch`.",
    extra="tune",
)  # fmt: skip
thin(
    rait, "merge", MergeOptions, "teachers.adapters:merge",
    "Make an ordinary model folder of a tuning, which vLLM and transformers load.", extra="tune",
)  # fmt: skip
thin(
    rait, "evaluate", RaitEvaluateOptions, "teachers.examination:examine",
    "Score answers on open NER's data sets: strict, partial and, apart from them, the papers' sets of strings.",
)  # fmt: skip
thin(
    rait, "trial", RaitTrialOptions, "teachers.trial:trial",
    "Build, tune, label a benchmark and score, with one set of options: an arm of a study.", extra="tune",
)  # fmt: skip


@command(app, "train", TrainOptions)
def train(options: TrainOptions) -> int:
    """Train a student on a blend of distilled and gold data.

    Stopped at any moment, the same command goes on after the last whole epoch. A thin skin over `students.train.fit`.
    """
    return told(resolve("students.train:fit", "train")(options), options.json)


@command(app, "evaluate", EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Score students, bundles and label files side by side: strict, partial, per label, with intervals.

    A thin skin over `students.evaluate.evaluate`.
    """
    from students.evaluate import evaluate as score

    report = score(options)
    if str(options.json) != STREAM:
        emit(report.tables())


@command(app, "study", StudyOptions)
def study(options: StudyOptions) -> int:
    """Compare arms over seeds: train what is missing, several at once, score it all, write a report with statistics.

    Stopped at any moment, the same command goes on; arms and seeds may be added later. Exit code 1 where a run failed.
    A thin skin over `distill.study.study`.
    """
    from distill.study import study as compare

    return told(compare(options, COMMANDS), options.json)


@command(app, "export", ExportOptions)
def export(options: ExportOptions) -> int:
    """Make the bundle that goes into the closed network, checked before it appears.

    A thin skin over `students.export.export`.
    """
    from students.export import export as make

    return told(make(options), options.json)


@command(app, "selftest", SelftestOptions)
def selftest(options: SelftestOptions) -> int:
    """Check on site that a bundle is whole and answers as it did where it was made.

    A thin skin over `students.selftest.selftest`.
    """
    from students.selftest import selftest as check

    return told(check(options), options.json)


@command(app, "predict", PredictOptions)
def predict(options: PredictOptions) -> int:
    """Find entities with a bundle: files, standard input or a text; no torch and no network.

    A thin skin over `students.predict.predict`, which calls `students.runtime.Student`.
    """
    from students.predict import predict as run

    report = run(options)
    if report.rejected or report.out is not None:
        print(str(report), file=sys.stderr)
    return 1 if report.rejected else 0


@command(app, "serve", ServeOptions)
def serve(options: ServeOptions) -> None:
    """Answer over HTTP with a bundle, for this machine alone unless told otherwise; a page to try it at /.

    A thin skin over `students.serve.serve`.
    """
    from students.serve import serve as answer

    print(str(answer(options)), file=sys.stderr)


@command(app, "review", ReviewOptions)
def review(options: ReviewOptions) -> None:
    """Write a page that shows label files for review: entities, reasoning, losses, gold; corrections come out as JSONL.

    A thin skin over `distill.review.review`.
    """
    from distill.review import review as show

    emit(str(show(options)))


@command(app, "convert", ConvertOptions)
def convert(options: ConvertOptions) -> int:
    """Write documents in another format, and say what it could not carry (exit code 1).

    A thin skin over `distill.conversion.convert`.
    """
    from distill.conversion import convert as rewrite

    report = rewrite(options)
    text = json.dumps(report.to_json(), ensure_ascii=False, indent=2) if options.json else str(report)
    print(text, file=sys.stderr if str(options.target) == STREAM else sys.stdout)
    return 0 if report.complete else 1


thin(
    app, "stats", StatsOptions, "distill.census:stats",
    "Count what is in a file of documents: texts, words, entities per label, overlaps, duplicates.",
)  # fmt: skip


@command(app, "schedules", SchedulesOptions)
def schedules(options: SchedulesOptions) -> None:
    """Show when each schedule trusts the distilled data: a table, JSON or a picture.

    A thin skin over `curricula.schedules.with_own` and `curricula.picture.draw`.
    """
    from curricula.schedules import with_own
    from curricula.table import as_lists, as_table

    shown = with_own(options.schedule)
    if options.plot:  # first: what cannot be drawn is said before anything is shown
        drawn = resolve("curricula.picture:draw", "report")(shown, options.epochs, options.plot)
        print(f"drawn into {drawn}", file=sys.stderr)
    if options.json:
        emit_json(as_lists(shown, options.epochs))
    else:
        emit(as_table(shown, options.epochs))


def main() -> None:
    """The program `ner-distill`."""
    open_stderr()
    sys.exit(reported(_run))


def _run() -> int:
    """Typer's own exit code, so that a mistake in the call is 2 and --help is 0."""
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


if __name__ == "__main__":
    main()
