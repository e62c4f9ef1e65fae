"""On site: is this the student that was measured outside? Checksums, replayed texts, speed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.cores import cores, instruction_set
from distill.document import Document
from distill.errors import CheckFailed, InputError
from distill.jsonl import document_from_json, parse_line
from students.bundle import SELFTEST, Manifest, read_bundle, size_of
from students.bundle_options import SelftestOptions
from students.rehearsal import differences
from students.runtime import ENGINE, Student

_SECONDS = 1.0  # how long speed is measured


@dataclass(frozen=True)
class SelftestReport:
    """What agreed, and how fast it is here."""

    bundle: Path
    manifest: Manifest
    texts: int
    words_per_second: float
    milliseconds_a_text: float
    threads: int
    instructions: str

    def __str__(self) -> str:
        size = size_of(self.manifest) / 1e6
        return (
            f"{self.bundle}: {len(self.manifest.files)} files agree with the manifest ({size:.1f} MB, "
            f"{self.manifest.precision}), {self.texts} replayed texts agree\n"
            f"{self.words_per_second:,.0f} words/s on {self.threads} threads, {self.milliseconds_a_text:.1f} ms a text "
            f"({self.instructions}, onnxruntime {ENGINE})"
        )

    def to_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return {
            "bundle": str(self.bundle), "files": len(self.manifest.files), "bytes": size_of(self.manifest),
            "precision": self.manifest.precision, "texts": self.texts, "words_per_second": self.words_per_second,
            "milliseconds_a_text": self.milliseconds_a_text, "threads": self.threads, "instructions": self.instructions,
            "verified_on": dict(self.manifest.verified), "scores": dict(self.manifest.scores),
        }  # fmt: skip


def selftest(options: SelftestOptions) -> SelftestReport:
    """Check a bundle where it will work.

    Raises InputError for a damaged file, CheckFailed where a replayed text gets other entities or scores than when
    the bundle was made, with the likely reason.
    """
    manifest, data = read_bundle(options.bundle, (SELFTEST,))
    student = Student.load(options.bundle, options.threads or cores())
    student.thresholds.clear()  # a score at its limit is no fault
    expected = _documents(data[SELFTEST], options.bundle / SELFTEST)
    tolerance = float(manifest.tolerances.get("score", 0.0))
    found = differences(expected, student, tolerance)
    if found:
        why, shown = reason(manifest, instruction_set(), ENGINE), "\n  ".join(found[:5])
        raise CheckFailed(f"{options.bundle}: {len(found)} of {len(expected)} replayed texts differ: {why}\n  {shown}")
    speed, latency = _speed(student, [document.text for document in expected])
    return SelftestReport(options.bundle, manifest, len(expected), speed, latency, student.threads, instruction_set())


def _documents(data: bytes, path: Path) -> list[Document]:
    try:
        lines = data.decode("utf-8").removesuffix("\n").split("\n")
        found = [document_from_json(parse_line(line)) for line in lines]
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8: {error}", path=path) from None
    except InputError as error:
        raise error.at(path) from None
    for number, document in enumerate(found, 1):
        unsure = document.meta.get("uncertainty")
        if not (isinstance(unsure, dict) and type(unsure.get("margin")) in (int, float)):
            raise InputError("no text that export recorded: meta has no uncertainty's margin", path=path, line=number)
    return found


def reason(manifest: Manifest, here: str, engine: str) -> str:
    """Why the same bytes may answer otherwise with the instructions `here` and onnxruntime's version `engine`."""
    made, before = (str(manifest.verified.get(name, "?")) for name in ("instructions", "onnxruntime"))
    if made != here or before != engine:
        return f"made on {made} with onnxruntime {before}, here is {here} with {engine}; export it for here"
    return "same instructions, same onnxruntime; suspect the machine's memory or a changed installation"


def _speed(student: Student, texts: list[str]) -> tuple[float, float]:
    """Words a second over many texts at once, and milliseconds of one text alone, over the self-test's texts."""
    usual = [text for text in texts if 0 < len(text.split()) < 200] or texts
    words, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        student.tag(usual)
        words += sum(len(text.split()) for text in usual)
    speed = words / (time.perf_counter() - started)
    started = time.perf_counter()
    for text in usual:
        student.tag([text])
    return speed, 1000 * (time.perf_counter() - started) / len(usual)
