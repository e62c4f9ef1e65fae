"""rait build: every mention asked about, true negatives, examples that fit, and an account of what was lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

import cli
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from teachers.build_report import BuildReport
from teachers.building import build
from teachers.conversations import understood
from teachers.embeddings import Embedder
from teachers.fitting import TURN, estimated
from teachers.negatives import Negatives
from teachers.rait_options import RaitBuildOptions

TYPES = ("person", "company", "city", "product", "date")


def labelled(text: str, *pairs: tuple[str, str], id: str = "") -> Document:
    places = [(text.index(mention), mention, kind) for mention, kind in pairs]
    return Document(id or text[:12], text, tuple(Entity(at, at + len(m), kind) for at, m, kind in places))


DOCUMENTS = [
    labelled("Mira Solberg left Fjord Bank in Oslo.", ("Mira Solberg", "person"), ("Fjord Bank", "company")),
    labelled("Acme Ltd sells Klippa in Bergen.", ("Acme Ltd", "company"), ("Klippa", "product"), ("Bergen", "city")),
    labelled("Jon Vik came to Bergen on Monday.", ("Jon Vik", "person"), ("Bergen", "city"), ("Monday", "date")),
    labelled("Nothing is known about it."),
    labelled("Oslo is cold.", ("Oslo", "city")),
]


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    """An embedder of the simplest kind."""
    return np.array([[np.cos(len(text)), np.sin(len(text))] for text in texts], dtype=np.float32)


def made(tmp_path: Path, documents: Sequence[Document] = DOCUMENTS, **options: Any) -> list[dict[str, Any]]:
    return run(tmp_path, documents, **options)[0]


def run(
    tmp_path: Path, documents: Sequence[Document] = DOCUMENTS, **options: Any
) -> tuple[list[dict[str, Any]], BuildReport]:
    source, out = tmp_path / "open.jsonl", tmp_path / "out.jsonl"
    write_jsonl(documents, source)
    report = build(RaitBuildOptions(inputs=(source,), out=out, **options), Embedder("lengths", "lengths", lengths))
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], report


def answers(row: dict[str, Any]) -> dict[str, list[str]]:
    return {kind: json.loads(said) for kind, said in understood(row["conversations"]).answers.items()}


def test_every_mention_is_asked_about_and_negatives_are_none_of_them(tmp_path: Path) -> None:
    rows = made(tmp_path, negatives=2)
    for row, document in zip(rows, DOCUMENTS, strict=True):
        said = answers(row)
        expected = {entity.label: [document.mention(entity)] for entity in document.entities}
        assert {kind: found for kind, found in said.items() if found} == expected
        absent = [kind for kind, found in said.items() if not found]
        assert set(absent) <= set(TYPES) - set(expected) and len(absent) == len(set(absent))
        assert len(absent) == min(2 * max(1, len(expected)), 5 - len(expected))
    assert rows == made(tmp_path, negatives=2)
    assert rows != made(tmp_path, negatives=2, seed=1)


def test_a_draw_decides_for_a_passage_alone(tmp_path: Path) -> None:
    alone = {row["id"]: row for row in made(tmp_path, negatives=1)}
    turned = {row["id"]: row for row in made(tmp_path, DOCUMENTS[::-1], negatives=1)}
    assert alone == turned


def test_negatives_may_be_left_out_and_a_passage_without_questions_is_counted(tmp_path: Path) -> None:
    rows, report = run(tmp_path, negative_types="none")
    assert len(rows) == 4 and all(all(answers(row).values()) for row in rows)
    assert report.lost == Counter({"a passage that nothing is asked about": 1})


@given(st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 9), min_size=1), st.integers(0, 12), st.data())
def test_draws_never_repeat_nor_hit_what_is_barred(weights: dict[str, int], count: int, data: st.DataObject) -> None:
    barred = data.draw(st.lists(st.sampled_from("ABcdefghij")))
    found = Negatives(weights).draw(count, barred, Random(0))
    left = {kind for kind in weights if kind not in {each.lower() for each in barred}}
    assert len(found) == len(set(found)) == min(count, len(left)) and set(found) <= left


def test_frequent_types_are_drawn_as_often_as_they_occur() -> None:
    weights = {"often": 60, "seldom": 30, "rare": 10}
    random = Random(1)
    drawn = Counter(Negatives(weights).draw(1, (), random)[0] for _ in range(4000))
    even = Counter(Negatives(weights, uniform=True).draw(1, (), random)[0] for _ in range(4000))
    assert drawn["often"] / 4000 == pytest.approx(0.6, abs=0.03)
    assert even["often"] / 4000 == pytest.approx(1 / 3, abs=0.03)


def test_a_files_own_negatives_come_first(tmp_path: Path) -> None:
    rows = [
        {"doc_id": "7", "text": "Klippa is red.", "answers": {"product": '["Klippa"]', "court": "[]", "song": []}},
        {"doc_id": "8", "text": "Oslo is cold.", "answers": {"city": ["Oslo"]}},
    ]
    (tmp_path / "pile.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = build(RaitBuildOptions(inputs=(tmp_path / "pile.jsonl",), out=tmp_path / "o.jsonl", negatives=1))
    first, second = (json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines())
    assert answers(first) == {"product": ["Klippa"], "court": [], "song": []}
    assert answers(second) == {"city": ["Oslo"], "product": []}
    assert report.own_negative == 2


@pytest.mark.parametrize("by", ["nearest", "diverse", "random", "mixed"])
def test_examples_are_other_passages_and_come_from_the_pool(tmp_path: Path, by: str) -> None:
    rows, report = run(tmp_path, [*DOCUMENTS, DOCUMENTS[0]], shots_by=by, shots=2)
    assert report.pool == 4 and report.pool_left_out["a text that stood before"] == 1
    for row in rows:
        text = understood(row["conversations"]).text
        shown = row["conversations"][0]["value"]
        assert shown.startswith("Here are some examples") and shown.count("\nText: ") == 2
        assert f"Text: {text}\n" not in shown
        assert row["id"] not in row["meta"]["examples"]


def test_what_bm25_rejects_leaves_the_vanilla_template(tmp_path: Path) -> None:
    vanilla = [row["conversations"] for row in made(tmp_path)]
    rows, report = run(tmp_path, shots_by="random", filter_bm25=1e6)
    assert [row["conversations"] for row in rows] == vanilla and report.shown == Counter({0: 5})
    others = [labelled(f"Firm {n} is elsewhere.", (f"Firm {n}", "company")) for n in range(9)]
    kept = {row["id"]: row for row in made(tmp_path, [*DOCUMENTS, *others], shots_by="random", shots=13, filter_bm25=1)}
    assert kept[DOCUMENTS[4].id]["meta"]["examples"] == [DOCUMENTS[0].id]  # Oslo


def test_an_empty_pool_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"pool of examples is empty \(1 without a mention\)"):
        run(tmp_path, [DOCUMENTS[3]], shots_by="random")


def test_a_conversation_over_the_cut_off_becomes_several_and_loses_nothing(tmp_path: Path) -> None:
    whole = [answers(row) for row in made(tmp_path, negatives=2)]
    rows, report = run(tmp_path, negatives=2, cut_off=70, shots_by="random", shots=2)
    assert report.divided and report.examples_left_out
    assert all(sum(estimated(t["value"]) + TURN for t in row["conversations"]) <= 70 for row in rows)
    parts: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        parts.setdefault(row["meta"]["document"], {}).update(answers(row))
    assert list(parts.values()) == whole
    assert not report.lost


def test_a_long_passage_is_divided_and_a_mention_cut_in_two_is_counted(tmp_path: Path) -> None:
    sentences = [f"Jon Vik number {n} came to Bergen ." for n in range(30)]
    long = " ".join(sentences)
    entities = [Entity(long.index(each), long.index(each) + 7, "person") for each in sentences]
    across = Entity(long.index("number 3"), long.index("number 25"), "event")
    rows, report = run(tmp_path, [Document("long", long, (*entities, across))], chunk_tokens=60)
    texts = [understood(row["conversations"]).text for row in rows]
    assert len(rows) > 3 and all(text in long for text in texts)
    assert "".join("".join(texts).split()) == "".join(long.split())
    assert all(answers(row)["person"] == ["Jon Vik"] for row in rows)
    assert report.lost == Counter({"cut by the end of a chunk": 1})
    assert [row["meta"]["document"] for row in rows] == ["long"] * len(rows)


def test_inference_asks_about_every_type_alone_in_the_sets_order(tmp_path: Path) -> None:
    labels = '[ORG]\nname = "company"\n[PER]\nname = "person"\n[city]\n[product]\n[date]\n'
    (tmp_path / "labels.toml").write_text(labels)
    rows = made(tmp_path, DOCUMENTS[:1], alone=True, negative_types="all", labels=tmp_path / "labels.toml")
    asked = [list(answers(row)) for row in rows]
    assert asked == [["company"], ["person"], ["city"], ["product"], ["date"]]
    assert len({row["id"] for row in rows}) == 5


def test_all_types_in_one_question_and_definitions_in_their_place(tmp_path: Path) -> None:
    row = made(tmp_path, DOCUMENTS[4:], queries="all", dataset="Weather", language="en")[0]
    assert row["conversations"][-1]["value"] == '[{"Oslo": "city"}]'
    assert "Dataset: Weather\nPassage: Oslo is cold." in row["conversations"][0]["value"]
    (tmp_path / "words.json").write_text('{"city": "a place where many people live"}')
    rows, report = run(tmp_path, DOCUMENTS[1:2], definitions=tmp_path / "words.json", negative_types="none")
    assert "a place where many people live" in answers(rows[0])
    assert report.undefined == 2


def test_definitions_are_read_as_uniner_published_them(tmp_path: Path) -> None:
    published = {"city": {"named_entity": "city", "gpt_answer": '{"Definition": "a place", "Guidelines": "none"}'}}
    (tmp_path / "words.json").write_text(json.dumps(published))
    rows, _ = run(tmp_path, DOCUMENTS[1:2], definitions=tmp_path / "words.json", negative_types="none")
    assert "a place" in answers(rows[0])
    (tmp_path / "words.json").write_text('{"city": {"gpt_answer": "a place"}}')
    with pytest.raises(InputError, match="definitions are an object"):
        run(tmp_path, DOCUMENTS[1:2], definitions=tmp_path / "words.json")


def test_where_nothing_can_be_asked_all_reasons_are_told_and_no_file_is_left(tmp_path: Path) -> None:
    odd = labelled("Oslo met Bergen.", ("Oslo", "none"), ("Bergen", 'the "city"'))
    with pytest.raises(InputError, match="a type with quotes, braces or control characters 1"):
        run(tmp_path, [odd])
    assert not list(tmp_path.glob("*out*"))


def test_negative_types_that_nobody_asks_about_are_not_reported_as_asked(tmp_path: Path) -> None:
    pile = {"text": "Oslo is cold.", "answers": {"city": ["Oslo"], "river": []}}
    (tmp_path / "pile.jsonl").write_text(json.dumps(pile) + "\n")
    for negative_types, own in (("none", 0), ("frequency", 1)):
        options = RaitBuildOptions(
            inputs=(tmp_path / "pile.jsonl",), out=tmp_path / "out.jsonl", negative_types=negative_types
        )
        assert build(options).own_negative == own


def test_types_that_say_nothing_or_cannot_be_asked_are_counted(tmp_path: Path) -> None:
    odd = labelled("Oslo met Bergen and Lima.", ("Oslo", "none"), ("Bergen", 'the "city"'), ("Lima", "city"))
    rows, report = run(tmp_path, [odd], negative_types="none")
    assert answers(rows[0]) == {"city": ["Lima"]}
    assert report.lost == Counter(
        {"a type that says nothing": 1, "a type with quotes, braces or control characters": 1}
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "a", "answers": {"city": "Oslo"}}, "about 'city' is no JSON list"),
        ({"text": "a", "answers": {"city": {"Oslo": 1}}}, "about 'city' is no list of strings"),
        ({"conversations": [{"from": "human", "value": "Hi"}]}, "shows no passage"),
        ({"text": "a", "label": {"name": {"b": [[0]]}}}, '"label" is'),
        ({"text": 3, "entities": []}, "string"),
    ],
)
def test_a_row_that_cannot_be_read_names_its_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "fine", "answers": {"city": ["fine"]}}\n' + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=said) as raised:
        build(RaitBuildOptions(inputs=(path,), out=tmp_path / "o.jsonl"))
    assert str(raised.value).startswith(f"{path}:2: ")
    assert not (tmp_path / "o.jsonl").exists()


def test_types_the_set_does_not_know_are_all_in_one_error(tmp_path: Path) -> None:
    (tmp_path / "labels.toml").write_text("[city]\n")
    with pytest.raises(InputError, match=r"company \(2\), person \(2\)"):
        run(tmp_path, labels=tmp_path / "labels.toml")


def test_the_command_tells_what_it_made(tmp_path: Path) -> None:
    write_jsonl(DOCUMENTS, tmp_path / "open.jsonl")
    call = ["rait", "build", str(tmp_path / "open.jsonl"), "--out", str(tmp_path / "c.jsonl"), "--n", "3"]
    done = CliRunner().invoke(cli.app, call)
    assert done.exit_code == 0, done.output
    assert "3 conversations of 3 passages in 3 documents (en 3)" in done.output
    wrong = CliRunner().invoke(cli.app, [*call, "--negative-types", "all"])
    assert wrong.exit_code == 2


@pytest.mark.parametrize("dataset", ["two\nlines", 7, ["wnut"]])
def test_a_data_set_that_is_no_name_on_one_line_is_told_with_file_and_line(tmp_path: Path, dataset: object) -> None:
    documents = [DOCUMENTS[0], Document("b", "Oslo is cold.", DOCUMENTS[4].entities, {"dataset": dataset})]
    with pytest.raises(InputError, match=r"open\.jsonl:2: document 'b': \"dataset\" is a name on one line, not "):
        made(tmp_path, documents)
