"""Options, declared once: fields of frozen dataclasses, with their help, bounds and choices in the metadata.

    @dataclass(frozen=True)
    class TrainOptions(Options):
        gold: Path | None = option(None, "documents labelled by people")
        epochs: int = option(20, "passes over the blend", at_least=1)
        inputs: tuple[Path, ...] = option((), "what to read", argument=True)

A field without a default (`option(help="...")`) is required. Types are str, int, float, bool, Path, `T | None` and
`tuple[T, ...]`; a tuple is given by repeating the flag. Values are checked where they are built.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from distill.errors import CallError, InputError, did_you_mean

PROJECT_FILE = "ner-distill.toml"


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    argument: bool = False,
    choices: tuple[str, ...] = (),
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    flag: str | None = None,
) -> Any:
    """A dataclass field that is also a command-line option and a TOML key.

    `above`, `at_least` and `at_most` bound numbers; `argument` makes it positional; `flag` renames it.
    """
    metadata = {
        "help": help, "argument": argument, "choices": choices, "above": above,
        "at_least": at_least, "at_most": at_most, "flag": flag,
    }  # fmt: skip
    if default is MISSING:
        return field(metadata=metadata, kw_only=True)
    return field(default=default, metadata=metadata, kw_only=True)


@dataclass(frozen=True)
class Options:
    """The base of every command's options: a value outside its bounds cannot be built."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            for one in value if isinstance(value, tuple) else (value,):
                check(each, one)


def flag_of(each: Field[Any]) -> str:
    """How a person writes the option: `--batch-size`, or `INPUT` for a positional one."""
    if each.metadata.get("argument"):
        return (each.metadata.get("flag") or each.name).upper()
    return "--" + (each.metadata.get("flag") or each.name).replace("_", "-")


def key_of(each: Field[Any]) -> str:
    """How the project file writes the option: as its flag, without the hyphens in front; a positional one by name."""
    flag = None if each.metadata.get("argument") else each.metadata.get("flag")
    return str(flag or each.name).replace("_", "-")


def check(each: Field[Any], value: Any) -> None:
    """Raise CallError where `value` is not one of the choices or lies outside the bounds."""
    rules, name = each.metadata, flag_of(each)
    if value is None:
        return
    if rules.get("choices") and value not in rules["choices"]:
        hint = did_you_mean(str(value), rules["choices"])
        hint = hint if "mean" in hint else ""
        raise CallError(f"{name} is one of {', '.join(rules['choices'])}, not {value!r}{hint}")
    above, at_least, at_most = rules.get("above"), rules.get("at_least"), rules.get("at_most")
    if above is not None and not value > above:
        raise CallError(f"{name} must be above {above:g}, got {value}")
    if at_least is not None and not value >= at_least:
        raise CallError(f"{name} must be at least {at_least:g}, got {value}")
    if at_most is not None and not value <= at_most:
        raise CallError(f"{name} must be at most {at_most:g}, got {value}")
    if isinstance(value, float) and not math.isfinite(value):
        raise CallError(f"{name} must be a finite number, got {value}")


@dataclass(frozen=True)
class FieldType:
    """What a field holds: the type of one value, whether it repeats, whether it may be absent."""

    of: type
    many: bool = False
    optional: bool = False


def field_types(options: type) -> dict[str, FieldType]:
    """The FieldType of every field of an options class."""
    hints = get_type_hints(options)
    return {each.name: _field_type(hints[each.name]) for each in dataclasses.fields(options)}


def _field_type(hint: Any) -> FieldType:
    if get_origin(hint) in (Union, UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        return dataclasses.replace(_field_type(inner[0]), optional=True)
    if get_origin(hint) is tuple:
        return FieldType(get_args(hint)[0], many=True)
    return FieldType(hint)


def read_project(folder: Path) -> dict[str, Any]:
    """The tables of `ner-distill.toml` in `folder`, or nothing where there is none."""
    path = folder / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start}; convert the file first", path=PROJECT_FILE) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", path=PROJECT_FILE) from None


