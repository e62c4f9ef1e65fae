"""The whole road on the demo corpus, one command after the other, as a person would type them.

    python benchmarks/demo.py build/demo

Leaves a normal project in the folder, its run in `run`, its bundle in `bundle`. Running it again goes on where it was.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PROGRAM = [sys.executable, "-m", "cli"]
ROOT = Path(__file__).resolve().parent.parent
console = Console()


def step(folder: Path, says: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> None:
    """Show what is done and the command that does it, run it, and stop if it fails."""
    console.print(f"\n[bold]{says}[/bold]")
    console.print(f"[dim]$ ner-distill {shlex.join(arguments)}[/dim]", highlight=False, soft_wrap=True)
    done = subprocess.run([*PROGRAM, *arguments], cwd=folder, env=environment(), check=False)
    if done.returncode not in codes:
        raise SystemExit(done.returncode)


def environment() -> dict[str, str]:
    """The caller's environment with our modules on the path, so that no activation is needed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def f1(report: Path, name: str) -> float:
    """Strict micro F1 of one system in a file that `evaluate --json` wrote."""
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["systems"][name]
    return float(found["strict"]["micro"]["f1"])


def main() -> None:
    started = time.monotonic()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    if not (folder / "ner-distill.toml").exists():
        step(Path.cwd(), "A project with the demo corpus", "init", str(folder), "--demo")
    step(folder, "A teacher labels 200 texts (recorded answers, slips included)", "label", codes=(0, 1))
    step(folder, "How good is the teacher?", "evaluate", "data/distilled.jsonl", "--gold", "data/texts.gold.jsonl",
         "--json", "teacher.json")
    step(folder, "A student learns: distilled first, then gold", "train", "--schedule", "sigmoid", "--k", "32")
    step(folder, "The student becomes an int8 bundle", "export", "run")
    step(folder, "How good are student and bundle on 70 sentences nobody has seen?", "evaluate", "run", "bundle",
         "--gold", "data/test.jsonl", "--json", "student.json")
    step(folder, "Is the bundle what it was? (run this on site)", "selftest", "bundle")
    step(folder, "And it works", "predict", "bundle", "--format", "table", "--text",
         "Amara Okafor flew from Lisbon to the Geneva headquarters of the Red Cross on Monday.")
    summary(folder, time.monotonic() - started)


def summary(folder: Path, seconds: float) -> None:
    """What the road led to, in one table."""
    size = sum(file.stat().st_size for file in (folder / "bundle").rglob("*") if file.is_file()) / 1e6
    call = [*PROGRAM, "selftest", "bundle", "--json"]
    told = subprocess.run(call, cwd=folder, env=environment(), check=True, capture_output=True, text=True).stdout
    speed = json.loads(told)["words_per_second"]
    table = Table(title="The demo", title_justify="left", show_header=False)
    table.add_row("teacher, strict F1 on its 200 texts", f"{f1(folder / 'teacher.json', 'data/distilled.jsonl'):.3f}")
    table.add_row("student, strict F1 on 70 test sentences", f"{f1(folder / 'student.json', 'run'):.3f}")
    table.add_row("int8 bundle, the same sentences", f"{f1(folder / 'student.json', 'bundle'):.3f}")
    table.add_row("size of the bundle", f"{size:.1f} MB")
    table.add_row("speed of the bundle here", f"{speed:,.0f} words a second")
    table.add_row("time for all of this", f"{seconds:.0f} s")
    console.print()
    console.print(table)
    program = os.path.relpath(Path(sys.executable).parent / "ner-distill", folder)
    console.print(f"Next: cd {folder} && {program} predict --format table --text 'your sentence'", soft_wrap=True)


if __name__ == "__main__":
    main()
