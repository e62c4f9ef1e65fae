"""A LLaMA small enough for tests: random weights of 2 layers of 32, and a tokenizer of bytes and a few words."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template of the kind that instructed models bring."""
CONTROLS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
SPOKEN = (
    "Text: Entity: What describes in the text? I've read this text. I've read these examples. Here are some examples "
    "of named entity recognition: company city person USER: ASSISTANT:",
    "Text: acme met in oslo, globex left lima", 'What describes "company" in the text? ["acme"]',
    "[{'acme': 'company'}, {'oslo': 'city'}]", '["oslo"] ["globex"] ["lima"] []',
)  # fmt: skip
"""What is said most often: short prompts make fast tests."""


@cache
def _pieces() -> str:
    """A byte-level BPE that knows the words of SPOKEN."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[AddedToken(each, special=True, normalized=False) for each in CONTROLS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(SPOKEN * 8, trainer)
    return str(tokenizer.to_str())


def tiny_tokenizer(chat_template: str | None = None) -> Any:
    """That BPE, with or without a chat template of its own."""
    from transformers import PreTrainedTokenizerFast

    made: Any = PreTrainedTokenizerFast
    return made(
        tokenizer_object=Tokenizer.from_str(_pieces()), bos_token="<s>", eos_token="</s>", chat_template=chat_template,
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
        model: Any = LlamaForCausalLM(config)
        return model.eval()


def make_tiny_llama(folder: Path, seed: int = 0, chat_template: str | None = None) -> Path:
    """Write a base model as `rait tune --model FOLDER` takes it."""
    tiny_llama(seed).save_pretrained(folder)
    tiny_tokenizer(chat_template).save_pretrained(folder)
    return folder
