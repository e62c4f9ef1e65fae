"""The corpora that lie beside the project are read exactly, and their published figures come out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from distill.conll import read_conll, write_conll
from distill.corpora import read_all, read_gold_flat
from distill.document import Document
from distill.layout import ConllColumns
from distill.scores import score_documents

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not DATA.is_dir(), reason="the corpora do not lie beside the project (../shared/data)"),
]
# path, sentences, entities, tags repaired
FILES = [
    ("conll2003/valid.txt", 3250, 5942, 0),
    ("mit/restaurant.train.txt", 7660, 15363, 0),
    ("wnut17/wnut17train.conll", 3394, 1975, 0),
    ("wnut17/emerging.dev.conll", 1009, 836, 0),
    ("zh/weibo/weiboNER_2nd_conll.dev", 270, 389, 0),
    ("zh/weibo/weiboNER_2nd_conll.train", 1350, 1895, 10),
    ("crossner/ai/dev.txt", 350, 1549, 0),
    ("crossner/literature/train.txt", 100, 541, 0),
    ("crossner/music/dev.txt", 380, 2679, 0),
    ("crossner/politics/train.txt", 200, 1304, 0),
    ("crossner/science/dev.txt", 450, 2538, 0),
]
# the strict F1 that the corpora's own description gives each label file
TEACHERS = {
    "cot": 0.959, "standard": 0.949, "cleanconll": 0.941, "chatgpt": 0.780, "kb": 0.698, "crowd": 0.653,
    "weak": 0.631, "gpt35": 0.558, "uniner": 0.488,
}  # fmt: skip


def read(path: Path) -> tuple[list[Document], int]:
    repairs: Counter[str] = Counter()
    columns = ConllColumns(segmentation_digits="weibo" in path.parts)
    return list(read_conll(path, columns, repairs)), repairs.total()


@pytest.mark.parametrize(("name", "sentences", "entities", "repairs"), FILES)
def test_every_file_is_read_and_comes_back(
    tmp_path: Path, name: str, sentences: int, entities: int, repairs: int
) -> None:
    documents, repaired = read(DATA / name)
    assert (len(documents), repaired) == (sentences, repairs)
    assert sum(len(document.entities) for document in documents) == entities
    report = write_conll(documents, tmp_path / "again.conll", "BIOES", ids=True)
    assert (report.complete, report.losses()) == (True, [])
    assert list(read_conll(tmp_path / "again.conll")) == documents


def test_spans_are_those_published_for_the_same_sentences() -> None:
    published = read_all(DATA / "conll2003" / "dev.jsonl")
    own = {(document.text, tuple(sorted(document.entities))) for document in read(DATA / "conll2003" / "valid.txt")[0]}
    assert [d.id for d in published if (d.text, tuple(sorted(d.entities))) not in own] == []


@pytest.mark.parametrize("teacher", sorted(TEACHERS))
def test_the_published_figure_of_every_label_file_comes_out(teacher: str) -> None:
    gold = read_all(DATA / "conll1000" / "gold.jsonl")
    found = read_all(DATA / "conll1000" / f"{teacher}.jsonl")
    assert round(score_documents(gold, found).micro.f1, 3) == TEACHERS[teacher]


def test_gold_has_nothing_that_a_tagger_cannot_learn() -> None:
    assert len(read_gold_flat(DATA / "conll1000" / "gold.other1000.jsonl").documents) == 1000
