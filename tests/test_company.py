"""Calls shared by windows of equal length: full, bounded, in order, and with the bits that each window gets alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import onnx
import pytest
from bundles import make_bundle
from hypothesis import given
from hypothesis import strategies as st
from sealed import SENTENCES, export_tiny
from tiny_student import PIECES

from distill.document import Document
from students.answering import Answer
from students.asking import Question
from students.calls import CALL, Calls, windows_of
from students.company import Company, Guest
from students.decode import Floats
from students.encode import Ids
from students.markup import Lines
from students.runtime import Student
from students.turns import Turns

BESIDE = tuple(" ".join(reversed(text.split())) for text in SENTENCES)  # of equal length, and other activations
LONG = " ".join(SENTENCES * 2)  # many windows
texts = st.sampled_from((*SENTENCES, *BESIDE, LONG, "Oslo", "", "\ud800 \u200b", "👩‍👩‍👧 in Lima"))


@pytest.fixture(scope="module", params=["fp32", "int8"])
def student(request: pytest.FixtureRequest, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Student:
    folder = tmp_path_factory.mktemp("company") / "bundle"
    return Student.load(export_tiny(tiny_run, folder, precision=request.param), threads=2)


def alone(student: Student, text: str) -> Floats:
    """A text's logits, each of its windows in a call of its own."""
    pieces, whole = student.taken_apart(Document("1", text))
    return whole([student.alone(each) for each in pieces])[1].logits


@given(company=st.lists(texts | st.text(max_size=30), max_size=40))
def test_every_text_gets_the_bits_it_gets_alone_in_any_order_and_company(
    student: Student, company: list[str]
) -> None:
    found = list(student.read(Document(str(at), text) for at, text in enumerate(company)))
    assert [document.text for document, _ in found] == company
    for document, reading in found:
        assert np.array_equal(reading.logits, alone(student, document.text))


def test_texts_of_equal_length_share_calls(student: Student) -> None:
    many, calls = list(SENTENCES + BESIDE) * 10, list[int]()
    windows = sum(len(student.encoder.windows(student.encoder.encode(text))) for text in many)

    class Watched(Student):
        def _logits(self, pieces: Sequence[Ids]) -> Floats:
            calls.append(len(pieces))
            return super()._logits(pieces)

    Watched(student.manifest, student.encoder, student._session, 1).tag(many)
    assert sum(calls) == windows and len(calls) < windows / 5


def test_texts_of_one_request_share_calls_in_the_service_too(student: Student) -> None:
    calls = list[int]()

    class Watched(Student):
        def _logits(self, pieces: Sequence[Ids]) -> Floats:
            calls.append(len(pieces))
            return super()._logits(pieces)

    watched = Watched(student.manifest, student.encoder, student._session, 1)
    question = Question((*SENTENCES, *BESIDE, "") * 10, single=False, offsets="codepoint")
    answer, turns, done = Answer(watched, question), Turns(1, watched.company()), Future[None]()
    turns.add(answer.steps(), lambda why: done.set_exception(why) if why else done.set_result(None))
    done.result(60)
    turns.close()
    assert len(calls) < sum(calls) / 3
    found = [row["entities"] for row in json.loads(answer.body())["documents"]]
    rows = [json.loads(Lines().part(document))["entities"] for document in student.tag(question.texts)]
    assert found == rows


