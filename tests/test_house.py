"""What holds the house together: light start, floors, what the wheel carries, pages that match the program."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from distill.studies.options import PRESETS

ROOT = Path(__file__).parent.parent
HEAVY = (
    "torch", "transformers", "datasets", "openai", "sentence_transformers", "sklearn", "onnx", "onnxruntime",
    "matplotlib", "numpy", "tokenizers", "jinja2", "rapidfuzz", "seqeval", "accelerate", "sqlite3",
    "ray", "jieba", "bm25s", "tiktoken", "zstandard", "pyarrow",
)  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, cli\nsys.argv = ['ner-distill', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as leaving:\n    assert leaving.code == 0\n"
        f"found = [name for name in {HEAVY!r} if name in sys.modules]\nsys.stderr.write(','.join(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "schedules" in done.stdout
    assert done.stderr == ""


def test_the_wheel_holds_five_names_and_the_data_they_need(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"cli.py", "curricula", "distill", "students", "teachers"}
    assert {"teachers/prompts/standard.jinja", "teachers/prompts/cot.jinja"} <= set(names)
    assert {f"distill/demo/{name}.jsonl" for name in ("texts", "completions", "gold", "dev", "test")} <= set(names)
    assert {f"distill/studies/presets/{name}.toml" for name in PRESETS} <= set(names)
    assert {"distill/studies/page.html", "distill/studies/page.css"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_the_page_of_commands_matches_the_program() -> None:
    import cli  # registers every command
    from distill.command import COMMANDS, HELP
    from distill.manual import manual

    assert cli.app.registered_commands
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == manual(COMMANDS, HELP), "run make docs"


def test_packages_do_nothing_when_imported() -> None:
    for package in ("distill", "students", "curricula", "teachers"):
        lines = (ROOT / package / "__init__.py").read_text(encoding="utf-8").strip().splitlines()
        assert lines[0].startswith('"""') and lines[-1].endswith('"""') and len(lines) == 1


def test_nothing_names_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    for name in listed:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".jinja", ".yml", ".jsonl", ".csv"}:
            text = path.read_text(encoding="utf-8")
            assert "/work" + "/" not in text and "/root" + "/" not in text, name
