"""A LLaMA small enough for tests: random weights of 2 layers of 32, and a tokenizer of single bytes and a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template of the kind that instructed models bring."""
CONTROLS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
WORDS = ("US", "ER", "USER", "Te", "xt", "Text", "oslo", "lima", "acme", "globex", "text", "th", "the", "in", "es")


def tiny_tokenizer(chat_template: str | None = None) -> Any:
    """A byte-level BPE with a handful of merges."""
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*CONTROLS, *letters]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        for cut in range(2, len(word) + 1):
            left, right = word[: cut - 1], word[cut - 1]
            if word[:cut] not in pieces:
                pieces.append(word[:cut])
                merges.append((left, right))
    tokenizer = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in CONTROLS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=chat_template,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def tiny_llama(seed: int = 0, layers: int = 2) -> Any:
    """A model of this tokenizer with random weights, large enough ones that its answers differ."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, initializer_range=0.3, dtype="float32",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def make_tiny_llama(folder: Path, seed: int = 0, chat_template: str | None = None) -> Path:
    """Write a base model as `rait tune --model FOLDER` takes it."""
    tiny_llama(seed).save_pretrained(folder)
    tiny_tokenizer(chat_template).save_pretrained(folder)
    return folder
