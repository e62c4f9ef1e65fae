"""An fp32 graph made int8: products with weights of 8 bits per output channel and activations of 8 bits per token.

Each token's activations are measured by their own largest value, so a token's numbers depend on its own text alone,
never on the texts it shares a batch with; the products are sums of integers, which are the same in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from students.graph import copied, drop_unused, refill, tidy

_LEAST_ROWS = 1024  # smaller tables (positions, segments) stay as they are
_LEAST_OUTPUTS = 32  # smaller products (the tags) are not worth two more steps
_BUILT_IN = "com.microsoft"  # operators that every onnxruntime has
_LEVELS = 127
_PAIR = 128  # what two neighbours of one sign may add up to: times 255 it fits 16 bits with a sign
_COARSER = 1.002  # one try to the next, where rounding goes beyond
_GELU_LEAST = 0.17  # Gelu never falls below its negative: it needs few bytes below zero,
_GELU_ZERO = 32  # so many, which leaves the others for what is above
_TINY = 1e-12  # a token of nothing but zeros
_HUGE = 1e30  # divided by this a step is zero
_OTHER_ROWS = {"Gather", "GatherND", "Reshape"}  # what gives a list of other tokens


def quantised(model: onnx.ModelProto, reduce_range: bool = False) -> onnx.ModelProto:
    """The graph in int8: weights per channel, activations by the range of the token at hand.

    `reduce_range` makes a channel's step as much coarser as it takes for pairs of products to fit 16 bits: CPUs without
    VNNI then have no need of slower products.
    """
    result = copied(model)
    graph = result.graph
    refill(graph.node, _Products(result, reduce_range).replaced())
    drop_unused(graph)
    result.opset_import.append(helper.make_opsetid(_BUILT_IN, 1))
    quantise_tables(result)
    return tidy(result)


class _Products:
    """The products by constants of one graph, and what is needed once for all of them."""

    def __init__(self, model: onnx.ModelProto, reduce_range: bool) -> None:
        graph = self.graph = model.graph
        self.reduce_range = reduce_range
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.matrices = _matrices(model)
        self.nodes: list[onnx.NodeProto] = []
        self.measured: set[str] = set()
        self.rows: dict[str, str] = {}  # the list of tokens that a value has rows for, by the first value that had

    def replaced(self) -> list[onnx.NodeProto]:
        """All nodes, with those of the large products in the place of the products."""
        self._shared(
            zero=np.uint8(128), step=np.float32(1 / _LEVELS), least=np.float32(_TINY), one=np.float32(1),
            last=np.asarray([-1], np.int64), huge=np.float32(_HUGE),
        )  # fmt: skip
        above = 255 - _GELU_ZERO
        self._shared(
            zero_of_gelu=np.uint8(_GELU_ZERO), step_of_gelu=np.float32(1 / above),
            least_of_gelu=np.float32(_GELU_LEAST * above / _GELU_ZERO),
        )  # fmt: skip
        for node in self.graph.node:
            self._count(node)
            weight = self.constants.get(node.input[1]) if node.op_type == "MatMul" else None
            if weight is not None and len(weight.dims) == 2 and weight.dims[1] >= _LEAST_OUTPUTS:
                self._product(node, numpy_helper.to_array(weight))
            elif not self._activation(node):
                self.nodes.append(node)
        return self.nodes

    def _count(self, node: onnx.NodeProto) -> None:
        """Note which list of tokens a node's value has rows for."""
        known = (self.rows[name] for name in node.input if name in self.rows)
        self.rows[node.output[0]] = node.output[0] if node.op_type in _OTHER_ROWS else next(known, "")

    def _shared(self, **values: np.ndarray | np.generic) -> None:
        self.graph.initializer.extend(
            numpy_helper.from_array(np.asarray(value), f"int8.{name}") for name, value in values.items()
        )

    def _add(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def _product(self, node: onnx.NodeProto, weight: np.ndarray) -> None:
        """Integers times integers, back to numbers by the channel's step, then by the token's."""
        source, out = node.input[0], node.output[0]
        steps = _steps(weight, self.reduce_range)
        made = {f"{out}.weight": np.rint(weight / steps).astype(np.int8), f"{out}.steps": steps}
        self.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in made.items())
        if source not in self.measured:
            self._measure(source, weight.shape[0])
        zero = f"int8.zero{self._kind(source)}"
        inputs = [f"{source}.small", f"{out}.weight", "int8.one", f"{out}.steps", zero, ""]
        self._add("MatMulIntegerToFloat", inputs, f"{out}.by_channel", _BUILT_IN)
        numbers = [f"{out}.by_channel", f"{source}.step"]
        if source in self.matrices:
            self._add("Mul", numbers, out)
            return
        self._add("Mul", numbers, f"{out}.rows")
        self._shared(**{f"{out}.outputs": np.asarray([weight.shape[1]], np.int64)})
        self._add("Concat", [f"{source}.places", f"int8.{out}.outputs"], f"{out}.shape", axis=0)
        self._add("Reshape", [f"{out}.rows", f"{out}.shape"], out)

    def _measure(self, source: str, width: int) -> None:
        """A value's tokens as bytes, each by its own step: the largest magnitude over the levels."""
        rows = source
        if source not in self.matrices:
            self._shared(**{f"{source}.rows": np.asarray([-1, width], np.int64)})
            rows = self._add("Reshape", [source, f"int8.{source}.rows"], f"{source}.rows")
            self._add("Shape", [source], f"{source}.places", start=0, end=-1)
        kind = self._kind(source)
        size = rows if kind else self._add("Abs", [rows], f"{source}.size")
        self._add("ReduceMax", [size, "int8.last"], f"{source}.largest", keepdims=1)
        self._add("Max", [f"{source}.largest", f"int8.least{kind}"], f"{source}.range")
        self._add("Mul", [f"{source}.range", f"int8.step{kind}"], f"{source}.step")
        self._add("Squeeze", [f"{source}.step", "int8.last"], f"{source}.steps")
        zeros = f"int8.zeros{kind}.{self.rows[source]}"
        if zeros not in self.measured:
            self._add("QuantizeLinear", [f"{source}.steps", "int8.huge", f"int8.zero{kind}"], zeros)
            self.measured.add(zeros)
        inputs = [rows, f"{source}.steps", zeros]
        self._add("QuantizeLinear", inputs, f"{source}.small", axis=0)
        self.measured.add(source)

    def _kind(self, source: str) -> str:
        """Gelu's values, nearly all of them above zero, have a zero of their own."""
        return "_of_gelu" if self.maker[source].op_type == "Gelu" else ""

    def _activation(self, node: onnx.NodeProto) -> bool:
        """A bias and its Gelu in one step, by tanh: its distance from the exact one is lost among 8 bits."""
        readers = self.readers.get(node.output[0], [])
        if node.op_type == "Gelu" and self._bias_before(node):
            source = self.maker[node.input[0]]
            self._add("FastGelu", [source.input[0], source.input[1]], node.output[0], _BUILT_IN)
            return True
        return len(readers) == 1 and readers[0].op_type == "Gelu" and self._bias_before(readers[0])

    def _bias_before(self, gelu: onnx.NodeProto) -> bool:
        before = self.maker.get(gelu.input[0])
        if before is None or before.op_type != "Add" or len(self.readers[before.output[0]]) != 1:
            return False
        return before.input[1] in self.constants and len(self.constants[before.input[1]].dims) == 1


