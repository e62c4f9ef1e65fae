"""Filters of open types (UniversalNER): which mentions say nothing, and why."""

from __future__ import annotations

from dataclasses import dataclass

from distill.alignment import Mention
from teachers.repertoire import is_latin, language_of

NO_TYPES = frozenset(
    {
        "none", "na", "n/a", "null", "nil", "misc", "misc.", "miscellaneous", "else", "other", "others", "unknown",
        "unspecified", "undefined", "not applicable", "not an entity", "no type",
        "无", "無", "其他", "其它", "未知", "不适用", "無類別", "无类别",
    }
)  # fmt: skip
"""What a teacher writes where it has no type to give."""


@dataclass(frozen=True, slots=True)
class Filters:
    """`language` is the one that was asked for, or "auto" for the one of each text."""

    language: str = "auto"

    def drop(self, text: str, mention: Mention) -> str:
        """Why a mention of `text` does not count, or an empty string; one that is not in the text is found later.

        In an English text a mention counts as not English if most of its letters are of another script.
        """
        if " ".join(mention.label.split()).casefold().strip(" .\"'()") in NO_TYPES:
            return "a type that says nothing"
        english = (language_of(text) if self.language == "auto" else self.language) == "en"
        return "not English" if english and not is_latin(mention.text) else ""
