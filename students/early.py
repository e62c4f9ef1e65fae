"""Early exits in a student's graph: windows of whose words a middle layer is sure go no further.

At each exit a head gives every token its logits; a window in which the head gives each word's first tag at least the
exit's probability is done. The others' rows go on, and their logits take the place of the head's in the end. A window's
way depends on its own tokens only. Ids say where words begin (`students.encode.START`), for other pieces have no tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from students.bundle import EXIT
from students.encode import START
from students.graph import attribute, copied, refill, tidy

Weights = Sequence[np.ndarray]
"""Of a head: (width, inner), (inner,), (inner, tags), (tags,)."""


def sure(layer: int, layers: int) -> float:
    """The share that each word's first tag needs after `layer` of `layers`: the earlier, the more.

    Chosen on dev with seven students, so that F1 stays where it is on average (benchmarks/LOG.md).
    """
    return 0.97 if 5 * layer < 2 * layers else 0.9 if 2 * layer <= layers else 0.85


def with_exits(model: onnx.ModelProto, heads: Mapping[int, Weights], limits: Mapping[int, float]) -> onnx.ModelProto:
    """A student's tidy graph with exits after some layers, at `limits`; it is to be one that `can_exit`."""
    result = copied(model)
    _Ways(result.graph, limits, heads).put()
    return tidy(result)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with all that follows an exit in a branch, which is left out where no window goes on.

    Behind all else, as whoever rewrites nodes looks for them in one list. Operators are spared inputs without rows.
    """
    result = copied(model)
    graph = result.graph
    logits, *exits = (copied(value) for value in graph.output)
    logits.type.tensor_type.ClearField("shape")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    refill(graph.node, _branched(list(graph.node), logits, exits[1:], constants))
    refill(graph.initializer, list(constants.values()))
    return result


def _branched(
    nodes: Sequence[onnx.NodeProto], logits: onnx.ValueInfoProto, exits: Sequence[onnx.ValueInfoProto],
    constants: dict[str, onnx.TensorProto],
) -> list[onnx.NodeProto]:  # fmt: skip
    """Nodes up to their first exit, and a branch with the others; `exits` are the outputs of those behind it.

    A branch takes its own constants with it, for onnxruntime prepares weights where they lie only.
    """
    at = next((at for at, node in enumerate(nodes) if node.op_type == "NonZero"), None)
    if at is None:
        return list(nodes)
    before = {name for node in nodes[: at + 1] for name in node.input}
    own = {name for node in nodes[at + 1 :] for name in node.input} & constants.keys() - before
    mine = {name: constants.pop(name) for name in list(constants) if name in own}
    found, last = nodes[at].output[0], nodes[-1]
    outputs = [_named(logits, last.output[0]), *exits]
    inside = _branched(nodes[at + 1 : -1], _named(logits, last.input[2]), exits[1:], mine)
    going = helper.make_graph([*inside, last], "going", [], outputs, list(mine.values()))
    stays = [_named(value, f"{found}.{number}") for number, value in enumerate(outputs)]
    nothing = helper.make_tensor("nothing", onnx.TensorProto.FLOAT, [0], [])
    done = [helper.make_node("Identity", [last.input[0]], [stays[0].name])]
    done += [helper.make_node("Constant", [], [value.name], value=nothing) for value in stays[1:]]
    return [
        *nodes[: at + 1], helper.make_node("Size", [found], [f"{found}.size"]),
        helper.make_node("Cast", [f"{found}.size"], [f"{found}.any"], to=onnx.TensorProto.BOOL),
        helper.make_node(
            "If", [f"{found}.any"], [value.name for value in outputs], then_branch=going,
            else_branch=helper.make_graph(done, "done", [], stays),
        ),
    ]  # fmt: skip


def _named(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    made = copied(value)
    made.name = name
    return made


def can_exit(model: onnx.ModelProto, layers: int) -> bool:
    """Whether a graph has the tokens of all windows in one list (`students.lean`), and each layer's end can be told."""
    last = next(node for node in model.graph.node if node.output[0] == model.graph.output[0].name)
    flat = last.op_type == "Transpose" and list(attribute(last, "perm", [])) == [1, 0, 2]
    return flat and len(_normalised(model.graph)) == 2 * layers + 1


def _normalised(graph: onnx.GraphProto) -> list[str]:
    """What a BERT normalises: the embeddings, then twice in each layer, the second time at its end."""
    return [node.output[0] for node in graph.node if node.op_type == "LayerNormalization"]