def test_a_graph_that_takes_one_range_from_all_rows_gets_every_window_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = {"table": rng.normal(size=(len(PIECES), 8)), "weight": rng.normal(size=(8, 3))}
    nodes = [onnx.helper.make_node(*each) for each in (
        ("Gather", ["table", "input_ids"], ["x"]), ("DynamicQuantizeLinear", ["x"], ["small", "scale", "middle"]),
        ("DequantizeLinear", ["small", "scale", "middle"], ["y"]), ("MatMul", ["y", "weight"], ["logits"]),
    )]  # fmt: skip
    shape = ["batch", "length"]
    graph = onnx.helper.make_graph(
        nodes, "ranged", [onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, shape)],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [*shape, 3])],
        [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    ranged = Student.load(make_bundle(tmp_path / "bundle", model.SerializeToString()), threads=2)
    for document, reading in ranged.read(Document("1", text) for text in SENTENCES + BESIDE):
        assert np.array_equal(reading.logits, alone(ranged, document.text))


@given(lengths=st.lists(st.integers(1, 90), max_size=120), threads=st.integers(0, 3), wanted=st.integers(0, 20))
def test_calls_hold_one_length_and_no_more_than_their_share(lengths: list[int], threads: int, wanted: int) -> None:
    shapes: list[tuple[int, int]] = []

    def model(pieces: Sequence[Ids]) -> Floats:
        rows = np.stack(pieces)
        shapes.append(rows.shape)
        return rows[:, :, None].astype(np.float32)

    pool = ThreadPoolExecutor(threads) if threads else None
    calls = Calls(model, pool, threads or 1)
    places = [calls.add(np.full(length, at, np.int32)) for at, length in enumerate(lengths)]
    if wanted < len(places):
        assert calls.logits(places[wanted])[0, 0] == wanted
    calls.no_more()
    for at, place in reversed(list(enumerate(places))):
        assert calls.logits(place).tolist() == [[at]] * lengths[at]
    if pool:
        pool.shutdown()
    assert sum(rows for rows, _ in shapes) == len(lengths)
    assert all(rows * length <= CALL for rows, length in shapes)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_slow_stream_is_answered_as_it_comes(word_bundle: Path, threads: int) -> None:
    finder, asked = Student.load(word_bundle, threads), 0

    def slowly() -> Iterator[str]:
        nonlocal asked
        for asked in range(1, 60):
            time.sleep(0.01)
            yield f"{'the ' * asked}Oslo"

    for number, document in enumerate(finder.tag_stream(slowly()), 1):
        assert len(document.entities) == 1
        assert asked - number < 10  # one, unless the machine is busy


def test_few_long_texts_are_in_hand_at_once(word_bundle: Path) -> None:
    finder, asked = Student.load(word_bundle, 2), 0

    def endless() -> Iterator[str]:
        nonlocal asked
        for asked in range(1, 10**6):
            yield "the " * 20_000 if asked % 2 else " " * 10**6

    stream = finder.tag_stream(endless())
    for number, _ in zip(range(1, 6), stream, strict=False):
        assert asked <= number + 1


@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=60), most=st.sampled_from([0, 64, 256]),
    at=st.integers(0, 59),
)  # fmt: skip
def test_a_window_takes_others_of_its_length_along_the_longest_waiting_first(
    lengths: list[int], most: int, at: int
) -> None:
    company = Company(lambda pieces: np.stack(pieces)[:, :, None].astype(np.float32), most)
    found: list[tuple[int, Floats]] = []

    def keep(at: int, logits: Floats) -> None:
        found.append((at, logits))

    guests = [Guest(np.full(length, at, np.int32), partial(keep, at)) for at, length in enumerate(lengths)]
    for guest in guests:
        company.add(guest)
    company.leave(guests[0])
    waiting = guests[1:]
    waiting.insert(0, waiting.pop(at % len(waiting))) if waiting else None
    while waiting:
        taken, length = company.taken(waiting[0]), len(waiting[0].pieces)
        assert taken == [each for each in waiting if len(each.pieces) == length][: windows_of(length, most)]
        assert company.run(taken) == [None] * len(taken)
        waiting = sorted((each for each in waiting if each not in taken), key=guests.index)
    assert sorted(at for at, _ in found) == list(range(1, len(lengths)))
    assert all(logits.tolist() == [[at]] * lengths[at] for at, logits in found)


def test_an_error_of_a_call_reaches_all_who_share_it_and_one_of_a_guest_nobody_else() -> None:
    def model(pieces: Sequence[Ids]) -> Floats:
        if pieces[0][0]:
            raise ValueError("no")
        return np.zeros((*np.shape(pieces), 1), np.float32)

    def unhappy(_: Floats) -> NoReturn:
        raise KeyError("not mine")

    company, happy = Company(model), list[Floats]()
    first, *others = company.run([Guest(np.ones(3, np.int32), happy.append) for _ in range(2)])
    assert isinstance(first, ValueError) and others == [first] and not happy
    fine, bad = company.run([Guest(np.zeros(3, np.int32), finish) for finish in (happy.append, unhappy)])
    assert fine is None and isinstance(bad, KeyError) and len(happy) == 1
