"""Training a student on a blend of distilled and gold data: what `ner-distill train` calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.libraries import resolve
from students.options import TrainOptions
from students.waiting import keep_memory, wait_without_spinning

if TYPE_CHECKING:
    from students.report import TrainReport


def fit(options: TrainOptions) -> TrainReport:
    """Train a student and leave its run folder.

    The same options on the same folder go on after the last whole epoch and end, on a CPU, with the very weights of an
    uninterrupted run; a finished run only returns its report. Raises CallError for other options on a used folder.
    """
    wait_without_spinning()
    keep_memory()
    report: TrainReport = resolve("students.runner:run", "train")(options)
    return report
