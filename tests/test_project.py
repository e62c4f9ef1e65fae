"""A new project: its commands are complete, its paths are right, and nothing of the user's is overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl
from distill.labels import read_labels
from distill.options import PROJECT_FILE, build, read_project, table_for
from distill.project import InitOptions, init
from students.bundle_options import ExportOptions, PredictOptions, SelftestOptions
from students.options import EvaluateOptions, TrainOptions
from teachers.options import LabelOptions

OPTIONS: dict[str, type] = {
    "label": LabelOptions,
    "train": TrainOptions,
    "evaluate": EvaluateOptions,
    "export": ExportOptions,
    "selftest": SelftestOptions,
    "predict": PredictOptions,
}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_is_complete_inside_a_new_project(tmp_path: Path, command: str, demo: bool) -> None:
    init(InitOptions(folder=tmp_path, demo=demo))
    project = read_project(tmp_path)
    values = table_for(project, command, OPTIONS)
    assert isinstance(build(OPTIONS[command], command, {}, values), OPTIONS[command])
    assert len(values) == len(project[command])


@pytest.mark.parametrize("demo", [False, True])
def test_a_table_per_command_and_a_comment_per_key(tmp_path: Path, demo: bool) -> None:
    init(InitOptions(folder=tmp_path, demo=demo))
    assert tuple(read_project(tmp_path)) == tuple(OPTIONS)
    for line in (tmp_path / PROJECT_FILE).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("#", "[")):
            assert "  # " in line, line


def test_the_demo_is_wired_to_files_that_are_there(tmp_path: Path) -> None:
    init(InitOptions(folder=tmp_path, demo=True))
    project = read_project(tmp_path)
    assert project["label"]["teacher"] == "replay"
    needed = [*project["label"]["inputs"], project["label"]["responses"], project["label"]["labels"]]
    needed += [*project["train"]["gold"], project["train"]["dev"], *project["evaluate"]["gold"]]
    assert [name for name in needed if not (tmp_path / name).is_file()] == []
    assert project["train"]["distilled"] == [project["label"]["out"]]
    assert project["export"]["run"] == project["train"]["out"]
    assert project["predict"]["bundle"] == project["export"]["out"]


def test_a_plain_project_has_labels_and_an_empty_data_folder(tmp_path: Path) -> None:
    report = init(InitOptions(folder=tmp_path / "new" / "project"))
    folder = tmp_path / "new" / "project"
    assert sorted(tree(folder)) == ["labels.toml", PROJECT_FILE]
    assert (folder / "data").is_dir()
    labels = read_labels(folder / "labels.toml")
    assert labels.ids == ("LOC", "MISC", "ORG", "PER")
    assert all(label.name and label.definition and label.aliases for label in labels)
    assert (labels.canonical("company"), labels.canonical("Nationality")) == ("ORG", "MISC")
    assert report.next_command.endswith("&& ner-distill label")
    assert "texts.jsonl" in str(report)


def test_the_corpus_in_a_project_is_the_one_that_ships(tmp_path: Path) -> None:
    init(InitOptions(folder=tmp_path, demo=True))
    shipped = Path(__file__).parent.parent / "distill" / "demo"
    for path in (tmp_path / "data").iterdir():
        assert path.read_bytes() == (shipped / path.name).read_bytes()
    assert {path.name for path in shipped.glob("*.jsonl")} <= {path.name for path in (tmp_path / "data").iterdir()}


def test_a_project_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_text("[train]\nepochs = 3\n")
    before = tree(tmp_path)
    with pytest.raises(CallError, match=r"already exists.*nothing was written"):
        init(InitOptions(folder=tmp_path, demo=True))
    assert tree(tmp_path) == before
    assert not (tmp_path / "data").exists()


def test_files_that_already_stand_there_are_kept_and_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "labels.toml").write_text("[FOOD]\n")
    (tmp_path / "data" / "gold.jsonl").write_text("mine\n")
    report = init(InitOptions(folder=tmp_path, demo=True))
    assert (tmp_path / "labels.toml").read_text() == "[FOOD]\n"
    assert (tmp_path / "data" / "gold.jsonl").read_text() == "mine\n"
    assert set(report.kept) == {tmp_path / "labels.toml", tmp_path / "data" / "gold.jsonl"}
    assert not set(report.kept) & set(report.written)
    assert "kept as they were: labels.toml, data/gold.jsonl" in str(report)
    assert (tmp_path / PROJECT_FILE).is_file()


def test_an_init_that_was_cut_short_can_be_started_again(tmp_path: Path) -> None:
    init(InitOptions(folder=tmp_path, demo=True))
    whole = tree(tmp_path)
    (tmp_path / PROJECT_FILE).unlink()
    (tmp_path / "data" / "test.jsonl").unlink()
    init(InitOptions(folder=tmp_path, demo=True))
    assert tree(tmp_path) == whole


@pytest.mark.parametrize("where", ["file", "file/inside", "data-is-a-file"])
def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "data-is-a-file").mkdir()
    (tmp_path / "data-is-a-file" / "data").write_text("")
    with pytest.raises(InputError, match="a file stands where a folder is needed") as caught:
        init(InitOptions(folder=tmp_path / where))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / where / PROJECT_FILE).exists()


def test_the_next_command_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(InitOptions()).next_command == "ner-distill label"
    odd = "it's a project; rm -rf $HOME"
    command = init(InitOptions(folder=Path(odd))).next_command
    done = subprocess.run(
        ["sh", "-c", command.replace("ner-distill label", "pwd")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / odd)
    dashed = init(InitOptions(folder=Path("-p"))).next_command
    done = subprocess.run(
        ["sh", "-c", dashed.replace("ner-distill label", "pwd")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "-p")


def test_init_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom distill.project import InitOptions, init\n"
        f"init(InitOptions(folder=Path({str(tmp_path / 'p')!r}), demo=True))\n"
        "heavy = {'torch', 'transformers', 'openai', 'numpy', 'tokenizers', 'onnxruntime', 'jinja2', 'typer', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_on_projects_shows_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "projects.md").read_text(encoding="utf-8")
    shown: dict[str, set[str]] = {}
    table = ""
    for line in page.splitlines():
        cells = [cell.strip(" `") for cell in line.split("|")]
        if len(cells) == 5 and cells[2] not in ("key", "---"):
            table = cells[1].strip("[]") or table
            shown.setdefault(table, set()).add(cells[2])
    init(InitOptions(folder=tmp_path / "plain"))
    init(InitOptions(folder=tmp_path / "demo", demo=True))
    plain, demo = read_project(tmp_path / "plain"), read_project(tmp_path / "demo")
    assert shown == {table: set(plain[table]) | set(demo[table]) for table in plain}


def test_the_copied_corpus_reads_as_documents(tmp_path: Path) -> None:
    init(InitOptions(folder=tmp_path, demo=True))
    sizes = {"texts": 200, "gold": 100, "dev": 50, "test": 70}
    assert {name: len(list(read_jsonl(tmp_path / "data" / f"{name}.jsonl"))) for name in sizes} == sizes
