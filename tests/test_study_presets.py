"""Studies of students: the papers' arms, and real ones from end to end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from invented_study import rows, write

from distill.studies.options import StudyOptions
from distill.study import DryRun, StudyReport, study


def test_the_presets_have_every_arm_of_the_papers_tables(tmp_path: Path) -> None:
    import cli  # registers the commands
    from distill.command import COMMANDS as REAL

    assert cli.app.registered_commands
    file = write(tmp_path).parent / "gold.jsonl"
    given = StudyOptions(
        preset="huang-table3", out=tmp_path / "S", dry_run=True, distilled=(file,), more=(file,), gold=(file,),
        dev=(tmp_path / "dev.jsonl",), student="bert-of-mine",
    )  # fmt: skip
    table3, quick = study(given, REAL), study(replace(given, scale="quick"), REAL)
    table2 = study(replace(given, preset="huang-table2"), REAL)
    assert isinstance(table3, DryRun) and isinstance(table2, DryRun) and isinstance(quick, DryRun)
    assert len(table3.commands) == (17 + 1) * 2 * 5 and len(table2.commands) == (5 + 1) * 2 * 5
    assert len(quick.commands) == 12 * 3 and "--recipe=default" in quick.commands[0]
    for command in (*table2.commands, *table3.commands):
        assert "--recipe=huang2024" in command and "--student=bert-of-mine" in command
    assert sum("--lr-decay=0.95" in command for command in table2.commands) == 30
    from curricula.schedules import POWER_N, SIGMOID_K

    for name, values in (("k", SIGMOID_K), ("n", POWER_N)):
        assert {float(v) for c in table3.commands for v in re.findall(rf" --{name}=(\S+)", c)} == set(values)


@pytest.mark.timeout(900)  # six processes that load torch, on a machine that others may use
def test_real_students_are_compared_from_end_to_end(tmp_path: Path) -> None:
    from importlib.resources import files

    from tiny_student import make_tiny_encoder

    import cli
    from distill.command import COMMANDS as REAL

    assert cli.app.registered_commands
    demo, encoder = Path(str(files("distill") / "demo")), make_tiny_encoder(tmp_path / "encoder")
    (tmp_path / "study.toml").write_text(
        '[options]\nepochs = 1\nmax-length = 64\nstride = 8\ndev = "dev"\ngold = "gold"\n'
        '[arms.gold]\nschedule = "gold"\n[arms.all]\nschedule = "all"\ndistilled = "distilled"\n'
    )
    options = StudyOptions(
        study=tmp_path / "study.toml", out=tmp_path / "S", seeds=2, student=str(encoder), samples=200, jobs=2,
        gold=(demo / "gold.jsonl",), distilled=(demo / "texts.gold.jsonl",), dev=(demo / "dev.jsonl",),
        test=(demo / "test.jsonl",),
    )  # fmt: skip
    report = study(options, REAL)
    assert isinstance(report, StudyReport) and (report.finished, report.failures) == (4, ())
    found = rows(tmp_path / "S")
    assert {(row["arm"], row["seed"]) for row in found} == {("gold", 1), ("gold", 2), ("all", 1), ("all", 2)}
    assert [row["rows"] for row in found if row["arm"] == "all"] == [{"distilled": 200, "gold": 100}] * 2
    assert report.results["documents"] == 70 and all(row["w0"] and row["w1"] for row in found)
    assert str(tmp_path) not in (tmp_path / "S" / "rows.jsonl").read_text()
