"""Studies: every run once, whatever happens on the way; refusals; and what the report says."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_options import FakeOptions
from invented_study import TOML, rows, write

from distill.errors import CallError, InputError
from distill.studies.arms import with_data
from distill.studies.jobs import slots
from distill.studies.options import StudyOptions
from distill.study import DryRun, StudyReport, study
from students.options import TrainOptions

ROOT = Path(__file__).parents[1]
FAKE = (sys.executable, str(Path(__file__).with_name("fake_arm.py")))
COMMANDS = {"train": FakeOptions}
MORE = """
[arms."k=8"]
quality = 0.9
k = 8
step-rows = 20
[arms."plain, steps of k=2"]
like = "plain"
match-steps = "k=2"
"""
RING = 'like = "k=2"\nmatch-steps = "b"\n[arms.b]\nlike = "plain"\nmatch-steps = "twin"'
FOREVER = TOML + '[arms.slow]\nquality = 0.7\nsleep = 600\n'
CALL = """
import sys
from pathlib import Path
from fake_options import FakeOptions
from invented_study import TOML, rows, write
from distill.command import reported
from distill.studies.options import StudyOptions
from distill.study import study
options = StudyOptions(study=Path(sys.argv[1]), out=Path(sys.argv[2]), jobs=2)
sys.exit(reported(lambda: study(options, {"train": FakeOptions}, sys.argv[3:]).exit_code))
"""


def run(file: Path, out: Path, **given: object) -> StudyReport:
    options = StudyOptions(study=file, out=out, **{"jobs": 2, "samples": 500, **given})  # type: ignore[arg-type]
    report = study(options, COMMANDS, FAKE)
    assert isinstance(report, StudyReport)
    return report


def starts(out: Path) -> dict[str, int]:
    """How often every run was started."""
    return {path.parent.name: len(path.read_text().splitlines()) for path in out.glob("runs/*/starts")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert run(write(folder), folder / "S").exit_code == 0
    return folder


@pytest.fixture
def again(finished: Path, tmp_path: Path) -> Path:
    """A finished study to go on with."""
    shutil.copytree(finished, tmp_path / "again")
    return tmp_path / "again"


def test_every_arm_and_seed_is_a_row_and_equal_arms_share_theirs(finished: Path) -> None:
    out = finished / "S"
    found = {(row["arm"], row["seed"]) for row in rows(out)}
    assert found == {("k=2", 1), ("k=2", 2), ("plain", 1), ("plain", 2)} and len(rows(out)) == 4
    assert starts(out) == {"k=2-1": 1, "k=2-2": 1, "plain-1": 1, "plain-2": 1}
    text = (out / "report.md").read_text()
    assert "| twin (= k=2) |" in text and "It was opened when all training was done." in text
    assert len(list(csv.DictReader((out / "results.csv").read_text().splitlines()))) == 4


def test_what_is_finished_is_not_run_again_and_arms_and_seeds_may_be_added(again: Path) -> None:
    out = again / "S"
    before = (out / "rows.jsonl").read_text()
    run(again / "study.toml", out)
    assert (out / "rows.jsonl").read_text() == before and set(starts(out).values()) == {1}
    (again / "study.toml").write_text(TOML + MORE)
    report = run(again / "study.toml", out, seeds=3)
    assert (report.finished, report.planned) == (12, 12) and set(starts(out).values()) == {1}
    assert (out / "rows.jsonl").read_text().startswith(before)
    assert {row["late"] for row in rows(out)[4:]} == {True}
    matched = {row["epochs"] for row in rows(out) if row["arm"] == "plain, steps of k=2"}
    assert matched == {6}  # 3 epochs of 20 steps are 6 of 10
    text = (out / "report.md").read_text()
    assert "8 runs began after test had been opened" in text and "## F1 against k" in text


def test_a_failed_run_is_told_with_its_log_and_takes_no_other_with_it(again: Path) -> None:
    out = again / "S"
    broken = "[arms.broken]\nfails = true\n"
    longer = '[arms.longer]\nlike = "broken"\nmatch-steps = "plain"\nfails = false\n'
    (again / "study.toml").write_text(TOML + broken + longer + "[arms.good]\nquality = 0.5\n")
    report = run(again / "study.toml", out)
    assert report.exit_code == 1 and (report.finished, report.planned) == (6, 10)
    assert "broken, seed 1: ended with exit code 2\n    about to fail\n    the loss is nan in epoch 2" in str(report)
    assert "longer, seed 2: not started, as a run that it needs has failed" in str(report)
    assert "Failed: broken, seed 1: ended with exit code 2" in (out / "report.md").read_text()
    assert starts(out)["good-2"] == 1 and "good" in (out / "report.md").read_text()


@pytest.fixture
def going(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a call of its own session on a study file with the given text, and waits for its first two rows."""
    calls: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        file, out = write(tmp_path, text), tmp_path / "S"
        command = [sys.executable, "-c", CALL, str(file), str(out), *FAKE]
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        call = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, start_new_session=True, stderr=subprocess.PIPE, text=True
        )
        calls.append(call)
        until = time.monotonic() + 60
        while not ((out / "rows.jsonl").exists() and (out / "runs" / "slow-1" / "starts").exists()):
            assert time.monotonic() < until and call.poll() is None
            time.sleep(0.02)
        return call

    yield start
    for call in calls:
        if call.poll() is None:
            call.kill()
            call.wait()
        if call.stderr is not None:
            call.stderr.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the runs of a call that is killed")
