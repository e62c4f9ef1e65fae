"""The roof: options in, one call, one result out. Nobody imports it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from curricula.options import SchedulesOptions
from distill.command import command, reported

app = typer.Typer(
    name="ner-distill",
    help="A large language model teaches, a curriculum decides when to trust it, a compact BERT learns, and the result "
    "runs on a CPU in a room with no network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def emit(text: str) -> None:
    """A result, on stdout."""
    print(text)


def emit_json(value: Any) -> None:
    """A result for programs, on stdout."""
    emit(json.dumps(value, ensure_ascii=False, indent=2))


def _show_version(wanted: bool) -> None:
    if wanted:
        emit(f"ner-distill {version('ner-distill')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What every command shares; each takes its options from flags or from its table in ner-distill.toml."""


@command(app, "schedules", SchedulesOptions)
def schedules(options: SchedulesOptions) -> None:
    """Show when each schedule trusts the distilled data: a table, JSON or a picture.

    A thin skin over `curricula.schedules.paper_schedules` and `curricula.picture.draw`.
    """
    from curricula.schedules import paper_schedules
    from curricula.table import as_lists, as_table
    from distill.libraries import resolve

    shown = paper_schedules()
    if options.json:
        emit_json(as_lists(shown, options.epochs))
    else:
        emit(as_table(shown, options.epochs))
    if options.plot:
        drawn = resolve("curricula.picture:draw", "report")(shown, options.epochs, options.plot)
        print(f"drawn into {drawn}", file=sys.stderr)


def main() -> None:
    """The program `ner-distill`."""
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
