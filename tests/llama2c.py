"""llama2.c's checkpoints as transformers folders: the weights, and a tokenizer that cuts as its C code does.

    python tests/llama2c.py ../shared/data/llama/stories260K.bin ../shared/data/llama/tok512.bin build/stories260K
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPACE = "▁"  # what sentencepiece writes for a space


class Shape(NamedTuple):
    """The header of a checkpoint; a negative vocabulary means that the head has weights of its own."""

    dim: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    length: int


def convert(checkpoint: Path, tokenizer: Path, folder: Path) -> Path:
    """Write the folder that `from_pretrained` loads."""
    model = read_model(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    read_tokenizer(tokenizer, model.config.vocab_size).save_pretrained(folder)
    return folder


def read_model(path: Path) -> LlamaForCausalLM:
    """The model of a checkpoint in llama2.c's first format: float32, one tensor after the other."""
    raw = path.read_bytes()
    shape = Shape(*struct.unpack("<7i", raw[:28]))
    numbers: NDArray[np.float32] = np.frombuffer(raw, dtype="<f4", offset=28)
    tied, head_size = shape.vocabulary > 0, shape.dim // shape.heads
    config = LlamaConfig(
        vocab_size=abs(shape.vocabulary), hidden_size=shape.dim, intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.length, rms_norm_eps=1e-5, tie_word_embeddings=tied,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, dtype="float32",
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.load_state_dict(_weights(numbers, shape, head_size), strict=False)
    if tied:
        model.tie_weights()
    return model


def _weights(numbers: NDArray[np.float32], shape: Shape, head_size: int) -> dict[str, torch.Tensor]:
    at = 0

    def take(*sizes: int) -> torch.Tensor:
        nonlocal at
        count = int(np.prod(sizes))
        found = torch.from_numpy(numbers[at : at + count].copy()).reshape(sizes)
        at += count
        return found

    def turned(weight: torch.Tensor, heads: int) -> torch.Tensor:
        """llama2.c turns neighbours in a head, transformers its halves."""
        pairs = weight.reshape(heads, head_size // 2, 2, shape.dim)
        return pairs.transpose(1, 2).reshape(weight.shape)

    layers, dim, kv = shape.layers, shape.dim, shape.kv_heads * head_size
    found = {"model.embed_tokens.weight": take(abs(shape.vocabulary), dim)}
    stacks: dict[str, torch.Tensor] = {
        "input_layernorm": take(layers, dim), "self_attn.q_proj": take(layers, dim, dim),
        "self_attn.k_proj": take(layers, kv, dim), "self_attn.v_proj": take(layers, kv, dim),
        "self_attn.o_proj": take(layers, dim, dim), "post_attention_layernorm": take(layers, dim),
        "mlp.gate_proj": take(layers, shape.hidden, dim), "mlp.down_proj": take(layers, dim, shape.hidden),
        "mlp.up_proj": take(layers, shape.hidden, dim),
    }  # fmt: skip
    for name, stack in stacks.items():
        heads = {"self_attn.q_proj": shape.heads, "self_attn.k_proj": shape.kv_heads}.get(name)
        for layer, weight in enumerate(stack):
            found[f"model.layers.{layer}.{name}.weight"] = turned(weight, heads) if heads else weight
    found["model.norm.weight"] = take(dim)
    take(2, shape.length, head_size // 2)  # cosines and sines, which are computed
    if shape.vocabulary < 0:
        found["lm_head.weight"] = take(-shape.vocabulary, dim)
    return found


def read_tokenizer(path: Path, size: int) -> Any:
    """The BPE of a tok*.bin: of all pairs the one whose union scores highest is merged first, unknown bytes stay."""
    pieces, scores = _pieces(path, size)
    pieces[1:3] = ["<s>", "</s>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    ranked = sorted(range(259, size), key=lambda number: -scores[number])
    merges = [
        (piece[:cut], piece[cut:])
        for piece in (pieces[number] for number in ranked)
        for cut in range(1, len(piece)) if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]  # fmt: skip
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps: list[Any] = [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in pieces[:3]])
    made: Any = PreTrainedTokenizerFast
    return made(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _pieces(path: Path, size: int) -> tuple[list[str], list[float]]:
    pieces, scores = [], []
    with path.open("rb") as file:
        file.read(4)  # the longest piece
        for _ in range(size):
            score, length = struct.unpack("<fi", file.read(8))
            pieces.append(file.read(length).decode("utf-8").replace(" ", SPACE))
            scores.append(score)
    return pieces, scores


if __name__ == "__main__":
    print(convert(*(Path(argument) for argument in sys.argv[1:4])))