def test_killed_at_any_moment_the_same_call_goes_on(
    going: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    call = going(FOREVER)
    call.send_signal(signal.SIGKILL)
    call.wait()
    out = tmp_path / "S"
    kept = (out / "rows.jsonl").read_text()
    with (out / "rows.jsonl").open("a") as torn:
        torn.write('{"run": "torn')
    (tmp_path / "study.toml").write_text(TOML)  # without the arm that never ends
    report = run(tmp_path / "study.toml", out)
    assert (report.finished, report.planned, report.exit_code) == (4, 4, 0)
    assert (out / "rows.jsonl").read_text().startswith(kept)
    done = {str(json.loads(line)["folder"]) for line in kept.splitlines()}
    assert {starts(out)[name] for name in done} == {1}
    assert len({row["run"] for row in rows(out)}) == len(rows(out))


def test_one_call_at_a_time_and_ctrl_c_says_how_to_go_on(
    going: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    call = going(FOREVER)
    with pytest.raises(CallError, match="another call works in it"):
        run(tmp_path / "study.toml", tmp_path / "S")
    call.send_signal(signal.SIGINT)
    _, said = call.communicate()
    assert call.returncode == 130 and "the same command goes on where it was" in said


def test_a_run_that_cannot_be_scored_does_not_keep_the_others_from_it(again: Path) -> None:
    out = again / "S"
    shutil.rmtree(out / "scores")
    (out / "runs" / "k=2-1" / "quality").write_text("spoilt")
    report = run(again / "study.toml", out)
    assert report.exit_code == 1 and len(list((out / "scores").glob("*.jsonl"))) == 3
    assert len(report.failures) == 1 and "scoring k=2, seed 1: ended with exit code 1" in str(report)


def test_runs_go_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "S"
    run(write(tmp_path, TOML.replace('dev = "dev"', 'dev = "dev"\nsleep = 1.5')), out, seeds=1)
    begun = [float(path.read_text()) for path in out.glob("runs/*/starts")]
    assert len(begun) == 2 and abs(begun[0] - begun[1]) < 1.5


def test_jobs_take_turns_on_the_gpus() -> None:
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(None, 1, ["0", "1"])] == ["0", "1"]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(3, 1, ["4", "6"])] == ["4", "6", "4"]
    assert slots(2, 3, []) == [{"OMP_NUM_THREADS": "3"}] * 2
    assert len(slots(None, 10_000, [])) == 1


def test_two_studies_in_one_folder_are_refused(again: Path) -> None:
    (again / "study.toml").write_text(TOML.replace('"invented"', '"another"'))
    with pytest.raises(CallError, match="belongs to the study 'invented', this is 'another'; give another folder"):
        run(again / "study.toml", again / "S")
    (again / "other").mkdir()
    (again / "other" / "thesis.tex").write_text("")
    with pytest.raises(CallError, match="exists and is no study"):
        run(again / "study.toml", again / "other")


def test_a_study_that_changes_under_its_runs_is_refused(again: Path) -> None:
    (again / "study.toml").write_text(TOML.replace("0.9", "0.95"))
    with pytest.raises(CallError, match=r"--quality of the arm k=2 is 0\.9 there and 0\.95 here"):
        run(again / "study.toml", again / "S")
    (again / "study.toml").write_text(TOML)
    (again / "gold.jsonl").write_text("{}\n")
    from distill.studies.arms import checksum

    checksum.cache_clear()
    with pytest.raises(CallError, match="the study has changed: the data of --gold is not what it was; give another"):
        run(again / "study.toml", again / "S")


def test_another_test_file_is_refused_once_one_was_scored(again: Path) -> None:
    (again / "test.jsonl").write_text('{"id": "new"}\n')
    with pytest.raises(CallError, match="the data of test has changed since it was first scored"):
        run(again / "study.toml", again / "S")


