"""What teachers add to a mention or leave off it: articles, glosses, possessives, escapes, a final s."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from distill.folding import QUOTES

_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_GLOSS = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])\s*$")
_POSSESSIVE = re.compile(r"\s*['’](?:s|S)?$")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def _without_escapes(said: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r"}

    def read(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else plain.get(match[3], match[3])

    return html.unescape(_ESCAPE.sub(read, said))


_AROUND = QUOTES + " \t\n*_,;"
ESCAPE, ARTICLE, GLOSS, POSSESSIVE, FINAL_S = "escape", "article", "gloss", "possessive", "final s"
VARIANTS: tuple[tuple[str, Callable[[str], str], int], ...] = (
    (ESCAPE, _without_escapes, 1),
    (ARTICLE, lambda said: _ARTICLE.sub("", said, count=1), 1),
    (GLOSS, lambda said: _GLOSS.sub("", said), 2),
    (POSSESSIVE, lambda said: _POSSESSIVE.sub("", said), 1),
    (FINAL_S, lambda said: said + "s", 3),
    (FINAL_S, lambda said: said + "S" if said[-1:].isupper() else said, 3),
    (FINAL_S, lambda said: said[:-1] if said[-1:] in ("s", "S") and said[-2:-1].isalpha() else said, 3),
)


def variants(said: str, only: str = "") -> Iterator[tuple[str, str]]:
    """Other ways to say the mention, each with the name of the repair; the likeliest first."""
    # A capital "The" may be the name's own.
    ordered = sorted(VARIANTS, key=lambda each: each[0] != FINAL_S) if said.startswith("The ") else VARIANTS
    for form in dict.fromkeys((said, said.strip(_AROUND))):
        for name, change, least in ordered:
            other = change(form).strip() if only in ("", name) else form
            if other != form and sum(char.isalnum() for char in other) >= least:
                yield name, other
