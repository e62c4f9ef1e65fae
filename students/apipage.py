"""The OpenAPI as a page to read: endpoints, what they take and give, and a call to copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from students.page import escaped


def api_page(document: Mapping[str, Any]) -> str:
    """One page of every operation of an OpenAPI document."""
    info = document["info"]
    limits = "".join(_limit(name, value) for name, value in info.get("x-limits", {}).items())
    operations = "".join(
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f'<title>{escaped(info["title"])}: interface</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="page.css"></head><body><main>\n'
        f'<header><h1>{escaped(info["title"])} {escaped(info["version"])}</h1>'
        f'<p class="soft">{escaped(info["description"])}</p><ul class="limits">{limits}</ul>'
        '<nav><a href=".">try it</a> <a href="openapi.json">openapi.json</a></nav></header>\n'
        f"{operations}</main></body></html>\n"
    )


def _limit(name: str, value: float) -> str:
    figure = f"{value:,}".removesuffix(".0")
    return f"<li>{escaped(name)} <b>{figure}</b></li>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    return "".join(_parts(method, path, operation))


def _parts(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    lock = ' <span class="chip">token</span>' if operation.get("security") else ""
    yield f'<article class="api"><h2><b>{method}</b> {escaped(path)}{lock}</h2>'
    yield f"<p>{escaped(operation['summary'])}. {escaped(operation.get('description', ''))}</p>"
    taken = operation.get("requestBody", {}).get("content", {})
    for kind, body in taken.items():
        yield f"<h3>Takes {escaped(kind)}</h3>"
        if "example" in body:
            yield f"<pre>{escaped(_call(method, path, kind, body['example'], bool(lock)))}</pre>"
        yield _schema(body["schema"])
    yield "<h3>Answers</h3><dl>"
    for status, answer in sorted(operation["responses"].items()):
        yield f"<dt>{escaped(status)}</dt><dd>{escaped(answer['description'])}</dd>"
    yield "</dl>"
    for body in operation["responses"]["200"].get("content", {}).values():
        yield _schema(body.get("schema", {}))
    yield "</article>\n"


def _call(method: str, path: str, kind: str, example: Any, token: bool) -> str:
    lines = [f"curl -X {method} http://127.0.0.1:8080{path}", f"-H 'Content-Type: {kind}'"]
    if token:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    return " \\\n  ".join([*lines, f"-d '{json.dumps(example)}'"])


def _schema(schema: Mapping[str, Any]) -> str:
    if schema.keys() <= {"type"}:
        return ""
    return f"<details><summary>schema</summary><pre>{escaped(json.dumps(schema, indent=2))}</pre></details>"
