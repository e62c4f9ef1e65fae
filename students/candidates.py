"""The graphs that a bundle could have, the fastest first: with early exits, with more careful ones, and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import onnx

from distill.errors import CallError
from students import early
from students.bundle_options import ExportOptions
from students.exits import arrays, layers_of, read_exits
from students.model import Student, student_folder
from students.quantise import quantised


class Candidate(NamedTuple):
    """A graph, and its early exits' limits by layer as the manifest has them."""

    graph: onnx.ModelProto
    exits: dict[str, float]


def candidates(graph: onnx.ModelProto, student: Student, options: ExportOptions) -> Iterator[Candidate]:
    """From a student's fp32 graph; early exits are given up last, and not at all where one asked for them.

    CallError where one asked and there are none.
    """
    wanted = options.precision == "int8" if options.early_exit is None else options.early_exit
    layers = layers_of(student)
    exits = read_exits(student_folder(options.run), student) if wanted and early.can_exit(graph, layers) else None
    if exits is not None and exits.heads:
        for careful in (False, True):
            limits = {layer: early.sure(layer, layers, careful=careful) for layer in exits.heads}
            made = early.with_exits(graph, *arrays(exits), limits)
            yield Candidate(early.folded(_sized(made, options)), {str(layer): each for layer, each in limits.items()})
    if options.early_exit:
        if exits is None or not exits.heads:
            message = "has no early exits: those are of BERT's build, with two layers or more, and `train` writes them"
            raise CallError(f"--early-exit: {options.run} {message}; leave it out")
        return
    yield Candidate(_sized(graph, options), {})


def _sized(graph: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    return quantised(graph, options.reduce_range) if options.precision == "int8" else graph
