"""Escapes: what texts and mentions write in place of a character, HTML references and the brackets of treebanks."""

from __future__ import annotations

import html
import re
from bisect import bisect_right

from distill.document import Span

_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_WRITTEN = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});|-[LR][RSC]B-")


def unescaped(text: str) -> str:
    """The characters themselves: `AT&T` for `AT&amp;T`, `(` for `-LRB-`."""
    return _WRITTEN.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    return _BRACKETS.get(match[0]) or html.unescape(match[0])


class Unescaped:
    """A text without its escapes, and where each of its stretches stands in the text as it came."""

    def __init__(self, written: str) -> None:
        parts: list[str] = []
        self._written = [Span(0, 0)]  # each escape in the text as it came
        self._read = [Span(0, 0)]  # and what stands for it here
        size = 0
        for match in _WRITTEN.finditer(written):
            plain = _character(match)
            if plain != match[0]:
                parts += [written[self._written[-1].end : match.start()], plain]
                size += len(parts[-2])
                self._read.append(Span(size, size + len(plain)))
                self._written.append(Span(*match.span()))
                size += len(plain)
        self.text = "".join([*parts, written[self._written[-1].end :]]) if parts else written

    def __bool__(self) -> bool:
        """Whether there is any escape."""
        return len(self._read) > 1

    def written(self, span: Span) -> Span:
        """The stretch of the text as it came; an escape is never parted."""
        return Span(self._offset(span.start, last=False), self._offset(span.end, last=True))

    def _offset(self, position: int, *, last: bool) -> int:
        at = bisect_right(self._read, Span(position, -1)) - 1  # the last escape that begins before the position
        after = at + 1
        if after < len(self._read) and self._read[after].start == position:
            return self._written[after].start
        read, written = self._read[at], self._written[at]
        if position < read.end:
            return written.end if last else written.start
        return written.end + position - read.end
