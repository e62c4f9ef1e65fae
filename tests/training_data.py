"""Hand-made sentences for training tests: a template, a place and a company, labelled as they are filled in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from distill.document import Document, Entity
from distill.jsonl import write_jsonl
from students.options import TrainOptions

PLACES = ("oslo", "lima", "quito", "cairo", "turin")
COMPANIES = ("acme", "globex", "initech", "umbrella", "hooli")
TEMPLATES = (
    "the mayor of {LOC} visited {ORG} .", "{ORG} opened an office in {LOC} .", "the team left {LOC} for the bank .",
    "{ORG} bought {ORG} .", "the company moved from {LOC} to {LOC} and met on the bank .", "the team of {ORG} spoke .",
)  # fmt: skip


def sentence(number: int, seed: int = 0) -> Document:
    """Sentence `number`: a template with names drawn from the seed."""
    chance = random.Random(f"{seed}/{number}")
    text, entities = "", []
    for part in chance.choice(TEMPLATES).replace("{", "|{").replace("}", "}|").split("|"):
        label = part.strip("{}")
        if part.startswith("{"):
            name = chance.choice(PLACES if label == "LOC" else COMPANIES).title()
            entities.append(Entity(len(text), len(text) + len(name), label))
            text += name
        else:
            text += part
    return Document(f"s{seed}-{number}", text, tuple(entities))


def write_sentences(path: Path, count: int, seed: int = 0) -> Path:
    """A JSONL file of `count` sentences."""
    write_jsonl((sentence(number, seed) for number in range(count)), path)
    return path


def write_parts(folder: Path, count: int, *more: str) -> Path:
    """A folder of distilled, gold and dev sentences, and of `more` files: each has sentences of its own."""
    for seed, name in enumerate(("distilled", "gold", "dev", *more)):
        write_sentences(folder / f"{name}.jsonl", count, seed)
    return folder


def train_options(encoder: Path, data: Path, out: Path, **given: Any) -> TrainOptions:
    """A training of seconds on the parts in `data`; `given` has what is to be otherwise."""
    values: dict[str, Any] = {
        "distilled": (data / "distilled.jsonl",), "gold": (data / "gold.jsonl",), "dev": str(data / "dev.jsonl"),
        "schedule": "mix", "student": str(encoder), "epochs": 4, "lr": 5e-3, "max_length": 64, "stride": 8,
        "threads": 1, "out": out,
    }  # fmt: skip
    return TrainOptions(**(values | given))
