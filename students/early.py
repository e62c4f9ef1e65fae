"""Early exits in a student's graph: words of which a middle layer is sure go no further.

At each exit a head gives every token that came so far its logits. Words whose first tag has less than the exit's
probability go on, with the tokens next to them (BEFORE, AFTER); all others stay, and the head's logits are theirs.
Those that go on look at all tokens of their text: a shortcut takes the ones that stay along, linearly. Texts of which
no word goes on are done. A word's way depends on its own text only. Ids say where words begin
(`students.encode.START`), for other pieces have no tag.
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

Weights = Mapping[int, Sequence[np.ndarray]]
"""By layer. Of a head: (width, inner), (inner,), (inner, tags), (tags,); of a shortcut: (width, width), (width,)."""

BEFORE, AFTER = 2, 2  # tokens that go on with the first piece of a word: so many before it, so many behind it


def sure(layer: int, layers: int, *, careful: bool = False) -> float:
    """The share that a word's first tag needs to stay after `layer` of `layers`: the earlier, the more.

    Chosen on dev with five students (benchmarks/LOG.md); `careful` is for those to whom it costs too much.
    """
    early, half, late = (0.98, 0.96, 0.93) if careful else (0.95, 0.9, 0.85)
    return early if 5 * layer < 2 * layers else half if 2 * layer <= layers else late


def with_exits(
    model: onnx.ModelProto, heads: Weights, shortcuts: Weights, limits: Mapping[int, float]
) -> onnx.ModelProto:
    """A student's tidy graph with exits after some layers, at `limits`; it is to be one that `can_exit`."""
    result = copied(model)
    _Ways(result.graph, limits, heads, shortcuts).put()
    return tidy(result)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with all that follows an exit in a branch, which is left out where no word goes on.

    Behind all else, as whoever rewrites nodes looks for them in one list. Operators are spared inputs without rows.
    """
    result = copied(model)
    graph = result.graph
    exits = [copied(value) for value in graph.output][1:]
    nodes = list(graph.node)
    end = max((at for at, node in enumerate(nodes) if node.op_type == "ScatterND"), default=-1) + 1
    behind = {name for node in nodes[end:] for name in node.input}
    inside = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in behind}
    outside = [tensor for tensor in graph.initializer if tensor.name in behind]
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
    refill(graph.node, [*_branched(nodes[:end], logits, exits[1:], inside), *nodes[end:]])
    refill(graph.initializer, [*inside.values(), *outside])
    return result


def _branched(
    nodes: Sequence[onnx.NodeProto], logits: onnx.ValueInfoProto, exits: Sequence[onnx.ValueInfoProto],
    constants: dict[str, onnx.TensorProto],
) -> list[onnx.NodeProto]:  # fmt: skip
    """Nodes up to their first exit, and a branch with the others; `exits` are the outputs of those behind it.

    A branch takes its own constants with it, for onnxruntime prepares weights where they lie only.
    """
    at = next((at for at, node in enumerate(nodes) if node.op_type == "Size"), None)
    if at is None:
        return list(nodes)
    before = {name for node in nodes[: at + 1] for name in node.input}
    own = {name for node in nodes[at + 1 :] for name in node.input} & constants.keys() - before
    mine = {name: constants.pop(name) for name in list(constants) if name in own}
    size, last = nodes[at].output[0], nodes[-1]
    outputs = [_named(logits, last.output[0]), *exits]
    inside = _branched(nodes[at + 1 : -1], _named(logits, last.input[2]), exits[1:], mine)
    going = helper.make_graph([*inside, last], "going", [], outputs, list(mine.values()))
    stays = [_named(value, f"{size}.{number}") for number, value in enumerate(outputs)]
    nothing = helper.make_tensor("nothing", onnx.TensorProto.FLOAT, [0], [])
    done = [helper.make_node("Identity", [last.input[0]], [stays[0].name])]
    done += [helper.make_node("Constant", [], [value.name], value=nothing) for value in stays[1:]]
    return [
        *nodes[: at + 1], helper.make_node("Cast", [size], [f"{size}.any"], to=onnx.TensorProto.BOOL),
        helper.make_node(
            "If", [f"{size}.any"], [value.name for value in outputs], then_branch=going,
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


def _asked(graph: onnx.GraphProto) -> dict[str, str]:
    """By output: for what gives heads their queries, the list of keys beside it; for what makes these queries, ""."""
    maker = {node.output[0]: node for node in graph.node}
    found: dict[str, str] = {}
    for softmax in (node for node in graph.node if node.op_type == "Softmax"):
        query, keys = (maker[name] for name in maker[softmax.input[0]].input)
        while query.op_type != "Reshape":
            query = maker[query.input[0]]
        found[query.output[0]] = maker[keys.input[0]].input[0]
        step = maker[query.input[0]]
        while step.op_type != "LayerNormalization":
            found[step.output[0]] = ""
            step = maker[step.input[0]]
    return found


class _Ways:
    """One walk over the graph: what follows an exit reads the tokens that go on, and their texts.

    Tokens stand in lists, all texts' first tokens, then all second ones. Behind an exit, `full` are the states that a
    layer begins with, of all tokens of the texts that are left; `chosen` says which go on, as indices (tokens, 1), and
    `rows` are these tokens' states. A layer makes keys and values of all, and everything else of those that go on.
    """

    def __init__(self, graph: onnx.GraphProto, limits: Mapping[int, float], heads: Weights, shortcuts: Weights) -> None:
        self.graph, self.limits, self.heads, self.shortcuts = graph, limits, heads, shortcuts
        self.nodes: list[onnx.NodeProto] = []
        self.now: dict[str, str] = {}  # what a name of the graph means for the tokens that are left
        self.full = self.rows = self.chosen = ""
        self.asked = _asked(graph)
        self.going = ""  # (length, texts): 1 where a token goes on
        self.spared = ""  # what is added to the share of each token that came so far
        shapes = [node for node in graph.node if node.op_type == "Shape" and node.input[0] == graph.input[0].name]
        self.texts, self.length = (
            next(shape.output[0] for shape in shapes if attribute(shape, "start", 0) == start) for start in (0, 1)
        )

    def put(self) -> None:
        graph = self.graph
        states = _normalised(graph)
        ends = {name: layer for layer, name in enumerate(states[::2])}
        maker = {node.output[0]: node for node in graph.node}
        logits = maker[maker[graph.output[0].name].input[0]].input[0]  # as a list, before they are turned
        self._entrance(graph.input[0].name)
        layer, looked = 0, False
        for node in list(graph.node):
            out = node.output[0]
            self._ask(node)
            self._follow(node, logits, states[2 * layer])
            looked = looked or node.op_type == "Softmax"
            if looked and node.op_type == "Reshape":  # what the tokens have seen
                looked = False
                self._leave(out, states[2 * layer])
            if out in ends:
                layer = ends[out]
                self._end(layer, out, last=out == states[-1])
            if out == logits:
                self._join(logits)
                self.now.clear()  # what turns the list back to texts is behind all exits
        refill(graph.node, self.nodes)
        for layer in self.heads:
            graph.output.append(helper.make_tensor_value_info(EXIT.format(layer), onnx.TensorProto.FLOAT, [None]))

    def _follow(self, node: onnx.NodeProto, logits: str, states: str) -> None:
        """A node of the graph as it was, on the tokens that are left; `states` are what its layer began with."""
        node = copied(node)
        asks = self.chosen and self.asked.get(node.output[0]) == ""
        node.input[:] = [self.rows if asks and name == states else self.now.get(name, name) for name in node.input]
        node.output[:] = [f"{logits}.deepest" if name == logits else name for name in node.output]
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
        self._add("Sub", ["exit.others", "exit.against"], "exit.by_text")
        self._add("Transpose", ["exit.by_text"], "exit.turned", perm=[1, 0])
        self.spared = self._listed("exit.turned", "exit.spared")
        self.now[ids] = "exit.ids"

    def _ask(self, node: onnx.NodeProto) -> None:
        """Only tokens that go on ask: their queries alone are made, and put where they stand among the keys."""
        if not self.chosen or node.output[0] not in self.asked:
            return
        keys = self.asked[node.output[0]]
        if keys:
            query = node.input[0]
            self.now[query] = self._add("ScatterND", [keys, self.chosen, query], f"{query}.placed")

    def _leave(self, seen: str, states: str) -> None:
        """Behind its look at the others a layer goes on with the tokens that do: what they saw, and their states."""
        if self.chosen:
            self.now[seen] = self._add("GatherND", [seen, self.chosen], f"{seen}.chosen")
            self.now[states] = self.rows

    def _end(self, layer: int, states: str, *, last: bool) -> None:
        """A layer's end: all tokens of the texts that are left, those that stay by the shortcut; then its exit."""
        rows, full = states, states
        if self.chosen and not last:
            full = self._taken_along(layer, rows)
        if layer in self.heads:
            full, rows = self._exit(layer, rows, full)
        self.now[states], self.rows, self.full = full, rows, full

    def _taken_along(self, layer: int, rows: str) -> str:
        """The states of all tokens after a layer that only some went through."""
        name = f"shortcut.{layer}"
        weight, bias = (self._constant(f"{name}.w{n}", each) for n, each in enumerate(self.shortcuts[layer - 1]))
        self._add("MatMul", [self.full, weight], f"{name}.product")
        self._add("Add", [f"{name}.product", bias], f"{name}.step")
        self._add("Add", [f"{name}.step", self.full], f"{name}.taken")
        return self._add("ScatterND", [f"{name}.taken", self.chosen, rows], f"{name}.full")

    def _exit(self, layer: int, rows: str, full: str) -> tuple[str, str]:
        """An exit's logits for the tokens that came to it; returns the states of the texts and tokens that go on."""
        name = f"exit.{layer}"
        self._head(layer, rows)
        own = self._who_goes(layer)
        self._add("Concat", [f"{name}.words", own], EXIT.format(layer), axis=0)
        self._add("ReduceMax", [self.going, self._constant("exit.over", np.array([0]))], f"{name}.texts", keepdims=0)
        self._add("NonZero", [f"{name}.texts"], f"{name}.found")
        self._add("Size", [f"{name}.found"], f"{name}.size")  # what follows is for `folded` to take in
        count = self._listed(f"{name}.size", f"{name}.count")
        left = self._add("Reshape", [f"{name}.found", count], f"{name}.left")
        self._add("NonZero", [own], f"{name}.places_across")
        self._add("Transpose", [f"{name}.places_across"], f"{name}.places", perm=[1, 0])
        self.spared = self._add("GatherND", [self.spared, f"{name}.places"], f"{name}.spared")
        texts = self.now.get(self.texts, self.texts)
        self._shaped(full, [self.length, texts, self._constant("exit.width", np.array([-1]))], f"{name}.by_text")
        self._add("Gather", [f"{name}.by_text", left], f"{name}.their", axis=1)
        flat = self._constant("exit.flat", np.array([-1, self.heads[layer][0].shape[0]]))
        self._add("Reshape", [f"{name}.their", flat], f"{name}.states")
        self.now[self.texts] = count
        self.going = self._add("Gather", [self.going, left], f"{name}.going", axis=1)
        self._add("NonZero", [self._listed(self.going, f"{name}.going_list")], f"{name}.chosen_across")
        self.chosen = self._add("Transpose", [f"{name}.chosen_across"], f"{name}.chosen", perm=[1, 0])
        return f"{name}.states", self._add("GatherND", [rows, f"{name}.places"], f"{name}.rows")

    def _who_goes(self, layer: int) -> str:
        """Of all tokens of the texts that are left (`going`), and of those that came so far, as a list (returned)."""
        name = f"exit.{layer}"
        limit = self._constant(f"{name}.limit", np.float32(self.limits[layer]))
        self._add("Softmax", [f"{name}.logits"], f"{name}.shares", axis=-1)
        last = self._constant("exit.last", np.array([-1]))
        self._add("ReduceMax", [f"{name}.shares", last], f"{name}.first", keepdims=0)
        self._add("Add", [f"{name}.first", self.spared], f"{name}.words")
        self._add("GreaterOrEqual", [f"{name}.words", limit], f"{name}.sure")
        self._add("Not", [f"{name}.sure"], f"{name}.unsure")
        marks = self._add("Cast", [f"{name}.unsure"], f"{name}.marks", to=onnx.TensorProto.FLOAT)
        if self.chosen:
            self._add("Mul", [f"{self.going}_list", self._constant("exit.none", np.float32(0))], f"{name}.nobody")
            marks = self._add("ScatterND", [f"{name}.nobody", self.chosen, marks], f"{name}.all_marks")
        one, texts = self._constant("exit.second", np.array([1])), self.now.get(self.texts, self.texts)
        self._shaped(marks, [one, one, self.length, texts], f"{name}.image")
        near = {"kernel_shape": [AFTER + 1 + BEFORE, 1], "pads": [AFTER, 0, BEFORE, 0]}
        self._add("MaxPool", [f"{name}.image"], f"{name}.pooled", **near)
        going = self._add("Squeeze", [f"{name}.pooled", self._constant("exit.image", np.array([0, 1]))], f"{name}.near")
        if self.chosen:
            going = self._add("Mul", [going, self.going], f"{name}.again")
        self.going = going
        own = self._listed(going, f"{name}.near_list")
        return self._add("GatherND", [own, self.chosen], f"{name}.own") if self.chosen else own

    def _join(self, logits: str) -> None:
        """The last layer's logits in the place of the heads', from the deepest exit to the first."""
        deepest, layers = f"{logits}.deepest", sorted(self.heads, reverse=True)
        for layer in layers:
            out = logits if layer == layers[-1] else f"exit.{layer}.joined"
            deepest = self._add("ScatterND", [f"exit.{layer}.logits", f"exit.{layer}.places", deepest], out)

    def _head(self, layer: int, rows: str) -> None:
        """The logits of the tokens that came so far, as a list."""
        name = f"exit.{layer}"
        inner, first, outer, second = (
            self._constant(f"{name}.w{n}", array) for n, array in enumerate(self.heads[layer])
        )
        self._add("MatMul", [rows, inner], f"{name}.a")
        self._add("Add", [f"{name}.a", first], f"{name}.b")
        self._add("Gelu", [f"{name}.b"], f"{name}.c")
        self._add("MatMul", [f"{name}.c", outer], f"{name}.d")
        self._add("Add", [f"{name}.d", second], f"{name}.logits")

    def _shaped(self, source: str, shape: list[str], out: str) -> str:
        self._add("Concat", shape, f"{out}.shape", axis=0)
        return self._add("Reshape", [source, f"{out}.shape"], out)

    def _listed(self, source: str, out: str) -> str:
        return self._add("Reshape", [source, self._constant("exit.list", np.array([-1]))], out)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: Any) -> str:
        if all(tensor.name != name for tensor in self.graph.initializer):
            self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name
