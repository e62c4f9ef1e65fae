"""A real trained LLaMA, converted: it tells the story that its makers wrote down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from llama2c import convert, read_tokenizer
from rait_data import learnt_of, templates

from teachers.conversations import assistant_answers
from teachers.dialogue import Dialogue
from teachers.transcripts import messages_of

LLAMA = Path(__file__).parents[2] / "shared" / "data" / "llama"


@pytest.mark.skipif(not LLAMA.is_dir(), reason="needs ../shared/data/llama")
@pytest.mark.parametrize("name", templates())
def test_a_tokenizer_of_sentencepiece_learns_the_answers_and_nothing_else(name: str) -> None:
    tokenizer, turns = read_tokenizer(LLAMA / "tok512.bin", 512), templates()[name]
    answers = assistant_answers(turns)
    found = Dialogue(tokenizer).encode(messages_of(turns), answers)
    learnt = [tokenizer.decode(ids).strip() for ids in learnt_of(found.labels)]
    assert learnt == [turns[at]["value"] + "</s>" for at in answers]


@pytest.mark.skipif(not LLAMA.is_dir(), reason="needs ../shared/data/llama")
def test_the_converted_model_tells_its_documented_story(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = convert(LLAMA / "stories260K.bin", LLAMA / "tok512.bin", tmp_path / "stories")
    page = (LLAMA / "stories260K.md").read_text(encoding="utf-8")
    told = re.search(r"-t 0\.0\n(.*?)\n```", page, re.DOTALL)
    assert told
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = model.generate(torch.tensor([[1]]), max_new_tokens=256, do_sample=False)
    story = tokenizer.decode(ids[0], skip_special_tokens=True).strip()
    assert story.startswith(told[1])
    assert tokenizer.encode(told[1]) == ids[0, 1 : 1 + len(tokenizer.encode(told[1]))].tolist()  # it cuts as it spoke