class _Ways:
    """One walk over the graph: what follows an exit reads the rows that are left."""

    def __init__(self, graph: onnx.GraphProto, limits: Mapping[int, float], heads: Mapping[int, Weights]) -> None:
        self.graph, self.limits, self.heads = graph, limits, heads
        self.nodes: list[onnx.NodeProto] = []
        self.now: dict[str, str] = {}  # what a name of the graph means for the rows that are left
        shapes = [node for node in graph.node if node.op_type == "Shape" and node.input[0] == graph.input[0].name]
        self.texts, self.length = (
            next(shape.output[0] for shape in shapes if attribute(shape, "start", 0) == start) for start in (0, 1)
        )

    def put(self) -> None:
        graph, last = self.graph, self.graph.output[0].name
        states = _normalised(graph)
        after = {states[2 * layer]: layer for layer in self.heads}
        self._entrance(graph.input[0].name)
        for node in list(graph.node):
            self._follow(node, last)
            if node.output[0] in after:
                self._exit(after[node.output[0]], node.output[0])
        deepest, layers = f"{last}.deepest", sorted(self.heads, reverse=True)
        for layer in layers:
            out = last if layer == layers[-1] else f"exit.{layer}.joined"
            self._add("ScatterND", [f"exit.{layer}.logits", f"exit.{layer}.places", deepest], out)
            deepest = out
        refill(graph.node, self.nodes)
        for layer in self.heads:
            graph.output.append(helper.make_tensor_value_info(EXIT.format(layer), onnx.TensorProto.FLOAT, [None]))

    def _follow(self, node: onnx.NodeProto, last: str) -> None:
        """A node of the graph as it was, on the rows that are left."""
        node = copied(node)
        node.input[:] = [self.now.get(name, name) for name in node.input]
        node.output[:] = [f"{last}.deepest" if name == last else name for name in node.output]
        self.nodes.append(node)

    def _entrance(self, ids: str) -> None:
        """Take the mark of words' beginnings from the ids.

        What is added to a token's share: 0 where a word begins, 1 elsewhere, -1 in rows without a mark, which so go
        all the way: whoever knows of no marks gets the whole student.
        """
        step, second = self._constant("exit.start", np.int64(START)), self._constant("exit.second", np.array([1]))
        self._add("Mod", [ids, step], "exit.ids")
        self._add("Less", [ids, step], "exit.inside")
        self._add("Cast", ["exit.inside"], "exit.others", to=onnx.TensorProto.FLOAT)
        self._add("ReduceMin", ["exit.others", second], "exit.unmarked", keepdims=1)
        self._add("Mul", ["exit.unmarked", self._constant("exit.two", np.float32(2))], "exit.against")
        self._add("Sub", ["exit.others", "exit.against"], "exit.spared")
        self.now[ids] = "exit.ids"

    def _exit(self, layer: int, states: str) -> None:
        name, width = f"exit.{layer}", self.heads[layer][0].shape[0]
        texts, length = self.now.get(self.texts, self.texts), self.length
        spared = self.now.get("exit.spared", "exit.spared")
        self._head(layer, states)
        tags = self._constant("exit.tags", np.array(self.heads[layer][3].shape))
        self._rows(f"{name}.flat", [length, texts, tags], f"{name}.turned")
        self._add("Transpose", [f"{name}.turned"], f"{name}.logits", perm=[1, 0, 2])
        self._add("Softmax", [f"{name}.logits"], f"{name}.shares", axis=-1)
        last = self._constant("exit.last", np.array([-1]))
        self._add("ReduceMax", [f"{name}.shares", last], f"{name}.first", keepdims=0)
        self._add("Add", [f"{name}.first", spared], f"{name}.words")
        self._add("ReduceMin", [f"{name}.words", last], EXIT.format(layer), keepdims=0)
        limit = self._constant(f"{name}.limit", np.float32(self.limits[layer]))
        self._add("GreaterOrEqual", [EXIT.format(layer), limit], f"{name}.done")
        self._add("Not", [f"{name}.done"], f"{name}.unsure")
        self._add("NonZero", [f"{name}.unsure"], f"{name}.found")  # what follows is for `folded` to take in
        self._add("Transpose", [f"{name}.found"], f"{name}.places", perm=[1, 0])
        self._add("Squeeze", [f"{name}.found", self._constant("exit.axis", np.array([0]))], f"{name}.left")
        self._add("Shape", [f"{name}.left"], f"{name}.texts")
        self._add("Gather", [spared, f"{name}.left"], f"{name}.spared", axis=0)
        self._rows(states, [length, texts, self._constant("exit.width", np.array([width]))], f"{name}.by_text")
        self._add("Gather", [f"{name}.by_text", f"{name}.left"], f"{name}.going", axis=1)
        flat = self._constant("exit.flat", np.array([-1, width]))
        self._add("Reshape", [f"{name}.going", flat], f"{name}.states")
        self.now |= {states: f"{name}.states", self.texts: f"{name}.texts", "exit.spared": f"{name}.spared"}

    def _head(self, layer: int, states: str) -> None:
        """The logits of all tokens, as a list."""
        name = f"exit.{layer}"
        inner, first, outer, second = (
            self._constant(f"{name}.w{n}", array) for n, array in enumerate(self.heads[layer])
        )
        self._add("MatMul", [states, inner], f"{name}.a")
        self._add("Add", [f"{name}.a", first], f"{name}.b")
        self._add("Gelu", [f"{name}.b"], f"{name}.c")
        self._add("MatMul", [f"{name}.c", outer], f"{name}.d")
        self._add("Add", [f"{name}.d", second], f"{name}.flat")

    def _rows(self, source: str, shape: list[str], out: str) -> None:
        """A list of tokens as (length, windows, width)."""
        self._add("Concat", shape, f"{out}.shape", axis=0)
        self._add("Reshape", [source, f"{out}.shape"], out)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _constant(self, name: str, value: Any) -> str:
        if all(tensor.name != name for tensor in self.graph.initializer):
            self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name
