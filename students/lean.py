"""The student's graph without steps that change nothing: tokens in one flat list, attention without moving its inputs.

The tokens of a batch stand as rows (tokens, width), those at the same place of all texts together. So a head's queries
and keys are read where they lie, and whatever treats tokens one by one (products, sums, normalisation) has one matrix.
The bias of the keys goes, for it adds the same to all scores of a query; that of the values joins the output's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from students.graph import attribute, copied, drop_unused, refill

_ALONE = {"Gelu", "Relu", "Tanh", "Sigmoid", "Erf", "LayerNormalization"}  # what treats each token by itself
_TWO = {"Add", "Mul", "Sub", "Div", "Pow"}
_HEADS_FIRST, _KEYS = [0, 2, 1, 3], [0, 2, 3, 1]


class _Unknown(Exception):
    """A graph that is built otherwise; it stays as it is."""


def flatten(model: onnx.ModelProto) -> bool:
    """Rewrite the graph; False, and nothing changed, where it is not built as a BERT is."""
    try:
        nodes = _Flat(model.graph).rewritten()
    except _Unknown:
        return False
    refill(model.graph.node, nodes)
    drop_unused(model.graph)
    return True


class _Flat:
    """One walk over the graph's nodes; `flat` holds the names of values that stand as (tokens, width)."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.flat: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.made: list[onnx.TensorProto] = []
        self.replaced: dict[str, list[onnx.NodeProto]] = {}  # by the first output of the node they replace

    def rewritten(self) -> list[onnx.NodeProto]:
        for node in self.graph.node:
            if node.op_type == "Softmax":
                self._attention(node)
        ids = self.graph.input[0].name
        for name, start in (("texts", 0), ("length", 1)):
            self.nodes.append(helper.make_node("Shape", [ids], [f"flat.{name}"], start=start, end=start + 1))
        for node in self.graph.node:
            self._walk(node)
        last = self.graph.output[0].name
        if last not in self.flat:
            raise _Unknown
        self._rename(last, f"{last}.flat")
        shape = self._join(f"{last}.shape", ["flat.length", "flat.texts", self._constant("flat.rest", [-1])])
        self.nodes += [
            shape, helper.make_node("Reshape", [f"{last}.flat", f"{last}.shape"], [f"{last}.turned"]),
            helper.make_node("Transpose", [f"{last}.turned"], [last], perm=[1, 0, 2]),
        ]  # fmt: skip
        self.graph.initializer.extend(self.made)
        return self.nodes

    def _walk(self, node: onnx.NodeProto) -> None:
        if node.output[0] in self.replaced:
            self.nodes += self.replaced[node.output[0]]
            self.flat |= {name for each in self.replaced[node.output[0]] for name in each.output}
            return
        if not self.flat and node.op_type == "LayerNormalization":  # the end of the embeddings
            self.nodes += self._entrance(node)
            self.flat.add(node.output[0])
            return
        if self.flat & set(node.input):
            if not self._by_token(node):
                raise _Unknown
            self.flat.add(node.output[0])
        self.nodes.append(node)

    def _by_token(self, node: onnx.NodeProto) -> bool:
        """Does the node treat each token by itself?"""
        if node.op_type in _ALONE:
            return node.input[0] in self.flat and attribute(node, "axis", -1) == -1
        if node.op_type == "MatMul":
            return node.input[0] in self.flat and len(self._dims(node.input[1])) == 2
        plain = {name for name in node.input if name in self.constants and len(self._dims(name)) <= 1}
        return node.op_type in _TWO and self.flat | plain >= set(node.input)

    def _dims(self, name: str) -> Sequence[int]:
        return self.constants[name].dims if name in self.constants else ()

    def _entrance(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        source, width = node.input[0], self._dims(node.input[1])[0]
        inside = copied(node)
        inside.input[0] = f"{source}.flat"
        return [
            helper.make_node("Transpose", [source], [f"{source}.turned"], perm=[1, 0, 2]),
            helper.make_node(
                "Reshape", [f"{source}.turned", self._constant("flat.width", [-1, width])], [f"{source}.flat"]
            ),
            inside,
        ]

    def _attention(self, softmax: onnx.NodeProto) -> None:
        """Replace what lies between the three projections and the output's product."""
        scores, context = self._made_by(softmax.input[0], "MatMul"), self._only_reader(softmax.output[0], "MatMul")
        asked, factor = self._scaled(scores.input[0])
        query = self._split(asked, _HEADS_FIRST)
        key, value = self._split(scores.input[1], _KEYS), self._split(context.input[1], _HEADS_FIRST)
        back = self._only_reader(context.output[0], "Transpose")
        joined = self._only_reader(back.output[0], "Reshape")
        output = self._only_reader(joined.output[0], "MatMul")
        known = context.input[0] == softmax.output[0] and len(self._dims(output.input[1])) == 2
        if attribute(back, "perm", []) != _HEADS_FIRST or not known:
            raise _Unknown
        name, size = softmax.output[0], self._size_of_head(query)
        sources = [query.input[0], self._without_bias(key.input[0]), self._moved_bias(value.input[0], output)]
        heads = self._constant(f"{name}.head", [-1, size])
        width = self._constant(f"{name}.width", [-1, self._dims(output.input[1])[0]])
        made = [self._join(f"{name}.heads", ["flat.length", heads])]
        for part, source in zip("qkv", sources, strict=True):
            made.append(helper.make_node("Reshape", [source, f"{name}.heads"], [f"{name}.{part}.split"]))
            perm = [1, 2, 0] if part == "k" else [1, 0, 2]
            made.append(helper.make_node("Transpose", [f"{name}.{part}.split"], [f"{name}.{part}"], perm=perm))
        scaled = [helper.make_node("Mul", [f"{name}.q", factor], [f"{name}.asked"])] if factor else []
        asked = f"{name}.asked" if factor else f"{name}.q"
        self.replaced[joined.output[0]] = [
            *made, *scaled,
            helper.make_node("MatMul", [asked, f"{name}.k"], [softmax.input[0]]),
            helper.make_node("Softmax", [softmax.input[0]], [name], axis=-1),
            helper.make_node("MatMul", [name, f"{name}.v"], [context.output[0]]),
            helper.make_node("Transpose", [context.output[0]], [back.output[0]], perm=[1, 0, 2]),
            helper.make_node("Reshape", [back.output[0], width], [joined.output[0]]),
        ]  # fmt: skip
        for gone in (*self._between(query, key, value), scores, softmax, context, back):
            self.replaced[gone.output[0]] = []

    def _between(self, *splits: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The reshapes of query, key and value, and what reads them up to the products."""
        found: list[onnx.NodeProto] = []
        for node in splits:
            step = node
            while step.op_type != "MatMul":
                found.append(step)
                (step,) = self.readers[step.output[0]]
        return found

    def _scaled(self, name: str) -> tuple[str, str]:
        """What a product by one number was made of, and that number's name; the name itself where there is none."""
        node = self.maker.get(name)
        if node is None or node.op_type != "Mul":
            return name, ""
        if node.input[1] not in self.constants or int(np.prod(self._dims(node.input[1]))) != 1:
            raise _Unknown
        return node.input[0], node.input[1]

    def _split(self, name: str, perm: list[int]) -> onnx.NodeProto:
        """The reshape to heads behind a transposed value."""
        turned = self._made_by(name, "Transpose")
        if attribute(turned, "perm", []) != perm:
            raise _Unknown
        return self._made_by(turned.input[0], "Reshape")

    def _size_of_head(self, split: onnx.NodeProto) -> int:
        shape = self._made_by(split.input[1], "Concat").input[-1]
        if shape not in self.constants:
            raise _Unknown
        return int(numpy_helper.to_array(self.constants[shape])[-1])

    def _without_bias(self, name: str) -> str:
        node = self.maker.get(name)
        if node is None or node.op_type != "Add" or node.input[1] not in self.constants:
            return name
        return str(node.input[0])

    def _moved_bias(self, name: str, output: onnx.NodeProto) -> str:
        """The values without their bias, which becomes a part of the output's: shares of a query add up to one."""
        node, after = self.maker.get(name), self._only_reader(output.output[0], "Add")
        if node is None or self._without_bias(name) == name or after.input[1] not in self.constants:
            return name
        bias, weight, own = (
            numpy_helper.to_array(self.constants[each]).astype(np.float64)
            for each in (node.input[1], output.input[1], after.input[1])
        )
        sum_of_both = self._constant(f"{after.output[0]}.bias", own + bias @ weight, np.float32)
        moved = copied(after)
        moved.input[1] = sum_of_both
        self.replaced[after.output[0]] = [moved]
        return str(node.input[0])

    def _made_by(self, name: str, kind: str) -> onnx.NodeProto:
        node: onnx.NodeProto | None = self.maker.get(name)
        if node is None or node.op_type != kind:
            raise _Unknown
        return node

    def _only_reader(self, name: str, kind: str) -> onnx.NodeProto:
        readers = self.readers.get(name, [])
        if [reader.op_type for reader in readers] != [kind]:
            raise _Unknown
        (found,) = readers
        return found

    def _constant(self, name: str, value: Any, kind: type = np.int64) -> str:
        if name not in {tensor.name for tensor in self.made}:
            self.made.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def _join(self, name: str, parts: list[str]) -> onnx.NodeProto:
        return helper.make_node("Concat", parts, [name], axis=0)

    def _rename(self, old: str, new: str) -> None:
        for node in self.nodes:
            node.input[:] = [new if name == old else name for name in node.input]
            node.output[:] = [new if name == old else name for name in node.output]
