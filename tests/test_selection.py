"""Documents are graded by what their meta says, and those worth labelling next are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from curricula.selection import Selection, SelectOptions, select
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl, write_jsonl


def selected(folder: Path, documents: list[Document], by: str, **options: Any) -> tuple[list[Document], Selection]:
    write_jsonl(documents, folder / "in.jsonl")
    report = select(SelectOptions(source=folder / "in.jsonl", out=folder / "out.jsonl", by=by, **options))
    return list(read_jsonl(folder / "out.jsonl")), report


def told(**meta: Any) -> Document:
    return Document(str(meta.pop("id", "a")), "Oslo won.", (Entity(0, 4, "LOC", meta.pop("score", None)),), meta)


def test_labels_are_graded_into_tiers_and_weights(tmp_path: Path) -> None:
    documents = [told(id=n, agreement=value) for n, value in enumerate((0.95, 0.8, 0.5, 0.9))]
    found, report = selected(tmp_path, documents, "agreement")
    assert [(d.meta["tier"], d.meta["weight"]) for d in found] == [(1, 0.95), (2, 0.8), (3, 0.5), (1, 0.9)]
    assert report.tiers == {1: 2, 2: 1, 3: 1}
    assert "4 of 4 documents by agreement; tier 1: 2, tier 2: 1, tier 3: 1" in str(report)
    best, _ = selected(tmp_path, documents, "agreement", n=2, tiers=(0.92,))
    assert [(d.id, d.meta["tier"]) for d in best] == [("0", 1), ("3", 2)]
    with pytest.raises(CallError, match="fall from tier 1"):
        selected(tmp_path, documents, "agreement", tiers=(0.5, 0.9))


def test_lost_and_repaired_mentions_lower_the_quality(tmp_path: Path) -> None:
    ended = [{"exact": 2, "repaired": {"case": 1}, "lost": 1}, {"exact": 0, "repaired": {}, "lost": 0}]
    found, _ = selected(tmp_path, [told(id=n, alignment=each) for n, each in enumerate(ended)], "alignment")
    assert [d.meta["weight"] for d in found] == [0.625, 1.0]
    assert [d.meta["weight"] for d in selected(tmp_path, [told(score=0.4)], "score")[0]] == [0.4]


def test_what_the_student_is_least_sure_of_is_labelled_next(tmp_path: Path) -> None:
    values = [(0.1, 0.9), (0.9, 0.4), (0.5, 0.1)]
    documents = [told(id=n, uncertainty={"entropy": e, "margin": m}) for n, (e, m) in enumerate(values)]
    assert [d.id for d in selected(tmp_path, documents, "entropy", n=1)[0]] == ["1"]
    assert [d.id for d in selected(tmp_path, documents, "margin", n=2)[0]] == ["1", "2"]
    with pytest.raises(CallError, match="needs --n"):
        selected(tmp_path, documents, "entropy")


def test_diverse_documents_come_from_different_clusters(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="clusters need scikit-learn")
    places = numpy.array([[0.0, 0], [0.1, 0], [9, 0], [9.1, 0], [0, 9], [0, 9.1]])
    numpy.save(tmp_path / "v.npy", places)
    doubts = [0.1, 0.9, 0.2, 0.3, 0.5, 0.4]
    documents = [told(id=n, uncertainty={"entropy": e}) for n, e in enumerate(doubts)]
    spread, _ = selected(tmp_path, documents, "diversity", n=3, vectors=tmp_path / "v.npy")
    assert sorted(int(d.id) // 2 for d in spread) == [0, 1, 2]
    both, _ = selected(tmp_path, documents, "entropy", n=3, vectors=tmp_path / "v.npy")
    assert [d.id for d in both] == ["1", "3", "4"]
    with pytest.raises(CallError, match="needs --vectors"):
        selected(tmp_path, documents, "diversity", n=3)
    with pytest.raises(CallError, match=r"shape \(6, 2\)"):
        selected(tmp_path, documents[:2], "diversity", n=1, vectors=tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([["a"], ["b"]], "finite numbers"), ([[1.0], [numpy.nan]], "finite numbers"), ([[], []], "finite numbers"),
        ([[None], [{}]], "no .npy file"), (b"", "no .npy file"), (b"PK\x03\x04...", "no .npy file"),
        (None, "No such file"),
    ],
)  # fmt: skip
def test_what_holds_no_vectors_is_one_line(tmp_path: Path, values: Any, says: str) -> None:
    path = tmp_path / "v.npy"
    if isinstance(values, bytes):
        path.write_bytes(values)
    elif values is not None:
        numpy.save(path, numpy.array(values))
    with pytest.raises(CallError, match=says) as raised:
        selected(tmp_path, [told(id=n) for n in range(2)], "diversity", n=1, vectors=path)
    assert "pickle" not in str(raised.value)


def test_a_measure_that_is_not_there_is_named_with_its_document(tmp_path: Path) -> None:
    for by, what in (("agreement", "`vote`"), ("alignment", "`label`"), ("entropy", "`predict --uncertainty`")):
        with pytest.raises(InputError, match=rf"in\.jsonl: document 'a' has no .*{what}"):
            selected(tmp_path, [told()], by, n=1)
    assert not (tmp_path / "out.jsonl").exists()
