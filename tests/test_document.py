"""A Document's offsets always slice its exact text, and what cannot be right cannot be built."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import documents

from distill.document import Document, Entity, Span, flat
from distill.errors import InputError
from distill.jsonl import document_from_json, document_to_json, dump_line, parse_line, read_jsonl, write_jsonl


@given(documents())
def test_a_document_comes_back_from_its_line(document: Document) -> None:
    line = dump_line(document_to_json(document))
    assert "\n" not in line
    back = document_from_json(parse_line(line))
    assert back == document
    assert [(e.score, e.fragments) for e in back.entities] == [(e.score, e.fragments) for e in document.entities]
    assert [back.mention(e) for e in back.entities] == [document.mention(e) for e in document.entities]


@given(st.text(st.characters()), st.booleans())
def test_lone_surrogates_survive_a_file(tmp_path_factory: pytest.TempPathFactory, text: str, escaped: bool) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    document = Document("a", text, (Entity(0, len(text), "X"),) if text else ())
    write_jsonl([document], path)
    if escaped:
        path.write_text(json.dumps(json.loads(path.read_text("utf-8"))) + "\n", encoding="utf-8")
    (found,) = read_jsonl(path)
    assert found == document
    assert not found.entities or found.mention(found.entities[0]) == text


def test_the_short_form_and_foreign_keys_are_read() -> None:
    row = {"text": "Oslo", "entities": [[0, 4, "LOC"]], "split": "dev", "meta": {"teacher": "t"}}
    document = document_from_json(row, "fallback")
    assert document == Document("fallback", "Oslo", (Entity(0, 4, "LOC"),), {"split": "dev", "teacher": "t"})
    others: dict[str, Any] = {"relations": [[0, 1, "near"]], "labels": ["travel"]}
    assert document_from_json(row | others).meta == {"split": "dev", "teacher": "t", **others}


def test_a_document_without_an_id_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('\n{"text": "Oslo"}\n{"text": "Bern", "id": 7}\n')
    assert [document.id for document in read_jsonl(tmp_path / "notes.jsonl")] == ["notes-2", "7"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"entities": []}, 'needs a string "text"'),
        ({"text": 1}, 'needs a string "text"'),
        ({"text": "Oslo", "entities": {}}, '"entities" is a list'),
        ({"text": "Oslo", "label": [[0, 4, "LOC"]]}, '"label" holds what seem to be entities; here they are in'),
        ({"text": "Oslo", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}, '"spans" holds what seem to be entities'),
        ({"text": "Oslo", "label": {"city": {"Oslo": [[0, 3]]}}}, '"label" holds what seem to be entities'),
        ({"text": "Oslo", "page": 1, "meta": {"page": 2}}, '"page" stands beside "meta" and in it, with two values'),
        ({"text": "Oslo", "meta": []}, '"meta" an object'),
        ({"text": "Oslo", "id": ["a"]}, '"id" is a string'),
        ({"text": "Oslo", "entities": ["Oslo"]}, "an entity is an object or"),
        ({"text": "Oslo", "entities": [[0, 4]]}, "an entity is an object or"),
        ({"text": "Oslo", "entities": [[0, 4.0, "LOC"]]}, "integers start and end"),
        ({"text": "Oslo", "entities": [[False, 4, "LOC"]]}, "integers start and end"),
        ({"text": "Oslo", "entities": [[0, 4, None]]}, "string label"),
        ({"text": "Oslo", "entities": [[2, 2, "LOC"]]}, "empty or negative"),
        ({"text": "Oslo", "entities": [[-1, 2, "LOC"]]}, "empty or negative"),
        ({"text": "Oslo", "entities": [[0, 4, ""]]}, "empty label"),
        ({"text": "Oslo", "entities": [[0, 5, "LOC"]]}, "ends outside the text of 4 characters"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "lable": 1}]}, "unknown key 'lable'"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "score": 2}]}, "scores lie in"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "score": "1"}]}, "score is a number"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "score": float("nan")}]}, "NaN is no"),
        ({"text": "Oslo", "meta": {"weight": float("-inf")}}, "-Infinity is no JSON number"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "how": 1}]}, "how is a string"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "fragments": [[0, 1]]}]}, "span it"),
        ({"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "fragments": [0, 4]}]}, "are a list of"),
        (
            {"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC", "fragments": [[2, 4], [0, 1]]}]},
            "ordered, apart and span it",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n' + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        list(read_jsonl(tmp_path / "a.jsonl"))
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}:2: ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "Oslo", "text": "Bergen"}', "the key 'text' stands twice in one object"),
        ('{"text": "", "entities": [{"start": 0, "start": 1}]}', "the key 'start' stands twice"),
        ('[{"text": "Oslo"}]', "found list; a JSON array is no JSONL"),
        ("[", "a JSON array is no JSONL: write an object a line"),
        ('{"text": "", "n": ' + "9" * 5000 + "}", "not a JSON object: a number of 5000 digits$"),
        ('{"text": "", "n": ' + "[" * 100000, "not a JSON object: nested too deeply$"),
    ],
)
def test_a_line_that_is_no_row_says_why(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_line(line)


def test_what_only_looks_like_places_elsewhere_travels_in_the_meta() -> None:
    beside: dict[str, Any] = {"page": 2, "meta": {"page": 2}}
    rows: list[dict[str, Any]] = [{"label": {"topic": "sport"}}, {"labels": {"a": {"b": 1}}}, {"label": {}}, beside]
    for extra in rows:
        assert document_from_json({"text": "Oslo", **extra}).meta


@given(st.text())
def test_a_line_of_anything_is_an_object_or_an_input_error(line: str) -> None:
    with suppress(InputError):
        document_from_json(parse_line(line))


def test_a_number_json_does_not_have_is_neither_read_nor_written() -> None:
    with pytest.raises(InputError, match="line 3: not a JSON object: 1e999 is no JSON number"):
        parse_line('{"weight": 1e999}', number=3)
    with pytest.raises(InputError, match="cannot be written as JSON"):
        dump_line({"weight": float("inf")})
    assert parse_line('{"weight": 1.5e3}') == {"weight": 1500.0}


def test_a_deeply_nested_line_is_an_input_error() -> None:
    with pytest.raises(InputError, match="not a JSON object"):
        parse_line("[" * 100_000)


@given(documents())
def test_the_flat_view_never_overlaps_and_names_all_it_dropped(document: Document) -> None:
    view = flat(document)
    kept = view.document.entities
    assert all(left.end <= right.start for left, right in pairwise(kept))
    assert not any(entity.fragments for entity in kept)
    everything = sorted([*kept, *view.dropped], key=repr)
    assert everything == sorted(document.entities, key=repr)
    longest = max((e.end - e.start for e in document.entities if not e.fragments), default=0)
    assert max((e.end - e.start for e in kept), default=0) == longest


def test_the_flat_view_prefers_the_longer_then_the_earlier_then_the_surer() -> None:
    surer, unsure = Entity(0, 4, "ORG", 0.9), Entity(0, 4, "LOC", 0.2)
    later, inner = Entity(3, 7, "PER"), Entity(0, 2, "PER")
    view = flat(Document("a", "abcdefgh", (inner, unsure, later, surer)))
    assert view.document.entities == (surer,)
    assert view.dropped == (inner, unsure, later)


def test_a_discontinuous_mention_joins_its_fragments() -> None:
    text = "fingers swelled up and hurt"
    entity = Entity(0, 27, "ADE", None, (Span(0, 7), Span(23, 27)))
    assert Document("a", text, (entity,)).mention(entity) == "fingers hurt"


@pytest.mark.parametrize("unit", ["utf8", "utf16"])
def test_offsets_that_count_something_else_are_not_read_as_code_points(unit: str) -> None:
    row = {"id": "a", "text": "\U0001f600 Oslo fell", "entities": [[3, 7, "LOC"]], "meta": {"offsets": unit}}
    with pytest.raises(InputError, match=f"offsets count {unit}; give code points"):
        document_from_json(row)
    for harmless in (row | {"entities": []}, row | {"text": "To Oslo it is"}):
        assert document_from_json(harmless).meta == {}  # what is said of it later holds for code points
    assert document_from_json(row | {"meta": {"offsets": "codepoint"}}).meta


def test_what_is_nested_too_deeply_to_be_written_everywhere_is_refused() -> None:
    for depth, sound in ((90, True), (101, False), (500, False), (950, False)):
        line = '{"text": "Oslo", "more": ' + "[" * depth + "]" * depth + "}"
        if sound:
            assert document_from_json(parse_line(line)).meta
        else:
            with pytest.raises(InputError, match="nested"):
                document_from_json(parse_line(line))


def test_files_with_byte_order_marks_may_be_put_behind_one_another(tmp_path: Path) -> None:
    row = b'\xef\xbb\xbf{"id": "a", "text": "Oslo"}\r\n'
    (tmp_path / "both.jsonl").write_bytes(row + row)
    assert [document.text for document in read_jsonl(tmp_path / "both.jsonl")] == ["Oslo", "Oslo"]
