"""The runtime: any text, any length, any company, and always the same answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealed import SENTENCES

from distill.cores import cores, instruction_set, quotas
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from students.runtime import Reading, Student

any_text = st.text(st.characters(), max_size=60)  # every plane, control characters and lone surrogates too


@pytest.fixture(scope="module")
def student(tiny_bundle: Path) -> Student:
    return Student.load(tiny_bundle, threads=2)


@pytest.fixture(scope="module")
def finder(word_bundle: Path) -> Student:
    return Student.load(word_bundle, threads=2)


def test_tag_gives_documents_with_scores_in_order(finder: Student) -> None:
    first, second = finder.tag(["the mayor of Oslo", "Lima and Oslo"])
    assert (first.id, first.text, second.id) == ("1", "the mayor of Oslo", "2")
    assert first.entities == (Entity(13, 17, "LOC"),)
    assert [second.mention(entity) for entity in second.entities] == ["Lima", "Oslo"]
    assert all(entity.score is not None and 0.9 < entity.score < 1 for entity in second.entities)


@given(texts=st.lists(any_text, max_size=6))
def test_no_text_breaks_it_and_every_offset_slices_its_text(student: Student, texts: list[str]) -> None:
    documents = student.tag(texts)
    assert [document.text for document in documents] == texts
    for document in documents:
        for entity in document.entities:
            assert document.mention(entity).strip() and 0 <= entity.score <= 1  # type: ignore[operator]


@given(
    before=st.lists(any_text, max_size=4), text=st.sampled_from(SENTENCES) | any_text,
    after=st.lists(any_text, max_size=4),
)  # fmt: skip
def test_an_answer_does_not_depend_on_its_company(
    student: Student, before: list[str], text: str, after: list[str]
) -> None:
    (alone,) = student.tag([text])
    among = student.tag([*before, text, *after])[len(before)]
    assert alone.entities == among.entities
    assert [entity.score for entity in alone.entities] == [entity.score for entity in among.entities]


def test_an_answer_does_not_depend_on_the_number_of_threads(tiny_bundle: Path, student: Student) -> None:
    texts = [*SENTENCES, " ".join(SENTENCES * 3)]
    single = Student.load(tiny_bundle, threads=1)
    for (_, a), (_, b) in zip(_read(student, texts), _read(single, texts), strict=True):
        assert np.array_equal(a.logits, b.logits)


def _read(student: Student, texts: list[str]) -> list[tuple[Document, Reading]]:
    return list(student.read(Document(str(i), text) for i, text in enumerate(texts)))


def test_a_word_is_found_wherever_it_stands_in_a_long_text(finder: Student) -> None:
    filler = ["the", "umbrella", "hooliing,", "x1y2z3", "café", "東", "moved"]
    words = [filler[i % len(filler)] for i in range(60)]
    texts = [" ".join([*words[:at], "Oslo", *words[at:]]) for at in range(len(words) + 1)]
    for at, document in enumerate(finder.tag(texts)):
        (entity,) = document.entities
        assert entity.start == len(" ".join([*words[:at], ""])) and document.mention(entity) == "Oslo"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_word_is_found_at_every_place_of_a_text_of_300_pages(finder: Student) -> None:
    filler = ["the", "umbrella", "hooliing,", "x1y2z3", "café", "東", "moved", "x.\n"]
    words = [filler[at * at % 101 % len(filler)] for at in range(300 * 400)]
    for turn in range(50):
        planted = ["Oslo" if at % 50 == turn else word for at, word in enumerate(words)]
        ends = list(accumulate(len(word) + 1 for word in planted))
        [document] = finder.tag([" ".join(planted)])
        assert [entity.start for entity in document.entities] == [end - 5 for end in ends[turn::50]]


def test_a_word_between_endless_ones_is_found(finder: Student) -> None:
    endless = "a" * 90  # more pieces than a window has room for
    document = finder.tag([f"{endless} Oslo {endless}{'b' * 500} Lima"])[0]
    assert [document.mention(entity) for entity in document.entities] == ["Oslo", "Lima"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_process_that_was_forked_is_answered_too(word_bundle: Path) -> None:
    code = (
        "import os, sys, warnings\n"
        "from students.runtime import Student\n"
        "student = Student.load(sys.argv[1], threads=2)\n"
        "texts = ['Oslo ' * n for n in range(1, 60)]\n"
        "before = student.tag(texts)\n"
        "warnings.simplefilter('ignore')  # of threads that are not copied, which is the question\n"
        "child = os.fork()\n"
        "same = student.tag(texts) == before\n"
        "if not child:\n"
        "    os._exit(0 if same else 1)\n"
        "sys.exit(os.waitpid(child, 0)[1] or not same)\n"
    )
    call = [sys.executable, "-c", code, str(word_bundle)]
    subprocess.run(call, cwd=Path(__file__).parents[1], check=True, timeout=60)


def test_an_endless_stream_is_answered_in_order_while_it_comes(finder: Student) -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for taken in range(10**9):
            yield "Oslo" if taken % 3 == 0 else f"the team {taken}"

    found = list(islice(finder.tag_stream(texts()), 1000))
    assert [len(document.entities) for document in found] == [int(i % 3 == 0) for i in range(1000)]
    assert taken < 1000 + 4096 + 1


def test_a_single_string_and_what_is_no_string_are_refused(finder: Student) -> None:
    with pytest.raises(CallError, match="brackets"):
        finder.tag("Oslo")
    with pytest.raises(InputError, match="text 2 is int"):
        finder.tag(["Oslo", 5])  # type: ignore[list-item]


def test_it_needs_neither_torch_nor_transformers_nor_onnx(word_bundle: Path) -> None:
    code = (
        "import sys\n"
        "from students.runtime import Reading, Student\n"
        "from students.predict import predict\n"
        "from students.selftest import selftest\n"
        f"print(Student.load({str(word_bundle)!r}).tag(['in Oslo'])[0].entities[0].label)\n"
        "known = {'numpy', 'onnxruntime', 'tokenizers', 'distill', 'students'}\n"
        "foreign = {name.partition('.')[0] for name in sys.modules if getattr(sys.modules[name], '__file__', None)}\n"
        "foreign = {name for name in foreign if name not in sys.stdlib_module_names and name not in known}\n"
        "print(sorted(foreign & {'torch', 'transformers', 'onnx', 'pydantic', 'httpx', 'requests', 'typer', 'rich'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["LOC", "[]"]


def test_threads_follow_the_control_group_not_the_host(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/pod/box\n", encoding="utf-8")
    (tmp_path / "pod" / "box").mkdir(parents=True)
    (tmp_path / "pod" / "cpu.max").write_text("150000 100000\n", encoding="utf-8")
    (tmp_path / "pod" / "box" / "cpu.max").write_text("max 100000\n", encoding="utf-8")
    assert list(quotas(tmp_path, tmp_path / "cgroup")) == [1.5]
    (tmp_path / "cgroup").write_text("4:cpu,cpuacct:/pod\n", encoding="utf-8")
    (tmp_path / "cpu" / "pod").mkdir(parents=True)
    (tmp_path / "cpu" / "pod" / "cpu.cfs_quota_us").write_text("400000", encoding="utf-8")
    (tmp_path / "cpu" / "pod" / "cpu.cfs_period_us").write_text("100000", encoding="utf-8")
    assert list(quotas(tmp_path, tmp_path / "cgroup")) == [4.0]
    assert cores() >= 1


def test_the_best_instructions_of_the_cpu_are_named(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor: 0\nflags\t\t: fpu avx2 avx512_vnni sse4_1\n", encoding="utf-8")
    assert instruction_set(info) == "avx512_vnni"
    assert instruction_set(tmp_path / "none")
