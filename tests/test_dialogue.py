"""Dialogue: whatever the chat template, the answers and their stop tokens are learnt and nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from chat_templates import SHAPES, UNFIT
from rait_data import learnt_of, templates
from tiny_llama import make_tiny_llama, tiny_tokenizer

from distill.errors import CallError, InputError
from distill.jsonl import dump_line
from teachers.conversations import Turn, assistant_answers
from teachers.dialogue import Dialogue, Unsayable
from teachers.transcripts import messages_of
from teachers.tune_options import TuneOptions
from teachers.tuning import tune

SYSTEM: Turn = {"from": "system", "value": "Answer by a list."}


@pytest.mark.parametrize("system", [False, True], ids=["", "system"])
@pytest.mark.parametrize("name", SHAPES)
def test_the_answers_and_their_stop_tokens_are_learnt_and_nothing_else(name: str, system: bool) -> None:
    shape = SHAPES[name]
    dialogue = Dialogue(shape.tokenizer())
    assert dialogue.tokenizer.decode([dialogue.stop]) == shape.stop
    for conversation in templates().values():
        turns = [SYSTEM, *conversation] if system else conversation
        answers = assistant_answers(turns)
        if system and not shape.system:
            with pytest.raises(Unsayable, match="no system role"):
                dialogue.encode(messages_of(turns), answers)
            continue
        found = dialogue.encode(messages_of(turns), answers)
        learnt = [dialogue.tokenizer.decode(ids) for ids in learnt_of(found.labels)]
        assert [text.removesuffix(shape.stop).strip() for text in learnt] == [turns[at]["value"] for at in answers]
        assert all(text.endswith(shape.stop) for text in learnt)


@pytest.mark.parametrize("name", SHAPES)
def test_a_model_is_asked_by_the_very_tokens_that_stood_before_each_answer(name: str) -> None:
    dialogue = Dialogue(SHAPES[name].tokenizer())
    for turns in templates().values():
        messages, answers = messages_of(turns), assistant_answers(turns)
        found = dialogue.encode(messages, answers)
        starts = [at for at, (a, b) in enumerate(pairwise(found.labels), 1) if a < 0 <= b]
        assert [found.ids[:start] for start in starts] == [dialogue.prompt(messages[:at]) for at in answers]


@pytest.mark.parametrize("name", UNFIT)
def test_a_template_that_cannot_be_learnt_from_is_one_line_before_training(name: str, tmp_path: Path) -> None:
    template, said = UNFIT[name]
    with pytest.raises(InputError, match=said) as caught:
        Dialogue(tiny_tokenizer(template), source="llama")
    assert str(caught.value).startswith("llama: ") and "--template plain" in str(caught.value)
    Dialogue(tiny_tokenizer(template), "plain")


def test_where_every_conversation_is_refused_the_first_reason_is_told(tmp_path: Path) -> None:
    base = make_tiny_llama(tmp_path / "base")
    SHAPES["instructions without a system turn"].tokenizer().save_pretrained(base)
    data, turns = tmp_path / "data.jsonl", [SYSTEM, *templates()["vanilla"]]
    data.write_text(dump_line({"id": "a", "conversations": turns}) + "\n", encoding="utf-8")
    with pytest.raises(CallError, match=r"nothing to learn: 1 conversations left out .a: .*no system role"):
        tune(TuneOptions(conversations=(data,), model=str(base), out=tmp_path / "run", dev="0"))
    assert not (tmp_path / "run").exists()
