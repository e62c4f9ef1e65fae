"""The ONNX graph of a student: made tidy, without a trace of where it was built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import onnx
import onnx.helper

Message = TypeVar("Message", bound=Any)
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
    for value in (*model.graph.input, model.graph.output[0]):
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


def drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes nobody reads, then initializers nobody reads."""
    while True:
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        kept = [node for node in graph.node if read & set(node.output)]
        if len(kept) == len(graph.node):
            break
        refill(graph.node, kept)
    refill(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read])


def copied(message: Message) -> Message:
    """A model, a node or another part of a graph once more."""
    made: Message = type(message)()
    made.CopyFrom(message)
    return made


def attribute(node: onnx.NodeProto, name: str, otherwise: Any) -> Any:
    """A node's attribute, or what it is where the node does not say."""
    return next((onnx.helper.get_attribute_value(each) for each in node.attribute if each.name == name), otherwise)


def refill(field: Any, kept: Sequence[Any]) -> None:
    """Give a repeated field of a graph other items, some of which may be its own."""
    copies = [copied(item) for item in kept]
    del field[:]
    field.extend(copies)
