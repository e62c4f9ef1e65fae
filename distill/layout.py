"""How a CoNLL file is laid out: its separator, its number of columns, and which of them hold tokens and tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten

from distill.errors import InputError
from distill.tags import is_tag

BOUNDARY = "-DOCSTART-"


@dataclass(frozen=True)
class ConllColumns:
    """How a CoNLL file is laid out; what is None is found out from the file.

    Columns count from 0, from the end where negative. `segmentation_digits` takes the last digit from every token,
    where the file marks its place in a segmented word by one (Weibo).
    """

    token: int | None = None
    tag: int | None = None
    scheme: str | None = None
    segmentation_digits: bool = False


@dataclass(frozen=True)
class Layout:
    """What a file looks like; a line is split by it."""

    tabs: bool
    width: int
    token: int = 0
    tag: int = -1

    def split(self, line: str) -> Sequence[str]:
        """The fields of a line. Only tabs divide a tab-separated line, so a token may hold spaces."""
        return line.split("\t") if self.tabs else _blank_fields(line)

    def tag_of(self, fields: Sequence[str]) -> str:
        """The tag among the fields of a line."""
        return fields[self.tag].strip(" ")


def _blank_fields(line: str) -> list[str]:
    """Fields between spaces and tabs; other white space, such as a no-break space, belongs to a token."""
    fields = line.strip(" \t").replace("\t", " ").split(" ")
    return [each for each in fields if each] if "" in fields else fields


def is_boundary(line: str) -> bool:
    """Whether the line says that a new article begins, which it does where a sentence would."""
    return line.startswith(BOUNDARY) and line[len(BOUNDARY) : len(BOUNDARY) + 1] in ("", " ", "\t")


def is_comment(line: str) -> bool:
    """`# ...`; a token like `#hashtag` is none, and whether `#` itself is one its columns tell."""
    return line.startswith(("# ", "#\t"))


@dataclass
class Survey:
    """What most lines look like, so that a stray line is an error with its own number, not the whole file's."""

    rows: int = 0
    tabbed: int = 0
    widths: dict[bool, Counter[int]] = field(default_factory=lambda: {True: Counter(), False: Counter()})
    tags: Counter[tuple[bool, int, bool]] = field(default_factory=Counter)  # tabs, width, whether in the last column
    first: tuple[bool, int, bool] | None = None  # the same of the first line that has a tag
    counted: int = 0  # lines whose first field is one more than that of the line before, or 1
    highest: int = 0
    shown: list[str] | None = None  # the fields of the first line
    _before: int = 0

    def see(self, line: str) -> None:
        """Take one line into account."""
        if is_boundary(line) or is_comment(line) or not line.strip(" \t"):
            return
        self.rows += 1
        self.shown = self.shown or _blank_fields(line)
        self._count(line.split(None, 1)[:1])
        if "\t" in line:
            self._see_fields(True, line.split("\t"), True)
        self._see_fields("\t" in line, _blank_fields(line), False)

    def _count(self, first: list[str]) -> None:
        number = int(first[0]) if first and first[0].isascii() and first[0].isdigit() and len(first[0]) < 6 else 0
        self.counted += number > 0 and number in (1, self._before + 1)
        self._before, self.highest = number, max(self.highest, number)

    @property
    def numbered(self) -> bool:
        """Whether the first column counts the words of each sentence, as in CoNLL-U."""
        return self.counted == self.rows and self.highest > 1

    def _see_fields(self, tabbed: bool, fields: list[str], tabs: bool) -> None:
        self.tabbed += tabbed and tabs
        width = len(fields)
        self.widths[tabs][width] += 1
        for last in (True, False):
            if is_tag(fields[-1 if last else 0].strip(" ")):
                self.tags[tabs, width, last] += 1
                self.first = self.first or ((tabs, width, last) if width > 1 else None)

    def layout(self) -> tuple[Layout, int | None]:
        """The layout of most lines without its columns, and the column of most tags: the last, or else the first."""
        tabs = self.tabbed * 2 > self.rows
        width, rows = max(self.widths[tabs].items(), key=lambda item: (item[1], item[0]))
        column = next((-1 if last else 0 for last in (True, False) if self.tags[tabs, width, last] * 2 > rows), None)
        return Layout(tabs, width), column

    def layout_of_first(self) -> tuple[Layout, int | None]:
        """The layout of the first line with a tag, for a file too short to have most lines; else that of most.

        Where few lines share it, its tag is a word by chance (a token `O`) and tells nothing.
        """
        layout, column = self.layout()
        if column is not None or self.first is None or self.tags[self.first] * 4 < self.rows:
            return layout, column
        tabs, width, last = self.first
        return Layout(tabs, width), -1 if last else 0


def layout_of(lines: Iterable[str], wanted: ConllColumns, path: str | Path) -> Layout:
    """The layout of a file; an InputError where there are no two columns, no tags, or not the columns wanted."""
    survey = _survey(lines)
    if not survey.rows:
        return Layout(True, 2)
    layout, tag = survey.layout_of_first() if wanted.tag is None else survey.layout()
    width = layout.width
    if width < 2:
        raise InputError("one column; a CoNLL line holds a token and its tag, divided by a tab or a space", path=path)
    for column in (wanted.token, wanted.tag):
        if column is not None and not -width <= column < width:
            raise InputError(f"there is no column {column}; the file has {width}, counted from 0", path=path)
    tag = wanted.tag if wanted.tag is not None else tag
    if tag is None:
        raise InputError(_untagged(survey), path=path)
    token = wanted.token % width if wanted.token is not None else int(tag % width == 0)
    if wanted.token is None and token == 0 and width > 2 and survey.numbered:
        message = "the first column counts the words; `ner-distill convert --token-column 1` makes a file of the others"
        raise InputError(message, path=path)
    if token == tag % width:
        raise InputError(f"column {token} cannot hold both the tokens and the tags", path=path)
    return Layout(layout.tabs, width, token, tag % width)


def _untagged(survey: Survey) -> str:
    tags = "tags (O, B-LABEL, I-LABEL and the like)"
    if survey.shown is None:
        return f"neither the last nor the first column holds {tags}"
    last = shorten(survey.shown[-1], 30, placeholder="...")
    return (
        f"neither the last nor the first column holds {tags}; the first line's last is {last!r}; if another column "
        "does, `ner-distill convert --tag-column N` makes a file of it"
    )


def _survey(lines: Iterable[str]) -> Survey:
    survey = Survey()
    for line in lines:
        survey.see(line)
    return survey


def looks_like_conll(lines: Sequence[str]) -> bool:
    """Whether these lines are tokens with tags: at least two columns, as many in each, one of them tags."""
    survey = _survey(lines)
    if not survey.rows:
        return any(line.strip() for line in lines)
    layout, column = survey.layout()
    return layout.width > 1 and column is not None
