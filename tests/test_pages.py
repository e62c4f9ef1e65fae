"""The examples in the pages are true."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from distill.conll import read_conll
from distill.conversion import ConvertOptions
from distill.jsonl import read_jsonl
from distill.labels import read_labels
from distill.options import flag_of
from distill.tags import SCHEMES

DOCS = Path(__file__).parents[1] / "docs"


def block(page: str, kind: str, folder: Path) -> Path:
    """The first fenced block of a kind, as a file."""
    found = re.search(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    (folder / f"block.{kind}").write_text(found[1], encoding="utf-8")
    return folder / f"block.{kind}"


def test_the_sessions_on_scores_give_what_they_show() -> None:
    assert doctest.testfile(str(DOCS / "scores.md"), module_relative=False).failed == 0


def test_the_documents_on_files_are_documents(tmp_path: Path) -> None:
    documents = list(read_jsonl(block("files.md", "jsonl", tmp_path)))
    assert [[d.mention(e) for e in d.entities] for d in documents] == [
        ["Mira Solberg", "Oslo"], ["Fjord Bank"], ["fingers hurt"],
    ]  # fmt: skip


def test_the_sentence_on_files_is_conll(tmp_path: Path) -> None:
    (document,) = read_conll(block("files.md", "conll", tmp_path))
    assert (document.id, document.text) == ("n-1", "Mira Solberg left Oslo .")
    assert [document.mention(e) for e in document.entities] == ["Mira Solberg", "Oslo"]


def test_the_labels_on_files_are_labels(tmp_path: Path) -> None:
    assert read_labels(block("files.md", "toml", tmp_path)).canonical("Agency") == "ORG"


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_every_scheme_is_named_on_files(scheme: str) -> None:
    assert scheme in (DOCS / "files.md").read_text(encoding="utf-8")


def test_every_flag_on_files_is_one() -> None:
    known = {flag_of(each) for each in ConvertOptions.__dataclass_fields__.values()}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", (DOCS / "files.md").read_text(encoding="utf-8")))
    assert named <= known
