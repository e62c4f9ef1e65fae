"""The page of all commands, written from their options, so that it cannot fall behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, Field
from typing import Any

from distill.options import field_types, flag_of

OPENING = """# Commands

Every option may also come from its command's table in `ner-distill.toml` in the working folder, under the same name
(`--batch-size 8` is `batch-size = 8`, an argument such as `INPUTS` is `inputs = [...]`); a flag wins. Several values
are given by repeating the flag. Exit codes: 0 done; 1 done, but a check failed or some rows were rejected; 2 a mistake
in the call or the input; 130 interrupted, with how to go on.

This page is written by `make docs` from the options themselves, and a test compares the two.
"""


def manual(commands: Mapping[str, type], texts: Mapping[str, str]) -> str:
    """The page as Markdown: per command its help text and a table of its options."""
    return OPENING + "".join(_section(name, options, texts[name]) for name, options in commands.items())


def _section(name: str, options: type, text: str) -> str:
    types = field_types(options)
    rows = [_row(each, types[each.name].many) for each in dataclasses.fields(options)]
    table = "| option | default | meaning |\n| --- | --- | --- |\n" + "".join(rows)
    return f"\n## ner-distill {name.replace('.', ' ')}\n\n{text}\n\n{table}"


def _row(each: Field[Any], many: bool) -> str:
    rules = each.metadata
    text = rules["help"] + (f" ({', '.join(rules['choices'])})" if rules.get("choices") else "")
    return f"| `{flag_of(each)}{'...' if many else ''}` | {_default(each)} | {text.replace('|', chr(92) + '|')} |\n"


def _default(each: Field[Any]) -> str:
    if each.default is MISSING:
        return "required"
    if each.default in (None, (), False, ""):
        return ""
    return "yes" if each.default is True else f"`{each.default}`"
