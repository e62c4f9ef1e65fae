"""A tiny student, documents that it agrees with, and its export: the road into the sealed room in a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_student import make_tiny_student

SENTENCES = (
    "Mayor of Turin spoke for the company at the bank .", "Acme bought an office in Lima and left Oslo .",
    "The team of Quito visited Cairo on Monday", "Globex moved from Quito to Cairoville , said the bank",
    "Hooli and Initech met in Oslo .", "An office of Umbrella opened in Lima ; the mayor spoke .",
    "Oslo , Lima , Quito", "acmecorp left the city", "On the moving of Initech the company said nothing .",
    "The mayor met the team at the office in Turin .",
)  # fmt: skip


def make_checked_student(folder: Path) -> Path:
    """A run folder with a tiny student, and `gold.jsonl`: sentences with the entities that PyTorch finds in them."""
    from distill.document import Document
    from distill.jsonl import write_jsonl
    from students.model import load_student
    from students.predictor import predict_documents

    make_tiny_student(folder / "student")
    sentences = [Document(f"s{number}", text) for number, text in enumerate(SENTENCES)]
    write_jsonl(predict_documents(load_student(folder), sentences), folder / "gold.jsonl")
    return folder


def export_tiny(run: Path, out: Path, **options: Any) -> Path:
    """The bundle of such a run."""
    from students.bundle_options import ExportOptions
    from students.export import export

    given = {"verify": (run / "gold.jsonl",), "max_f1_drop": 1.0, **options}
    return export(ExportOptions(run=run, out=out, **given)).bundle