def table_for(project: Mapping[str, Any], command: str, known: Mapping[str, type]) -> dict[str, Any]:
    """The values that the project file sets for `command`, by field name.

    `known` maps every command to its options class, so that a misspelt table is caught as well as a misspelt key.
    """
    for name in project:
        if name not in {each.partition(".")[0] for each in known}:
            raise InputError(f"unknown table [{name}]{did_you_mean(name, known)}", path=PROJECT_FILE)
    table: Any = project
    for part in command.split("."):
        table = table.get(part, {}) if isinstance(table, Mapping) else table
    if not isinstance(table, Mapping):
        raise InputError(f"{command} is not a table; write [{command}]", path=PROJECT_FILE)
    groups = {each.removeprefix(command + ".") for each in known if each.startswith(command + ".")}
    own = {key: value for key, value in table.items() if key not in groups}
    return table_values(own, known[command], command)


def table_values(
    table: Mapping[str, Any], options: type, where: str, path: str | Path = PROJECT_FILE
) -> dict[str, Any]:
    """The values of one TOML table by field name of `options`.

    Raises InputError, with `where` in front of the key, for a key that is no option or a value of the wrong type.
    """
    names = _keys(options)
    types, values = field_types(options), {}
    for key, value in table.items():
        known_key = key.replace("_", "-")
        if known_key not in names:
            raise InputError(f"unknown key {where}.{key}{did_you_mean(known_key, names)}", path=path)
        name = names[known_key]
        if name in values:
            raise InputError(f"{where}.{key} is given twice, under two names", path=path)
        values[name] = _from_toml(value, types[name], f"{where}.{key}", path)
    return values


def _keys(options: type) -> dict[str, str]:
    """Field names by their keys; a positional option may also be written as the help shows it, `file` for FILE."""
    fields = dataclasses.fields(options)
    shown = {flag_of(each).lower(): each.name for each in fields if each.metadata.get("argument")}
    return shown | {key_of(each): each.name for each in fields}


def path_of(each: Field[Any]) -> Callable[[str], Path]:
    """How the option's path is read: an empty one, which an unset variable leaves, is a CallError and no folder."""

    def path(value: str) -> Path:
        if not value:
            raise CallError(f"{flag_of(each)} is empty (a variable that is not set?); write . for the working folder")
        return Path(value)

    return path


def _from_toml(value: Any, kind: FieldType, key: str, path: str | Path) -> Any:
    if kind.many:
        several = value if isinstance(value, list) else [value]
        return tuple(_one_from_toml(each, kind.of, key, path) for each in several)
    return _one_from_toml(value, kind.of, key, path)


def _one_from_toml(value: Any, of: type, key: str, path: str | Path) -> Any:
    if of is Path and isinstance(value, str):
        if not value:
            raise InputError(f"{key} is empty; leave it out, or write . for the working folder", path=path)
        return Path(value)
    if of is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if of is str and isinstance(value, float | int) and not isinstance(value, bool):
        return str(value)
    if type(value) is not of:
        raise InputError(f"{key} is {of.__name__}, found {value!r}", path=path)
    return value


def build(options: type, command: str, given: Mapping[str, Any], table: Mapping[str, Any]) -> Any:
    """An options object from flags (`given`, None where absent) over the TOML table over the defaults."""
    values = dict(table) | {name: value for name, value in given.items() if value is not None}
    missing = [
        each for each in dataclasses.fields(options)
        if each.name not in values and each.default is MISSING and each.default_factory is MISSING
    ]  # fmt: skip
    if missing:
        first = missing[0]
        raise CallError(
            f"{command.replace('.', ' ')} needs {flag_of(first)} ({first.metadata['help']}), or {key_of(first)} under "
            f"[{command}] in {PROJECT_FILE}; `ner-distill init` makes a project that has one"
        )
    return options(**values)
