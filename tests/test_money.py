"""Money: prices, what a run spent and saved, a budget that holds, and an estimate that asks nobody."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, ChatServer, serving

from distill.errors import CallError, InputError, TeacherError
from teachers.counting import by_rule, of_messages
from teachers.estimate import estimate
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.prices import Price, price_of, read_prices
from teachers.purse import Purse
from teachers.teacher import Message, Reply

EACH = 100 * 10 / 1e6 + 10 * 50 / 1e6
"""What an answer of the loopback server costs: 100 tokens in at 10 dollars a million, 10 out at 50."""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def options(folder: Path, server: ChatServer | None, count: int = 12, **more: Any) -> LabelOptions:
    source, prices = folder / "in.jsonl", folder / "prices.toml"
    rows = [{"id": f"d{n}", "text": f"In row {n} Anna met Bert."} for n in range(count)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prices.write_text("[loopback]\ninput = 10\noutput = 50\n")
    given: dict[str, Any] = {
        "inputs": (source,), "out": folder / "L.jsonl", "model": "loopback", "prompt": "standard", "prices": prices,
        "base_url": server.url if server else "http://127.0.0.1:9/v1", "api_key_env": "LOOPBACK_KEY", "timeout": 5.0,
    }  # fmt: skip
    return LabelOptions(**{**given, **more})


def test_prices_are_found_by_name_and_by_dated_name(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('["gpt-4o"]\ninput = 1\noutput = 2\n[mine]\ninput = 3\noutput = 4\ncached = 1\n')
    prices = read_prices(own)
    assert price_of("gpt-4o-2024-08-06", prices) == Price(1.0, 2.0)
    assert price_of("gpt-4o-mini", prices) == read_prices()["gpt-4o-mini"]
    assert price_of("gpt-4o-other", prices) is None
    assert price_of("gpt-4o-2024-05-13", read_prices()) == Price(5.0, 15.0)
    assert price_of("mine", prices) == Price(3.0, 4.0, 1.0)
    assert Price(3.0, 4.0, 1.0).cost(1_000_000, 500_000, cached=400_000) == pytest.approx(0.6 * 3 + 0.4 + 2)
    assert Price(3.0, 4.0, 1.0).in_batch() == Price(1.5, 2.0, 0.5, 1.0)


def test_a_model_of_another_server_has_no_price_by_its_name_alone(tmp_path: Path) -> None:
    with serving() as server:
        report = label(options(tmp_path, server, 2, model="gpt-4o"))
        assert (report.spent, report.unpriced, report.price) == (0.0, 2, None)
        with pytest.raises(CallError, match="--budget needs the price of 'gpt-4o'"):
            label(options(tmp_path, server, 2, model="gpt-4o", out=tmp_path / "M.jsonl", budget=1.0))
    assert "the price of 2 answers is not known" in str(report)
    assert read_prices(None, "https://api.openai.com/v1") == read_prices()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[m]\ninput = 1", "m needs input and output"), ("[m]\ninputs = 1", "unknown key m.inputs; did you mean input"),
        ('[m]\ninput = "1"', "m.input is a number of dollars"), ("m = 1", "m is not a table"), ("[m", "not TOML"),
        ("[m]\ninput = -1\noutput = 1", "m.input is a number of dollars"),
    ],
)  # fmt: skip
def test_a_price_file_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(text)
    with pytest.raises(InputError, match=says):
        read_prices(own)


def test_the_report_tells_what_was_spent_and_what_the_store_saved(tmp_path: Path) -> None:
    with serving() as server:
        first, again = label(options(tmp_path, server)), label(options(tmp_path, server))
    assert [first.spent, first.saved] == pytest.approx([12 * EACH, 0.0])
    assert [again.spent, again.saved] == pytest.approx([0.0, 12 * EACH])
    assert "money      $0.0180 spent, $0.00 saved by the store" in first.lines()
    assert again.to_json()["dollars"]["saved"] == pytest.approx(12 * EACH)


def test_a_budget_is_a_stop_that_counts_what_is_in_flight_and_earlier_runs(tmp_path: Path) -> None:
    """With the longest answer stated, four fit into 1.1 cents whatever the number in flight."""
    with serving(delay=0.02) as server:
        given = options(tmp_path, server, concurrency=12, budget=0.011, param=("max_tokens=10",))
        with pytest.raises(TeacherError, match=r"--budget 0\.011 USD is reached"):
            label(given)
        sent = len(server.bodies)
        assert 2 <= sent <= 0.011 / EACH
        with pytest.raises(TeacherError, match="is reached"):
            label(given)
        assert sent <= len(server.bodies) <= 0.011 / EACH
        report = label(options(tmp_path, server, concurrency=12, budget=1.0, param=("max_tokens=10",)))
        assert report.documents == 12
        assert len(server.bodies) == 12


def test_a_server_that_counts_no_tokens_is_paid_by_rule_and_a_second_run_remembers(tmp_path: Path) -> None:
    with serving(fault=lambda number, text: "uncounted") as server:
        given = options(tmp_path, server, concurrency=1, budget=0.08, param=("max_tokens=10",))
        with pytest.raises(TeacherError, match="is reached"):
            label(given)
        sent = len(server.bodies)
        with pytest.raises(TeacherError, match="is reached"):
            label(given)
        assert 2 <= len(server.bodies) == sent < 12
        report = label(options(tmp_path, server, param=("max_tokens=10",)))
    assert report.uncounted == report.asked == 12 - sent
    assert "the server counted no tokens of" in str(report)
    assert report.spent > 0.02


def test_a_budget_without_a_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="--budget needs the price of 'loopback'"):
        label(options(tmp_path, None, budget=1.0, prices=None))


def test_a_request_waits_for_money_that_others_give_back() -> None:
    purse = Purse(Price(0.0, 1_000_000.0), budget=2.0, most_out=1)
    messages = (Message("user", "x"),)

    async def run() -> list[float]:
        first, second = await purse.hold(messages), await purse.hold(messages)
        third = asyncio.ensure_future(purse.hold(messages))
        await asyncio.sleep(0)
        assert not third.done()
        purse.settle(first, messages, None)
        held = [second, await third]
        purse.settle(held[0], messages, Reply(tokens_in=1, tokens_out=1))
        purse.settle(held[1], messages, None, paid=True)
        with pytest.raises(TeacherError, match="is reached"):
            await purse.hold(messages)
        return held

    assert asyncio.run(run()) == [1.0, 1.0]
    assert (purse.spent, purse.held) == (2.0, 0.0)


def test_a_dry_run_asks_nobody_and_knows_what_the_store_has(tmp_path: Path) -> None:
    before = estimate(options(tmp_path, None))
    assert not (tmp_path / "answers.sqlite").exists()
    assert (before.documents, before.requests, before.stored) == (12, 12, 0)
    assert before.dollars is not None and before.dollars_error is not None
    assert before.dollars > before.dollars_error > 0
    assert "12 to ask" in before.lines()[1]
    with serving() as server:
        label(options(tmp_path, server, 8))
        given = options(tmp_path, server, max_requests=None)
        after = estimate(given)
        assert (after.requests, after.stored) == (4, 8)
        assert len(server.bodies) == 8
    with pytest.raises(CallError, match="replay asks none"):
        estimate(options(tmp_path, None, teacher="replay"))


def test_the_rule_counts_chinese_by_the_character() -> None:
    assert by_rule("a" * 400) == 100
    assert by_rule("安" * 100) == 80
    assert of_messages([Message("user", "a" * 40)]) == 14
