"""A sample is the same for the same seed, holds no text twice, and comes from every format."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import documents, texts

from distill.census import stats_of
from distill.corpora import read_all, read_documents
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.parquet import documents_of_rows
from distill.sample import SampleOptions, SampleReport, draw, sample
from distill.sentences import pieces, sentences


def drawn(folder: Path, corpus: list[Document], n: int, **options: object) -> tuple[list[Document], SampleReport]:
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    write_jsonl(corpus, source)
    report = sample(SampleOptions(inputs=(source,), out=out, n=n, **options))  # type: ignore[arg-type]
    return read_all(out), report


MANY = [Document(f"d{number}", f"Text number {number} of many.") for number in range(200)]


def test_the_same_seed_draws_the_same_texts_in_any_order(tmp_path: Path) -> None:
    first, report = drawn(tmp_path, MANY, 20, seed=3)
    again, _ = drawn(tmp_path, MANY[::-1], 20, seed=3)
    other, _ = drawn(tmp_path, MANY, 20, seed=4)
    assert {d.text for d in first} == {d.text for d in again} != {d.text for d in other}
    assert [d.id for d in first] == sorted((d.id for d in first), key=lambda name: int(name[1:]))
    assert (report.documents, report.drawn) == (200, 20)


def test_every_text_has_the_same_chance() -> None:
    hits = [0] * 10
    for seed in range(600):
        for _, document in draw((("f", each) for each in MANY[:10]), 3, seed, SampleReport(Path("x"))):
            hits[int(document.id[1:])] += 1
    assert all(abs(each - 180) < 60 for each in hits)  # five standard deviations of 11


def test_a_text_comes_once_however_often_it_stands(tmp_path: Path) -> None:
    twice = [Document(f"{n}", each.text.upper() if n % 2 else f" {each.text}") for n, each in enumerate(MANY[:20] * 3)]
    found, report = drawn(tmp_path, twice, 100)
    assert len(found) == len({" ".join(d.text.casefold().split()) for d in found}) == report.drawn == 20
    assert report.repeats == 40
    assert "only 20 different texts were there, 100 were asked for" in str(report)


def test_ids_stay_unique_over_several_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        texts_of = [Document("1", f"A text of {name}."), Document(name, f"Another of {name}.")]
        write_jsonl(texts_of, tmp_path / f"{name}.jsonl")
    sample(SampleOptions(inputs=(tmp_path / "a.jsonl", tmp_path / "b.jsonl"), out=tmp_path / "out.jsonl", n=9))
    assert [d.id for d in read_all(tmp_path / "out.jsonl")] == ["a/1", "a", "b/1", "b"]
    with pytest.raises(CallError, match="needs an INPUT"):
        sample(SampleOptions(out=tmp_path / "out.jsonl", n=9))


def test_sentences_carry_their_entities_and_tell_where_they_stood(tmp_path: Path) -> None:
    text = "Dr. Kari Vik met J. P. Nord in Oslo. He said: \"It is late.\" She left.\n\nBergen was far!"
    document = Document("n", text, (Entity(4, 12, "PER"), Entity(31, 35, "LOC"), Entity(60, 75, "X")))
    found, report = drawn(tmp_path, [document], 9, unit="sentence")
    assert [d.text for d in found] == [
        "Dr. Kari Vik met J. P. Nord in Oslo.", 'He said: "It is late."', "She left.", "Bergen was far!",
    ]  # fmt: skip
    assert [d.mention(e) for d in found for e in d.entities] == ["Kari Vik", "Oslo"]
    assert report.torn_entities == 1
    assert [text[d.meta["piece_of"]["start"] :].startswith(d.text) for d in found] == [True] * 4
    assert [d.text for d in drawn(tmp_path, [document], 9, unit="sentence", min_words=5)[0]] == [
        "Dr. Kari Vik met J. P. Nord in Oslo.", 'He said: "It is late."',
    ]  # fmt: skip


@given(texts)
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    spans = sentences(text)
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())
    assert all(a.end <= b.start for a, b in pairwise(spans))


@given(documents(), st.sampled_from(["sentence", "paragraph", "document"]))
def test_entities_of_pieces_are_those_of_the_document(document: Document, unit: str) -> None:
    cut = list(pieces(document, unit))
    mentions = [piece.mention(entity) for piece, _ in cut for entity in piece.entities]
    assert set(mentions) <= {document.mention(entity) for entity in document.entities}
    assert len(mentions) + sum(torn for _, torn in cut) <= len(document.entities)


def test_memory_holds_the_sample_and_not_the_corpus() -> None:
    stream = (("f", Document(f"{n}", f"passage {n} " + "x" * 1000)) for n in range(20_000))
    tracemalloc.start()
    draw(stream, 10, 0, SampleReport(Path("x")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_bbc_folders_are_read_article_by_article(tmp_path: Path) -> None:
    for name, raw in {"sport/002": "Late goal\r\n\r\nOslo won.", "business/001": "A rise of £3."}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_bytes(raw.encode("latin-1"))
    assert [(d.id, d.text, d.meta["category"]) for d in read_documents(tmp_path)] == [
        ("business/001", "A rise of £3.", "business"), ("sport/002", "Late goal\n\nOslo won.", "sport"),
    ]  # fmt: skip


def test_shards_are_streamed_one_after_the_other(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is in the extra pile")
    rows = [json.dumps({"text": f"passage {n}", "meta": {"pile_set_name": "Web"}}) + "\n" for n in range(4)]
    half = zstandard.ZstdCompressor().compress("".join(rows[:2]).encode())
    (tmp_path / "00.jsonl.zst").write_bytes(half + zstandard.ZstdCompressor().compress(rows[2].encode()))
    (tmp_path / "01.jsonl").write_text(rows[3])
    found = list(read_documents(tmp_path))
    assert [d.id for d in found] == ["00-1", "00-2", "00-3", "01-1"]
    assert found[0].meta == {"pile_set_name": "Web"}
    assert len(list(read_documents(tmp_path / "00.jsonl.zst"))) == 3
    (tmp_path / "02.jsonl.zst").write_bytes(half[:-9])
    (tmp_path / "03.jsonl.zst").write_bytes(b"no frame")
    with pytest.raises(InputError, match=r"03\.jsonl\.zst:1: broken zstandard file"):
        list(read_documents(tmp_path / "03.jsonl.zst"))
    with pytest.raises(InputError, match=r"02\.jsonl\.zst:1: broken zstandard file: it is cut off"):
        list(read_documents(tmp_path / "02.jsonl.zst"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds neither"):
        list(read_documents(tmp_path / "empty"))


def test_rows_of_columns_become_documents() -> None:
    rows = [{"tokens": ["Kari", "Vik", "left"], "ner_tags": [1, 2, 0]}, {"sentence": "Oslo.", "year": 7}]
    tagged, plain = documents_of_rows(rows, "news", ["O", "B-PER", "I-PER"])
    assert (tagged.id, tagged.text, tagged.entities) == ("news-1", "Kari Vik left", (Entity(0, 8, "PER"),))
    assert (plain.text, plain.meta) == ("Oslo.", {"year": 7})
    for row, what in (({"a": 1}, "no column of texts"), ({"tokens": ["a"], "tags": [4]}, "a number without a name"),
                      ({"tokens": ["a"], "tags": []}, "1 tokens")):  # fmt: skip
        with pytest.raises(InputError, match=what):
            list(documents_of_rows([row], "news"))


def test_parquet_files_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is in the extra pile")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": ["a"], "text": ["Oslo"], "entities": [[{"start": 0, "end": 4, "label": "LOC"}]]})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert list(read_documents(tmp_path / "x.parquet")) == [Document("a", "Oslo", (Entity(0, 4, "LOC"),))]
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(InputError, match=r"bad\.parquet: not a parquet file"):
        list(read_documents(tmp_path / "bad.parquet"))


def test_type_frequencies_are_told_in_three_bands() -> None:
    types = [0] * 91 + list(range(1, 100))
    found = [Document(f"{k}", "Oslo", (Entity(0, 4, f"type{n}"),)) for k, n in enumerate(types)]
    stats = stats_of(found)
    assert [(band.labels, band.entities) for band in stats.bands] == [(1, 91), (9, 9), (90, 90)]
    assert "top 1 %" in str(stats)
    assert "47.9%" in str(stats)
    assert "top 1 %" not in str(stats_of(found[:95]))
