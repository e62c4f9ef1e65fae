"""What a request may ask: its body as a Question, or the status and the one sentence that refuse it."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distill.errors import InputError, did_you_mean
from distill.jsonl import once
from students.bundle_options import OFFSETS

MOST_TEXTS = 10_000  # in one request; an empty text costs three bytes to send and much more to answer
_KEYS = ("text", "texts", "offsets")


@dataclass(frozen=True)
class Limits:
    """How much one request, and all together, may ask. `queue` counts requests, `timeout` seconds."""

    max_body: int
    max_text: int
    queue: int
    timeout: float


@dataclass(eq=False)
class Refused(Exception):
    """A request that is answered with a status and a sentence. The sentence never quotes a text."""

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """Texts to tag; `single` where one was asked for by itself."""

    texts: tuple[str, ...]
    single: bool
    offsets: str


def asked(body: bytes, limits: Limits) -> Question:
    """The Question of a body; Refused with 400 (not JSON), 413 (too much) or 422 (another shape)."""
    row = _parsed(body)
    if not isinstance(row, dict):
        raise Refused(422, f'expected an object such as {{"text": "..."}}, found {_kind(row)}')
    unknown = next((key for key in row if key not in _KEYS), None)
    if unknown is not None:
        raise Refused(422, f"unknown key {unknown[:40]!r}{did_you_mean(unknown[:40], _KEYS)}")
    if ("text" in row) == ("texts" in row):
        raise Refused(422, 'give either "text", a string, or "texts", a list of strings')
    offsets = row.get("offsets", "codepoint")
    if offsets not in OFFSETS:
        raise Refused(422, f'"offsets" is one of {", ".join(OFFSETS)}')
    return Question(_texts(row, limits), "text" in row, offsets)


def _parsed(body: bytes) -> Any:
    try:
        return _JSON.decode(body.removeprefix(BOM_UTF8).decode())
    except InputError:
        raise Refused(422, "a key stands twice in one object") from None
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON that can be read: a number too long or brackets too deep") from None


_JSON = json.JSONDecoder(object_pairs_hook=once)


def _texts(row: dict[str, Any], limits: Limits) -> tuple[str, ...]:
    texts = [row["text"]] if "text" in row else row["texts"]
    if not isinstance(texts, list):
        raise Refused(422, f'"texts" is a list of strings, found {_kind(texts)}')
    if len(texts) > MOST_TEXTS:
        raise Refused(413, f"{len(texts)} texts; a request may hold {MOST_TEXTS}")
    for number, text in enumerate(texts, 1):
        name = '"text"' if "text" in row else f"text {number}"
        if not isinstance(text, str):
            raise Refused(422, f"{name} is a string, found {_kind(text)}")
        if len(text) > limits.max_text:
            raise Refused(413, f"{name} has {len(text)} characters; a text may have {limits.max_text}")
    return tuple(texts)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
