"""Servers: what must be known to ask one: its address, the key, the parameters, the price, and the store before it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distill.errors import CallError
from distill.libraries import resolve
from distill.progress import say
from teachers.options import LabelOptions
from teachers.prices import price_of, read_prices
from teachers.purse import Purse, output_limit
from teachers.teacher import Teacher

ENDING = "/chat/completions"
KEPT_PARAMETERS = ("model", "messages", "stream", "n")  # they would change what an answer is


def server_for(options: LabelOptions) -> tuple[Teacher, Purse]:
    """The server that the options name, behind its store, and the purse that pays for it."""
    endpoint, purse = endpoint_of(options), purse_for(options)
    key = api_key(options, os.environ)
    chat = resolve("teachers.chat", "teach")
    from teachers.forms import Formal
    from teachers.remembering import Remembering
    from teachers.store import Store

    store = Store(store_path(options))
    purse.history = store.spent_since
    teacher = Remembering(chat.ChatTeacher(endpoint, key, purse=purse), store, endpoint.request)

    def note(said: str) -> None:
        store.note_refusal(endpoint.address, endpoint.model, said)
        say(f"the server takes no response_format ({said}); it is asked in plain text from now on")

    before = store.refusal(endpoint.address, endpoint.model)
    return Formal(teacher, before, note, required=options.structured == "on"), purse


def endpoint_of(options: LabelOptions) -> Any:
    """Where and what to ask."""
    if not options.model:
        raise CallError("--teacher openai needs --model, the model's name at the server")
    if options.base_url is not None:
        check_url(options.base_url)
    given = {"url": options.base_url} if options.base_url else {}
    return resolve("teachers.chat:Endpoint", "teach")(
        model=options.model, parameters=parameters_of(options.param), concurrency=options.concurrency,
        timeout=options.timeout, max_requests=options.max_requests, **given,
    )  # fmt: skip


def check_url(url: str) -> None:
    """Raise CallError for what is no address of a server."""
    shown = shown_address(url)
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, url))
    except ValueError:  # a port out of range, half an IPv6 address
        raise CallError(f"--base-url is no address: {shown!r}") from None
    if parts.scheme not in ("http", "https"):
        raise CallError(f"--base-url begins with http:// or https://, not {shown!r}")
    if not whole:
        raise CallError(f"--base-url is no address: {shown!r}")
    if parts.path.rstrip("/").endswith(ENDING):
        raise CallError(f"--base-url ends before {ENDING}: {shown.rstrip('/').removesuffix(ENDING)}")


def purse_for(options: LabelOptions) -> Purse:
    """The purse that the options describe; a budget without a price would stop nothing."""
    price = price_of(options.model, read_prices(options.prices, options.base_url))
    if options.budget is not None and price is None:
        raise CallError(f"--budget needs the price of {options.model!r}; write it into a file and give it by --prices")
    return Purse(price, options.budget, output_limit(parameters_of(options.param)))


def store_path(options: LabelOptions) -> Path:
    """Where requests and answers are kept."""
    return options.store or options.out.parent / "answers.sqlite"


def shown_address(url: str) -> str:
    """A URL without user name, password and query."""
    return url.partition("?")[0].rpartition("@")[2] if "@" in url else url.partition("?")[0]


def api_key(options: LabelOptions, environment: Mapping[str, str]) -> str | None:
    """The key, from the variable that was named. A key of OpenAI's is never sent to another server unasked."""
    name = options.api_key_env or (None if options.base_url else "OPENAI_API_KEY")
    if name is None:
        return None
    key = environment.get(name, "").strip()
    if not key:
        raise CallError(f"the environment variable {name} holds no key; set it, or name another with --api-key-env")
    if not key.isascii() or not key.isprintable():
        raise CallError(f"the environment variable {name} holds characters that no key has")
    return key


def parameters_of(pairs: Sequence[str]) -> dict[str, Any]:
    """`k=v` with v as JSON where it is JSON, and as text where it is not."""
    parameters: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise CallError(f"--param is k=v, not {pair!r}")
        if key in KEPT_PARAMETERS:
            raise CallError(f"--param {key} cannot be set: label needs it as it is")
        if key in parameters:
            raise CallError(f"--param {key} is given twice")
        try:
            parameters[key] = json.loads(value)
        except ValueError:
            parameters[key] = value
    return parameters