def test_the_test_file_is_read_after_the_last_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = write(tmp_path), tmp_path / "S"
    monkeypatch.setenv("FAKE_GROWING", str(tmp_path / "test.jsonl"))  # every training adds a line to it
    run(file, out)
    lines = (tmp_path / "test.jsonl").read_text().splitlines()
    known = json.loads((out / "study.json").read_text())["judged"]
    assert len(lines) == 64 and known == ["test", [hashlib.sha256((tmp_path / "test.jsonl").read_bytes()).hexdigest()]]


def test_without_a_test_file_dev_is_reported_on_and_the_report_says_so(tmp_path: Path) -> None:
    run(write(tmp_path, TOML.replace('test = "test.jsonl"', "")), tmp_path / "S", seeds=1, keep="none")
    text = (tmp_path / "S" / "report.md").read_text()
    assert "There is no test file, so the figures flatter." in text
    assert not list((tmp_path / "S").glob("runs/*/student*"))


def test_a_study_without_a_test_file_may_have_one_later(tmp_path: Path) -> None:
    file, out = write(tmp_path, TOML.replace('test = "test.jsonl"', "")), tmp_path / "S"
    run(file, out)
    assert json.loads((out / "study.json").read_text())["judged"][0] == "dev"
    file.write_text(TOML)
    assert "test F1" in run(file, out).text
    assert all(len(path.read_text().splitlines()) == 60 for path in (out / "scores").iterdir())
    assert len(rows(out)) == 4 and not any(row["late"] for row in rows(out))
    file.write_text(TOML.replace('test = "test.jsonl"', ""))
    with pytest.raises(CallError, match="was scored on test and test is no longer given; give it again"):
        run(file, out)


def test_students_that_were_not_kept_cannot_be_scored_on_a_test_file_later(tmp_path: Path) -> None:
    file, out = write(tmp_path, TOML.replace('test = "test.jsonl"', "")), tmp_path / "S"
    run(file, out, keep="none")
    file.write_text(TOML)
    with pytest.raises(CallError, match="4 runs kept no student to score on test; give another folder"):
        run(file, out)
    assert len(list((out / "scores").iterdir())) == 4


def test_arms_that_are_the_same_in_every_run_differ_by_nothing(tmp_path: Path) -> None:
    """As where vetting leaves out every teacher: the arm is gold alone, and chance has no part in the difference."""
    file, out = write(tmp_path, TOML + '[arms.same]\nlike = "plain"\nstep-rows = 11\n'), tmp_path / "S"
    run(file, out)
    for score in sorted((out / "scores").iterdir()):
        if row := next((r for r in rows(out) if r["run"] == score.stem and r["arm"] == "same"), None):
            plain = next(r for r in rows(out) if (r["arm"], r["seed"]) == ("plain", row["seed"]))
            score.write_text((out / "scores" / f"{plain['run']}.jsonl").read_text())
    (same,) = [arm for arm in run(file, out).results["arms"] if arm["arm"] == "same"]
    assert same["difference"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_what_runs_say_is_in_both_reports(tmp_path: Path) -> None:
    run(write(tmp_path), tmp_path / "S")
    assert "- plain: a < b (2 of 2 runs)\n" in (tmp_path / "S" / "report.md").read_text()
    assert "a &lt; b" in (tmp_path / "S" / "report.html").read_text()


def test_a_dry_run_says_what_would_be_run_and_leaves_nothing(tmp_path: Path) -> None:
    options = StudyOptions(study=write(tmp_path, TOML + MORE), out=tmp_path / "S", dry_run=True)
    plan = study(options, COMMANDS, FAKE)
    assert isinstance(plan, DryRun) and len(plan.commands) == 8 and not (tmp_path / "S").exists()
    assert "--k=8.0 --step-rows=20 --seed=2" in str(plan) and "# with the steps of k=2" in str(plan)
    assert "twin is k=2: trained once" in str(plan)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("quality = 0.6", "qualty = 0.6", r"study.toml: unknown key arms.plain.qualty; did you mean quality\?"),
        ("quality = 0.6", "quality = 0", r"arms.plain: --quality must be above 0, got 0"),
        ("quality = 0.6", 'quality = "high"', r"arms.plain.quality is float, found 'high'"),
        ("quality = 0.6", "seed = 3", r"arms.plain.seed: the study gives every run its seed itself"),
        ('gold = "gold"\n', 'gold = "gld"\n', r"gld: no such file, and 'gld' is no name under \[data\]"),
        ('gold = "gold.jsonl"', 'gold = "gone.jsonl"', r"gone.jsonl: no such file of the data gold"),
        ('gold = "gold.jsonl"', "", r"no file is given for the data gold: --gold FILE, or gold under \[data\]"),
        ('like = "k=2"', 'like = "k=3"', r"arms.twin.like: there is no other arm 'k=3'; did you mean k=2\?"),
        ('like = "k=2"', 'like = ["k=2"]', r"arms.twin.like: there is no other arm \['k=2'\]; did you mean k=2"),
        ("quality = 0.6", 'like = "plain"', r"arms.plain.like: there is no other arm 'plain'; known: k=2, twin"),
        ('like = "k=2"', RING, r"arms.twin.match-steps: b matches another arm itself; name that one"),
        ('like = "k=2"', 'match-steps = "k=2"', r'arms.twin.match-steps needs like = "ARM"'),
        ('baseline = "plain"', 'baseline = "plane"', r"baseline: there is no arm 'plane'; did you mean plain\?"),
        ('baseline = "plain"', 'base = "plain"', r"unknown key base; did you mean baseline\?"),
        ("seeds = 2", "seeds = 0", r"seeds is a number of seeds or a list of them, found 0"),
        ("seeds = 2", "seeds = true", r"seeds is a number of seeds or a list of them, found True"),
        ("seeds = 2", "seeds = [1, 10]", r"arms.plain: --seed must be at most 9, got 10"),
        ("seeds = 2", 'command = "trian"', r"command: there is no 'trian'; did you mean train\?"),
        ("seeds = 2", 'evaluate = "rait evalaute"', r"evaluate: there is no 'rait evalaute'"),
        ("[arms.plain]", "[paper.figures]\nplan = 0.5\n[arms.plain]", r"paper.figures: there is no arm .plan."),
        ("seeds = 2", "seeds = ", r"study.toml: not TOML"),
    ],
)
def test_a_mistake_in_the_study_file_is_one_line_with_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TOML
    with pytest.raises(InputError, match=told) as caught:
        run(write(tmp_path, TOML.replace(old, new)), tmp_path / "S")
    assert "\n" not in str(caught.value) and not (tmp_path / "S").exists()


