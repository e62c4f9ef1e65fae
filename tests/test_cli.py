"""What a person meets at the command line: one clear line and exit code 2 for a mistake, results on stdout."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tiny_student import make_tiny_student

import cli
from distill.command import reported

GOLD = '{"id": "a", "text": "Mia Aalto left Oslo .", "entities": [[0, 9, "PER"], [15, 19, "LOC"]]}\n'


class Ended(NamedTuple):
    """How a call ended."""

    code: int
    out: str
    err: str


Call = Callable[[str], Ended]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `ner-distill ...` in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["ner-distill", *shlex.split(line)])
        capfd.readouterr()  # what the test itself printed
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capfd.readouterr()
        return Ended(int(leaving.value.code or 0), out, err)

    return run


def mistake(ended: Ended) -> str:
    """The one line that a mistake prints, checked to be one."""
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.startswith("ner-distill: ") and ended.err.count("\n") == 1, ended.err
    return ended.err


def test_a_working_folder_that_is_gone_is_one_line(call: Call, tmp_path: Path) -> None:
    tmp_path.rmdir()
    assert "the working folder is gone" in mistake(call("schedules"))


def test_a_missing_value_names_the_option_the_key_and_init(call: Call) -> None:
    said = mistake(call("label texts.jsonl"))
    assert "--out" in said and "[label] in ner-distill.toml" in said and "ner-distill init" in said


def test_half_an_emoji_in_a_label_is_shown_as_an_escape(call: Call) -> None:
    row = {"id": "\ud83d", "text": "Oslo", "entities": [[0, 4, "PE\ud83d"]]}
    Path("odd.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    for line in ("stats odd.jsonl", "stats odd.jsonl --json"):
        ended = call(line)
        assert ended.code == 0 and r"PE\ud83d" in ended.out and not ended.err, ended


def test_a_misspelt_key_or_table_names_the_close_ones(call: Call) -> None:
    Path("ner-distill.toml").write_text('[train]\nshedule = "mix"\n', encoding="utf-8")
    assert "unknown key train.shedule; did you mean schedule?" in mistake(call("train --out run"))
    Path("ner-distill.toml").write_text('[trian]\nschedule = "mix"\n', encoding="utf-8")
    assert "unknown table [trian]; did you mean train?" in mistake(call("train --out run"))
    Path("ner-distill.toml").write_text("[train\n", encoding="utf-8")
    assert "ner-distill.toml: not TOML" in mistake(call("train --out run"))


def test_a_flag_wins_over_the_project_file(call: Call) -> None:
    Path("ner-distill.toml").write_text("[schedules]\nepochs = 5\njson = true\n", encoding="utf-8")
    assert len(json.loads(call("schedules").out)["mix"]) == 5
    assert len(json.loads(call("schedules --epochs 3").out)["mix"]) == 3


def test_schedules_prints_every_family_for_programs(call: Call) -> None:
    curves = json.loads(call("schedules --epochs 4 --json").out)
    assert curves["mix"] == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert {"sigmoid k=32", "power n=0.2", "cosine", "all", "distilled", "gold"} <= set(curves)


def test_a_missing_file_is_one_line(call: Call) -> None:
    assert "nowhere.jsonl: no such" in mistake(call("stats nowhere.jsonl"))
    assert "nowhere.jsonl: no such" in mistake(call("label nowhere.jsonl --out l.jsonl --teacher replay --responses r"))
    assert "nowhere.jsonl: no such" in mistake(call("train --gold nowhere.jsonl --schedule gold --out run"))
    assert "nowhere: no such" in mistake(call("predict nowhere --text hello"))
    assert "nowhere: no such" in mistake(call("export nowhere --out bundle"))


def test_what_the_machine_refuses_is_one_line(
    call: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "File name too long" in mistake(call(f"stats {'x' * 300}.jsonl"))
    ring = tmp_path / "ring.jsonl"
    ring.symlink_to(tmp_path / "again.jsonl")
    (tmp_path / "again.jsonl").symlink_to(ring)
    (tmp_path / "a.txt").write_text("Oslo\n")
    assert call("convert a.txt ring.jsonl").code == 0

    def told(error: Exception) -> str:
        def refuse() -> int:
            raise error

        assert reported(refuse) == 2
        return capfd.readouterr().err

    denied = PermissionError(13, "Permission denied", "b/model.onnx")
    assert told(denied) == "ner-distill: b/model.onnx: Permission denied\n"
    rust = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert told(rust) == "ner-distill: the output cannot be written: No space left on device\n"
    for fault in (ValueError("ours"), FileNotFoundError(2, "No such file", "ours"), PermissionError(13, "denied")):
        with pytest.raises(type(fault)):
            told(fault)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("stats ''", "FILE is empty (a variable that is not set?)"),
        ("init ''", "DIR is empty"),
        ("train --gold a.jsonl --gold '' --out run", "--gold is empty"),
        ("label a.txt --teacher replay --responses a.txt --out -", "--out - would be standard output, and label keeps"),
        ("init a.txt", "a.txt: a file stands where a folder is needed"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused(call: Call, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.txt").write_text("Oslo\n")
    assert message in mistake(call(line))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_argument_is_a_key_under_the_name_that_is_shown_too(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Oslo\n")
    for name in ("file", "source"):
        (tmp_path / "ner-distill.toml").write_text(f'[stats]\n{name} = "a.txt"\n')
        assert call("stats").code == 0
    (tmp_path / "ner-distill.toml").write_text('[stats]\nfile = "a.txt"\nsource = "a.txt"\n')
    assert "stats.source is given twice, under two names" in mistake(call("stats"))
    (tmp_path / "ner-distill.toml").write_text('[stats]\nfile = ""\n')
    assert "stats.file is empty" in mistake(call("stats"))


def test_a_closed_standard_error_lets_no_message_into_the_output(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Oslo\n")
    line = f"{shlex.quote(sys.executable)} -m cli convert a.txt - --to jsonl 2>&-"
    root = Path(cli.__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert (ended.returncode, ended.stdout) == (0, '{"id": "a-1", "text": "Oslo", "entities": []}\n')


def test_a_conll_line_with_another_number_of_columns_names_file_and_line(call: Call) -> None:
    Path("a.conll").write_text("Mia NNP B-PER\nleft VBD O\nOslo B-LOC\n", encoding="utf-8")
    assert "a.conll:3: " in mistake(call("stats a.conll"))


def test_a_tag_that_is_no_tag_names_file_and_line(call: Call) -> None:
    Path("a.conll").write_text("Mia B-PER\nleft O\nOslo Q-LOC\n", encoding="utf-8")
    said = mistake(call("stats a.conll"))
    assert "a.conll" in said and "Q-LOC" in said


def test_an_entity_outside_its_text_names_file_and_line(call: Call) -> None:
    Path("a.jsonl").write_text(GOLD + '{"id": "b", "text": "Oslo", "entities": [[0, 9, "LOC"]]}\n', encoding="utf-8")
    assert "a.jsonl:2: " in mistake(call("stats a.jsonl"))
    assert "a.jsonl:2: " in mistake(call("train --gold a.jsonl --schedule gold --out run"))
    assert not Path("run").exists()


def test_a_broken_line_names_file_and_line(call: Call) -> None:
    Path("a.jsonl").write_text(GOLD + '{"id": "b", "text": "Os\n', encoding="utf-8")
    assert "a.jsonl:2: not a JSON object" in mistake(call("convert a.jsonl b.conll"))
    assert not Path("b.conll").exists()


def test_overlapping_gold_is_refused_for_a_flat_student(call: Call) -> None:
    row = '{"id": "b", "text": "Bank of Oslo", "entities": [[0, 12, "ORG"], [8, 12, "LOC"]]}\n'
    Path("a.jsonl").write_text(GOLD + row, encoding="utf-8")
    said = mistake(call("train --gold a.jsonl --schedule gold --out run"))
    assert "a.jsonl" in said and "'b'" in said and "ORG" in said and "LOC" in said


def test_labels_the_set_does_not_know_stand_in_one_message_with_the_line_to_add(call: Call) -> None:
    Path("labels.toml").write_text('[PER]\nname = "person"\n[LOC]\nname = "location"\n', encoding="utf-8")
    row = '{"id": "b", "text": "Bank of Oslo cup", "entities": [[0, 12, "company"], [13, 16, "event"]]}\n'
    Path("a.jsonl").write_text(GOLD + row, encoding="utf-8")
    said = mistake(call("train --gold a.jsonl --labels labels.toml --schedule gold --out run"))
    assert "company (1)" in said and "event (1)" in said and 'aliases = ["company", "event"]' in said


def test_an_empty_data_set_that_the_schedule_needs_is_refused(call: Call) -> None:
    Path("gold.jsonl").write_text(GOLD, encoding="utf-8")
    Path("empty.jsonl").write_text("", encoding="utf-8")
    said = mistake(call("train --gold gold.jsonl --distilled empty.jsonl --schedule mix --out run"))
    assert "needs distilled data" in said
    assert "needs distilled data" in mistake(call("train --gold gold.jsonl --schedule sigmoid --k 32 --out run"))


def test_a_folder_that_is_no_student_is_refused(call: Call) -> None:
    Path("gold.jsonl").write_text(GOLD, encoding="utf-8")
    Path("folder").mkdir()
    assert "folder" in mistake(call("train --gold gold.jsonl --schedule gold --student folder --out run"))
    assert "folder" in mistake(call("evaluate folder --gold gold.jsonl"))
    assert "folder" in mistake(call("predict folder --text hello"))
    assert "folder" in mistake(call("export folder --out bundle"))


def test_a_student_made_for_other_labels_is_refused(call: Call) -> None:
    Path("gold.jsonl").write_text(GOLD, encoding="utf-8")
    make_tiny_student(Path("student"), labels=("disease", "drug"))
    said = mistake(call("evaluate student --gold gold.jsonl"))
    assert "disease" in said and "PER" in said


def test_bounds_and_choices_are_checked_before_anything_is_read(call: Call) -> None:
    assert "--epochs must be at least 1" in mistake(call("schedules --epochs 0"))
    assert "--k must be above 0" in mistake(call("train --out run --k 0"))
    assert "did you mean sigmoid?" in mistake(call("train --out run --schedule sigmoyd"))


def test_converting_says_what_was_written_and_what_could_not_be_carried(call: Call) -> None:
    row = '{"id": "b", "text": "Bank of Oslo", "entities": [[0, 12, "ORG"], [8, 12, "LOC"]]}\n'
    Path("a.jsonl").write_text(GOLD, encoding="utf-8")
    assert call("convert a.jsonl a.conll").code == 0
    assert "Aalto\tI-PER" in Path("a.conll").read_text(encoding="utf-8")
    Path("b.jsonl").write_text(GOLD + row, encoding="utf-8")
    ended = call("convert b.jsonl b.conll")
    assert ended.code == 1 and "1" in ended.out


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_shown(call: Call) -> None:
    assert ".png, .svg, .pdf, not .gif" in mistake(call("schedules --plot x.gif"))
    drawn = call("schedules --epochs 4 --plot x.svg --json")
    assert drawn.code == 0 and Path("x.svg").exists() and json.loads(drawn.out)
