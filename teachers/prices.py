"""Prices: what a model's tokens cost, from a small file that anybody can edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distill.errors import InputError, did_you_mean
from distill.files import read_toml

SHIPPED = Path(__file__).parent / "prices.toml"
KEYS = frozenset({"input", "output", "cached", "batch"})
MILLION = 1_000_000
OPENAI_HOST = "api.openai.com"  # regional ones cost more

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}\Z|-\d{4}\Z")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens; `batch` is the share that a Batch API takes."""

    input: float
    output: float
    cached: float | None = None
    batch: float = 0.5

    def cost(self, tokens_in: int, tokens_out: int, cached: int = 0) -> float:
        """What one request costs; `cached` of the tokens in came from the server's cache."""
        cheap = self.input if self.cached is None else self.cached
        return ((tokens_in - cached) * self.input + cached * cheap + tokens_out * self.output) / MILLION

    def in_batch(self) -> Price:
        """The price of the same model behind a Batch API."""
        share = self.batch
        cached = None if self.cached is None else self.cached * share
        return Price(self.input * share, self.output * share, cached, 1.0)


def read_prices(path: Path | None = None, url: str | None = None) -> dict[str, Price]:
    """The prices of the user's own file, over those that come with the program where the server is OpenAI's."""
    own = url is None or (urlsplit(url).hostname or "") == OPENAI_HOST
    return (_read(SHIPPED) if own else {}) | (_read(path) if path else {})


def price_of(model: str | None, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model, or of the one whose dated version it is; None where nobody knows it."""
    name = model or ""
    return prices.get(name) or prices.get(_DATE.sub("", name))


def _read(path: Path) -> dict[str, Price]:
    return {model: _price(model, row, path) for model, row in read_toml(path, "price file").items()}


def _price(model: str, row: Any, path: Path) -> Price:
    if not isinstance(row, dict):
        raise InputError(f'{model} is not a table; write ["{model}"] with input and output', path=path)
    for key, value in row.items():
        if key not in KEYS:
            raise InputError(f"unknown key {model}.{key}{did_you_mean(key, KEYS)}", path=path)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise InputError(f"{model}.{key} is a number of dollars, not {value!r}", path=path)
    if not {"input", "output"} <= set(row):
        raise InputError(f"{model} needs input and output, dollars for a million tokens", path=path)
    return Price(**{key: float(value) for key, value in row.items()})
