"""Enumerations: several mentions that a teacher wrote as one string, `"Ann, Bo"` for `["Ann", "Bo"]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from distill.alignment import MOST_PLACES, Mention
from distill.document import Span
from distill.occurrences import Source
from distill.variants import variants

_COUNTED = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+", re.MULTILINE)
_BETWEEN = re.compile(r"[;；，、\n]|,(?!\d)|(?<=\s)[/|](?=\s)")
_AND = (" and ", " & ", "和")


def divided(text: str, mentions: Sequence[Mention]) -> tuple[Mention, ...]:
    """The mentions, and in place of a string that stands nowhere in the text the names that it enumerates.

    It does so only if each of them stands in the text, and apart from the others: `Smith, John` is the text's `John
    Smith` turned round.
    """
    source = Source(text, MOST_PLACES)
    return tuple(Mention(part, each.label) for each in mentions for part in _parts(source, each.text))


def _parts(source: Source, said: str) -> list[str]:
    parts = _stripped(_BETWEEN.split(_COUNTED.sub("", said)))
    if len(parts) < 2 or source.holds(said) or any(source.holds(other) for _, other in variants(said)):
        return [said]
    for word in _AND:  # "Ann, Bo and Cy", "Ann, Bo, and Cy"
        head, _, tail = f" {parts[-1]}".rpartition(word)
        parts[-1:] = _stripped((head, tail))
    places = [source.exact(part) or source.equal(part) for part in parts]
    spans = sorted({place.span for each in places for place in each})
    alike = len({part.islower() for part in parts}) == 1  # "Ann, a sailor" is one mention with its gloss
    return parts if all(places) and alike and not _touch(source.text, spans) else [said]


def _stripped(parts: Sequence[str]) -> list[str]:
    return [bare for part in parts if (bare := part.strip())]


def _touch(text: str, spans: Sequence[Span]) -> bool:
    """Whether two of the stretches overlap or have nothing but white space between them."""
    return any(one.end >= other.start or text[one.end : other.start].isspace() for one, other in pairwise(spans))
