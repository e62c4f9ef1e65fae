"""No command writes over what it reads, whichever name leads there; it says so in one line and touches nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curricula.selection import SelectOptions, select
from distill.conversion import ConvertOptions, convert
from distill.errors import CallError
from distill.review import ReviewOptions, review
from distill.sample import SampleOptions, sample
from students.bundle_options import PredictOptions
from students.evaluate import evaluate
from students.options import EvaluateOptions
from students.predict import predict
from teachers.batch import collect, submit
from teachers.batch_options import BatchCollectOptions, BatchSubmitOptions
from teachers.vote import vote
from teachers.vote_options import VoteOptions

Call = Callable[[Path, Path], object]

CALLS: dict[str, Call] = {
    "vote": lambda read, out: vote(VoteOptions(inputs=(Path("b.jsonl"), read), out=out)),
    "vote's gold": lambda read, out: vote(
        VoteOptions(inputs=(Path("b.jsonl"), Path("c.jsonl")), gold=read, out=Path("v.jsonl"), calibration_out=out)
    ),
    "review": lambda read, out: review(ReviewOptions(inputs=(read,), out=out)),
    "review's gold": lambda read, out: review(ReviewOptions(inputs=(Path("b.jsonl"),), gold=read, out=out)),
    "sample": lambda read, out: sample(SampleOptions(inputs=(read,), out=out, n=1)),
    "select": lambda read, out: select(SelectOptions(source=read, out=out, by="score")),
    "select's vectors": lambda read, out: select(
        SelectOptions(source=Path("b.jsonl"), out=out, by="diversity", n=1, vectors=read)
    ),
    "convert": lambda read, out: convert(ConvertOptions(source=read, target=out, to_format="conll")),
    "evaluate": lambda read, out: evaluate(EvaluateOptions(systems=(Path("b.jsonl"),), gold=(read,), json=out)),
    "batch submit": lambda read, out: submit(BatchSubmitOptions(inputs=(read,), out=out, model="m")),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    row = json.dumps({"id": "a", "text": "Ann sang.", "entities": [[0, 3, "PER"]]}) + "\n"
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        (tmp_path / name).write_text(row)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("way", ["same name", "other spelling", "symlink out", "symlink in", "hard link"])
@pytest.mark.parametrize("name", CALLS)
def test_an_output_that_is_read_is_refused_and_nothing_is_touched(folder: Path, name: str, way: str) -> None:
    read, out = Path("a.jsonl"), Path("a.jsonl")
    if way == "other spelling":
        out = folder / "x" / ".." / "a.jsonl"
    elif way == "symlink out":
        out = Path("link.jsonl")
        out.symlink_to("a.jsonl")
    elif way == "symlink in":
        read = Path("link.jsonl")
        read.symlink_to("a.jsonl")
    elif way == "hard link":
        out = Path("other.jsonl")
        os.link("a.jsonl", out)
    before = contents(folder)
    with pytest.raises(CallError) as caught:
        CALLS[name](read, out)
    assert "\n" not in str(caught.value) and "give it another name" in str(caught.value)
    assert contents(folder) == before


def test_files_that_come_with_an_output_are_guarded_too(folder: Path, word_bundle: Path) -> None:
    before = contents(folder)
    rejected = folder / "p.rejected.jsonl"
    shutil.copy("a.jsonl", rejected)
    with pytest.raises(CallError, match=r"p\.rejected\.jsonl is also read"):
        predict(PredictOptions(bundle=word_bundle, inputs=(rejected,), out=folder / "p.jsonl"))
    rejected.rename("p.jsonl.partial")
    with pytest.raises(CallError, match=r"p\.jsonl\.partial, is one of the inputs"):
        submit(BatchSubmitOptions(inputs=(Path("p.jsonl.partial"),), out=Path("p.jsonl"), model="m"))
    Path("p.jsonl.partial").rename("p.batch-001.jsonl")
    with pytest.raises(CallError, match=r"p\.batch-001\.jsonl, is one of the inputs"):
        submit(BatchSubmitOptions(inputs=(Path("p.batch-001.jsonl"),), out=Path("p.jsonl"), model="m"))
    Path("p.batch-001.jsonl").unlink()
    assert contents(folder) == before


def test_two_outputs_are_two_files() -> None:
    with pytest.raises(CallError, match="is also what --out writes"):
        vote(VoteOptions(
            inputs=(Path("a.jsonl"), Path("b.jsonl")), out=Path("v"), gold=Path("c.jsonl"), calibration_out=Path("v"),
        ))  # fmt: skip


def test_a_folder_that_is_read_is_not_written_into(folder: Path, word_bundle: Path) -> None:
    bundle = folder / "bundle"
    shutil.copytree(word_bundle, bundle)
    run = folder / "run"
    (run / "student").mkdir(parents=True)
    for name in ("student/config.json", "config.json", "figures.json"):
        (run / name).write_text("{}")
    before = contents(folder)
    calls: list[tuple[Call, Path, Path]] = [
        (lambda read, out: predict(PredictOptions(bundle=read, text="x", out=out)), bundle, bundle / "model.onnx"),
        (lambda read, out: evaluate(EvaluateOptions(systems=(read,), gold=(Path("a.jsonl"),), json=out)), bundle,
         bundle / "manifest.json"),
        (lambda read, out: evaluate(EvaluateOptions(systems=(read,), gold=(Path("a.jsonl"),), json=out)), run,
         run / "student" / "config.json"),
        (lambda read, out: evaluate(EvaluateOptions(systems=(read,), gold=(Path("a.jsonl"),), json=out)), run,
         run / "config.json"),
    ]  # fmt: skip
    for call, read, out in calls:
        with pytest.raises(CallError, match=r"is also read|lies in"):
            call(read, out)
    assert contents(folder) == before


def test_results_of_a_batch_that_somebody_brought_are_theirs(folder: Path) -> None:
    submit(BatchSubmitOptions(
        inputs=(Path("a.jsonl"),), out=Path("L.jsonl"), model="m", base_url="http://127.0.0.1:9/v1", files_only=True,
    ))  # fmt: skip
    for clash in ("L.batch-001.jsonl", "L.jsonl.batch.json", "L.rejected.jsonl"):
        with pytest.raises(CallError, match="is also read"):
            collect(BatchCollectOptions(out=Path("L.jsonl"), results=(Path(clash),)))
    request = json.loads(Path("L.batch-001.jsonl").read_text())
    body = {"model": "m", "choices": [{"finish_reason": "stop", "message": {"content": '{"PER": ["Ann"]}'}}]}
    result = {"custom_id": request["custom_id"], "error": None, "response": {"status_code": 200, "body": body}}
    brought = Path("L.batch-001.jsonl.results")
    brought.write_text(json.dumps(result) + "\n")
    report = collect(BatchCollectOptions(out=Path("L.jsonl"), results=(brought,)))
    assert report.labelled and report.labelled.documents == 1
    assert brought.exists() and not Path("L.batch-001.jsonl").exists()
