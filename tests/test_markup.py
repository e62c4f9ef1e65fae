"""What readers of predictions get: exact offsets in their own units, tags that read back, a page that is only text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from strategies import documents, texts

from distill.conll import read_conll
from distill.document import Document, Entity, flat
from distill.errors import CallError
from students.markup import renderer
from students.offsets import position

LABELS = ("PER", "LOC")
ADA = Document("<1>", "Ada <b>met</b> Åse & 'Bo' in Oslo", (Entity(0, 3, "PER", 0.75), Entity(29, 33, "LOC", 0.25)))


@given(text=texts)
def test_offsets_slice_the_same_text_in_every_unit(text: str) -> None:
    for unit, size in (("utf8", 1), ("utf16", 2)):
        data = text.encode("utf-8" if unit == "utf8" else "utf-16-le")
        at = position(text, unit)
        for cut in range(len(text) + 1):
            assert data[: at(cut) * size].decode("utf-8" if unit == "utf8" else "utf-16-le") == text[:cut]


def test_offsets_survive_lone_surrogates_and_unknown_units_are_refused() -> None:
    assert [position("a\ud800é", "utf8")(at) for at in range(4)] == [0, 1, 4, 6]
    with pytest.raises(CallError, match="utf32"):
        position("a", "utf32")


def test_jsonl_says_which_unit_its_offsets_count() -> None:
    document = Document("1", "👩 in Oslo", (Entity(5, 9, "LOC", 0.9876543),))
    assert json.loads(renderer("jsonl", LABELS).part(document))["entities"] == [
        {"start": 5, "end": 9, "label": "LOC", "score": 0.987654}
    ]
    row = json.loads(renderer("jsonl", LABELS, "utf8").part(document))
    assert (row["entities"][0]["start"], row["meta"]["offsets"]) == (8, "utf8")


def test_conll_reads_back_with_the_same_entities(tmp_path: Path) -> None:
    document = Document("x1", "Ada Lin, of Acme-Lima , met Bo", (Entity(0, 7, "PER"), Entity(12, 16, "ORG")))
    path = tmp_path / "x.conll"
    path.write_text(renderer("conll", LABELS).part(document), encoding="utf-8")
    (again,) = read_conll(path)
    assert again.id == "x1" and again.text == "Ada Lin , of Acme - Lima , met Bo"
    assert [(again.mention(entity), entity.label) for entity in again.entities] == [("Ada Lin", "PER"), ("Acme", "ORG")]


def test_the_table_shows_every_entity_and_does_nothing_to_a_terminal() -> None:
    table = renderer("table", LABELS)
    nasty = Document("n\x1b[2J", "\x1b[31mOslo\u202e", (Entity(0, 9, "LOC", 0.5),))
    shown = table.head() + table.part(ADA) + table.part(nasty) + table.part(Document("none", "x"))
    assert "PER      0.750  0-3          Ada" in shown and "\x1b" not in shown and "\u202e" not in shown
    assert shown.splitlines()[-1].split() == ["-", "none"]


class Reader(HTMLParser):
    """The texts of a page as a browser would show them, and the tags it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.marks: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]
        if tag not in ("meta",):
            self.inside.append(tag)
        if tag == "p" and ("class", "text") in attrs:
            self.texts.append("")
        if tag == "mark":
            self.marks.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if "article" in self.inside and "p" in self.inside and "b" not in self.inside:
            self.texts[-1] += data
            if "mark" in self.inside:
                self.marks[-1] += data


def _page(*shown: Document) -> tuple[str, Reader]:
    page = renderer("html", LABELS)
    text = page.head() + "".join(page.part(document) for document in shown) + page.tail()
    reader = Reader()
    reader.feed(text)
    return text, reader


def test_the_page_shows_markup_in_texts_as_text() -> None:
    text, reader = _page(ADA, Document("2", "</p><script>alert(1)</script>", (Entity(4, 12, "<i>"),)))
    assert reader.texts == [ADA.text, "</p><script>alert(1)</script>"] and "script" not in reader.tags
    assert reader.marks == ["Ada", "Oslo", "<script>"]
    assert 'dir="auto"' in text and "http" not in text.replace("http-equiv", "") and 'class="unsure"' in text


@given(document=documents())
def test_any_document_makes_a_sound_page(document: Document) -> None:
    text, reader = _page(document)
    text.encode("utf-8")
    assert not reader.inside and len(reader.texts) == 1
    assert reader.tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "article", "h2", "p", "mark", "b", "header", "h1",
        "ul", "li", "span",
    }  # fmt: skip
    assert len(reader.marks) == len(flat(document).document.entities)


def test_control_characters_and_surrogates_become_visible() -> None:
    _, reader = _page(Document("1", "a\x00b\x1b\x7f\ud800"))
    assert reader.texts == ["a␀b␛␡\ufffd"]
