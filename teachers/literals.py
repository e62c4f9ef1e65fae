"""Literals as models write them: JSON, Python and the slips between, read in one pass, with what was mended.

Nothing here raises and nothing is evaluated. Valid JSON and Python literals are read exactly; a slip is mended and
named; where no mending is safe, reading stops and what was whole until there is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CLOSING_QUOTES = {
    '"': '"', "'": "'", "`": "`", "“": '”“"', "”": '”"', "‘": "’‘'", "’": "’'", "„": '“”"', "«": "»", "「": "」",
    "『": "』", "＂": "＂",
}  # fmt: skip
OPENING = {"{": "{", "｛": "{", "[": "[", "［": "[", "【": "[", "(": "(", "（": "("}
CLOSING = {"}": "{", "｝": "{", "]": "[", "］": "[", "】": "[", ")": "(", "）": "("}
SEPARATORS = ",;，；、"
DEEPEST = 12  # answers are two to four deep; deeper brackets are noise, and the bound keeps reading linear

_BLANK = re.compile(r"[\s\ufeff\u200b]*+")
_COMMENT = re.compile(r"(?://|#)[^\n]*+|/\*[\s\S]*?(?:\*/|\Z)")
_COLON = re.compile(r"=>|[:：=]")
_ELLIPSIS = re.compile(r"\.{3}|…+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_WORD = re.compile(r"(?:None|none|N/A|null|nil|undefined|True|False|true|false|NaN)(?!\w)")
_CALL = re.compile(r"(?:frozenset|set|list|tuple|dict)(?=\()")
_PREFIX = re.compile(r"[uUbBrRfF]{1,2}(?=[\"'])")
_BARE_KEY = re.compile(r"[^\W\d][\w/-]*+(?: [\w/-]++){0,4}(?=\s*[:：=])")
_BARE_ITEM = re.compile(r"[^\s,;，；、\[\]{}()\"“”'‘’:：#/][^,，；;、\[\]{}\n\"“”]{0,200}+(?=[,，；;、\]}\n])")
_GLOSS = re.compile(
    r"""[ \t]+(?:\([^()"\n]{0,80}\)(?=\s*[,;\]}])"""
    r"""|(?:[-=]>|[-–—→])[^"'\n,;\[\]{}]{0,80}(?=\s*(?:[\]}]|[,;]\s*["'“\]}])))"""
)
_GLOSS_OF_VALUE = re.compile(r"\([^()\"\n]{0,80}\)(?=\s*[,;\]}])")
_COLON_BEHIND = re.compile(r"[ \t]*[:：][ \t]*(?=[\"'“‘\[{［\d])")
_ELISION = re.compile(r"['’‘](?:\d\d|tis|twas|n|em|til|cause|round)\b", re.IGNORECASE)
_ODD_QUOTES = "".join({*CLOSING_QUOTES, *CLOSING_QUOTES.values()})
_KEY_IN_LIST = re.compile(r"""(?:"[^"\\\n]{1,60}"|'[^'\\\n]{1,60}'|“[^“”\n]{1,60}”)\s*[:：]\s*[\[［]""")
_STRAY = {  # brackets closed too early: {"PER": ["Ann"]}, "LOC": [...]} and {"PER": ["Ann"}, "Bo"], ...
    "{": re.compile(r"""[}｝]\s*+,?\s*+(?:"[^"\n]{1,60}"|'[^'\n]{1,60}'|“[^“”\n]{1,60}”)\s*[:：]"""),
    "[": re.compile(r"""[}｝]\s*+,?\s*+(?:"[^"\n]{1,99}"|'[^'\n]{1,99}'|“[^“”\n]{1,99}”)\s*[,\]］]"""),
}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|([\s\S])|\Z)")
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "\n": ""}
_SURROGATE = re.compile("[\ud800-\udfff]")
_STARTS = "".join(re.escape(char) for char in {*CLOSING_QUOTES, *OPENING, *CLOSING})
_AFTER_COMMA = re.compile(
    rf"[\s,]*+(?:\Z|[{_STARTS}\d#….\-]|/[/*]|[uUbBrRfF]{{1,2}}[\"']|{_WORD.pattern}|{_CALL.pattern})"
)
_FIND = {opening: re.compile(rf"[{re.escape(closing)}\\\n]") for opening, closing in CLOSING_QUOTES.items()}


@dataclass(frozen=True, slots=True)
class Atom:
    """A number, None, True and their like, by the characters that stand in the answer."""

    text: str


@dataclass(slots=True)
class Series:
    """A list, tuple or set."""

    items: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class Pairs:
    """A dictionary with every pair in order, equal keys included."""

    items: list[tuple[Value, Value]] = field(default_factory=list)


Value = str | Atom | Series | Pairs


@dataclass(frozen=True, slots=True)
class Reading:
    """A bracket and all in it; `stopped` says why it is not whole: "cut off" by the end of the text or "broken off"."""

    value: Series | Pairs
    start: int
    end: int
    mended: tuple[str, ...]
    stopped: str = ""


