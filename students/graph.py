"""The ONNX graph of a student: made tidy, without a trace of where it was built, and lean for one row at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

PRODUCER = "ner-distill"


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph under plain names: no doc strings, no metadata, no paths; the same run gives the same bytes."""
    _strip(model)
    names = {value.name: value.name for value in (*model.graph.input, *model.graph.output)}
    for number, tensor in enumerate(model.graph.initializer):
        names[tensor.name] = tensor.name = f"w{number}"
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [names[name] if name else "" for name in node.input]
        for at, name in enumerate(node.output):
            names.setdefault(name, f"n{number}_{at}" if name else "")
        node.output[:] = [names[name] for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "length"), strict=False):
            axis.dim_param = name
    return model


def _strip(model: onnx.ModelProto) -> None:
    graph = model.graph
    model.producer_name, model.producer_version, model.doc_string, model.domain = PRODUCER, "", "", ""
    graph.name, graph.doc_string = "student", ""
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:], graph.quantization_annotation[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]


def merge_projections(model: onnx.ModelProto) -> int:
    """Multiply by query, key and value weights at once: one product instead of three; returns how many were merged.

    Products of the same input by constants, each with its bias, become one product and a split. Each output column
    is computed from the same numbers as before.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    siblings: dict[str, list[int]] = defaultdict(list)
    sums = [(at, node) for at, node in enumerate(graph.node) if node.op_type == "Add" and node.input[1] in constants]
    biases = {node.input[0]: at for at, node in sums}
    for at, node in enumerate(graph.node):
        if node.op_type == "MatMul" and node.input[1] in constants and node.output[0] in biases:
            siblings[node.input[0]].append(at)
    groups = [group for group in siblings.values() if len(group) > 1]
    become: dict[int, list[onnx.NodeProto]] = {}
    for group in groups:
        adds = [biases[graph.node[at].output[0]] for at in group]
        become |= {at: [] for at in (*group, *adds)}
        become[group[0]] = _merged(graph, constants, group, adds)
    refill(graph.node, [new for at, node in enumerate(graph.node) for new in become.get(at, [node])])
    drop_unused(graph)
    return len(groups)


def _merged(
    graph: onnx.GraphProto, constants: dict[str, onnx.TensorProto], products: list[int], adds: list[int]
) -> list[onnx.NodeProto]:
    """One product, its bias and a split that do what several products and biases did."""
    weights = [numpy_helper.to_array(constants[graph.node[at].input[1]]) for at in products]
    biases = [numpy_helper.to_array(constants[graph.node[at].input[1]]) for at in adds]
    source, key = graph.node[products[0]].input[0], graph.node[products[0]].output[0]
    sizes = np.asarray([weight.shape[1] for weight in weights], np.int64)
    made = {"weight": np.concatenate(weights, axis=1), "bias": np.concatenate(biases), "sizes": sizes}
    graph.initializer.extend(numpy_helper.from_array(value, f"{key}.{name}") for name, value in made.items())
    return [
        helper.make_node("MatMul", [source, f"{key}.weight"], [f"{key}.product"]),
        helper.make_node("Add", [f"{key}.product", f"{key}.bias"], [f"{key}.sum"]),
        helper.make_node("Split", [f"{key}.sum", f"{key}.sizes"], [graph.node[at].output[0] for at in adds], axis=-1),
    ]


def drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes nobody reads, then initializers nobody reads."""
    while True:
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        kept = [node for node in graph.node if read & set(node.output)]
        if len(kept) == len(graph.node):
            break
        refill(graph.node, kept)
    refill(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read])


def refill(field: Any, kept: Sequence[Any]) -> None:
    """Give a repeated field of a graph other items, some of which may be its own."""
    copies = [type(item)() for item in kept]
    for copy, item in zip(copies, kept, strict=True):
        copy.CopyFrom(item)
    del field[:]
    field.extend(copies)
