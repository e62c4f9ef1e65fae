"""An fp32 graph made int8: products with weights of 8 bits per output channel, and tables of 8 bits per row."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from students import engine  # noqa: F401 - before onnxruntime
from students.graph import drop_unused, refill, tidy

_LEAST_ROWS = 1024  # smaller tables (positions, segments) stay as they are


def quantised(model: onnx.ModelProto, reduce_range: bool = False) -> onnx.ModelProto:
    """The graph in int8: weights per channel, activations by the range of the row at hand.

    `reduce_range` keeps weights to 7 bits, so that pairs of products fit 16 bits on CPUs without VNNI.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # after students.engine

    source = onnx.ModelProto()
    source.CopyFrom(model)
    # Otherwise it asks, through the root logger, for a pass that our graphs do not need.
    source.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        quantize_dynamic(
            source, target, op_types_to_quantize=["MatMul"], per_channel=True, reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
        result = onnx.load(target)
    quantise_tables(result)
    return tidy(result)


def quantise_tables(model: onnx.ModelProto) -> int:
    """Store large embedding tables as one byte a value and one scale a row; returns how many."""
    graph = model.graph
    matrices = [tensor for tensor in graph.initializer if len(tensor.dims) == 2]
    tables = {
        tensor.name: tensor for tensor in matrices
        if tensor.dims[0] >= _LEAST_ROWS and tensor.data_type == onnx.TensorProto.FLOAT
    }  # fmt: skip
    nodes: list[onnx.NodeProto] = []
    changed = 0
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in tables:
            nodes += _looked_up(graph, node, numpy_helper.to_array(tables[node.input[0]]))
            changed += 1
        else:
            nodes.append(node)
    refill(graph.node, nodes)
    drop_unused(graph)
    return changed


def _looked_up(graph: onnx.GraphProto, node: onnx.NodeProto, table: np.ndarray) -> list[onnx.NodeProto]:
    name, ids, out = node.input[0], node.input[1], node.output[0]
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    small = np.rint(table / scales).astype(np.int8)
    made = {f"{name}.small": small, f"{name}.scales": scales}
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in made.items())
    return [
        helper.make_node("Gather", [f"{name}.small", ids], [f"{out}.small"]),
        helper.make_node("Cast", [f"{out}.small"], [f"{out}.float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", [f"{name}.scales", ids], [f"{out}.scales"]),
        helper.make_node("Mul", [f"{out}.float", f"{out}.scales"], [out]),
    ]
