"""`convert` returns what it was given or says what it could not carry; `stats` counts what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from strategies import data_sets

from distill.census import StatsOptions, stats, stats_of
from distill.conversion import ConvertOptions, convert
from distill.corpora import read_all
from distill.document import Document, Entity, Span, flat
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.words import words


@given(data_sets())
def test_nothing_is_lost_that_is_not_counted(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Document]
) -> None:
    folder = tmp_path_factory.mktemp("convert")
    write_jsonl(documents, folder / "a.jsonl")
    forth = convert(ConvertOptions(source=folder / "a.jsonl", target=folder / "b.conll", ids=True))
    back = convert(ConvertOptions(source=folder / "b.conll", target=folder / "c.jsonl"))
    found = read_all(folder / "c.jsonl")
    assert forth.given == sum(len(document.entities) for document in documents)
    assert forth.written.entities + forth.written.lost_entities == forth.given
    assert (back.given, back.complete) == (forth.written.entities, True)
    if forth.complete and not forth.written.losses():
        assert [(d.id, d.text, sorted(d.entities)) for d in found] == [
            (d.id, d.text, sorted(d.entities)) for d in documents
        ]


def test_a_conversion_tells_what_was_lost(tmp_path: Path) -> None:
    document = Document("a", "Moen Bergs", (Entity(0, 10, "ORG"), Entity(5, 10, "PER")), {"teacher": "t"})
    write_jsonl([document], tmp_path / "a.jsonl")
    report = convert(ConvertOptions(source=tmp_path / "a.jsonl", target=tmp_path / "a.conll", scheme="BMES"))
    assert (tmp_path / "a.conll").read_text() == "Moen\tB-ORG\nBergs\tE-ORG\n\n"
    assert not report.complete
    assert str(report) == (
        f"{tmp_path / 'a.conll'}: 1 documents, 1 entities; not carried: 1 entities overlap a longer one, "
        "1 documents lost their meta, 1 documents lost their id"
    )
    assert json.loads(json.dumps(report.to_json()))["lost"]["overlapping"] == 1


def test_formats_and_columns_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("Oslo0\tO\tB-LOC\tO\n")
    options = ConvertOptions(
        source=tmp_path / "a.dat", target=tmp_path / "b.dat", from_format="conll", to_format="jsonl", tag_column=2,
        segmentation_digits=True,
    )  # fmt: skip
    assert convert(options).complete
    assert read_all(tmp_path / "b.dat", "jsonl")[0].entities == (Entity(0, 4, "LOC"),)


def test_a_bad_row_stops_the_conversion_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Oslo"}\n{"text": 7}\n')
    with pytest.raises(InputError, match=r"a.jsonl:2: "):
        convert(ConvertOptions(source=tmp_path / "a.jsonl", target=tmp_path / "b.conll"))
    with pytest.raises(CallError, match=r"OUT .* is also read"):
        convert(ConvertOptions(source=tmp_path / "a.jsonl", target=tmp_path / "a.jsonl"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_the_census_counts_every_kind_of_overlap(tmp_path: Path) -> None:
    text = "Mira Solberg of Oslo"
    apart = Entity(0, 20, "PER", None, (Span(0, 4), Span(16, 20)))
    entities = (
        Entity(0, 12, "PER", 0.5), Entity(5, 12, "PER"), Entity(5, 12, "LOC"), Entity(8, 15, "ORG"),
        Entity(16, 20, "LOC"), Entity(16, 20, "LOC"),
    )  # fmt: skip
    documents = [Document("a", text, entities), Document("b", "Oslo", (apart,)[:0]), Document("a", text, (apart,))]
    write_jsonl(documents, tmp_path / "a.jsonl")
    found = stats(StatsOptions(source=tmp_path / "a.jsonl"))
    assert (found.documents, found.without_entities, found.words, found.characters) == (3, 1, 9, 44)
    assert (found.entities, found.repeated_entities, found.discontinuous, found.scored) == (7, 1, 1, 1)
    assert (found.same_span, found.nested, found.crossing) == (2, 0, 2)
    assert (found.repeated_ids, found.repeated_texts) == (1, 1)
    assert (found.longest_words, found.longest_characters, found.longest_id) == (4, 20, "a")
    assert found.labels["LOC"].entities == 3
    assert found.labels["LOC"].mentions == 2
    assert found.labels["PER"].longest == 12
    assert json.loads(json.dumps(found.to_json()))["labels"]["ORG"]["documents"] == 1
    assert "discontinuous" in str(found)


@given(data_sets())
def test_the_census_agrees_with_the_flat_view(documents: list[Document]) -> None:
    found = stats_of(documents)
    unique = [document.with_entities(dict.fromkeys(document.entities)) for document in documents]
    assert found.dropped_when_flat == sum(len(flat(document).dropped) for document in unique)
    assert found.words == sum(len(words(document.text)) for document in documents)
    assert found.entities == sum(row.entities for row in found.labels.values())
    if not (found.nested or found.crossing or found.same_span or found.discontinuous):
        assert found.dropped_when_flat == 0


def test_an_empty_data_set_has_a_census() -> None:
    assert stats_of([]).to_json()["documents"] == 0
    assert str(stats_of([])).splitlines()[2].split() == ["documents", "0"]


@pytest.mark.parametrize(("name", "why"), [("b.parquet", "parquet is read, not written"), ("b.jsonl.zst", "only read")])
def test_a_name_whose_format_cannot_be_written_is_refused(tmp_path: Path, name: str, why: str) -> None:
    write_jsonl([Document("a", "Moen")], tmp_path / "a.jsonl")
    with pytest.raises((CallError, InputError), match=why):
        convert(ConvertOptions(source=tmp_path / "a.jsonl", target=tmp_path / name))
    assert not (tmp_path / name).exists()


def test_a_json_array_is_told_to_be_one(tmp_path: Path) -> None:
    source = tmp_path / "a.json"
    for text in ('[{"id": "a", "text": "Moen"}]', '[\n  {"id": "a", "text": "Moen"}\n]'):
        source.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="one JSON array; write it as JSONL"):
            read_all(source)
