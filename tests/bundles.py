"""Bundles made by hand for tests: graphs so small that one knows every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny_student import PIECES, tiny_tokenizer

from students.bundle import MANIFEST, MODEL, SELFTEST, TOKENIZER, Manifest, entry


def word_graph(tags: Mapping[str, int], size: int) -> bytes:
    """A graph that gives each piece of `tags` that tag and every other one tag 0, whatever stands around it."""
    table = np.zeros((len(PIECES), size), np.float32)
    table[:, 0] = 5.0
    for piece, tag in tags.items():
        table[PIECES.index(piece)] = 0.0
        table[PIECES.index(piece), tag] = 5.0
    shape = ["batch", "length"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])], "word",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, size])],
        [numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make_bundle(folder: Path, model: bytes, labels: Sequence[str] = ("LOC",), selftest: str = "") -> Path:
    """A bundle around a graph, with windows of 16 tokens that share 4."""
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(model)
    tiny_tokenizer().save(str(folder / TOKENIZER))
    (folder / SELFTEST).write_text(selftest, encoding="utf-8")
    draft = Manifest(tuple(labels), 16, 4, "fp32", False, 20, {}, tolerances={"score": 0.001})
    return sign(folder, draft)


def sign(folder: Path, manifest: Manifest) -> Path:
    """Write the manifest of what lies in the folder."""
    files = {path.name: entry(path.read_bytes()) for path in folder.iterdir() if path.name != MANIFEST}
    (folder / MANIFEST).write_bytes(replace(manifest, files=files).rendered())
    return folder


def make_word_bundle(folder: Path) -> Path:
    """A bundle that finds the words oslo and lima, and nothing else."""
    return make_bundle(folder, word_graph({"oslo": 1, "lima": 1}, 3))
