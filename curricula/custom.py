"""Schedules of the user's own: a table of points, or a Python function named by where it stands."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import pairwise
from numbers import Real
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from distill.errors import CallError, did_you_mean
from distill.files import existing

Rule = Callable[[int, int], tuple[float, float]]


def is_points(text: str) -> bool:
    """Whether a schedule is written as points; a module or a file does not begin like a number."""
    return text.strip()[:1] in set("0123456789.+-") and ".py:" not in text


def is_function(text: str) -> bool:
    """Whether a schedule is written as the place of a function."""
    return ":" in text and not is_points(text)


class Point(NamedTuple):
    """The shares at a place on the user's own axis."""

    at: float
    w0: float
    w1: float


def points(text: str) -> Rule:
    """`0:1, 10:0.5, 20:0`: the share of distilled data at places along the training, straight lines between them.

    The first place is 0 and stands for the first epoch, the last for the last epoch, whatever T is: epoch t of T is
    at `t / (T - 1)` of the last place. Gold has `w1 = 1 - w0` where a point does not say `place:w0/w1`. Raises
    CallError for what is no table of points or leaves [0, 1].
    """
    found = [_point(part, text) for part in text.split(",")]
    places = [point.at for point in found]
    if places[0] != 0:
        raise CallError(f"--schedule {text!r}: the first point is at {places[0]:g}; it is the first epoch, write 0")
    for before, after in pairwise(places):
        if not before < after:
            raise CallError(f"--schedule {text!r}: {after:g} comes after {before:g}; places must rise")

    def shares(epoch: int, epochs: int) -> tuple[float, float]:
        x = places[-1] * (epoch / (epochs - 1) if epochs > 1 else 0.0)
        right = bisect_right(places, x)
        if right == len(found):
            return found[-1].w0, found[-1].w1
        a, b = found[right - 1], found[right]
        part = (x - a.at) / (b.at - a.at)
        return a.w0 + part * (b.w0 - a.w0), a.w1 + part * (b.w1 - a.w1)

    return shares


def _point(part: str, text: str) -> Point:
    place, colon, written = part.partition(":")
    first, slash, second = written.partition("/")
    try:
        at, w0 = float(place), float(first)
        w1 = float(second) if slash else 1.0 - w0
    except ValueError:
        colon = ""
    if not colon:
        raise CallError(
            f"--schedule {text!r}: {part.strip()!r} is not a point; write place:share, as in 0:1, 10:0.5, 20:0"
        )
    if not math.isfinite(at):
        raise CallError(f"--schedule {text!r}: {part.strip()!r} is not a place on an axis")
    _check_shares((w0, w1), f"--schedule {text!r}", f"at {at:g}")
    return Point(at, w0, w1)


def function(spec: str) -> Rule:
    """`path/to/file.py:name` or `module:name`: a function of (t, T) that returns w0, or (w0, w1).

    The file is run, as any Python program is. Raises CallError, or InputError where there is no such file, for what
    cannot be loaded; and, when an epoch is asked for, for a function that fails or leaves [0, 1].
    """
    place, _, name = spec.rpartition(":")
    module = _run_file(Path(place), spec) if place.endswith(".py") else _imported(place, spec)
    rule = getattr(module, name, None)
    if not callable(rule):
        known = [each for each in vars(module) if callable(getattr(module, each)) and not each.startswith("_")]
        raise CallError(f"--schedule {spec}: {place} has no function {name!r}{did_you_mean(name, known)}")

    @cache
    def shares(epoch: int, epochs: int) -> tuple[float, float]:
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results
                found, again = rule(epoch, epochs), rule(epoch, epochs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's function raises is said in one line
            raise CallError(f"--schedule {spec}: {_said(error)} at t = {epoch} of T = {epochs}") from None
        pair = found if isinstance(found, tuple | list) else (found, None)
        if len(pair) != 2 or not _is_number(pair[0]) or not (pair[1] is None or _is_number(pair[1])):
            wrong = f"returned {found!r} at t = {epoch} of T = {epochs}"
            raise CallError(f"--schedule {spec}: {wrong}; it must be a number w0, or two, (w0, w1)")
        w0 = float(pair[0])
        both = (w0, 1.0 - w0 if pair[1] is None else float(pair[1]))
        _check_shares(both, f"--schedule {spec}", f"at t = {epoch} of T = {epochs}")
        if found != again:
            wrong = f"returned {found!r} and then {again!r} at t = {epoch} of T = {epochs}"
            raise CallError(f"--schedule {spec}: {wrong}; a run that goes on must find the same shares again")
        return both

    return shares


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_shares(shares: tuple[float, float], what: str, where: str) -> None:
    for name, value in zip(("w0", "w1"), shares, strict=True):
        if not 0 <= value <= 1:
            raise CallError(f"{what}: {name} is {value:g} {where}; shares stay within [0, 1]")


class _Fresh(SourceFileLoader):
    """Runs a file as it is now: the bytecode kept beside it misses a change within a second."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the importer's own signature
        return self.source_to_code(self.get_data(self.path), self.path)


def _run_file(path: Path, spec: str) -> Any:
    existing(path, "file of a schedule")
    name = f"schedule_in_{path.stem}"
    found = spec_from_loader(name, _Fresh(name, str(path)))
    assert found is not None and found.loader is not None
    module = module_from_spec(found)
    sys.modules[name] = module  # a dataclass in the file looks its module up
    try:
        with redirect_stdout(sys.stderr):
            found.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's file raises is said in one line
        raise CallError(f"--schedule {spec}: {path} does not run: {_said(error)}") from None
    return module


def _imported(module: str, spec: str) -> Any:
    try:
        with redirect_stdout(sys.stderr):
            return import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
        hint = "; a file is named as path/to/file.py:function" if isinstance(error, ImportError | ValueError) else ""
        raise CallError(f"--schedule {spec}: {module or 'nothing'} does not import: {_said(error)}{hint}") from None


def _said(error: BaseException) -> str:
    """An error's kind and its first line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