def test_a_study_without_arms_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.toml: no arms; write \[arms\.NAME\]"):
        run(write(tmp_path, TOML[: TOML.index("[arms.")]), tmp_path / "S")


def test_an_empty_file_is_found_before_the_first_training(tmp_path: Path) -> None:
    file = write(tmp_path, TOML)
    (tmp_path / "gold.jsonl").write_text("")
    with pytest.raises(InputError, match=r"gold.jsonl: the file of the data gold is empty"):
        run(file, tmp_path / "S")


def test_dev_is_a_data_set_a_share_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    file.touch()
    data = {"dev": (file,), "gold": ()}
    for given, found in (("dev", str(file)), ("0.1", "0.1"), ("gold.jsonl", str(file))):
        assert with_data({"dev": given}, TrainOptions, data, tmp_path) == {"dev": found}
    with pytest.raises(InputError, match=r"dve: no such file, and 'dve' is no name under \[data\]"):
        with_data({"dev": "dve"}, TrainOptions, data, tmp_path)


def test_a_call_names_a_file_or_a_preset(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"needs a STUDY.toml or a --preset, and not both"):
        study(StudyOptions(out=tmp_path / "S"), COMMANDS, FAKE)
    with pytest.raises(CallError, match=r"did you mean huang-table3 or huang-table2\?"):
        StudyOptions(preset="huang-table", out=tmp_path / "S")
    with pytest.raises(InputError, match=r"no \[quick\] table"):
        run(write(tmp_path), tmp_path / "S", scale="quick")


def test_the_report_in_words_is_the_agreed_one(again: Path) -> None:
    (again / "study.toml").write_text(TOML + '[paper]\nsource = "none"\nfigures = { plain = 0.61 }\n')
    run(again / "study.toml", again / "S")
    found = re.sub(r"Machine: .*", "Machine: M", (again / "S" / "report.md").read_text())
    golden = Path(__file__).with_name("golden") / "study.md"
    if os.environ.get("REGOLD"):
        golden.write_text(found)
    assert found == golden.read_text()


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_fetches_nothing_runs_nothing_and_escapes_names(again: Path) -> None:
    (again / "study.toml").write_text((TOML + MORE).replace("invented qua", "<script>alert(1)</script> & qua"))
    run(again / "study.toml", again / "S")
    text = (again / "S" / "report.html").read_text()
    page = Page(text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert not {"script", "link", "img", "iframe", "a"} & set(page.tags)
    assert not {"style", "src", "href", "onclick"} & {name for name, _ in page.attributes}
    assert page.tags.count("svg") >= 4 + 2 + 3 * 2 + 1 and "&lt;script&gt;alert(1)" in text
