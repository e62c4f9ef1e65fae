"""The student at work without torch: texts in, Documents out, through onnxruntime on the CPU.

Every window of text goes through the model alone and unpadded, one thread a window, as many at a time as there are
cores. So an answer depends on its own text only, never on what else is asked (docs/sealed-room.md has the figures).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from distill.cores import cores
from distill.document import Document
from distill.errors import CallError, InputError
from students.bundle import MODEL, TOKENIZER, Manifest, read_bundle
from students.decode import Floats, TagSet, entities, word_scores
from students.encode import Encoded, Encoder, Ids, Window
from students.engine import onnxruntime
from students.thresholds import kept

ENGINE = onnxruntime.__version__
_AHEAD = 64  # windows in flight for each thread: enough to keep all busy, little enough to forget


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model made of one text: its words and their logits (words, tags), at the bundle's temperature."""

    encoded: Encoded
    logits: Floats


class Student:
    """A student from a bundle. Made by `Student.load`; may be shared by threads.

    `thresholds` holds the score that a label's entities need, and may be changed.
    """

    def __init__(
        self, manifest: Manifest, encoder: Encoder, session: onnxruntime.InferenceSession, threads: int
    ) -> None:
        self.manifest, self.encoder, self.threads = manifest, encoder, threads
        self.tags = TagSet(manifest.labels)
        self.thresholds: dict[str, float] = dict(manifest.thresholds)
        self._session = session
        self._pool: ThreadPoolExecutor | None = None

    @classmethod
    def load(cls, bundle: str | Path, threads: int | None = None) -> Student:
        """The student of a bundle whose checksums all held; `threads` defaults to the cores this process may use."""
        folder = Path(bundle)
        manifest, data = read_bundle(folder, (MODEL, TOKENIZER))
        encoder = Encoder.from_bytes(data[TOKENIZER], folder / TOKENIZER, manifest.max_length, manifest.stride)
        return cls(manifest, encoder, _session(data[MODEL], folder / MODEL, manifest), threads or cores())

    def under(self, manifest: Manifest) -> Student:
        """The same model under another manifest, as export finds out the temperature."""
        return Student(manifest, self.encoder, self._session, self.threads)

    def tag(self, texts: Iterable[str]) -> list[Document]:
        """The texts as Documents with their entities and scores, in order, numbered from 1."""
        return list(self.tag_stream(texts))

    def tag_stream(self, texts: Iterable[str]) -> Iterator[Document]:
        """`tag` for endless streams: constant memory, order kept; reads some texts ahead to keep the cores busy."""
        if isinstance(texts, str | bytes):
            raise CallError("tag takes a list of texts; put a single one in brackets")
        documents = (Document(str(number), _text(text, number)) for number, text in enumerate(texts, 1))
        return (document for document, _ in self.read(documents))

    def read(self, documents: Iterable[Document]) -> Iterator[tuple[Document, Reading]]:
        """Documents with the student's entities in the place of their own, each with the scores behind them."""
        waiting: deque[tuple[Document, Encoded, list[Window], list[Future[Floats] | Floats]]] = deque()
        flying = 0
        for document in documents:
            encoded = self.encoder.encode(document.text)
            windows = self.encoder.windows(encoded)
            waiting.append((document, encoded, windows, [self._started(self.encoder.row(encoded, w)) for w in windows]))
            flying += len(windows) + 1  # a text without windows waits in line too
            while flying > self.threads * _AHEAD:
                flying -= len(waiting[0][2]) + 1
                yield self._finished(*waiting.popleft())
        while waiting:
            yield self._finished(*waiting.popleft())

    def taken_apart(self, document: Document) -> tuple[list[Callable[[], Floats]], Callable[[list[Floats]], Document]]:
        """A text as the work of its windows, for any threads in any order, and what makes a Document of the results.

        `read` does the same by itself; this is for callers that share out turns between texts (students/turns.py).
        """
        encoded = self.encoder.encode(document.text)
        windows = self.encoder.windows(encoded)
        rows = [self.encoder.row(encoded, window) for window in windows]
        work: list[Callable[[], Floats]] = [partial(self._logits, row) for row in rows]
        return work, lambda logits: self._finished(document, encoded, windows, list(logits))[0]

    def _started(self, row: Ids) -> Future[Floats] | Floats:
        if self.threads == 1:
            return self._logits(row)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "student")
        return self._pool.submit(self._logits, row)

    def _logits(self, row: Ids) -> Floats:
        """Logits of one window without those of the special tokens, shape (pieces, tags)."""
        (found,) = self._session.run(["logits"], {"input_ids": row[None].astype(np.int64)})
        encoder = self.encoder
        return np.asarray(found[0, len(encoder.prefix) : len(row) - len(encoder.suffix)], np.float32)

    def _finished(
        self, document: Document, encoded: Encoded, windows: list[Window], parts: list[Future[Floats] | Floats]
    ) -> tuple[Document, Reading]:
        logits = [part.result() if isinstance(part, Future) else part for part in parts]
        scores, temperature = word_scores(encoded, windows, logits, len(self.tags)), self.manifest.temperature
        found = kept(entities(encoded, scores, self.tags, temperature), self.thresholds)
        return replace(document, entities=found), Reading(encoded, scores / np.float32(temperature))

    def close(self) -> None:
        """Let the threads go; the next call makes new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _text(text: object, number: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"text {number} is {type(text).__name__}; tag takes strings")
    return text


def session_options(threads: int = 1) -> onnxruntime.SessionOptions:
    """One thread a row: rows run side by side, and the order of sums does not depend on the machine's cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # rows have many lengths, and a pattern is kept for each
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the model's bytes; bytes, so that it cannot reach for another file."""
    # The fused addition and normalisation takes three times what the two take apart (docs/sealed-room.md).
    return onnxruntime.InferenceSession(
        model, session_options(threads), providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )


def _session(model: bytes, path: Path, manifest: Manifest) -> onnxruntime.InferenceSession:
    try:
        session = open_session(model)
    except Exception as error:  # noqa: BLE001 - the library's own classes, all of them Exceptions
        reason = str(error).splitlines()[0]
        message = f"onnxruntime {onnxruntime.__version__} cannot load it (opset {manifest.opset}): {reason}"
        raise InputError(message, path=path) from None
    inputs, outputs = ([value.name for value in values] for values in (session.get_inputs(), session.get_outputs()))
    if inputs != ["input_ids"] or outputs != ["logits"]:
        raise InputError(f"has inputs {inputs} and outputs {outputs}, not input_ids and logits", path=path)
    if session.get_outputs()[0].shape[-1] not in (None, 2 * len(manifest.labels) + 1):
        raise InputError("gives another number of tags than the manifest has labels for", path=path)
    return session
