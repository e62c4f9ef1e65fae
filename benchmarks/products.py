"""What int8 costs and loses on the CPU at hand: products as the runtime has them, saturating ones, small pairs.

    python benchmarks/products.py RUN --texts dev.jsonl

All four graphs take turns, one window a call, one thread. Only CPUs without VNNI have products that saturate.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill.cores import instruction_set
from distill.corpora import read_all
from students.engine import onnxruntime
from students.model import load_student
from students.quantise import quantised
from students.session import open_session
from students.trace import trace

TURN = 50
"""Windows that one graph takes before the next."""
FULL = (25, 20)
"""Windows of a full call, and their tokens."""
REPEAT = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--most", type=int, default=800, help="documents")
    given = parser.parse_args()
    student = load_student(given.run, "cpu")
    texts = [student.encoder.encode(document.text) for document in read_all(given.texts)[: given.most]]
    rows = [student.encoder.row(text, window) for text in texts for window in student.encoder.windows(text)]
    windows = [np.asarray(row, np.int64)[None] for row in rows]
    graph = trace(student.model)
    int8, small = (quantised(graph, reduce_range).SerializeToString() for reduce_range in (False, True))
    sessions = {
        "fp32": open_session(graph.SerializeToString()),
        "int8, products that may saturate": open_session(int8, small_pairs=True),
        "int8, exact products (--no-reduce-range)": open_session(int8),
        "int8, small pairs (--reduce-range)": open_session(small, small_pairs=True),
    }
    found: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in sessions}
    seconds = dict.fromkeys(sessions, 0.0)
    for session in sessions.values():
        session.run(None, {"input_ids": windows[0]})
    for start in range(0, len(windows), TURN):
        for name, session in sessions.items():
            begun = time.process_time()
            found[name] += [session.run(None, {"input_ids": ids})[0][0] for ids in windows[start : start + TURN]]
            seconds[name] += time.process_time() - begun
    exact = np.concatenate(found["fp32"])
    print(f"{instruction_set()}, onnxruntime {onnxruntime.__version__}; {len(windows)} windows, {len(exact)} pieces")
    for name, logits in found.items():
        own = np.concatenate(logits)
        other, distances = int((own.argmax(1) != exact.argmax(1)).sum()), np.abs(own - exact)
        print(
            f"{name:42}{1000 * seconds[name] / len(windows):6.2f} ms  {other:4} other tags  "
            f"logits {distances.mean():.4f} away, {distances.max():.2f} at the most"
        )
    ids = np.random.default_rng(0).integers(1000, 20_000, FULL)
    print(f"calls of {FULL[0]} windows of {FULL[1]} tokens, ms a window, the best of {REPEAT}:")
    for name, session in sessions.items():
        print(f"{name:42}{1000 * min(seconds_of(session, ids) for _ in range(REPEAT)) / len(ids):6.2f}")


def seconds_of(session: onnxruntime.InferenceSession, ids: npt.NDArray[np.int64]) -> float:
    """Processor time of one call."""
    begun = time.process_time()
    session.run(None, {"input_ids": ids})
    return time.process_time() - begun


if __name__ == "__main__":
    main()
