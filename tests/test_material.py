"""Labels that training takes from its data have to fit into tags and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from students.material import read_material
from students.options import TrainOptions


def labelled(path: Path, *labels: str) -> TrainOptions:
    """A training on documents that have these labels."""
    write_jsonl([Document(f"n-{i}", "Oslo", (Entity(0, 4, label),)) for i, label in enumerate(labels)], path)
    return TrainOptions(gold=(path,), out=path.parent / "run")


@pytest.mark.parametrize("label", ["a\tb", "a\nb", "a\u2028b", "\ud83d", " x", "O", "-", " "])
def test_a_label_that_no_tag_can_carry_is_one_line(tmp_path: Path, label: str) -> None:
    with pytest.raises(InputError, match=r"gold\.jsonl: document 'n-1': the label .*; rename it") as caught:
        read_material(labelled(tmp_path / "gold.jsonl", "LOC", label))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("label", ["geo location", "a|b", "a/b", "地名", "x=1"])
def test_other_labels_are_nobodys_business(tmp_path: Path, label: str) -> None:
    assert label in read_material(labelled(tmp_path / "gold.jsonl", "LOC", label)).labels.ids


def test_labels_that_differ_in_case_are_joined_by_the_user(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"'loc' stands for both LOC and loc; give --labels with one as the other's"):
        read_material(labelled(tmp_path / "gold.jsonl", "LOC", "loc"))
