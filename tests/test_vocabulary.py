"""Training the narrow embedding table gives what training the whole one would; tokenizers and models that fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_student import PIECES, make_tiny_student, tiny_tokenizer
from tokenizers import Tokenizer, models

from distill.errors import InputError
from students.decode import TagSet
from students.model import load_student, longest_input, new_classifier
from students.vocabulary import Vocabulary

ROWS = [np.asarray([2, 50, 60, 3], np.int32), np.asarray([2, 61, 60, 3], np.int32)]


def trained(folder: Path, narrow: bool) -> Any:
    """The model after some steps of AdamW on ROWS, its dropout switched off."""
    model: Any = load_student(folder).model
    vocabulary = Vocabulary(model, ROWS, 0) if narrow else None
    ids = np.stack(ROWS).astype(np.int64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0, fused=True)
    for _ in range(5):
        seen = vocabulary.narrow(ids) if vocabulary else ids
        model(input_ids=torch.from_numpy(seen)).logits.square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    if vocabulary:
        with vocabulary.whole():
            return {name: value.clone() for name, value in model.state_dict().items()}
    return model.state_dict()


def test_narrow_and_whole_training_agree(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    whole, narrow = trained(folder, narrow=False), trained(folder, narrow=True)
    assert whole.keys() == narrow.keys()
    for name, value in whole.items():
        torch.testing.assert_close(value, narrow[name], rtol=1e-4, atol=1e-6, msg=name)
    table = "bert.embeddings.word_embeddings.weight"
    assert narrow[table].shape[0] == len(PIECES)
    before: Any = load_student(folder).model.state_dict()[table]
    untouched = [i for i in range(len(PIECES)) if i not in {0, 2, 3, 50, 60, 61}]
    assert torch.equal(before[untouched], narrow[table][untouched])
    assert not torch.equal(before[60], narrow[table][60])


def test_a_tokenizer_with_more_pieces_than_the_model_is_one_line(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["teamster", "teamwork"])  # the first shares a number, for PIECES has one piece twice
    tokenizer.save(str(folder / "tokenizer.json"))
    reason = f"'teamwork' as number {len(PIECES)}, its model ends with {len(PIECES) - 1}"
    with pytest.raises(InputError, match=f"student: not a student that can be used: its tokenizer has {reason}"):
        load_student(folder)


def test_a_tokenizer_that_knows_no_way_with_unknown_words_is_one_line(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}))
    words.save(str(folder / "tokenizer.json"))
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer file: .*Missing \[UNK\]"):
        load_student(folder)


@pytest.mark.parametrize(("kind", "taken"), [("MPNet", 2), ("Roberta", 4), ("Bert", 0)])
def test_positions_that_begin_behind_the_padding_are_not_counted(kind: str, taken: int) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    settings = {"vocab_size": 9, "max_position_embeddings": 20, "pad_token_id": 3}
    config = getattr(transformers, f"{kind}Config")(**sizes, **settings)
    model = getattr(transformers, f"{kind}ForTokenClassification")(config)
    longest = longest_input(model)
    assert longest == 20 - taken
    assert model(input_ids=torch.full((1, longest), 5)).logits.shape[1] == longest


def test_a_student_without_all_its_weights_is_one_line(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    weights, whole = folder / "model.safetensors", load_file(folder / "model.safetensors")
    save_file({name: each for name, each in whole.items() if name != "classifier.weight"}, weights, {"format": "pt"})
    with pytest.raises(InputError, match=r"student: not a student .* its weights lack classifier\.weight, or"):
        load_student(folder)  # a head drawn by chance would answer all the same
    save_file(whole | {"classifier.bias": torch.zeros(9)}, weights, {"format": "pt"})
    with pytest.raises(InputError, match=r"student: not a student .* its weights lack classifier\.bias, or"):
        load_student(folder)
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(InputError, match="student: not a student that can be loaded: Error while deserializing"):
        load_student(folder)


def test_windows_that_no_student_of_its_size_reads_are_one_line(tmp_path: Path) -> None:
    folder = make_tiny_student(tmp_path / "student")
    windows = json.loads((folder / "ner_distill.json").read_text())
    for wrong, message in (({"max_length": 500}, "500 tokens, and the model sees at most 128"), ({"labels": None}, "")):
        (folder / "ner_distill.json").write_text(json.dumps(windows | wrong))
        with pytest.raises(InputError, match=rf"ner_distill\.json: .*{message}"):
            load_student(folder)


def test_an_encoder_with_a_decoder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "t5", "architectures": ["T5Model"]}', encoding="utf-8")
    with pytest.raises(InputError, match="t5 is an encoder with a decoder"):
        new_classifier(str(tmp_path), TagSet(("LOC",)), None, 1)
