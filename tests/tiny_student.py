"""A student small enough for tests: a random BERT of 2 layers of 32, with a hand-made vocabulary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

PIECES = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'\"()-",
    *(f"##{char}" for char in "abcdefghijklmnopqrstuvwxyz0123456789"),
    "the", "in", "of", "and", "met", "on", "at", "said", "visited", "opened", "an", "office", "mayor", "spoke", "for",
    "oslo", "lima", "quito", "cairo", "turin", "acme", "globex", "initech", "umbrella", "hooli", "##ville", "##corp",
    "##er", "##ing", "##s", "##on", "##land", "bank", "company", "city", "team", "bought", "left",
    "moved", "to", "from",
)  # fmt: skip


def tiny_tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer over PIECES, as BERT's."""
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def _write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 128, "unk_token": "[UNK]",
        "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _config(labels: Sequence[str] | None) -> object:
    from transformers import BertConfig

    names = ["O", *(f"{prefix}-{label}" for label in labels or () for prefix in "BI")]
    return BertConfig(
        vocab_size=len(PIECES), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128, pad_token_id=0, id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip


def make_tiny_encoder(folder: Path, seed: int = 0, *, dropout: bool = True) -> Path:
    """Write a pretrained-looking encoder without a head, as `train --student FOLDER` takes it.

    Sums can be compared where there is no dropout.
    """
    import torch
    from transformers import BertModel

    _write_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(_config(None), add_pooling_layer=False).save_pretrained(folder)  # type: ignore[arg-type]
    if not dropout:
        config = json.loads((folder / "config.json").read_text())
        config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def make_tiny_student(folder: Path, labels: Sequence[str] = ("LOC", "ORG"), seed: int = 0) -> Path:
    """Write a loadable student folder with random weights: config, safetensors, tokenizer and `ner_distill.json`."""
    import torch
    from transformers import BertForTokenClassification

    _write_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForTokenClassification(_config(labels))  # type: ignore[arg-type]
        torch.nn.init.normal_(model.classifier.weight, std=1.0)  # so that tags differ from word to word
        model.save_pretrained(folder)
    windows = {"format": 1, "labels": list(labels), "max_length": 32, "stride": 8}
    (folder / "ner_distill.json").write_text(json.dumps(windows), encoding="utf-8")
    return folder
