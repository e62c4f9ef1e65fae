"""A bundle appears only when it answers as the student did, whole, and with the same bytes each time."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from bundles import sign
from sealed import SENTENCES, export_tiny

from distill.document import Document, Entity
from distill.errors import CallError, CheckFailed, InputError
from distill.jsonl import read_jsonl, write_jsonl
from students import session
from students.bundle import read_bundle, read_manifest
from students.bundle_options import ExportOptions, SelftestOptions
from students.evidence import evidence
from students.export import export
from students.gates import check_company, check_f1, check_graph, compare
from students.material import divided
from students.model import load_student
from students.quantise import quantised
from students.runtime import Reading, Student
from students.selftest import selftest


@pytest.fixture(scope="module")
def fp32_bundle(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny(tiny_run, tmp_path_factory.mktemp("fp32") / "bundle", precision="fp32")


def test_a_mistyped_threshold_is_said_before_the_work(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CallError, match="does not know 'PRE'"):
        export_tiny(tiny_run, tmp_path / "bundle", threshold=("PRE=0.5",))
    assert "tracing" not in capsys.readouterr().err


def test_fp32_answers_as_pytorch_does(tiny_run: Path, fp32_bundle: Path) -> None:
    gold = list(read_jsonl(tiny_run / "gold.jsonl"))
    found = Student.load(fp32_bundle).tag(SENTENCES)
    assert sum(len(document.entities) for document in gold) > 10
    assert [document.entities for document in found] == [document.entities for document in gold]
    scores = read_manifest(fp32_bundle).scores
    assert scores["strict_f1"] == scores["strict_f1_pytorch"] == 1.0 and scores["words_with_other_tag"] == 0


def test_the_same_run_gives_the_same_bytes_and_takes_the_place_of_an_older_bundle(
    tiny_run: Path, tiny_bundle: Path, fp32_bundle: Path, tmp_path: Path
) -> None:
    again = export_tiny(tiny_run, shutil.copytree(fp32_bundle, tmp_path / "again"))
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in tiny_bundle.iterdir()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_a_bundle_is_self_contained_and_tells_nothing_of_where_it_was_built(
    tiny_bundle: Path, fp32_bundle: Path, tiny_run: Path
) -> None:
    for bundle in (tiny_bundle, fp32_bundle):
        assert {path.name for path in bundle.iterdir()} == {
            "manifest.json", "model.onnx", "tokenizer.json", "selftest.jsonl", "README.md",
        }  # fmt: skip
        for path in bundle.iterdir():
            data = path.read_bytes()
            for trace in (b"site-packages", b"torch.nn", b".py", str(tiny_run).encode(), b"/tmp/"):
                assert trace not in data or (path.name == "README.md" and trace == b".py"), (path.name, trace)
        model = onnx.load(bundle / "model.onnx")
        assert not model.graph.metadata_props and not model.doc_string and not model.metadata_props
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
        assert {node.domain for node in model.graph.node} <= {"", "com.microsoft"}  # what every onnxruntime has
        assert ("", read_manifest(bundle).opset) in [(each.domain, each.version) for each in model.opset_import]


def test_int8_is_smaller_and_really_int8(tiny_bundle: Path, fp32_bundle: Path) -> None:
    kinds = {node.op_type for node in onnx.load(tiny_bundle / "model.onnx").graph.node}
    assert "MatMulIntegerToFloat" in kinds
    assert (tiny_bundle / "model.onnx").stat().st_size < (fp32_bundle / "model.onnx").stat().st_size


def test_reduced_range_keeps_pairs_of_weights_small_and_the_engine_is_told(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = export_tiny(tiny_run, tmp_path / "bundle")
    weights = [onnx.numpy_helper.to_array(each) for each in onnx.load(bundle / "model.onnx").graph.initializer]
    products = [each.astype(int) for each in weights if each.dtype == np.int8 and each.shape[0] < 1024]
    assert products and max(abs(each).max() for each in products) > 64
    for each in products:
        pairs = each.reshape(-1, 2, each.shape[1])
        assert max(np.maximum(pairs, 0).sum(1).max(), np.maximum(-pairs, 0).sum(1).max()) <= 128
    told: list[bool] = []
    plain = session.open_session

    def spied(model: bytes, **options: bool) -> object:
        told.append(options["small_pairs"])
        return plain(model, **options)

    monkeypatch.setattr(session, "open_session", spied)
    Student.load(bundle)
    Student.load(export_tiny(tiny_run, tmp_path / "whole", reduce_range=False))
    assert told[0] is True and told[-1] is False


def test_a_graph_that_computes_something_else_is_refused(tiny_run: Path, fp32_bundle: Path) -> None:
    model, graph = load_student(tiny_run).model, onnx.load(fp32_bundle / "model.onnx")
    assert check_graph(model, graph.SerializeToString(), 2) < 1e-4
    with pytest.raises(CheckFailed, match=r"away from PyTorch's at shape \d+x\d+"):
        check_graph(model, quantised(graph).SerializeToString(), 2)


def test_a_drop_in_f1_fails_the_gate_says_by_how_much_and_leaves_nothing(
    tiny_run: Path, fp32_bundle: Path, tmp_path: Path
) -> None:
    outside, inside = load_student(tiny_run), Student.load(fp32_bundle)
    gold = list(read_jsonl(tiny_run / "gold.jsonl"))
    verdict, _ = compare(outside, Contrary(inside), gold)
    assert verdict.drop > 0.1
    with pytest.raises(CheckFailed, match=r"fell from 1\.0000 in PyTorch to 0\.\d+, by 0\.\d+"):
        check_f1(verdict, 0.003)
    check_f1(verdict, verdict.drop + 0.001)
    broken = tmp_path / "broken"
    with pytest.raises(InputError):
        export_tiny(tiny_run, broken, verify=(tmp_path / "nothing.jsonl",))
    assert not broken.exists() and not list(tmp_path.glob(".broken*"))


class Contrary(Student):
    """A student that turns every second word's logits round."""

    def __init__(self, other: Student) -> None:
        super().__init__(other.manifest, other.encoder, other._session, 1)

    def read(self, documents: Iterable[Document]) -> Iterator[tuple[Document, Reading]]:
        for document, reading in super().read(documents):
            odd = np.arange(len(reading.logits))[:, None] % 2
            yield document, Reading(reading.encoded, np.where(odd, -reading.logits, reading.logits))


