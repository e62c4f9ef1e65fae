"""How a CoNLL file is laid out: its separator, its number of columns, and which of them hold tokens and tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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

    def see(self, line: str) -> None:
        """Take one line into account."""
        if is_boundary(line) or is_comment(line) or not line.strip(" \t"):
            return
        self.rows += 1
        if "\t" in line:
            self._see_fields(True, line.split("\t"), True)
        self._see_fields("\t" in line, _blank_fields(line), False)

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
        raise InputError("neither the last nor the first column holds tags; name theirs with --tag-column", path=path)
    token = wanted.token % width if wanted.token is not None else int(tag % width == 0)
    if token == tag % width:
        raise InputError(f"column {token} cannot hold both the tokens and the tags", path=path)
    return Layout(layout.tabs, width, token, tag % width)


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
