"""What the OpenAPI says of the service. Bodies are read by students/asking.py; a test holds the two together."""

from __future__ import annotations

from typing import Any

from fastapi.responses import PlainTextResponse

from students.asking import MOST_TEXTS, Limits
from students.bundle_options import OFFSETS

ABOUT = "Entities found by a student in a bundle. Nothing leaves this machine, and no text is kept or logged."

_ENTITY = {
    "type": "object", "required": ["start", "end", "label", "score"],
    "properties": {
        "start": {"type": "integer", "minimum": 0}, "end": {"type": "integer", "minimum": 1},
        "label": {"type": "string"}, "score": {"type": "number", "minimum": 0, "maximum": 1},
    },
}  # fmt: skip
_DOCUMENT = {
    "type": "object", "required": ["id", "text", "entities"],
    "properties": {
        "id": {"type": "string"}, "text": {"type": "string"}, "entities": {"type": "array", "items": _ENTITY},
        "meta": {"type": "object"},
    },
}  # fmt: skip
_DOCUMENTS = {
    "type": "object", "required": ["documents"],
    "properties": {"documents": {"type": "array", "items": _DOCUMENT}},
}  # fmt: skip
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_OFFSETS = {
    "type": "string", "enum": list(OFFSETS), "default": "codepoint",
    "description": "what start and end count: code points (Python), bytes of UTF-8 (Rust, Go), units of UTF-16 "
    "(Java, JavaScript)",
}  # fmt: skip


def _asks(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: schema, "offsets": _OFFSETS}
    return {"type": "object", "required": [name], "properties": properties, "additionalProperties": False}


def _refusals(**sentences: str) -> dict[int | str, dict[str, Any]]:
    shape = {"application/json": {"schema": _ERROR}}
    return {int(code[1:]): {"description": text, "content": shape} for code, text in sentences.items()}


def _is(description: str, kind: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {kind: {"schema": schema}}}}


_TEXT = {"type": "string"}
TAG: dict[str, Any] = {
    "summary": "Find the entities of a text, or of many",
    "description": "An answer depends on its own text only, never on what else is asked.",
    "responses": {
        **_is("a document for text; for texts an object with all of them in order", "application/json",
              {"oneOf": [_DOCUMENT, _DOCUMENTS]}),
        **_refusals(
            _400="not JSON", _413="the body or a text is too long, or there are too many", _415="not sent as JSON",
            _422="JSON of another shape", _429="too many requests in hand; Retry-After says when to come back",
            _503="not done in time; Retry-After says when to come back",
        ),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            _asks("text", _TEXT),
                            _asks("texts", {"type": "array", "items": _TEXT, "maxItems": MOST_TEXTS}),
                        ]
                    },
                    "example": {"text": "Mira Solberg left Oslo."},
                }
            },
        }
    },
}  # fmt: skip
HEALTH: dict[str, Any] = {
    "summary": "What answers here, and that it does",
    "responses": _is("the service is up", "application/json", {"type": "object"}),
}
METRICS: dict[str, Any] = {
    "summary": "Counters in Prometheus's text format",
    "response_class": PlainTextResponse,
    "responses": _is("the counters", "text/plain", {"type": "string"}),
}


def complete(document: dict[str, Any], limits: Limits, token: bool) -> None:
    """Add what only this service knows to its OpenAPI: its limits, and whether a token is needed."""
    document["info"]["x-limits"] = {
        "bytes of a body": limits.max_body, "characters of a text": limits.max_text, "texts of a request": MOST_TEXTS,
        "requests in hand": limits.queue, "seconds": limits.timeout,
    }  # fmt: skip
    if not token:
        return
    document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path in ("/tag", "/metrics"):
        for operation in document["paths"][path].values():
            operation["security"] = [{"token": []}]
            operation["responses"]["401"] = _refusals(_401="a token is needed")[401]