def read_bracket(text: str, start: int) -> Reading:
    """What the bracket at `start` holds."""
    reader = _Reader(text, start)
    value = reader.bracket()
    return Reading(value, start, reader.at, tuple(reader.mended), reader.stopped)


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at
        self.stack: list[str] = []
        self.mended: dict[str, None] = {}
        self.stopped = ""

    def mend(self, what: str) -> None:
        self.mended[what] = None

    def stop(self) -> None:
        """Read no further."""
        self.stopped = self.stopped or ("cut off" if self.at >= len(self.text) else "broken off")

    def _blank(self, at: int) -> int:
        """Where the blanks that begin at `at` end."""
        blank = _BLANK.match(self.text, at)
        return blank.end() if blank else at

    def skip(self) -> str:
        """Pass blanks and comments; the character that follows, or an empty string at the end."""
        while True:
            self.at = self._blank(self.at)
            comment = _COMMENT.match(self.text, self.at)
            if not comment:
                return self.text[self.at : self.at + 1]
            self.mend("a comment")
            self.at = comment.end()

    def bracket(self) -> Series | Pairs:
        kind = OPENING[self.text[self.at]]
        self.stack.append(kind)
        self.at += 1
        items: list[Value] = []
        pairs: list[tuple[Value, Value]] = []
        if len(self.stack) > DEEPEST:
            self.stop()
        separated = True
        while not self.stopped and not self._closed(kind, separated and bool(items or pairs)):
            if self.text[self.at] in SEPARATORS:
                self.at, separated = self.at + 1, True
                continue
            if not separated and (gloss := _GLOSS_OF_VALUE.match(self.text, self.at)):
                self.mend("a comment")  # ["Ann"] (a sailor), "LOC": ...
                self.at = gloss.end()
                continue
            if not separated:
                self.mend("a missing comma")
            separated = False
            self._member(kind, items, pairs)
        self.stack.pop()
        if kind != "{" or (items and not pairs):
            return Series([*items, *(value for _, value in pairs)])
        if items:
            self.mend("a key without a value")
        return Pairs(pairs)

    def _closed(self, kind: str, after_comma: bool) -> bool:
        """Whether the bracket ends here; a bracket that closes another one closes this one too."""
        while char := self.skip():
            if char not in CLOSING:
                unclosed = kind == "[" and self.stack[-2:-1] == ["{"] and _KEY_IN_LIST.match(self.text, self.at)
                if unclosed:  # ["Ann", "LOC": ["Rome"]
                    self.mend("a bracket that was never closed")
                return bool(unclosed)
            if self.stack in (["{"], ["{", "["]) and _STRAY[kind].match(self.text, self.at):
                self.mend("a stray bracket")
                self.at, after_comma = self.at + 1, False
                continue
            if CLOSING[char] == kind:
                if after_comma:
                    self.mend("a trailing comma")
                self.at += 1
                return True
            if CLOSING[char] in self.stack:
                self.mend("a bracket that was never closed")
                return True
            self.mend("a stray bracket")
            self.at += 1
        self.stop()
        return True

    def _member(self, kind: str, items: list[Value], pairs: list[tuple[Value, Value]]) -> None:
        if ellipsis := _ELLIPSIS.match(self.text, self.at):
            self.mend("an ellipsis")  # the model wrote "and so on": whoever reads it must not take it for whole
            self.at = ellipsis.end()
            return
        first = self._value(key=kind == "{")
        if first is None:
            return
        if kind == "{" and not self.stopped and self.skip() and (colon := _COLON.match(self.text, self.at)):
            if colon.group() != ":":
                self.mend("a strange colon")
            self.at = colon.end()
            self.skip()
            second = self._value()
            pairs.append((first, second if second is not None else Series()))
        else:
            items.append(first)

    def _value(self, key: bool = False) -> Value | None:
        """The value that begins here, or None where reading stops."""
        if self.at >= len(self.text):
            self.stop()
            return None
        if prefix := _PREFIX.match(self.text, self.at):
            self.at = prefix.end()
        char = self.text[self.at]
        if char in CLOSING_QUOTES:
            return self._string(key)
        if call := _CALL.match(self.text, self.at):
            self.mend("a Python call")
            self.at = call.end()
            return self.bracket()
        if char in OPENING:
            return self.bracket()
        return self._unquoted(key)

    def _unquoted(self, key: bool) -> Value | None:
        """A number, a None or the like, or words whose quotes the model forgot."""
        atom = _NUMBER.match(self.text, self.at) or _WORD.match(self.text, self.at)
        if atom and atom.end() < len(self.text):  # at the end of the text it may be the start of a longer one
            self.at = atom.end()
            return Atom(atom.group())
        bare = _BARE_KEY if key else _BARE_ITEM if self.stack[-1] != "{" and "{" in self.stack else None
        if bare and (match := bare.match(self.text, self.at)):
            self.mend("a string without quotes")
            self.at = match.end()
            return match.group().strip()
        if atom:
            self.at = atom.end()
        self.stop()
        return None

    def _string(self, key: bool) -> str | None:
        opening = self.text[self.at]
        if opening != '"':
            self.mend("single quotes" if opening == "'" else "typographic quotes")
        pieces: list[str] = []
        self.at += 1
        start, inner, opened = self.at, 0, None  # where it begins, quotes inside it, the last one that may open another
        while found := _FIND[opening].search(self.text, self.at):
            pieces.append(self.text[self.at : found.start()])
            self.at = found.end()
            if found.group() == "\\":
                pieces.append(self._escape(found.start()))
            elif found.group() == "\n":
                ending = self._line_end()
                if ending == "closed":
                    return _joined(pieces).strip().rstrip(SEPARATORS)
                if ending:
                    break
                pieces.append("\n")
            else:
                closes = self._closes(key, inner)
                colon = not (key or closes) and _COLON_BEHIND.match(self.text, self.at)
                opens = not (key or closes) and self._opens(found.start())
                if opened is not None and (closes or colon or opens):  # ["Ann, "Bo"], or {"PER": ["Ann], "LOC": []}
                    return self._unclosed(start, opened)
                if closes:
                    return _joined(pieces)
                if colon and not inner:  # ["Ann": "a sailor"]: a list or a dictionary, and no telling
                    break
                self.mend("a quote inside a string")
                inner, opened = inner + 1, found.start() if opens else None
                pieces.append(found.group())
        if not found:
            self.at = len(self.text)
        self.stop()
        return None

    def _escape(self, start: int) -> str:
        match = _ESCAPE.match(self.text, start)
        if match is None:
            return "\\"
        self.at = match.end()
        return _unescaped(match)

    def _line_end(self) -> str:
        """A newline inside a string: "" where it may belong to it, "closed" or "broken" where it cannot."""
        at = self._blank(self.at)
        following = self.text[at : at + 3]
        if self.text.count("\n", self.at, at) or following[:1] in ("{", "[", "｛") or following == "```":
            self.at -= 1
            return "broken"
        if following and (following[0] in CLOSING or following[0] in '"“「'):
            self.mend("a quote that was never closed")
            return "closed"
        return ""

    def _opens(self, at: int) -> bool:
        """Whether the quote at `at`, behind a comma or a bracket, looks like the first of a further string."""
        before, behind = self.text[max(0, at - 20) : at].rstrip()[-1:], self.text[at + 1 : at + 2]
        if not before or not behind or behind.isspace() or behind in SEPARATORS or behind in CLOSING:
            return False
        return before in f"{SEPARATORS}]}}］｝】" and not _ELISION.match(self.text, at)

    def _unclosed(self, start: int, end: int) -> str:
        """The string whose quote was forgotten or is another one, before the string or the key that begins at `end`."""
        self.mend("a quote that was never closed")
        said = self.text[start:end].rstrip().rstrip(SEPARATORS).rstrip()
        self.at = end
        if said.endswith(("]", "］", "】", "}", "｝")):
            self.at = start + len(said) - 1
            said = said[:-1].rstrip()
        return _joined([_ESCAPE.sub(_unescaped, said[:-1] if said[-1:] in _ODD_QUOTES else said)])

    def _closes(self, key: bool, inner: int = 0) -> bool:
        """Whether the quote just passed ends its string; if not, it is one more quote or apostrophe in it."""
        text, after = self.text, self.at
        if not key and inner % 2 == 0 and (gloss := _GLOSS.match(text, after)):  # "Ann" (a sailor),
            self.mend("a comment")
            self.at = gloss.end()
            return True
        at = self._blank(after)
        char = text[at : at + 1]
        if not char or text.find("\n", after, at) >= 0:
            return True
        if char in ":：=":
            return key
        if char in CLOSING:
            return CLOSING[char] != "(" or "(" in self.stack
        if char in SEPARATORS:
            return self._goes_on(at + 1)
        return at > after and self._follows(at)

    def _goes_on(self, at: int) -> bool:
        """Whether another value, or the end of the bracket, comes after the comma before `at`."""
        bare_key = self.stack[-1] == "{" and _BARE_KEY.match(self.text, self._blank(at))
        return bool(bare_key or _AFTER_COMMA.match(self.text, at))

    def _follows(self, at: int) -> bool:
        """Whether what stands at `at`, behind a blank, is a comment or a string whose comma is missing."""
        text, char = self.text, self.text[at]
        if char == "#" or text.startswith(("//", "/*"), at):
            return True
        following = text[at + 1 : at + 2]  # two strings with a comma missing, or a quoted word within one
        return char in CLOSING_QUOTES and bool(following) and not following.isspace() and following not in ",:]}"


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2) or match.group(3)
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else match.group()
    char = match.group(4) or ""
    return _PLAIN_ESCAPES.get(char, "\\" + char if char.isalnum() else char)


def _joined(pieces: list[str]) -> str:
    text = "".join(pieces)
    if _SURROGATE.search(text):  # JSON spells characters beyond U+FFFF as two escapes
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text