def _steps(weight: np.ndarray, reduce_range: bool) -> np.ndarray:
    """The step of each channel of a weight (inputs, channels), shape (channels,).

    CPUs without VNNI add the products of inputs 2i and 2i + 1 in 16 bits (`vpmaddubsw`, unsigned by signed bytes); they
    saturate where two weights of one sign are large. Few are, so the step grows by a third and not to twice its size.
    """
    steps: np.ndarray = np.maximum(np.abs(weight).max(axis=0) / _LEVELS, np.finfo(np.float32).tiny).astype(np.float32)
    if reduce_range:
        steps = np.maximum(steps, _largest_pair(weight) / np.float32(_PAIR))
        while (beyond := _largest_pair(np.rint(weight / steps)) > _PAIR).any():
            steps[beyond] *= np.float32(_COARSER)
    return steps


def _largest_pair(weight: np.ndarray) -> np.ndarray:
    """The largest magnitude of what neighbours of one sign add up to, by channel."""
    pairs = np.pad(weight, ((0, weight.shape[0] % 2), (0, 0))).reshape(-1, 2, weight.shape[1])
    above, below = (np.maximum(signed, 0).sum(axis=1).max(axis=0) for signed in (pairs, -pairs))
    largest: np.ndarray = np.maximum(above, below)
    return largest


def _matrices(model: onnx.ModelProto) -> set[str]:
    """The names of values with two axes."""
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {value.name for value in known if len(value.type.tensor_type.shape.dim) == 2}


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
