"""The folder of a study: whose it is, its finished runs as rows, and the counts that scoring leaves."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from distill.errors import CallError, InputError, NerDistillError
from distill.files import open_lines, whole_or_not_at_all
from distill.jsonl import dump_line, parse_line

Row = dict[str, Any]
PATIENCE = 5.0  # seconds for the runs of a killed call to be gone


class StudyFolder:
    """Paths of a study, and the only writer of its small files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.shown = path

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def scores(self) -> Path:
        return self.path / "scores"

    @contextmanager
    def taken(self) -> Iterator[int | None]:
        """The folder for this call alone; gives the number of the open file that holds the lock.

        The runs that are started inherit it, so the folder is free only when the last of them has ended too. Where the
        system has no such locks, nothing keeps two calls apart.
        """
        self._make()
        try:
            fcntl = import_module("fcntl")
        except ImportError:
            yield None
            return
        with (self.path / ".lock").open("ab") as file:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > until:
                        who = "another call works in it, or a run that a killed call has left"
                        raise CallError(f"--out {self.shown}: {who}; wait for it or end it") from None
                    time.sleep(0.1)
            yield file.fileno()

    def _make(self) -> None:
        known = (self.path / "study.json").exists() or (self.path / ".lock").exists()
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()) and not known):
            raise CallError(f"--out {self.shown} exists and is no study; give a new folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot be made: {error.strerror}", path=self.shown) from None

    def claim(self, title: str, arms: Mapping[str, Mapping[str, Any]]) -> None:
        """Make the folder this study's, or find that it is, with new arms perhaps.

        Raises CallError for another study, and for an arm whose options or data are not those of before.
        """
        found = self.about()
        if found and found["title"] != title:
            belongs = f"belongs to the study {found['title']!r}, this is {title!r}"
            raise CallError(f"--out {self.shown} {belongs}; give another folder")
        differs = dict.fromkeys(
            message for name in arms if name in found.get("arms", {})
            for message in _differences(name, found["arms"][name], arms[name])
        )  # fmt: skip
        if differs:
            raise CallError(f"--out {self.shown}: the study has changed: {_few(list(differs))}; give another folder")
        self._write(found | {"format": 1, "title": title, "arms": {**found.get("arms", {}), **arms}})

    def about(self) -> dict[str, Any]:
        """What study.json says, nothing where there is none."""
        path = self.path / "study.json"
        if not path.exists():
            return {}
        return parse_line(path.read_text(encoding="utf-8"), path)

    def judge(self, checksums: list[str], name: str, runs: Sequence[Path]) -> None:
        """Note the files that are reported on as they are when first opened; later ones must be the same.

        A study that was judged on dev, for want of a test file, may have one later: dev's scores make way, where all
        `runs` have their students still.
        """
        found = self.about()
        before = found.get("judged", [name, checksums])
        if (before[0], name) == ("dev", "test"):
            if gone := sum(not any(path.glob("student*")) for path in runs):
                lost = f"{gone} runs kept no student to score on test"
                raise CallError(f"--out {self.shown}: {lost}; give another folder")
            if self.scores.exists():
                shutil.rmtree(self.scores)
        elif before[0] != name:
            lost = f"the study was scored on {before[0]} and {before[0]} is no longer given"
            raise CallError(f"--out {self.shown}: {lost}; give it again, or another folder")
        elif before != [name, checksums]:
            changed = f"the data of {name} has changed since it was first scored"
            raise CallError(f"--out {self.shown}: {changed}; give another folder")
        self._write(found | {"judged": [name, checksums]})

    def _write(self, value: Mapping[str, Any]) -> None:
        with whole_or_not_at_all(self.path / "study.json") as out:
            out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def rows(self) -> dict[str, Row]:
        """Every finished run by its key. A last line that was cut off by a kill is not one yet."""
        path = self.path / "rows.jsonl"
        if not path.exists():
            return {}
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(path, len(whole))
        rows = [parse_line(line, path, number) for number, line in enumerate(whole.decode("utf-8").splitlines(), 1)]
        return {row["run"]: row for row in rows}

    def add(self, row: Row) -> None:
        """Keep a finished run; it is on the disk when this returns."""
        with (self.path / "rows.jsonl").open("ab") as out:
            out.write((dump_line(row) + "\n").encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())

    def divide(self, counts: Path, targets: Mapping[str, Path]) -> None:
        """Counts of several systems as a file each; a system without a row is an InputError."""
        lines: dict[str, list[str]] = {system: [] for system in targets}
        for number, line in open_lines(counts):
            lines[parse_line(line, counts, number)["system"]].append(line + "\n")
        for system, own in lines.items():
            if not own:
                raise InputError(f"no counts of {system}", path=counts)
            with whole_or_not_at_all(targets[system]) as out:
                out.writelines(own)
        counts.unlink()


def _differences(arm: str, found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    names = [name for name in {**found, **asked} if found.get(name) != asked.get(name)]
    return [
        f"the data of {name[5:]} is not what it was" if name.startswith("data ") and found.get(name) and asked.get(name)
        else f"{name} of the arm {arm} is {_short(found.get(name))} there and {_short(asked.get(name))} here"
        for name in names
    ]  # fmt: skip


def _few(messages: list[str], most: int = 3) -> str:
    more = f" and {len(messages) - most} more" if len(messages) > most else ""
    return ", ".join(messages[:most]) + more


def _short(value: Any) -> str:
    if value is None:
        return "not given"
    return "a file" if isinstance(value, list) and value and len(str(value[0])) == 64 else json.dumps(value)


def read_report(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """A run folder's report, metrics by epoch and configuration. Raises NerDistillError where it is not finished."""
    path = folder / "report.json"
    if not path.exists():
        raise NerDistillError(f"the command ended well and left no {path.name}")
    report = parse_line(path.read_text(encoding="utf-8"), path)
    metrics, config = folder / "metrics.jsonl", folder / "config.json"
    lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
    settings = parse_line(config.read_text(encoding="utf-8"), config) if config.exists() else {}
    return report, [parse_line(line, metrics, number) for number, line in enumerate(lines, 1)], settings
