"""The plan of a study: its arms, seeds and data, read from a study file or a preset."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from distill.errors import CallError, InputError, did_you_mean
from distill.files import existing, read_toml
from distill.options import table_values
from distill.studies.arms import Arm, Data, with_data
from distill.studies.options import DATA, StudyOptions

KEYS = (
    "title", "about", "baseline", "seeds", "command", "evaluate", "data", "options", "variants", "arms", "quick",
    "paper",
)  # fmt: skip
QUICK_KEYS = ("about", "seeds", "arms", "variants", "options")
ARM_KEYS = ("command", "like", "match-steps")  # what an arm may say beside the options of its command
PAPER_KEYS = ("source", "figures")
OURS = ("seed", "out")  # options that the study itself gives to every run
Commands = Mapping[str, type]


@dataclass(frozen=True)
class Plan:
    """A study before its first run. Arms in the order of the file; `paper` has a published figure by arm."""

    title: str
    about: str
    seeds: tuple[int, ...]
    arms: tuple[Arm, ...]
    data: Data
    paper: Mapping[str, float]
    source: str
    evaluate: str = "evaluate"

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def judged(self) -> tuple[str, tuple[Path, ...]]:
        """What the study reports on: test, or dev where there is no test file."""
        name = "test" if self.data.get("test") else "dev"
        return name, self.data.get(name, ())


def read_plan(options: StudyOptions, commands: Commands) -> Plan:
    """The plan that a call asks for. Every mistake in the file is one line with its key."""
    if (options.study is None) == (options.preset is None):
        raise CallError("study needs a STUDY.toml or a --preset, and not both")
    path = options.study or Path(f"{options.preset}.toml")
    if options.preset:
        table = tomllib.loads(files("distill").joinpath("studies", "presets", path.name).read_text(encoding="utf-8"))
    else:
        table = read_toml(path, "study file")
    try:
        return _Reading(scaled(table, options.scale), options, commands, path).plan()
    except InputError as error:
        raise error.at(path) from None


def scaled(table: dict[str, Any], scale: str) -> dict[str, Any]:
    """The study file as `--scale quick` wants it: what stands under [quick] takes the place of the rest."""
    _known(table, KEYS, "")
    quick = _table(table, "quick")
    _known(quick, QUICK_KEYS, "quick.")
    if scale == "full":
        return table
    if not quick:
        raise InputError("no [quick] table, so there is no --scale quick")
    table = table | {name: quick[name] for name in ("seeds", "about") if name in quick}
    table["options"] = _table(table, "options") | _table(quick, "options")
    for name in ("arms", "variants"):
        if name in quick:
            table[name] = _chosen(_table(table, name), quick[name], f"quick.{name}")
    return table


def _chosen(tables: Mapping[str, Any], names: Any, where: str) -> dict[str, Any]:
    if not isinstance(names, list):
        raise InputError(f"{where} is a list of names")
    for name in map(str, names):
        if name not in tables:
            raise InputError(f"{where}: there is no {name!r}{did_you_mean(name, tables)}")
    return {name: tables[name] for name in tables if name in names}


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            raise InputError(f"unknown key {where}{key}{did_you_mean(key, keys)}")


def _table(table: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise InputError(f"{where}{key} is not a table; write [{where}{key}]")
    return found


@dataclass(frozen=True)
class _Reading:
    """One reading of a study file; relative paths in it begin at its folder."""

    table: Mapping[str, Any]
    options: StudyOptions
    commands: Commands
    path: Path

    def plan(self) -> Plan:
        if not _table(self.table, "arms"):
            raise InputError('no arms; write [arms.NAME] with options such as schedule = "mix"')
        arms = [arm for variant in ("", *_table(self.table, "variants")) for arm in self.arms_of(variant)]
        paper = _table(self.table, "paper")
        _known(paper, PAPER_KEYS, "paper.")
        figures = _table(paper, "figures", "paper.")
        for name, figure in figures.items():
            names = [arm.name for arm in arms]
            if name not in names and self.options.scale == "full":
                raise InputError(f"paper.figures: there is no arm {name!r}{did_you_mean(name, names)}")
            if isinstance(figure, bool) or not isinstance(figure, int | float):
                raise InputError(f"paper.figures.{name} is a number, found {figure!r}")
        title = str(self.table.get("title", self.path.stem))
        about, source = (str(each).strip() for each in (self.table.get("about", ""), paper.get("source", "")))
        return Plan(title, about, self.seeds, tuple(arms), self.data, figures, source, self.evaluate)

    @property
    def command(self) -> str:
        return str(self.table.get("command", "train"))

    @property
    def folder(self) -> Path:
        return self.path.absolute().parent

    @property
    def seeds(self) -> tuple[int, ...]:
        given = self.options.seeds if self.options.seeds is not None else self.table.get("seeds", 5)
        seeds = list(range(1, given + 1)) if type(given) is int else given
        if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
            raise InputError(f"seeds is a number of seeds or a list of them, found {given!r}")
        return tuple(dict.fromkeys(seeds))

    @property
    def data(self) -> dict[str, tuple[Path, ...]]:
        """The data sets of the file, relative to it, and over them those of the call, relative to where it is made."""
        found: dict[str, tuple[Path, ...]] = dict.fromkeys(DATA, ())
        for name, value in _table(self.table, "data").items():
            several = value if isinstance(value, list) else [value]
            if not all(isinstance(each, str) for each in several):
                raise InputError(f"data.{name} is a file or a list of files, found {value!r}")
            found[name] = tuple(self.folder / each for each in several)
        given = {name: tuple(path.absolute() for path in getattr(self.options, name)) for name in DATA}
        found |= {name: paths for name, paths in given.items() if paths}
        for name, paths in found.items():
            for path in paths:
                if existing(path, f"file of the data {name}").is_file() and not path.stat().st_size:
                    raise InputError(f"the file of the data {name} is empty", path=path)
        return found

    def arms_of(self, variant: str) -> list[Arm]:
        tables = {name: _table(_table(self.table, "arms"), name, "arms.") for name in _table(self.table, "arms")}
        extra = _table(_table(self.table, "variants"), variant, "variants.") if variant else {}
        baseline = str(self.table.get("baseline", next(iter(tables), "")))
        if baseline not in tables:
            raise InputError(f"baseline: there is no arm {baseline!r}{did_you_mean(baseline, tables)}")
        arms = []
        for name, table in tables.items():
            like, steps_of = self._reference(table, "like", name), self._reference(table, "match-steps", name)
            if steps_of is not None and like is None:
                raise InputError(f'arms.{name}.match-steps needs like = "ARM", the arm to run for longer')
            if steps_of is not None and "match-steps" in tables[steps_of]:  # in a ring, each would wait for the other
                raise InputError(f"arms.{name}.match-steps: {steps_of} matches another arm itself; name that one")
            command = str(table.get("command", self.command))
            values = self._values(name, command) | self._given(extra, command, f"variants.{variant}")
            names = [f"{each}, {variant}" if variant and each else each for each in (name, baseline, like, steps_of)]
            arms.append(self._arm(Arm(str(names[0]), command, values, str(names[1]), names[2], names[3])))
        return arms

    def _reference(self, table: Mapping[str, Any], key: str, name: str) -> str | None:
        others = [arm for arm in _table(self.table, "arms") if arm != name]
        found = table.get(key)
        if found is not None and found not in others:
            hint = did_you_mean(str(found), others)
            raise InputError(f"arms.{name}.{key}: there is no other arm {found!r}{hint}")
        return found

    def _values(self, name: str, command: str) -> dict[str, Any]:
        """The options of an arm: the common ones, those of the arm it is like, and its own; the later win."""
        table = _table(_table(self.table, "arms"), name, "arms.")
        own = {key: value for key, value in table.items() if key not in ARM_KEYS}
        if "like" in table:
            inner = _table(_table(self.table, "arms"), table["like"], "arms.")
            if "like" in inner:
                raise InputError(f"arms.{name}.like: {table['like']} is itself like {inner['like']}; name that one")
            before = self._values(table["like"], command)
        else:
            before = self._common() if command == self.command else {}
        return before | self._given(own, command, f"arms.{name}")

    def _common(self) -> dict[str, Any]:
        known = {each.name for each in dataclasses.fields(self._class(self.command))}
        values = self._given(_table(self.table, "options"), self.command, "options")
        if "threads" in known:
            values.setdefault("threads", 1)  # so that several runs at once share the cores, and always the same way
        for name in ("student", "labels"):
            value = getattr(self.options, name)
            if value is not None:
                if name not in known:
                    raise CallError(f"--{name}: the command {self.command} has no such option")
                is_path = isinstance(value, Path) or Path(value).is_dir()
                values[name] = type(value)(Path(value).absolute()) if is_path else value
        return values

    def _given(self, table: Mapping[str, Any], command: str, where: str) -> dict[str, Any]:
        values = table_values(table, self._class(command), where, self.path)
        for name in OURS:
            if name in values:
                raise InputError(f"{where}.{name}: the study gives every run its {name} itself")
        return with_data(values, self._class(command), self.data, self.folder)

    @property
    def evaluate(self) -> str:
        """The command that scores runs on the test file."""
        found = str(self.table.get("evaluate", "evaluate"))
        if "evaluate" in self.table:
            self._class(found, "evaluate")
        return found

    def _class(self, command: str, key: str = "command") -> type:
        name = command.replace(" ", ".")
        if name not in self.commands:
            raise InputError(f"{key}: there is no {command!r}{did_you_mean(name, self.commands)}")
        return self.commands[name]

    def _arm(self, arm: Arm) -> Arm:
        """The arm, once its options were seen to be possible."""
        try:
            for seed in self.seeds:
                self._class(arm.command)(**arm.values, seed=seed, out=Path("run"))
        except CallError as error:
            raise InputError(f"arms.{arm.name}: {error}") from None
        except TypeError:
            raise InputError(f"command: {arm.command} has no --seed and no --out, so it cannot be an arm") from None
        return replace(arm, values=dict(arm.values))
