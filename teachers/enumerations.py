"""Enumerations: several mentions that a teacher wrote as one string, `"Ann, Bo"` for `["Ann", "Bo"]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from distill.alignment import MOST_PLACES, Mention
from distill.assignment import overlaps
from distill.document import Span
from distill.occurrences import Place, Source
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
    if len(parts) < 2 or any(_stands(source, form) for form in (said, *(other for _, other in variants(said)))):
        return [said]
    for word in _AND:
        head, found, tail = f" {parts[-1]}".rpartition(word)
        if found and head.strip() and _places(source, parts[-1]):
            return [said]  # "Ann, Bo and Cy": two names, or one is "Bo and Cy"
        parts[-1:] = _stripped((head, tail))
    places = [_places(source, part) for part in dict.fromkeys(parts)]
    spans = {place.span for each in places for place in each}
    alike = len({part.islower() for part in parts}) == 1  # "Ann, a sailor" is one mention with its gloss
    return parts if all(places) and alike and not _touch(source.text, sorted(spans - overlaps(spans))) else [said]


def _stands(source: Source, said: str) -> bool:
    """Whether the text has the whole and the marks that divide it: `Faro, Oslo` is not its `Faro / Oslo`."""
    marks = set(_BETWEEN.findall(said))
    return any(marks <= set(source.text[slice(*place.span)]) for place in _places(source, said))


def _places(source: Source, said: str) -> list[Place]:
    return source.exact(said) or source.equal(said) if source.holds(said) else []


def _stripped(parts: Sequence[str]) -> list[str]:
    """The parts that are not blank, without the one quote that was left of two."""
    bare = (part.strip() for part in parts)
    return [part.strip('"“”') if part.count('"') == 1 else part for part in bare if part]


def _touch(text: str, spans: Sequence[Span]) -> bool:
    """Whether two of the stretches have nothing but white space between them."""
    return any(not text[one.end : other.start].strip() for one, other in pairwise(spans))
