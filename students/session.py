"""The bundle's graph in onnxruntime: how it is opened, and whether its rows may go through it together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill.errors import InputError
from students.bundle import EXIT, Manifest
from students.case import INITIAL, STEP
from students.encode import START
from students.engine import onnxruntime

# The operator that reads one range from all rows of a call: with it, a row's answer depends on the others'.
_RANGE_OF_ALL = b"DynamicQuantizeLinear"
# The key by which a tensor, wherever in the graph, lies in another file, looked for in the working folder.
_ELSEWHERE = b"location"
_IDS, _FLOATS = "tensor(int64)", "tensor(float)"


@dataclass(frozen=True, slots=True)
class Session:
    """A student's graph, and whether rows of equal length get the same bits together as each alone (`shared`).

    `exits` are the outputs of its early exits.
    """

    engine: onnxruntime.InferenceSession
    shared: bool
    path: Path
    exits: tuple[str, ...] = ()

    def logits(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """From ids, shape (rows, length), to logits, shape (rows, length, tags).

        Raises InputError where the graph has no place for so long a window, or for such an id.
        """
        return self._run(["logits"], ids)[0]

    def at_exits(self, ids: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float32]]:
        """What each early exit that a window came to said of the tokens that came so far; ids (1, length).

        Shape (2, tokens): how sure it was of a word's first tag, more than 1 for pieces that begin none; and 1 where
        the token went on, else 0.
        """
        return [found.reshape(2, -1) for found in self._run(list(self.exits), ids) if found.size] if self.exits else []

    def _run(self, outputs: list[str], ids: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float32]]:
        try:
            found: list[npt.NDArray[np.float32]] = self.engine.run(outputs, {"input_ids": ids})
        except Exception as error:  # noqa: BLE001 - the library's own classes, all of them Exceptions
            reason = " ".join(str(error).split())
            message = f"cannot run a window of {ids.shape[1]} tokens, which the manifest's max_length allows"
            raise InputError(f"{message}; export the bundle anew ({reason})", path=self.path) from None
        return found


def session_of(model: bytes, path: Path, manifest: Manifest) -> Session:
    """A session on a bundle's model; InputError where it cannot be loaded or is not what the manifest says."""
    if _ELSEWHERE in model:
        raise InputError("keeps weights in another file, which no checksum covers; do not trust this bundle", path=path)
    try:
        engine = open_session(model, small_pairs=manifest.reduce_range)
    except Exception as error:  # noqa: BLE001 - the library's own classes, all of them Exceptions
        reason = str(error).splitlines()[0]
        message = f"onnxruntime {onnxruntime.__version__} cannot load it (opset {manifest.opset}): {reason}"
        raise InputError(message, path=path) from None
    inputs, outputs = ({each.name: each.type for each in own} for own in (engine.get_inputs(), engine.get_outputs()))
    exits = tuple(EXIT.format(layer) for layer in sorted(manifest.exits, key=int))
    if inputs != {"input_ids": _IDS} or list(outputs.items()) != [(name, _FLOATS) for name in ("logits", *exits)]:
        raise InputError(f"has inputs {inputs} and outputs {outputs}, not those of the manifest", path=path)
    session = Session(engine, False, path, exits)
    alike = _alike(session, START if exits else 0, 2 * len(manifest.labels) + 1)
    if manifest.case:
        _check_case(engine, path)
    return replace(session, shared=alike and _RANGE_OF_ALL not in model)


def _check_case(engine: onnxruntime.InferenceSession, path: Path) -> None:
    """InputError where the graph has no place for ids that carry a case."""
    try:
        engine.run(None, {"input_ids": np.array([[2, INITIAL * STEP, 3]], np.int64)})
    except Exception:  # noqa: BLE001 - as above
        message = "does not see capitals, and the manifest says it does; export the bundle anew"
        raise InputError(message, path=path) from None


def _alike(session: Session, mark: int, tags: int) -> bool:
    """Whether this machine's sums give a few rows the same bits together as alone, as they do on all we know.

    InputError where the graph does not run, or gives something else than logits.
    """
    rows = np.array([[2, 0, 1, 4, 3], [2, 4, 4, 0, 3], [2, 1, 0, 1, 3]], np.int64) + mark
    together, *alone = (session.logits(each) for each in (rows, *rows[:, None]))
    if together.shape != (*rows.shape, tags):
        message = f"gives logits of shape {together.shape} for ids of shape {rows.shape}, and the manifest's labels"
        raise InputError(f"{message} need {tags} tags; export the bundle anew", path=session.path)
    return np.array_equal(together, np.concatenate(alone), equal_nan=True)


def open_session(model: bytes, threads: int = 1, small_pairs: bool = False) -> onnxruntime.InferenceSession:
    """A session on the model's bytes; bytes, so that it cannot reach for another file."""
    options = session_options(threads, small_pairs)
    # The fused addition and normalisation takes three times what the two take apart (docs/sealed-room.md).
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )


def session_options(threads: int = 1, small_pairs: bool = False) -> onnxruntime.SessionOptions:
    """One thread a call: calls run side by side, and the order of sums does not depend on the machine's cores.

    `small_pairs` says of an int8 graph that its pairs of products fit 16 bits (`students/quantise.py`).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # calls have many shapes, and a pattern is kept for each
    # Its arena hands one thread's memory to another, cold: two threads then do the work of 1.3 (docs/sealed-room.md).
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4  # what it calls an error it raises too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI, sums of unsigned by signed bytes saturate at 16 bits: exact products there, unless sums are small.
    options.add_session_config_entry("session.x64quantprecision", "0" if small_pairs else "1")
    return options
