"""The page on labelling is true: its session gives what it shows, its commands can be called, its template works."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from distill.command import command
from distill.labels import Label, LabelSet
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.prompting import Prompt

PAGE = Path(__file__).parents[1] / "docs" / "labelling.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def called(line: str, runs: bool) -> tuple[int, str, LabelOptions]:
    """A command line of the page, through the same adapter as the program's."""
    app, seen = typer.Typer(), []

    @app.callback()
    def root() -> None:
        """Nothing."""

    @command(app, "label", LabelOptions)
    def run(options: LabelOptions) -> int:
        """Label."""
        seen.append(options)
        if not runs:
            return 0
        report = label(options)
        print("\n".join(report.lines()))
        return report.exit_code

    name, *words = shlex.split(line)
    assert name == "ner-distill"
    result = CliRunner().invoke(app, words)
    assert seen, result.output
    return result.exit_code, result.stdout, seen[0]


def test_the_session_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sentences, answers = blocks("jsonl")
    (tmp_path / "sentences.jsonl").write_text(sentences, encoding="utf-8")
    (tmp_path / "answers.jsonl").write_text(answers, encoding="utf-8")
    (session,) = blocks("console")
    line, _, expected = session.removeprefix("$ ").partition("\n")
    assert called(line, runs=True)[:2] == (1, expected)


def test_every_command_can_be_called() -> None:
    lines = blocks("sh")[0].strip().splitlines()
    assert [called(line, runs=False)[2].model for line in lines] == ["MODEL"] * len(lines)


def test_the_template_is_one(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text(blocks("jinja")[0], encoding="utf-8")
    prompt = Prompt(str(tmp_path / "own.jinja"))
    system, user = prompt.messages("Mira sang.", LabelSet((Label("PER"),)))
    assert (prompt.shape(), user.content) == ("list", "<text>\nMira sang.\n</text>")
    assert system.content.startswith("List every named entity")


def test_the_lines_of_python_give_what_they_show() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
