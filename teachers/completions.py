"""Completions: what a server's answer must look like, and what is wrong with one that does not."""

from __future__ import annotations

import json
from typing import Any

from teachers.teacher import Reply


class BadCompletion(Exception):
    """A reply with status 200 that is no completion: another content type, cut-off JSON, another shape."""


def read_completion(body: str, content_type: str) -> Reply:
    """The Reply in the body of a chat completion; raises BadCompletion and nothing else.

    A refusal and an empty text are replies too: they were paid for, and what they are worth is decided by whoever
    reads them.
    """
    if "json" not in content_type.lower():
        raise BadCompletion(f"a reply of type {content_type[:60] or 'unknown'!r} where JSON was expected")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadCompletion("a reply whose JSON is cut off or broken") from None
    if not isinstance(value, dict):
        raise BadCompletion(f"a reply that is a {type(value).__name__}, not an object")
    if value.get("error"):
        raise BadCompletion(f"an error in a reply with status 200: {_message(value['error'])}")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadCompletion("a reply without choices")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise BadCompletion("a choice without a message")
    return _reply(value, choices[0], message)


def _reply(value: dict[str, Any], choice: dict[str, Any], message: dict[str, Any]) -> Reply:
    usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    finish = choice.get("finish_reason")
    text = _content(message.get("content"))
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str) and refusal:
        text, finish = refusal, "refusal"
    thought = message.get("reasoning_content") or message.get("reasoning")
    cost, model = (usage or {}).get("cost"), value.get("model")
    return Reply(
        text=text,
        finish=finish if isinstance(finish, str) else "",
        thought=thought if isinstance(thought, str) else "",
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        tokens_cached=_cached(usage),
        cost=float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None,
        model=model if isinstance(model, str) else "",
    )


def _content(content: Any) -> str:
    """The text of a message: a string, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text") for part in content if part.get("type", "text") == "text"]
        if all(isinstance(text, str) for text in texts):
            return "".join(text for text in texts if isinstance(text, str))
    raise BadCompletion(f"a message whose content is a {type(content).__name__}, not a text")


def _count(usage: Any, key: str) -> int:
    value = (usage or {}).get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _cached(usage: Any) -> int:
    """The tokens in that came from the server's cache, never more than there were."""
    details = (usage or {}).get("prompt_tokens_details")
    return min(_count(details, "cached_tokens"), _count(usage, "prompt_tokens")) if isinstance(details, dict) else 0


def _message(error: Any) -> str:
    text = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(text).split())[:200]
