"""Counting: how many tokens a request will have, by a rule or by tiktoken where its tables lie on this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from teachers.teacher import Message

CHARACTERS = 4.0  # ASCII characters in a token of the current models' vocabularies, English prose and JSON
OTHER = 0.8  # tokens in any other character: about one in Chinese, less in accented Latin
FRAME = 4  # tokens around a message
RULE_ERROR = 0.25
COUNTED_ERROR = 0.02

Count = Callable[[str], int]


def by_rule(text: str) -> int:
    """One token for four ASCII characters, four for five others."""
    plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    return round(plain / CHARACTERS + (len(text) - plain) * OTHER)


def counter_for(model: str) -> tuple[Count, float]:
    """How to count, and how far off the count may be, as a share. Asks no network: tiktoken would for its tables."""
    cache = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    folder = Path(cache) if cache else Path(tempfile.gettempdir()) / "data-gym-cache"
    if not folder.is_dir() or not any(folder.iterdir()):
        return by_rule, RULE_ERROR
    try:
        import tiktoken

        encoding = tiktoken.encoding_for_model(model)
    except (ImportError, KeyError, OSError, ValueError):
        return by_rule, RULE_ERROR
    return (lambda text: len(encoding.encode(text, disallowed_special=()))), COUNTED_ERROR


def of_messages(messages: Iterable[Message], count: Count = by_rule) -> int:
    """The tokens of a conversation as the server counts them."""
    return sum(count(message.content) + FRAME for message in messages)
