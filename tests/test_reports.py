"""Tables line up, say what they mean, and never mix kinds of scores."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.document import Entity
from distill.errors import CallError
from distill.reports import count, figure, label_table, score_to_json, systems_table, table, table_one, width_of
from distill.scores import Counts, Score, strict, string_sets

GOOD = Score({"PER": Counts(9, 10, 10), "LOC": Counts(1000, 1000, 1000)}, "strict")
POOR = Score({"PER": Counts(1, 4, 10), "ORG": Counts(0, 5, 0)}, "strict")


def test_the_first_table_of_the_paper_has_a_column_a_system() -> None:
    shown = table_one({"good": GOOD, "poor": POOR}, intervals={"good": (0.99, 1.0)})
    lines = shown.splitlines()
    assert lines[0].split() == ["good", "poor"]
    assert "micro F1           .999  .105" in lines
    assert "95 %         .990–1.000     -" in lines
    assert "LOC R             1.000     -" in lines
    assert "ORG F1                -  .000" in lines
    names = [line.split()[0] for line in lines[2:] if line]
    assert list(dict.fromkeys(names)) == ["micro", "95", "macro", "weighted", "LOC", "ORG", "PER"]


def test_one_system_is_shown_label_by_label_with_its_counts() -> None:
    assert label_table(GOOD).splitlines() == [
        "label         P      R     F1  correct  predicted   gold",
        "--------------------------------------------------------",
        "LOC       1.000  1.000  1.000    1,000      1,000  1,000",
        "PER        .900   .900   .900        9         10     10",
        "",
        "micro      .999   .999   .999    1,009      1,010  1,010",
        "macro      .950   .950   .950    1,009      1,010  1,010",
        "weighted   .999   .999   .999    1,009      1,010  1,010",
    ]


def test_markdown_tables_hold_their_cells() -> None:
    shown = systems_table({"a|b": GOOD, "poor": POOR}, markdown=True)
    assert shown.splitlines()[0].split() == ["|", "system", "|", "P", "|", "R", "|", "F1", "|", "macro", "F1", "|",
                                             "weighted", "F1", "|"]  # fmt: skip
    assert shown.splitlines()[1].endswith("-:|")
    assert "| a\\|b " in shown


def test_answers_that_were_not_parsed_are_told() -> None:
    score = string_sets([("Oslo", "LOC")], None)
    assert table_one({"a": score, "b": string_sets([], [])}).endswith(
        "answers that could not be parsed, counted as empty: a: 1"
    )
    assert label_table(score).endswith("counted as empty: 1")


def test_strict_and_partial_scores_never_share_a_table() -> None:
    with pytest.raises(CallError, match="partial and strict scores do not compare"):
        table_one({"a": GOOD, "b": Score({}, "partial")})
    with pytest.raises(CallError, match="never share a table"):
        systems_table({"a": GOOD, "b": string_sets([], [])})


def test_an_empty_score_is_a_table_of_zeros() -> None:
    assert "micro     .000  .000  .000        0          0     0" in label_table(strict([], [])).splitlines()
    assert table_one({"a": Score()}).splitlines()[2] == "micro P      .000"


def test_json_holds_unrounded_figures_and_counts() -> None:
    found = json.loads(json.dumps(score_to_json(strict([Entity(0, 1, "A"), Entity(2, 3, "A"), Entity(4, 5, "A")],
                                                       [Entity(0, 1, "A")]))))  # fmt: skip
    assert found["kind"] == "strict"
    assert found["micro"] == {"precision": 1.0, "recall": 1 / 3, "f1": 0.5, "gold": 3}
    assert found["labels"]["A"] == found["micro"] | {"correct": 1, "predicted": 1}


@pytest.mark.parametrize(
    ("value", "shown"), [(0.9594, ".959"), (1.0, "1.000"), (0.0, ".000"), (0.9996, "1.000"), (None, "-")]
)
def test_figures_have_three_decimals(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_counts_show_halves() -> None:
    assert [count(1234), count(12.5), count(3.0)] == ["1,234", "12.5", "3"]


cells = st.sampled_from(["a", "label", "人物", "nai\u0308ve", "1.000", "", "a\u200bb", "กรุง"])


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5), st.booleans())
def test_columns_line_up_in_every_script(rows: list[list[str]], markdown: bool) -> None:
    lines = table(("x", "y", "z|"), [[*rows, ["", "", "last"]]], markdown=markdown).splitlines()
    assert len({width_of(line) for line in lines if not markdown and line.endswith("last")} | {width_of(lines[1])}) == 1
    if markdown:
        assert len({width_of(line) for line in lines}) == 1
