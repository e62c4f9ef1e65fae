"""What a careful user would write instead: a plain PyTorch loop over transformers, to measure ours against.

Batch 8, learning rate 5e-5, AdamW without warm-up, dynamic padding in fp32, words split at spaces, the first piece of
a word labelled, the epoch chosen on dev by seqeval's strict F1, and that epoch's F1 on test. It shares no code with
the project but the reading of JSONL.

    python benchmarks/reference_loop.py --schedule mix --seed 1 --distilled D.jsonl --gold G.jsonl \
        --dev dev.jsonl --test test.jsonl --student FOLDER --out rows.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from transformers import AutoModelForTokenClassification, AutoTokenizer

LABELS = ["O", *(f"{prefix}-{label}" for label in ("LOC", "MISC", "ORG", "PER") for prefix in "BI")]
Row = tuple[list[str], list[str]]


def read(paths: list[Path]) -> list[Row]:
    """Words at spaces with IOB2 tags; an entity that cuts a word takes the whole word."""
    rows: list[Row] = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            words, tags, position = row["text"].split(), [], 0
            spans = []
            for word in words:
                position = row["text"].index(word, position)
                spans.append((position, position + len(word)))
                position += len(word)
            tags = ["O"] * len(words)
            for start, end, label in row["entities"]:
                inside = [i for i, (s, e) in enumerate(spans) if s < end and e > start]
                for n, i in enumerate(inside):
                    tags[i] = f"{'I' if n else 'B'}-{label}"
            rows.append((words, tags))
    return rows


def collate(rows: list[Row], tokenizer: Any) -> dict[str, torch.Tensor]:
    batch = tokenizer([words for words, _ in rows], is_split_into_words=True, truncation=True, max_length=256,
                      padding=True, return_tensors="pt")
    labels = torch.full(batch["input_ids"].shape, -100)
    for i, (_, tags) in enumerate(rows):
        seen: int | None = None
        for j, word in enumerate(batch.word_ids(i)):
            if word is not None and word != seen:
                labels[i, j] = LABELS.index(tags[word])
            seen = word
    return {**batch, "labels": labels}


def predict(model: Any, rows: list[Row], tokenizer: Any) -> list[list[str]]:
    model.eval()
    found: list[list[str]] = [[] for _ in rows]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    with torch.no_grad():
        for at in range(0, len(order), 32):
            chosen = order[at : at + 32]
            batch = collate([rows[i] for i in chosen], tokenizer)
            best = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(-1)
            for row, i in enumerate(chosen):
                tags = [LABELS[int(t)] for t, gold in zip(best[row], batch["labels"][row], strict=True) if gold != -100]
                found[i] = tags + ["O"] * (len(rows[i][0]) - len(tags))
    return found


def strict(rows: list[Row], found: list[list[str]]) -> float:
    return float(f1_score([tags for _, tags in rows], found, mode="strict", scheme=IOB2))


def shares(schedule: str, epoch: int, epochs: int) -> tuple[float, float]:
    x = epoch / (epochs - 1) if epochs > 1 else 0.0
    if schedule == "gold":
        return 0.0, 1.0
    w0 = (1.0 if epoch < epochs / 2 else 0.0) if schedule == "mix" else 1 - 1 / (1 + math.exp(-32 * (x - 0.5)))
    return w0, 1 - w0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedule", choices=["gold", "mix", "sigmoid"], default="mix")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--look-every", type=int, default=4, help="score dev after every so many epochs")
    for name in ("distilled", "gold", "dev", "test"):
        parser.add_argument(f"--{name}", type=Path, action="append", required=True)
    parser.add_argument("--student", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.student)
    model = AutoModelForTokenClassification.from_pretrained(
        options.student, num_labels=len(LABELS), dtype=torch.float32,
        id2label=dict(enumerate(LABELS)), label2id={tag: i for i, tag in enumerate(LABELS)})
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    distilled, gold, dev, test = (read(paths) for paths in (options.distilled, options.gold, options.dev, options.test))
    best: dict[str, float] = {"dev": -1.0}
    tokens, seconds = 0, 0.0
    for epoch in range(options.epochs):
        w0, w1 = shares(options.schedule, epoch, options.epochs)
        rows = chance.sample(distilled, round(w0 * len(distilled))) + chance.sample(gold, round(w1 * len(gold)))
        chance.shuffle(rows)
        model.train()
        started = time.perf_counter()
        for at in range(0, len(rows), 8):
            batch = collate(rows[at : at + 8], tokenizer)
            tokens += int(batch["attention_mask"].sum())
            model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        seconds += time.perf_counter() - started
        score = -1.0
        if (epoch + 1) % options.look_every == 0 or epoch + 1 == options.epochs:
            score = strict(dev, predict(model, dev, tokenizer))
        if score > best["dev"]:
            best = {"dev": score, "epoch": epoch}
            weights = {name: value.clone() for name, value in model.state_dict().items()}
        speed = round(tokens / seconds)
        print(f"{options.schedule} seed {options.seed} epoch {epoch}: dev {score:.4f}, {speed} tokens/s", flush=True)
    model.load_state_dict(weights)
    best["test"] = strict(test, predict(model, test, tokenizer))
    row = {"schedule": options.schedule, "seed": options.seed, "epochs": options.epochs, **best,
           "tokens": tokens, "train_seconds": round(seconds, 1), "tokens_per_second": speed}
    with options.out.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
