"""What a person carries into a closed network is what was measured outside, or it is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bundles import make_bundle, sign, word_graph
from onnx import helper, numpy_helper

from distill.errors import InputError
from students.bundle import MANIFEST, Manifest, entry, read_bundle, read_file, read_manifest
from students.runtime import Student

FILES = ("manifest.json", "model.onnx", "tokenizer.json", "selftest.jsonl", "README.md")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.3, 0.77, 1.0])
def test_a_flipped_bit_anywhere_is_refused_and_names_the_file(
    tiny_bundle: Path, tmp_path: Path, name: str, where: float
) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    data = bytearray((folder / name).read_bytes())
    data[round(where * (len(data) - 1))] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        Student.load(folder)


def test_every_bit_of_the_manifest_counts(word_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(word_bundle, tmp_path / "bundle")
    path = folder / MANIFEST
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"manifest\.json"):
            read_manifest(folder)


def _ringed(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_a_file_that_the_disk_does_not_give_is_named(word_bundle: Path) -> None:
    here = Path("/proc/self")
    manifest = replace(read_manifest(word_bundle), files={"mem": entry(b"")})
    with pytest.raises(InputError, match="mem: cannot be read: input/output error"):
        read_file(here, manifest, "mem")


def test_a_missing_a_shortened_and_a_linked_file_are_refused(word_bundle: Path, tmp_path: Path) -> None:
    changes: list[Callable[[Path], object]] = [
        Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1]), _relinked, _ringed,
    ]  # fmt: skip
    for number, change in enumerate(changes):
        folder = shutil.copytree(word_bundle, tmp_path / str(number))
        change(folder / "model.onnx")
        with pytest.raises(InputError, match=r"model\.onnx"):
            read_bundle(folder)
    folder = shutil.copytree(word_bundle, tmp_path / "linked")
    _relinked(folder / MANIFEST)
    with pytest.raises(InputError, match=r"manifest\.json: is a link"):
        read_bundle(folder)


def _relinked(path: Path) -> None:
    other = path.parent.parent / "elsewhere.onnx"
    path.rename(other)
    path.symlink_to(other)


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "/etc/passwd", "a/../../b", "C:evil", "a\\b", "", ".", "..", "a//b", ".hidden", "a/.", "x" * 300,
        "a\nb",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused_before_anything_is_read(
    word_bundle: Path, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(word_bundle, tmp_path / "bundle")
    manifest = read_manifest(folder)
    files = {**manifest.files, name: {"sha256": "0" * 64, "size": 1}}
    _write(folder, {**_row(manifest), "files": files})
    with pytest.raises(InputError, match="outside the bundle"):
        read_bundle(folder)


def _row(manifest: Manifest) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(manifest.rendered())
    return row


def _write(folder: Path, row: dict[str, Any]) -> None:
    (folder / MANIFEST).write_text(json.dumps(row), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row | {"format": 2}, "format 2"),
        (lambda row: row | {"format": None}, "format None"),
        (lambda row: row | {"extra": 1}, "extra"),
        (lambda row: {key: value for key, value in row.items() if key != "labels"}, "labels"),
        (lambda row: row | {"labels": [1]}, "kind"),
        (lambda row: row | {"labels": 5}, "damaged"),
        (lambda row: row | {"max_length": "16"}, "kind"),
        (lambda row: row | {"temperature": 0}, "kind"),
        (lambda row: row | {"temperature": 1e-300}, "kind"),
        (lambda row: row | {"tolerances": {"score": "x"}}, "kind"),
        (lambda row: row | {"thresholds": {"PERSON": 0.5}}, "kind"),
        (lambda row: row | {"labels": ["LOC", "LOC"]}, "kind"),
        (lambda row: row | {"precision": "int4"}, "kind"),
        (lambda row: row | {"verified": []}, "kind"),
        (lambda row: row | {"files": {}}, "lists no"),
        (lambda row: row | {"files": {"model.onnx": {"sha256": "x", "size": 1}}}, "sha256"),
        (lambda row: [row], "object"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_one_clear_error(
    word_bundle: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    _write(tmp_path, change(_row(read_manifest(word_bundle))))
    with pytest.raises(InputError, match=said):
        read_manifest(tmp_path)


def test_a_manifest_nested_so_deeply_that_it_is_read_and_not_written_is_refused(
    word_bundle: Path, tmp_path: Path
) -> None:
    row = json.dumps(_row(read_manifest(word_bundle)) | {"scores": {"deep": "HERE"}})
    for depth in range(700, 1000):
        (tmp_path / MANIFEST).write_text(row.replace('"HERE"', "[" * depth + "]" * depth), encoding="utf-8")
        with pytest.raises(InputError, match="damaged"):
            read_manifest(tmp_path)


def test_folders_that_are_no_bundles_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such bundle"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not a bundle"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("where", ["initializer", "constant", "branch"])
def test_a_graph_whose_weights_lie_in_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    model = onnx.load_from_string(word_graph({"oslo": 1}, 3))
    tensor, gather = model.graph.initializer.pop(), model.graph.node[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "constant":
        model.graph.node.insert(0, helper.make_node("Constant", [], ["table"], value=tensor))
    else:
        inside = helper.make_graph([gather], "inside", [], [helper.make_empty_tensor_value_info("logits")], [tensor])
        model.graph.initializer.append(helper.make_tensor("true", onnx.TensorProto.BOOL, [], [True]))
        either = helper.make_node("If", ["true"], ["logits"], then_branch=inside, else_branch=inside)
        model.graph.node[0].CopyFrom(either)
    bundle = make_bundle(tmp_path / "outside", model.SerializeToString())
    monkeypatch.chdir(tmp_path)  # where the library would find it
    with pytest.raises(InputError, match=r"model\.onnx: keeps weights in another file"):
        Student.load(bundle)


def _graph(change: Callable[[onnx.GraphProto], object]) -> bytes:
    model = onnx.load_from_string(word_graph({"oslo": 1}, 5))
    change(model.graph)
    return bytes(model.SerializeToString())


def _three_ids(graph: onnx.GraphProto) -> None:
    graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((3, 5), np.float32), "table"))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (word_graph({"oslo": 1}, 5), "need 3 tags"),
        (_graph(lambda graph: graph.output[0].type.tensor_type.ClearField("shape")), "need 3 tags"),
        (_graph(_three_ids), "cannot run a window"),
        (_graph(lambda graph: setattr(graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1)), "cannot run"),
        (_graph(lambda graph: setattr(graph.input[0].type.tensor_type, "elem_type", 6)), r"tensor\(int32\)"),
        (b"no graph", "cannot load"),
    ],
)
def test_a_graph_of_another_shape_is_refused(tmp_path: Path, model: bytes, said: str) -> None:
    with pytest.raises(InputError, match=rf"model\.onnx: .*{said}"):
        Student.load(make_bundle(tmp_path / "bundle", model))


def test_a_signed_change_is_a_new_bundle(word_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(word_bundle, tmp_path / "bundle")
    (folder / "notes.txt").write_text("by hand", encoding="utf-8")
    sign(folder, read_manifest(folder))
    assert "notes.txt" in read_bundle(folder)[0].files


@pytest.mark.parametrize(
    "values",
    [
        {"max_length": -5}, {"max_length": 0}, {"max_length": 10**29}, {"stride": -1}, {"stride": 9}, {"opset": 0},
        {"tolerances": {"score": 10**400}}, {"tolerances": {"score": float("inf")}},
    ],
)  # fmt: skip
def test_numbers_that_no_export_writes_are_one_line(word_bundle: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    forged = shutil.copytree(word_bundle, tmp_path / "forged")
    sign(forged, replace(read_manifest(forged), **values))
    with pytest.raises(InputError, match=r"manifest\.json: damaged"):
        Student.load(forged)


def test_a_tokenizer_of_no_use_is_one_line(word_bundle: Path, tmp_path: Path) -> None:
    forged = shutil.copytree(word_bundle, tmp_path / "forged")
    tokenizer = json.loads((forged / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] = {}
    (forged / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    sign(forged, read_manifest(forged))
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer file"):
        Student.load(forged)
