"""A LLaMA of three million parameters, from nothing to answers in RA-IT's form, on one core: what it can and cannot.

    python benchmarks/rait_small.py --data ../shared/data --out build/rait-small --minutes 7 --steps 400

It reads BBC articles and the Pile slice as plain text (`--minutes` of processor time), is then tuned by `rait tune`
on BBC passages with recorded open labels and on the Pile slice, and answers questions about held-out passages. Called
again it goes on where it was. Nothing of the data leaves `--out`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from distill.corpora import read_documents
from distill.scores import string_sets, total
from teachers.adapters import merge
from teachers.bases import load_dialogue, load_model
from teachers.building import build
from teachers.greedy import Greedy
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.rait_options import RaitBuildOptions
from teachers.schoolbook import Question, mentions_of, pairs, read_schoolbook
from teachers.tune_options import MergeOptions, TuneOptions
from teachers.tuning import tune

PIECES, WIDTH, LAYERS, HEADS, INNER = 4096, 192, 6, 6, 512
WINDOW, BATCH, LR = 256, 8, 2e-3  # of the reading
SAVE_EVERY = 50  # steps of the reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/rait-small"))
    parser.add_argument("--minutes", type=float, default=7.0, help="processor time of the reading")
    parser.add_argument("--steps", type=int, default=400, help="of the tuning")
    parser.add_argument("--batch", type=int, default=8, help="conversations a step")
    parser.add_argument("--questions", type=int, default=400, help="held-out questions of the last examination")
    parser.add_argument("--quiz", type=int, default=60, help="held-out questions at each of six checks on the way")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    conversations = material(given.data, given.out)
    base = read(given.data, given.out, given.minutes * 60)
    options = TuneOptions(
        conversations=(conversations,), model=str(base), out=given.out / "tuned", dev="0.1", dev_most=given.quiz,
        epochs=100, steps=given.steps, lr=2e-3, rank=64, alpha=128.0, batch_size=given.batch, cut_off=640,
        max_tokens=64, check_every=max(1, given.steps // 6),
    )  # fmt: skip
    began = time.process_time()
    report = tune(options)
    minutes = (time.process_time() - began) / 60
    print(report)
    merged = given.out / "merged"
    if not merged.exists():
        print(merge(MergeOptions(run=options.out, out=merged)))
    found = examine(merged, options, given.questions)
    found |= {"steps": report.steps, "epochs": report.epochs, "conversations": report.rows, "tune_minutes": minutes}
    (given.out / "result.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def material(data: Path, out: Path) -> Path:
    """Conversations about BBC passages and the Pile slice, several questions each."""
    conversations, labelled = out / "conversations.jsonl", out / "bbc.jsonl"
    if not labelled.exists():
        bbc = data / "bbc"
        print(label(LabelOptions(
            inputs=(bbc / "passages300.jsonl",), out=labelled, teacher="replay", prompt="open",
            responses=bbc / "passages300.open.responses.jsonl",
        )))  # fmt: skip
    if not conversations.exists():
        print(build(RaitBuildOptions(
            inputs=(labelled, data / "pile" / "pile_ner_slice.jsonl"), out=conversations, chunk_tokens=256,
            cut_off=480, language="en",
        )))  # fmt: skip
    return conversations


def texts(data: Path) -> Iterator[str]:
    """What is read: BBC articles, and the passages of the Pile slice."""
    for document in read_documents(data / "bbc" / "articles.jsonl.gz"):
        yield document.text
    for line in (data / "pile" / "pile_ner_slice.jsonl").open(encoding="utf-8"):
        yield json.loads(line)["text"]


def read(data: Path, out: Path, seconds: float) -> Path:
    """The base: a byte-level BPE and a LLaMA that has read for so many seconds of processor time."""
    folder = out / "base"
    if (folder / "model.safetensors").exists():
        return folder
    tokenizer = learn_pieces(data)
    ids = torch.tensor([each for text in texts(data) for each in [0, *tokenizer(text)["input_ids"], 1]])
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=PIECES, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=0,
        eos_token_id=1, dtype="float32",
    ))  # fmt: skip
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters read {len(ids) / 1e6:.2f} M tokens")
    spent, step = _resumed(model, out / "reading")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=0.1)
    began, loss = time.process_time() - spent, torch.tensor(0.0)
    while (now := time.process_time() - began) < seconds:
        chance = torch.Generator().manual_seed(step)
        at = torch.randint(len(ids) - WINDOW, (BATCH,), generator=chance)
        rows = torch.stack([ids[start : start + WINDOW] for start in at.tolist()])
        rows[::2, WINDOW // 2 :] = rows[::2, : WINDOW // 2]  # half of the rows say all twice: that teaches to copy
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = LR * min(1.0, (step + 1) / 50) * max(0.05, 1 - now / seconds)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if step % SAVE_EVERY == 0:
            _keep(model, out / "reading", now, step)
            print(f"step {step}: {now:.0f} s, loss {float(loss.detach()):.3f}", flush=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def learn_pieces(data: Path) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts(data), trainer)
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def _keep(model: Any, folder: Path, spent: float, step: int) -> None:
    folder.mkdir(exist_ok=True)
    save_file({n: p.detach() for n, p in model.named_parameters()}, folder / "new")
    (folder / "new").replace(folder / "weights.safetensors")
    (folder / "progress.json").write_text(json.dumps([spent, step]), encoding="utf-8")


def _resumed(model: Any, folder: Path) -> tuple[float, int]:
    if not (folder / "progress.json").exists():
        return 0.0, 0
    model.load_state_dict(load_file(folder / "weights.safetensors"), strict=False)
    spent, step = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    return spent, step


def examine(folder: Path, options: TuneOptions, most: int) -> dict[str, Any]:
    """Form and content apart: are the answers lists, do their mentions stand in the text, are they right?"""
    dialogue = load_dialogue(folder)
    model = load_model(folder, torch.float32).eval()
    given = {name: getattr(options, name) for name in ("conversations", "model", "out", "dev", "cut_off", "seed")}
    asked = read_schoolbook(TuneOptions(**given, dev_most=most), dialogue).questions
    said = Greedy(model, dialogue.stop, dialogue.pad, 64, 16).answers([[each.prompt] for each in asked])
    answers = [(dialogue.text(one.ids) if one.whole else None) for (one,) in said]
    read = [None if text is None else mentions_of(text) for text in answers]
    shown = [dialogue.tokenizer.decode(each.prompt) for each in asked]
    mentioned = [m.text in text for text, found in zip(shown, read, strict=True) for m in found or ()]
    holding = [number for number, each in enumerate(asked) if each.mentions]
    empty = [number for number, each in enumerate(asked) if not each.mentions]
    return {
        "questions": len(asked), "of them with mentions": len(holding),
        "form: ended by itself": _share([one.whole for (one,) in said]),
        "form: a list that parses": _share([found is not None for found in read]),
        "content: mentions that stand in the text": _share(mentioned), "mentions": len(mentioned),
        "content: [] where nothing is to be found": _share([read[number] == [] for number in empty]),
        "content: [] where something is": _share([read[number] == [] for number in holding]),
        "string-set": _scored(asked, read), "string-set, questions with mentions": _scored(
            [asked[number] for number in holding], [read[number] for number in holding]
        ),
    }  # fmt: skip


def _scored(asked: list[Question], read: list[Any]) -> dict[str, float]:
    scores = [
        string_sets(pairs(each.mentions, "asked"), None if found is None else pairs(found, "asked"))
        for each, found in zip(asked, read, strict=True)
    ]
    return total(scores).micro._asdict()


def _share(values: list[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