def test_three_entities_more_or_less_say_nothing(tiny_run: Path, tiny_bundle: Path) -> None:
    outside, inside = load_student(tiny_run), Student.load(tiny_bundle)
    gold = list(read_jsonl(tiny_run / "gold.jsonl"))
    verdict, together = compare(outside, inside, gold)
    counts = verdict.torch.total
    assert verdict.allowed_by_count == pytest.approx(6 / (counts.predicted + counts.gold))
    assert check_company(inside, gold, together) == 0
    with pytest.raises(CheckFailed, match="among other texts"):
        check_company(inside, gold, [-each for each in together])


def test_without_verify_the_runs_dev_file_is_used_and_named(tiny_run: Path, tmp_path: Path) -> None:
    dev = tmp_path / "chosen-on.jsonl"
    dev.write_bytes((tiny_run / "gold.jsonl").read_bytes())
    known = {"path": str(dev), "sha256": hashlib.sha256(dev.read_bytes()).hexdigest()}
    config = {"options": {"dev": str(dev), "seed": 1}, "data": {"dev": [known], "gold": [], "distilled": []}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    proof = evidence(tmp_path, (), ("LOC", "ORG"), "")
    assert len(proof.documents) == len(SENTENCES)
    assert proof.data["verified_on"] == [{"name": "chosen-on.jsonl", "sha256": known["sha256"]}]
    dev.write_text("", encoding="utf-8")
    with pytest.raises(CallError, match="gone from there or has changed since"):
        evidence(tmp_path, (), ("LOC", "ORG"), "")


def test_dev_named_from_another_folder_is_found_from_there(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (tiny_run / "gold.jsonl").read_bytes()
    for folder in ("project/runs/a", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project" / "dev.jsonl").write_bytes(data)
    (tmp_path / "elsewhere" / "dev.jsonl").write_text("of another project", encoding="utf-8")
    known = {"path": "dev.jsonl", "sha256": hashlib.sha256(data).hexdigest()}
    options = {"dev": "dev.jsonl", "seed": 1, "out": "runs/a"}
    config = {"options": options, "data": {"dev": [known], "gold": [], "distilled": []}}
    run = tmp_path / "project" / "runs" / "a"
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for named in (run, Path("../project/runs/a"), run / "student"):
        assert len(evidence(named, (), ("LOC", "ORG"), "").documents) == len(SENTENCES)
    (run / "config.json").write_text(json.dumps(config | {"options": options | {"out": str(run)}}), encoding="utf-8")
    with pytest.raises(CallError, match="is gone from there"):
        evidence(run, (), ("LOC", "ORG"), "")  # nobody noted from where `train` was called
    moved = run.rename(tmp_path / "elsewhere" / "b")
    with pytest.raises(CallError, match=r"dev data dev\.jsonl is gone .* changed since; give .* as --verify"):
        evidence(moved, (), ("LOC", "ORG"), "")


def test_a_share_of_gold_as_dev_is_drawn_again(tiny_run: Path, tmp_path: Path) -> None:
    gold = tiny_run / "gold.jsonl"
    known = {"path": str(gold), "sha256": hashlib.sha256(gold.read_bytes()).hexdigest()}
    config = {"options": {"dev": "0.4", "seed": 1}, "data": {"dev": [], "gold": [known], "distilled": []}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    proof = evidence(tmp_path, (), ("LOC", "ORG"), "CC0")
    assert proof.data["verified_on"][0]["share"] == 0.4 and proof.data["licence"] == "CC0"
    assert proof.documents == divided(list(read_jsonl(gold)), 0.4, 1)[1]


def test_windows_longer_than_the_model_has_positions_for_are_one_line(
    fp32_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    forged = shutil.copytree(fp32_bundle, tmp_path / "forged")
    sign(forged, replace(read_manifest(forged), max_length=200, files={}))
    student = Student.load(forged, threads=2)
    for texts in (["oslo " * 300], ["lima", "oslo " * 300, "quito"]):
        with pytest.raises(InputError, match=r"model\.onnx: cannot run a window of 200 tokens, .* max_length"):
            student.tag(texts)
    student.close()
    assert capfd.readouterr().err == ""


def test_what_export_cannot_check_it_refuses(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="--verify"):
        export_tiny(tiny_run, tmp_path / "a", verify=())
    foreign = tmp_path / "foreign.jsonl"
    write_jsonl([Document("1", "Ada Lin", (Entity(0, 7, "PER"),))], foreign)
    with pytest.raises(InputError, match="PER"):
        export_tiny(tiny_run, tmp_path / "b", verify=(foreign,))
    taken = tmp_path / "c"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(CallError, match="no bundle"):
        export(ExportOptions(run=tiny_run, out=taken))
    assert (taken / "thesis.txt").exists() and not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", ["b.zip", "b.tgz", "B.TGZ", "b.tar", "-"])
def test_a_name_that_promises_another_archive_is_refused(tiny_run: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name if name != "-" else Path(name)
    with pytest.raises(CallError, match=r"a bundle is a folder, or one file whose name ends in \.tar\.gz"):
        export(ExportOptions(run=tiny_run, out=out))


def test_where_nothing_may_be_written_is_said_before_the_work(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def refuse(path: Path, mode: int) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr("os.access", refuse)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        export(ExportOptions(run=tiny_run, out=tmp_path / "not" / "there"))
    assert asked == [tmp_path]


@pytest.mark.parametrize("name", ["bundle", "bundle.tar.gz"])
def test_what_a_killed_export_left_is_cleared_away_and_nothing_else(tiny_run: Path, tmp_path: Path, name: str) -> None:
    fcntl = pytest.importorskip("fcntl")
    code = (
        "import os, signal, sys; sys.path[:0] = ['tests']; from pathlib import Path; import students.export as e; "
        "from sealed import export_tiny; e.add_wheels = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        f"export_tiny(Path({str(tiny_run)!r}), Path({str(tmp_path / name)!r}), wheels=True)"
    )
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".{name}.export-") and (left / "tokenizer.json").stat().st_size
    held, other = tmp_path / f".{name}.export-another", tmp_path / f".{name}.mine"
    for folder in (held, other):
        shutil.copytree(left, folder)
    lock = os.open(held, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    export_tiny(tiny_run, tmp_path / name)
    os.close(lock)
    assert {path.name for path in tmp_path.iterdir()} == {name, held.name, other.name}


@pytest.mark.parametrize("name", ["bundle", "bundle.tar.gz"])
def test_a_link_stays_one_and_its_bundle_is_replaced(tiny_run: Path, tmp_path: Path, name: str) -> None:
    link, target = tmp_path / f"now-{name}", tmp_path / name
    link.symlink_to(name)
    for precision in ("int8", "fp32"):
        export_tiny(tiny_run, link, precision=precision)
        assert link.is_symlink() and read_manifest(target).precision == precision
        assert {path.name for path in tmp_path.iterdir()} == {name, link.name}


def test_an_older_bundle_stays_where_a_new_one_cannot_take_its_place(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = export_tiny(tiny_run, tmp_path / "bundle")
    before, rename = read_manifest(out), Path.rename

    def busy(path: Path, target: Path) -> Path:
        if target == out and ".export-" in path.name:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(InputError, match="bundle: cannot be written: Device or resource busy"):
        export_tiny(tiny_run, out, precision="fp32")
    assert read_manifest(out) == before and [path.name for path in tmp_path.iterdir()] == ["bundle"]
    monkeypatch.setattr("os.path.ismount", lambda path: path == out)
    with pytest.raises(CallError, match="where a disk is mounted"):
        export(ExportOptions(run=tiny_run, out=out))


def test_a_run_that_is_still_training_is_not_exported_by_mistake(tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "config.json").write_text("{}", encoding="utf-8")
    (run / "checkpoints").mkdir()
    with pytest.raises(CallError, match=r"run has not finished training; .* by its own folder, .*run/student"):
        export_tiny(run, tmp_path / "a")
    verify = (run / "gold.jsonl",)
    assert export_tiny(run / "student", tmp_path / "b", verify=verify) == tmp_path / "b"
    (run / "report.json").write_text("{}", encoding="utf-8")
    assert export_tiny(run, tmp_path / "c") == tmp_path / "c"
    assert not (tmp_path / "a").exists()


def test_the_card_says_what_a_reader_needs(tiny_bundle: Path) -> None:
    page = (tiny_bundle / "README.md").read_text(encoding="utf-8")
    assert re.search(r"Strict F1 \d\.\d{4} \(95 % interval", page)
    for words in ("| ORG |", "gold.jsonl", "selftest", "int8", "licence"):
        assert words in page


def test_selftest_agrees_where_it_was_made(tiny_bundle: Path) -> None:
    report = selftest(SelftestOptions(bundle=tiny_bundle, threads=2))
    assert report.texts >= 8 and report.words_per_second > 0
    assert "replayed texts agree" in str(report) and "words/s" in str(report)
    assert len(read_bundle(tiny_bundle, ("selftest.jsonl",))[1]["selftest.jsonl"].splitlines()) >= 8


def test_selftest_replays_hard_texts_and_a_long_one(tiny_bundle: Path) -> None:
    texts = [document.text for document in read_jsonl(tiny_bundle / "selftest.jsonl")]
    assert "" in texts and any(len(text) > 300 for text in texts)
