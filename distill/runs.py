"""Run folders: how what a training writes takes its place whole, whose call it belongs to, and what it ran under."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from distill.errors import CallError, InputError
from distill.files import filling, open_lines, refuse_stream, whole_or_not_at_all
from distill.jsonl import dump_line, parse_line
from distill.locks import locked

IDENTITY = "identity"
"""The part of config.json that a second call on the same folder must agree with."""
GOES_ON = "the same command goes on when that is mended"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training, and the only writers of its small files."""

    path: Path

    def check(self, config: Mapping[str, Any]) -> None:
        """Nothing where the folder is new or of the same call.

        Raises CallError that names the option that differs, or where the folder holds something else.
        """
        refuse_stream("--out", self.path, "a run is a folder")
        if not (self.path / "config.json").exists():
            if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir())):
                raise CallError(f"--out {self.path} exists and is no run folder; give a new one")
            return
        found = self._read("config.json")
        if IDENTITY not in found:  # a model's folder has a config.json of its own
            raise CallError(f"--out {self.path} exists and is no run folder; give a new one")
        differs = _difference(found.get(IDENTITY, {}), config[IDENTITY])
        if differs:
            raise CallError(f"--out {self.path} belongs to another call: {differs}; give another folder")

    def claim(self, config: Mapping[str, Any]) -> None:
        """Write `config.json` where there is none; from here on the folder belongs to this call."""
        if not (self.path / "config.json").exists():
            self._write("config.json", config)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The folder for this call while the block lasts, or CallError; the lock ends with the process.

        Where the system has no such locks, nothing keeps two calls apart.
        """
        try:
            lock = locked(self.path)
        except BlockingIOError:
            raise CallError(f"--out {self.path}: another call is training in it; wait for it, or end it") from None
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def report(self) -> dict[str, Any] | None:
        """The report of a finished run, None before it is finished."""
        return self._read("report.json") if (self.path / "report.json").exists() else None

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Mark the run as finished."""
        self._write("report.json", report)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `metrics.jsonl` anew: one row an epoch, or a check."""
        with whole_or_not_at_all(self.path / "metrics.jsonl") as out:
            out.writelines(dump_line(row) + "\n" for row in rows)

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl` as they stand; none where there is no file."""
        path = self.path / "metrics.jsonl"
        return [parse_line(line, path, number) for number, line in open_lines(path)] if path.exists() else []

    def _write(self, name: str, value: Mapping[str, Any] | Sequence[Any]) -> None:
        with whole_or_not_at_all(self.path / name) as out:
            out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"not JSON: {error}; remove the run folder to start anew", path=self.path / name) from None
        if not isinstance(found, dict):
            raise InputError("not a JSON object; remove the run folder to start anew", path=self.path / name)
        return found


def kept_fields(report: type, kept: Mapping[str, Any], path: Path, command: str) -> Mapping[str, Any]:
    """What `report.json` has for a report's class, all but its folder.

    Raises InputError where other keys stand there than this version's `command` writes.
    """
    strange = set(kept) ^ ({each.name for each in fields(report)} - {"folder"})
    if strange:
        message = f"keys that do not belong or are missing: {', '.join(sorted(strange))}; give another --out"
        raise InputError(f"not the report of this version's `{command}`: {message}", path=path / "report.json")
    return kept


def _difference(found: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first values that differ, in the words of the call; nothing where none do."""
    names = [name for name in {**found, **asked} if found.get(name) != asked.get(name)]
    shown = [
        f"the data of --{name[5:]} has changed" if name.startswith("data ")
        else f"{name} is {_short(found.get(name))} there and {_short(asked.get(name))} here"
        for name in names
    ]  # fmt: skip
    return ", ".join(shown)


def _short(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, and put it in the place of `folder` only when it is whole."""
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    with filling(folder, GOES_ON):
        write(fresh)
    readable = fresh.stat().st_mode & 0o666  # safetensors keeps its files to their owner
    for path in fresh.iterdir():
        path.chmod(readable)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """The versions that a result depends on."""
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of the code, where it runs from a checkout; `+` marks changes on top."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        call = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
