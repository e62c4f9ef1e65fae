"""Options are checked where they are built; the project file is checked key by key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distill.errors import CallError, InputError
from distill.options import FieldType, Options, build, field_types, option, read_project, table_for


@dataclass(frozen=True)
class Sail(Options):
    """Options of an invented command."""

    inputs: tuple[Path, ...] = option((), "what to read", argument=True)
    out: Path = option(help="where to write")
    rig: str = option("sloop", "kind of rig", choices=("sloop", "ketch"))
    reefs: int = option(0, "reefs taken", at_least=0, at_most=3)
    wind: float = option(5.0, "metres a second", above=0)
    mate: str | None = option(None, "who helps")
    night: bool = option(False, "sail on at night")
    top_speed: float | None = option(None, "knots", flag="max-speed")


KNOWN = {"sail": Sail, "rait.build": Sail}


def test_fields_tell_their_types() -> None:
    assert field_types(Sail) == {
        "inputs": FieldType(Path, many=True), "out": FieldType(Path), "rig": FieldType(str), "reefs": FieldType(int),
        "wind": FieldType(float), "mate": FieldType(str, optional=True), "night": FieldType(bool),
        "top_speed": FieldType(float, optional=True),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rig": "slop"}, "--rig is one of sloop, ketch, not 'slop'; did you mean sloop"),
        ({"rig": "x"}, "--rig is one of sloop, ketch, not 'x'$"),
        ({"reefs": 4}, "--reefs must be at most 3, got 4"),
        ({"reefs": -1}, "--reefs must be at least 0, got -1"),
        ({"wind": 0.0}, "--wind must be above 0, got 0"),
        ({"wind": float("nan")}, "--wind must be above 0, got nan"),
        ({"wind": float("inf")}, "--wind must be a finite number, got inf"),
    ],
)
def test_a_value_out_of_bounds_cannot_be_built(values: dict[str, Any], message: str) -> None:
    with pytest.raises(CallError, match=message):
        Sail(out=Path("log"), **values)


def project(folder: Path, content: str) -> dict[str, Any]:
    (folder / "ner-distill.toml").write_text(content, encoding="utf-8")
    return read_project(folder)


def test_a_flag_wins_over_the_project_file_and_that_over_the_default(tmp_path: Path) -> None:
    read = project(tmp_path, "[sail]\nout = 'log'\nwind = 7\nreefs = 2\ninputs = ['a', 'b']\nmax-speed = 9")
    table = table_for(read, "sail", KNOWN)
    sail = build(Sail, "sail", {"reefs": 1, "wind": None}, table)
    assert sail == Sail(inputs=(Path("a"), Path("b")), out=Path("log"), wind=7.0, reefs=1, top_speed=9.0)


def test_no_project_file_is_no_mistake(tmp_path: Path) -> None:
    assert table_for(read_project(tmp_path), "sail", KNOWN) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[sial]\nout = 'x'", r"ner-distill.toml: unknown table \[sial\]; did you mean sail"),
        ("[sail]\nreef = 1", "ner-distill.toml: unknown key sail.reef; did you mean reefs"),
        ("[sail]\nreefs = '1'", "ner-distill.toml: sail.reefs is int, found '1'"),
        ("[sail]\nreefs = true", "sail.reefs is int, found True"),
        ("[sail]\nnight = 1", "sail.night is bool, found 1"),
        ("sail = 1", r"sail is not a table; write \[sail\]"),
        ("[sail", "not TOML"),
    ],
)
def test_a_mistake_in_the_project_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_for(project(tmp_path, content), "sail", KNOWN)


def test_a_table_inside_a_table_belongs_to_its_command(tmp_path: Path) -> None:
    assert table_for(project(tmp_path, "[rait.build]\nreefs = 2"), "rait.build", KNOWN) == {"reefs": 2}


def test_a_missing_value_says_which_flag_and_which_key() -> None:
    message = r"sail needs --out \(where to write\), or out under \[sail\] in ner-distill.toml"
    with pytest.raises(CallError, match=message):
        build(Sail, "sail", {}, {})


def test_a_project_file_in_another_encoding_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "ner-distill.toml").write_bytes('[sail]\nname = "société"\n'.encode("latin-1"))
    with pytest.raises(InputError, match=r"ner-distill.toml: not UTF-8 at byte"):
        read_project(tmp_path)
