"""Greedy answers: neither the batch nor the reuse of what prompts share changes a single token."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny_llama import tiny_llama

from teachers.greedy import Greedy

MOST = 12


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_llama()


def prompts(seed: int = 0) -> list[list[list[int]]]:
    """Groups that share openings of many lengths, one group without any and one with a prompt inside another."""
    chance = random.Random(seed)
    groups = []
    for size, opening, rest in ((3, 40, 6), (1, 5, 9), (5, 0, 7), (2, 23, 1), (7, 11, 20)):
        shared = [chance.randrange(8, 260) for _ in range(opening)]
        ends = [[chance.randrange(8, 260) for _ in range(chance.randint(1, rest))] for _ in range(size)]
        groups.append([shared + end for end in ends])
    return [*groups, [groups[0][0], groups[0][0] + [9, 10]]]


def plainly(model: Any, prompt: Sequence[int]) -> list[int]:
    """The reference: one prompt, no cache, one forward pass a token, and no token that stops it."""
    ids = list(prompt)
    for _ in range(MOST):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def stopped(ids: list[int], stop: int) -> list[int]:
    return ids[: ids.index(stop) + 1] if stop in ids else ids


def test_every_way_of_asking_gives_the_answer_of_a_plain_loop(model: Any) -> None:
    endless = [[plainly(model, prompt) for prompt in group] for group in prompts()]
    answers = [ids for group in endless for ids in group]
    assert len({tuple(ids) for ids in answers}) > 8  # they differ, so the test can fail
    stop = max(answers[0], key=lambda token: sum(token in ids[1:] for ids in answers))
    expected = [[stopped(ids, stop) for ids in group] for group in endless]
    assert {ids[-1] == stop for group in expected for ids in group} == {True, False}
    for rows in (1, 3, 64):
        for reuse in (True, False):
            said = Greedy(model, stop, 0, MOST, rows, reuse).answers(prompts())
            assert [[each.ids for each in group] for group in said] == expected
            assert all(each.whole == (each.ids[-1] == stop) for group in said for each in group)


def test_what_questions_share_is_read_once(model: Any) -> None:
    opening = list(range(20, 120))
    group = [[*opening, 200 + number] for number in range(8)]
    read: list[int] = []

    def note(_: Any, __: Any, given: dict[str, Any]) -> None:
        read.append(given["input_ids"].numel())

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        Greedy(model, -1, 0, 1, 8).answers([group])
        assert sum(read) == 100 + 8
        read.clear()
        Greedy(model, -1, 0, 1, 8, reuse=False).answers([group])
        assert sum(read) == 808
    finally:
        hook.remove()
