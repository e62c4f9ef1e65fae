"""Whatever is sent, the service answers within its interface, and never with a fault of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service import JSON, Caller, running

any_text = st.text(st.characters(), max_size=80)  # every plane, control characters and lone surrogates too
plain = st.none() | st.booleans() | st.integers() | st.floats() | any_text
any_json = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4))
keys = st.sampled_from(["text", "texts", "offsets", "Text", "id"])
units = st.sampled_from(["codepoint", "utf8", "utf16"])
near = st.dictionaries(keys, any_json | st.lists(any_text) | units, max_size=3)
right = st.fixed_dictionaries({"text": any_text}) | st.fixed_dictionaries({"texts": st.lists(any_text, max_size=5)})
offsets = st.fixed_dictionaries({}, optional={"offsets": units})


@pytest.fixture(scope="module")
def call(word_bundle: Path) -> Iterator[Caller]:
    with running(word_bundle) as caller:
        yield caller


@pytest.fixture(scope="module")
def interface(call: Caller) -> Any:
    return call("/openapi.json").json


def within(interface: Any, call: Caller, body: bytes, headers: dict[str, str]) -> int:
    """Send it; the status is one that the interface names, and a refusal is one sentence."""
    reply = call("/tag", body, headers)
    assert str(reply.status) in interface["paths"]["/tag"]["post"]["responses"]
    assert reply.status < 500
    if reply.status != 200:
        assert list(reply.json) == ["error"] and isinstance(reply.json["error"], str)
    return reply.status


@given(body=st.binary(max_size=200))
def test_any_bytes(interface: Any, call: Caller, body: bytes) -> None:
    assert within(interface, call, body, JSON) in (400, 422)


@given(value=any_json | near)
def test_any_json(interface: Any, call: Caller, value: Any) -> None:
    fits = isinstance(value, dict) and set(value) <= {"text", "texts", "offsets"} and (
        isinstance(value.get("text"), str) != isinstance(value.get("texts"), list)
        and len(value.keys() & {"text", "texts"}) == 1 and all(isinstance(text, str) for text in value.get("texts", []))
        and value.get("offsets", "utf8") in ("codepoint", "utf8", "utf16")
    )  # fmt: skip
    assert within(interface, call, json.dumps(value).encode(), JSON) == (200 if fits else 422)


@given(value=right, unit=offsets, ascii=st.booleans())
def test_any_text_comes_back_with_offsets_that_slice_it(
    interface: Any, call: Caller, value: dict[str, Any], unit: dict[str, str], ascii: bool
) -> None:
    body = json.dumps(value | unit, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    texts = value.get("texts", [value.get("text")])
    surrogates = not ascii and any(0xD800 <= ord(char) < 0xE000 for text in texts for char in text)
    if within(interface, call, body, JSON) == 400:
        assert surrogates  # three bytes that are no UTF-8
        return
    row = call("/tag", body).json
    assert [each["text"] for each in row.get("documents", [row])] == texts
    for each in row.get("documents", [row]):
        for entity in each["entities"]:
            assert sliced(each["text"], entity, unit.get("offsets", "codepoint")).lower() in ("oslo", "lima")


def sliced(text: str, entity: dict[str, Any], unit: str) -> str:
    start, end = entity["start"], entity["end"]
    if unit == "codepoint":
        return text[start:end]
    code, width = ("utf-8", 1) if unit == "utf8" else ("utf-16-le", 2)
    return text.encode(code, "surrogatepass")[start * width : end * width].decode(code, "surrogatepass")


header = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


@settings(max_examples=40)
@given(kind=header, name=st.sampled_from(["Accept", "Content-Type", "Authorization", "Expect", "Origin", "Cookie"]))
def test_any_header(interface: Any, call: Caller, kind: str, name: str) -> None:
    with Caller(call.port) as other:
        reply = other("/tag", b'{"text": "Oslo"}', {**JSON, name: kind.strip()})
    assert str(reply.status) in interface["paths"]["/tag"]["post"]["responses"]


@settings(max_examples=40)
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30), method=st.sampled_from(
    ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]
))  # fmt: skip
def test_any_path(call: Caller, path: str, method: str) -> None:
    with Caller(call.port) as other:
        assert other(f"/{path}", headers={}, method=method).status in (200, 400, 404, 405, 415)


def test_after_all_that_no_fault_was_counted(call: Caller) -> None:
    assert call.service and call.service.metrics.faults == 0 and call.service.inside == 0
