"""Asides: what looks like an answer and is only talked about, shown as an example, or the start of another text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

_ANNOUNCED = re.compile(
    r"(?:result|answer|output|entities|json|list|dictionary|结果|答案)[\s*_`]*(?:is|are|[:：=为])?[\s*_`]*\Z",
    re.IGNORECASE,
)
# What comes behind these words goes on from the answer before it, or puts another in its place.
_REPLACES = re.compile(
    r"\b(?:rather|correct(?:ed|ion|ing)?|revis(?:ed|ion)|actually|wait|instead|sorry|updat(?:ed?|ing)|final(?:ly)?|so|thus|"
    r"therefore|hence|after|check(?:ed|ing)?|filter(?:ed|ing)?|remov(?:ed|ing)|without|only|better|(?:step|pass) \d+|"
    r"now|then|no(?=\s*[,:，：]))\b|最终|更正|修正|因此",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(r"\b(?:if|unless|suppose|were there|for (?:example|instance)|e\.g)\b", re.IGNORECASE)
_LEFT_OUT = (
    r"(?:left out|leave out|leaving out|exclud\w+|omit\w*|ignor\w+|skip\w*|discard\w*|uncertain|unsure|doubtful|"
    r"(?:not|n't|never)\s+(?:be\s+|been\s+)?(?:includ|label|count|list|tag|annotat|add|extract)\w*)"
)
_EXCLUDES = re.compile(_LEFT_OUT, re.IGNORECASE)
_EXCLUDED = re.compile(
    rf"(?:{_LEFT_OUT}(?:\s+(?:the|these|following|entities|mentions|candidates|names|spans|words|items|as))*"
    r"|^\W*(?:confidences?|scores?|counts?|offsets?|positions?|explanations?|justifications?|reason(?:s|ing)?|notes?))"
    r"[\s*_`]*[:：]?[\s*_`]*\Z",
    re.IGNORECASE,
)
_EXCLUDED_BEHIND = re.compile(rf"[\s`'\")\]]*+(?:\w+\s+){{0,3}}?{_LEFT_OUT}", re.IGNORECASE)
_EXPLAINED = re.compile(r"[ \t`]*+(?:[:：(–—=→]|-)")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])[ \t]")
_PROSE_GOES_ON = re.compile(r"[ \t.,;:!()*`'\"，。；、–—-]*+\w")
_SENTENCE = re.compile(r"[.!?。！？](?=\s)|\n")
_SENTENCE_ENDS = re.compile(r"[.!?:;。！？：；*`>][\s*_`]*\Z")
_FENCE = re.compile(r"(?:```|~~~)\w*\s*")
_ASSIGNED = re.compile(r"(\w+)\s*=\s*\Z")
_FILLED = re.compile(r"^[ \t]*(\w+)[\[.]", re.MULTILINE)
# The words that a text stands behind in prompts. A heading with an answer right behind it is none of them.
_ANOTHER_TEXT = re.compile(
    r"^[ \t]*(?:<text\d*>|(?P<heading>[#>*_ \t]*)"
    r"(?:(?:Text|Sentence|Passage|Input|User|Human|Q|Question|Instruction|文本|句子)[*_ \t]*[:：]"
    r"|(?:Text|Passage|Input|Example|Document|Question)[ \t]+#?\d+[*_ \t]*(?:[:：]|$)"
    r"|(?<=[#*] )(?:Text|Input|Instruction|Question)[*_ \t]*$)"
    r"[*_]*+(?=\s*[^\s{\[`]))"
    r"|<\|(?:im_start|start_header_id|start)\|>\s*(?:user|human)|<start_of_turn>\s*user|<\|(?:user|human)\|>|<｜User｜>"
    r"|\[INST\]",
    re.IGNORECASE | re.MULTILINE,
)
_NEAR = 200  # characters before a bracket that may introduce it


@dataclass(frozen=True, slots=True)
class Introduction:
    """The words that lead to a bracket and those right behind it.

    `line` is what stands before it on its line; `clause` what stands before it in its sentence, or the line above
    where its own says nothing.
    """

    line: str
    clause: str
    behind: str

    @property
    def announced(self) -> bool:
        """Whether it is said to be the answer."""
        return not self.supposed and bool(_ANNOUNCED.search(self.clause))

    @property
    def replaces(self) -> bool:
        """Whether it is said to take the place of what came before, or nothing at all is said."""
        if self.supposed or self.excluded:
            return False
        alone = not self.line.strip(" \t`'\"*_([>.;,") and not self.clause.strip() and not _EXPLAINED.match(self.behind)
        return alone or self.announced or bool(_REPLACES.search(self.clause))

    @property
    def supposed(self) -> bool:
        return bool(_SUPPOSED.search(self.clause))

    @property
    def excluded(self) -> bool:
        """Whether it is said to hold what the answer does not, or no mentions."""
        return bool(_EXCLUDED.search(self.clause) or _EXCLUDED_BEHIND.match(self.behind))

    @property
    def goes_on(self) -> bool:
        """Whether it may stand beside what came before, as the answer about other labels."""
        return not (self.supposed or self.excluded or self.announced or _EXCLUDES.search(self.clause))

    @property
    def within_prose(self) -> bool:
        """Whether words go on behind it and nothing in front announces an answer: "I cannot give {} for"."""
        goes_on = bool(self.line.strip()) and not _ANNOUNCED.search(self.line) and _PROSE_GOES_ON.match(self.behind)
        return bool(goes_on) and not _SENTENCE_ENDS.search(self.line)


@dataclass
class Surroundings:
    """A text around the brackets in it. Whatever is looked for in all of it is looked for once."""

    text: str
    _next: re.Match[str] | None = field(default=None, init=False)
    _exhausted: bool = field(default=False, init=False)

    def introduction(self, start: int, end: int, since: int) -> Introduction:
        """What is said about the bracket from `start` to `end`, in the words behind `since`."""
        near = _FENCE.sub("", self.text[max(since, start - _NEAR) : start])
        line = near.rpartition("\n")[2]
        above = near.rstrip().rpartition("\n")[2] if not line.strip() else ""
        headed = above.rstrip(" *_`").endswith((":", "：")) or above[:1] == "#" or above[:2] == above[-2:] == "**"
        heading = above if headed else ""
        clause = heading or _SENTENCE.split(near)[-1]
        return Introduction(line, clause, self.text[end : end + 80].partition("\n")[0])

    def introduced(self, start: int, end: int) -> bool:
        """Whether the bracket is said to be the answer, or is all that is said."""
        introduction = self.introduction(start, end, 0)
        return introduction.announced or not (introduction.clause.strip() or introduction.behind.strip("`~ "))

    def filled_later(self, start: int, end: int) -> bool:
        """Whether it is assigned to a name that gets its values in a later line: `result = {}`."""
        assigned = _ASSIGNED.search(self.text[max(0, start - 60) : start].rpartition("\n")[2])
        return bool(assigned) and self._filled.get(assigned.group(1), -1) >= end if assigned else False

    def another_text(self, start: int, end: int) -> bool:
        """Whether a further text begins there: models without a stop go on with the pattern of the examples.

        Calls come with a growing `start`.
        """
        if not self._exhausted and (self._next is None or self._next.start() < start):
            self._next = _ANOTHER_TEXT.search(self.text, start)
            self._exhausted = self._next is None
        return self._next is not None and self._next.start() < end

    @cached_property
    def _filled(self) -> dict[str, int]:
        """Where a line last begins by filling a name."""
        return {match.group(1): match.start() for match in _FILLED.finditer(self.text)}
