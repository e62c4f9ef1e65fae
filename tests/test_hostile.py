"""Hostile texts through runtime, predict and service: none breaks them, none is lost, all offsets are right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile import WORD, Hostile, hostile
from service import Caller, running

from distill.document import Document
from distill.jsonl import document_from_json
from students.runtime import Student

ROOT = Path(__file__).parents[1]
counts = pytest.mark.parametrize(
    "count", [300, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
LINES = {
    "words": f"so {WORD} went on " * 600_000, "letters": "a" * 10_000_000, "marks": "a" + "\u0301" * 1_000_000,
    "spaces": " " * 10_000_000, "emoji": "🙂" * 2_500_000, "Chinese": "我们在上海" * 600_000,
}  # fmt: skip


def check(found: Iterable[Document], given: Sequence[Hostile]) -> None:
    """All texts in order, as they were; all that was planted is found, and every offset slices a word of its text."""
    for document, (text, planted) in zip(found, given, strict=True):
        assert document.text == text
        assert {entity.start for entity in document.entities} >= set(planted)
        assert {document.mention(entity).lower() for entity in document.entities} <= {"oslo", "lima"}


@counts
def test_the_runtime(word_bundle: Path, count: int) -> None:
    given = list(hostile(count))
    check(Student.load(word_bundle, threads=2).tag_stream(each.text for each in given), given)


@counts
def test_a_student_answers_alone_as_in_any_company(tiny_bundle: Path, count: int) -> None:
    texts = [each.text for each in hostile(count, seed=1)]
    student = Student.load(tiny_bundle, threads=2)
    found = list(student.tag_stream(texts))
    assert [document.text for document in found] == texts
    for text, document in list(zip(texts, found, strict=True))[:: max(1, count // 300)]:
        assert student.tag([text])[0].entities == document.entities


@counts
def test_predict(word_bundle: Path, count: int) -> None:
    given = list(hostile(count, seed=2))
    rows = "".join(json.dumps({"id": str(number), "text": each.text}) + "\n" for number, each in enumerate(given))
    call = [sys.executable, "-m", "cli", "predict", str(word_bundle), "-"]
    done = subprocess.run(call, cwd=ROOT, input=rows.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = [document_from_json(json.loads(line)) for line in done.stdout.split(b"\n")[:-1]]
    assert [document.id for document in answers] == [str(number) for number in range(count)]
    check(answers, given)


@counts
def test_the_service(word_bundle: Path, count: int) -> None:
    given = list(hostile(count, seed=3))
    with running(word_bundle, max_body=1_000_000, max_text=100_000, queue=1000) as call:

        def ask(some: Sequence[Hostile]) -> list[dict[str, Any]]:
            with Caller(call.port) as other:
                reply = other.tag({"texts": [each.text for each in some]})
                assert reply.status == 200, reply.body
                return list(reply.json["documents"])

        with ThreadPoolExecutor(16) as pool:
            answers = [row for rows in pool.map(ask, (given[at : at + 7] for at in range(0, count, 7))) for row in rows]
    check(map(document_from_json, answers), given)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", list(LINES))
def test_a_line_of_ten_megabytes(word_bundle: Path, kind: str) -> None:
    line = LINES[kind]
    [document] = Student.load(word_bundle, threads=2).tag([line])
    assert document.text == line and len(document.entities) == line.count(WORD)
    with running(word_bundle, max_body=100_000_000, max_text=20_000_000) as call:
        reply = call.tag({"text": line})
        assert (reply.status, len(reply.json["entities"])) == (200, line.count(WORD))
    with running(word_bundle) as call:
        assert call.tag({"text": line}).status == 413
