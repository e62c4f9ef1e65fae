"""The one adapter between option dataclasses and Typer: signatures from fields, values from flags and TOML."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path
from typing import Annotated, Any

import typer

from distill.errors import CallError, NerDistillError
from distill.files import trouble
from distill.options import build, field_types, flag_of, path_of, read_project, table_for

COMMANDS: dict[str, type] = {}
"""Every command's options class by its TOML table (`train`, `rait.build`); `cli.py` fills it as it is read."""
HELP: dict[str, str] = {}
"""Every command's help text, by the same name."""


Skin = Callable[[Any], int | None]


def command(app: typer.Typer, name: str, options: type, *, table: str | None = None) -> Callable[[Skin], Skin]:
    """Register `function(options) -> exit code or None` as a command whose signature is the fields of `options`."""
    key = table or name
    COMMANDS[key] = options

    def register(function: Skin) -> Skin:
        def run(**given: Any) -> None:
            raise typer.Exit(reported(lambda: function(_options(key, options, given))))

        HELP[key] = inspect.cleandoc(function.__doc__ or "")
        run.__signature__ = inspect.Signature(_parameters(options))  # type: ignore[attr-defined]
        app.command(name, help=HELP[key])(run)
        return function

    return register


def _options(key: str, options: type, given: dict[str, Any]) -> Any:
    clean = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    present = {name: value for name, value in clean.items() if value != ()}
    return build(options, key, present, table_for(read_project(_here()), key, COMMANDS))


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise CallError("the working folder is gone; change into one that is there") from None


def reported(call: Callable[[], int | None]) -> int:
    """Run `call`; our own errors become one line on stderr and their exit code, others keep their traceback."""
    try:
        code = call() or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a full disk can still be told
        return code
    except NerDistillError as error:
        print(f"ner-distill: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        says = "the same command begins anew; train, rait tune and batch go on where they were"
        print(f"ner-distill: interrupted; {says}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except Exception as error:
        refused = trouble(error)
        if refused is None:
            raise
        _forget_stdout()
        print(f"ner-distill: {refused}", file=sys.stderr)
        return CallError.exit_code


def open_stderr() -> None:
    """Send messages nowhere where the caller closed standard error.

    They would go to standard output, and what libraries say to file 2, which is then a store or a bundle.
    """
    if sys.stderr is not None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != 2:
        os.dup2(nowhere, 2)
        os.close(nowhere)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _forget_stdout() -> None:
    """Send what standard output can no longer take nowhere, or Python would complain of it once more as it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parameters(options: type) -> list[inspect.Parameter]:
    types = field_types(options)
    return [_parameter(each, types[each.name].of, types[each.name].many) for each in dataclasses.fields(options)]


def _parameter(each: dataclasses.Field[Any], of: type, many: bool) -> inspect.Parameter:
    """One Typer parameter; its default is None, so that "not given" and "given the default" differ."""
    rules = each.metadata
    inner: Any = list[of] if many else of  # type: ignore[valid-type]
    text = (rules.get("help", "") + _shown(each)).replace("[", r"\[")  # brackets would be read as markup
    info: Any
    read = path_of(each) if of is Path else None  # Typer's own would refuse a file without permission in its own words
    if rules.get("argument"):
        shown = flag_of(each) + ("..." if many else "")
        info = typer.Argument(help=text, metavar=shown, show_default=False, parser=read)
    else:
        names = [flag_of(each)] if of is not bool else [f"{flag_of(each)}/--no-{flag_of(each)[2:]}"]
        metavar = "|".join(rules["choices"]) if rules.get("choices") else "PATH" if read else None
        info = typer.Option(*names, help=text, show_default=False, metavar=metavar, parser=read)
    return inspect.Parameter(
        each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[inner | None, info]
    )


def _shown(each: dataclasses.Field[Any]) -> str:
    if each.default is MISSING:
        return " [required]"
    if each.default in (None, (), False, ""):
        return ""
    return f" [default: {'yes' if each.default is True else each.default}]"
