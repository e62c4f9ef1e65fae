"""The service's page, from the files beside this one: no asset comes from anywhere else."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def page() -> str:
    """The page at `/`."""
    return _read("webpage.html")


def style() -> str:
    """The look of `predict --format html`, and what the service's pages add."""
    return _read("page.css") + _read("webpage.css")


def script() -> str:
    """What the page does."""
    return _read("webpage.js")


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
