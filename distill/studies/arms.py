"""Arms: named sets of options of one command, as files, identities and command lines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from distill.errors import InputError
from distill.files import existing
from distill.options import field_types, flag_of

Data = Mapping[str, tuple[Path, ...]]


@dataclass(frozen=True)
class Arm:
    """One arm: its command and the options given to it by field name, without seed and run folder.

    An arm with `steps_of` gets as many epochs as give it the steps of that arm; `like` is then the arm that it repeats.
    `baseline` is the arm it is compared with, its own name where it is one.
    """

    name: str
    command: str
    values: Mapping[str, Any]
    baseline: str
    like: str | None = None
    steps_of: str | None = None


def with_data(values: Mapping[str, Any], options: type, data: Data, folder: Path) -> dict[str, Any]:
    """The values with the names of data sets replaced by their files, and other paths made absolute.

    Raises InputError, without a place, for a data set that has no file or a path that does not exist.
    """
    types = field_types(options)
    found: dict[str, Any] = {}
    for name, value in values.items():
        kind = types[name]
        if kind.of is Path:
            paths = [path for one in (value if kind.many else (value,)) for path in _paths(str(one), data, folder)]
            found[name] = tuple(paths) if kind.many else _single(name, paths)
        else:
            found[name] = _path_in(value, name, data, folder) if kind.of is str and isinstance(value, str) else value
    return found


def _paths(value: str, data: Data, folder: Path) -> tuple[Path, ...]:
    if value in data:
        if not data[value]:
            raise InputError(f"no file is given for the data {value}: --{value} FILE, or {value} under [data]")
        return data[value]
    return (existing((folder / value).absolute(), f"file, and {value!r} is no name under [data]"),)


def _single(name: str, paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        raise InputError(f"{name} is one file, {len(paths)} are given; join them first")
    return paths[0]


def _path_in(value: str, name: str, data: Data, folder: Path) -> str:
    """A text that is the name of its own data set (`dev = "dev"`) or looks like a path and is one; else the text.

    Where there is a data set of the option's own name, the text is a data set, a number (a share) or a file.
    """
    if name in data and not _is_number(value):
        return str(_single(name, _paths(value, data, folder)))
    file, colon, rest = value.rpartition(":")
    if colon and file.endswith(".py") and (folder / file).is_file():  # a function of the user's
        return f"{(folder / file).absolute()}:{rest}"
    looks = "/" in value or "." in value
    return str((folder / value).absolute()) if looks and (folder / value).exists() else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def identity(arm: Arm, options: type) -> dict[str, Any]:
    """What two calls must agree on for an arm to be the same: every option, and files by their content."""
    found: dict[str, Any] = {"command": arm.command}
    if arm.steps_of is not None:
        found["match-steps"] = arm.steps_of
    for each in dataclasses.fields(options):
        if each.name in arm.values:
            found |= _identified(flag_of(each), arm.values[each.name])
    return found


def _identified(flag: str, value: Any) -> dict[str, Any]:
    values = value if isinstance(value, tuple) else (value,)
    files = [Path(str(one).rpartition(":")[0] or str(one)) for one in values if is_file(one)]
    if files:
        return {f"data {flag}": [checksum(path) for path in files]}
    return {flag: [str(one) for one in values] if isinstance(value, tuple) else _plain(value)}


def is_file(value: Any) -> bool:
    """Whether a value names a file, or a function in one; file names are absolute by now."""
    path = Path(value.rpartition(":")[0] or value) if isinstance(value, str) else value
    return isinstance(path, Path) and path.is_absolute() and path.is_file()


def _plain(value: Any) -> Any:
    """A folder goes by its name, so that a study may move with all that it needs."""
    is_folder = isinstance(value, Path) or (isinstance(value, str) and Path(value).is_absolute())
    return Path(value).name if is_folder else value


@lru_cache(maxsize=256)
def checksum(path: Path) -> str:
    """The sha256 of a file."""
    digest = hashlib.sha256()
    with existing(path, "data file").open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def key_of(known: Mapping[str, Any], seed: int) -> str:
    """The name of a run in rows and files: it follows from the arm's identity and the seed, not from the arm's name."""
    text = json.dumps([known, seed], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def arguments(values: Mapping[str, Any], options: type) -> list[str]:
    """Options as they stand on a command line, in the order of their class."""
    found: list[str] = []
    for each in dataclasses.fields(options):
        if each.name not in values:
            continue
        value, flag = values[each.name], flag_of(each)
        if each.metadata.get("argument"):
            found += [str(one) for one in (value if isinstance(value, tuple) else (value,))]
        elif isinstance(value, bool):
            found.append(flag if value else f"--no-{flag[2:]}")
        else:
            found += [f"{flag}={one}" for one in (value if isinstance(value, tuple) else (value,))]
    return found
