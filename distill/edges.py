"""Edges: how much of the punctuation around a name belongs to the mention, and how much the teacher added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from distill.boundaries import clings, invisible
from distill.document import Span
from distill.folding import QUOTES, compatible, key, typography

REACH = 40  # characters around a name in which its punctuation is looked for
MOST_MARKS = 6
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", "《": "》", "【": "】", "〈": "〉", "「": "」", "『": "』"}
_TWICE = re.compile(r"``|''")
_DOUBLE = frozenset('"“”„‟″«»〝〞〟＂')
# The `U.S` or `Ph.D` of an abbreviation, to which its last full stop belongs.
_DOTTED = re.compile(r"\b[^\W\d_](?:[^\W\d_]{0,2}\.|\.\s)[^\W\d_]$")
_INITIAL = re.compile(r"\b(?:[^\W\d_]|inc|ltd|corp|co|bros|jr|sr|st|dr|mr|mrs|ms)$", re.IGNORECASE)


def edges(text: str, said: str, start: int, end: int) -> Iterator[tuple[Span, str]]:
    """Stretches around the core `[start, end)` of a mention, the widest first, each with the mention as it reads there.

    Punctuation that the mention has and the text has not is peeled off from outside, so long as no bracket or quote
    stays behind alone.
    """
    head, tail, own_stop = _around(said)
    dotted = _dotted(text[max(start, end - REACH) : end])
    befores = _reach(head, text[max(0, start - REACH) : start][::-1])
    afters = _reach(tail, text[end : end + REACH], stop=APART if dotted and own_stop == NEVER else own_stop)
    if len(afters) == 1 and dotted and text.startswith(".", end):
        yield Span(start, end + 1), said
    sides = [(i, j) for i in range(len(afters)) for j in range(len(befores))]
    for i, j in sorted(sides, key=lambda side: -sum(side)):
        span = Span(start - befores[j], end + afters[i])
        if _complete(text[span.start : span.end], said, head[j:][::-1], tail[i:]):
            yield span, _peeled(said, len(head) - j, len(tail) - i)
    yield Span(start, end), _peeled(said, len(head), len(tail))


def with_marks(text: str, said: str, start: int, end: int) -> Span:
    """The widest such stretch."""
    return next(edges(text, said, start, end))[0]


@lru_cache(maxsize=256)
def _around(said: str) -> tuple[str, str, int]:
    """The punctuation before and behind a mention, from inside out, and where its full stop may stand."""
    return _marks(said[::-1]), _marks(said), _own_stop(said)


def _marks(said: str) -> str:
    """The punctuation after the last letter, straight and without white space, from inside out."""
    size = len(said)
    while size and not key(said[size - 1]) and (invisible(said[size - 1]) or not clings(said[size - 1])):
        size -= 1
    tail = _TWICE.sub("'", said[size:])
    return "".join("".join(compatible(typography(char)) for char in tail).split())[:MOST_MARKS]


NEVER, BESIDE, APART = range(3)


def _own_stop(said: str) -> int:
    """Where in a text that has no abbreviation the mention's full stop may stand.

    Nowhere if it is that of an abbreviation; apart from the name after an initial, or where it is set apart here too.
    """
    body = compatible(typography(said)).rstrip("'\"”’)]*` \t\n")
    before = body[:-1]
    if body.endswith(".") and _dotted(before[-REACH:]):
        return NEVER
    return APART if body.endswith(".") and (before != before.rstrip() or _INITIAL.search(before)) else BESIDE


@lru_cache(maxsize=256)
def _dotted(core: str) -> bool:
    return _DOTTED.search(compatible(core).rstrip()) is not None


def _reach(marks: str, near: str, *, stop: int = APART) -> list[int]:
    """How far in `near` the first none, one, two ... of the marks reach, white space aside, as long as they match."""
    reach = [0]
    for mark in marks:
        at = reach[-1]
        while at < len(near) and (near[at].isspace() or invisible(near[at])):
            at += 1
        if mark == "." and stop == NEVER:
            reach.append(reach[-1])
            continue
        # A full stop set apart in tokenised text ends the sentence.
        ends = mark == "." and at > reach[-1] and stop == BESIDE
        if ends or at >= len(near) or compatible(typography(near[at])) != mark:
            break
        used = at + 1
        while mark == "'" and used < len(near) and near[used] == near[at] and near[at] in "'`":
            used += 1
        reach.append(used)
    return reach


def _complete(found: str, said: str, head: str, tail: str) -> bool:
    """Whether what was peeled off was a pair around the mention, or what stays has its brackets and quotes in pairs."""
    if not head and not tail:
        return _one_pair(found) or not _one_pair(said)
    if len(head) == len(tail):
        return all(_PAIRS.get(a, a) == b for a, b in zip(head, reversed(tail), strict=True))
    quoted = [edge in QUOTES or edge in "*_" for edge in (found[0], found[-1])]
    if quoted[0] != quoted[1]:
        edge = found[0 if quoted[0] else -1]
        if edge not in _DOUBLE or sum(char in _DOUBLE for char in found) % 2:
            return False
    return _one_pair(found) and balanced(found, said)


def balanced(found: str, said: str) -> bool:
    """Whether brackets come in pairs, or are left alone just as they are in the mention."""
    return _balance(found) in ([0] * len(_PAIRS), _balance(said))


def _one_pair(found: str) -> bool:
    """Whether quotes at both ends are of one kind, not the end of one quotation and the start of another."""
    if len(found) < 3 or found[0] not in QUOTES or found[-1] not in QUOTES:
        return True
    double = [edge[0] in _DOUBLE or edge[0] == edge[1] for edge in (found[:2], found[:-3:-1])]
    return double[0] == double[1]


def _balance(text: str) -> list[int]:
    text = compatible(text)
    return [text.count(opening) - text.count(closing) for opening, closing in _PAIRS.items()]


@lru_cache(maxsize=1024)
def _peeled(said: str, head: int, tail: int) -> str:
    """The mention without so many marks at its start and its end."""
    return _without(_without(said, tail)[::-1], head)[::-1]


def _without(said: str, count: int) -> str:
    size = len(said)
    while size and count > 0:
        size -= 1
        if size and said[size] in "'`" and said[size - 1] == said[size]:  # the '' of tokenised text is one mark
            size -= 1
        count -= len("".join(compatible(typography(said[size])).split()))
    return said[:size].rstrip()
