"""What teachers add to a mention or leave off it: articles, glosses, possessives, escapes, an &, a final s."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from itertools import islice

from distill.escapes import unescaped
from distill.folding import QUOTES
from distill.glosses import without_gloss

_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’][sS]?$")
_AMPERSAND = re.compile(r"(?<=[^\W\d_])\s*[&＆]\s*(?=[^\W\d_])")
_MARKUP = re.compile(r"^\s*<(\w+)(?:\s[^<>]*)?>(.*)</\1>\s*$", re.DOTALL)
_INNER_ARTICLE = re.compile(r"(?<=\s)(?:the|an?)\s+", re.IGNORECASE)
_PREPOSITION = re.compile(r"\b(?:of|in|for|and|on|at|by|to|from|with)(?=\s+(?!the\s|an?\s))", re.IGNORECASE)
_INNER_POSSESSIVE = re.compile(r"(?:(?<=\w)|\s)['’][sS]?(?=\s)")
_WORD_END = re.compile(r"(?<=[^\W\d_])(?=\s+\w)")
MOST_FORMS = 6  # words of a mention behind which something left off is looked for
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def _without_escapes(said: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r"}

    def read(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else plain.get(match[3], match[3])

    return unescaped(html.unescape(_ESCAPE.sub(read, _MARKUP.sub(r"\2", said))))


def other_and(said: str) -> str:
    """`Quill & Vance` for `Quill and Vance`, and the other way round."""
    if " and " in said:
        return said.replace(" and ", " & ")
    return _AMPERSAND.sub(" and ", said)


_AROUND = QUOTES + " \t\n*_,;"
ESCAPE, AND, ARTICLE, GLOSS, POSSESSIVE, FINAL_S = "escape", "ampersand", "article", "gloss", "possessive", "final s"
VARIANTS: tuple[tuple[str, Callable[[str], str], int], ...] = (
    (ESCAPE, _without_escapes, 1),
    (AND, other_and, 2),
    (f"{ESCAPE}, {AND}", lambda said: other_and(_without_escapes(said)), 2),
    (ARTICLE, lambda said: _ARTICLE.sub("", said, count=1), 1),
    (GLOSS, without_gloss, 2),
    (POSSESSIVE, lambda said: _POSSESSIVE.sub("", said), 1),
    (FINAL_S, lambda said: said + "s", 3),
    (FINAL_S, lambda said: said + "S" if said[-1:].isupper() else said, 3),
    (FINAL_S, lambda said: said[:-1] if said[-1:] in ("s", "S") and said[-2:-1].isalpha() else said, 3),
)


def variants(said: str, only: str = "") -> Iterator[tuple[str, str]]:
    """Other ways to say the mention, each with the name of the repair; the likeliest first."""
    yield from _at_its_ends(said, only)
    if only in ("", ARTICLE):
        shorter = _INNER_ARTICLE.sub("", said)
        ends = [at.end() for at in islice(_PREPOSITION.finditer(said), MOST_FORMS)]
        longer = [said[:at] + " the" + said[at:] for at in ends]
        yield from ((ARTICLE, form) for form in (shorter, *longer) if form != said)
    if only in ("", POSSESSIVE):
        shorter = _INNER_POSSESSIVE.sub("", said)
        ends = [at.end() for at in islice(_WORD_END.finditer(said), MOST_FORMS)]
        longer = [said[:at] + ("'" if said[at - 1] in "sS" else "'s") + said[at:] for at in ends]
        yield from ((POSSESSIVE, form) for form in (shorter, *longer) if form != said)


def _at_its_ends(said: str, only: str) -> Iterator[tuple[str, str]]:
    # A capital "The" may be the name's own.
    ordered = sorted(VARIANTS, key=lambda each: each[0] != FINAL_S) if said.startswith("The ") else VARIANTS
    for form in dict.fromkeys((said, said.strip(_AROUND))):
        for name, change, least in ordered:
            other = change(form).strip() if only in ("", name) else form
            if other != form and sum(char.isalnum() for char in other) >= least:
                yield name, other
