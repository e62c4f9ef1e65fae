"""The review page shows everything, in a real browser, and what is corrected there comes back as documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser, why_no_browser

from distill.corpora import read_all, read_gold_flat
from distill.document import Document, Entity, Span
from distill.errors import CallError, InputError
from distill.jsonl import write_jsonl
from distill.review import ReviewOptions, embedded, review

NASTY = "</script><script>document.title='broken'</script><!-- \u2028 & <b>bold</b> {{data}}"
DOCUMENTS = [
    Document(
        "n-1", "Mira Solberg of the University of Oslo left 🇳🇴 Fjord Bank.",
        (Entity(0, 12, "PER"), Entity(20, 38, "ORG", score=0.6), Entity(34, 38, "LOC"),
         Entity(47, 57, "ORG", how="fuzzy 0.92")),
        {"reasoning": "Step 1. A move.\nStep 2. Mira Solberg", "source": "by hand",
         "lost": [{"mention": "Fjörd", "label": "ORG", "why": "not in the text"}]},
    ),
    Document("n-2", "fingers swelled up and hurt",
             (Entity(0, 27, "ADE", fragments=(Span(0, 7), Span(23, 27))), Entity(8, 18, "ADE"))),
    Document("n-3", NASTY, (Entity(0, 9, "<i>L</i>"),), {"teacher": NASTY}),
    Document("n-4", "Ola Nord met Kari Vik.\r\nThey left\x00Oslo.", (Entity(0, 8, "PER"), Entity(4, 17, "PER")), {
        "agreement": 0.6, "voters": ["a", "b", "c"],
        "disputed": [{"start": 34, "end": 38, "label": "LOC", "votes": 1, "kept": False, "by": ["b"]}],
    }),
    Document("n-5", "A lone \ud800 surrogate.", ()),
]  # fmt: skip
GOLD = [DOCUMENTS[0].with_entities([Entity(0, 12, "PER"), Entity(20, 38, "ORG"), Entity(47, 57, "ORG")]), DOCUMENTS[1]]
no_browser = why_no_browser()
in_browser = pytest.mark.skipif(bool(no_browser), reason=no_browser)


def page(folder: Path, documents: list[Document], gold: list[Document] | None = None, **options: object) -> Path:
    write_jsonl(documents, folder / "labels.jsonl")
    if gold is not None:
        write_jsonl(gold, folder / "gold.jsonl")
        options["gold"] = folder / "gold.jsonl"
    out = folder / "page.html"
    review(ReviewOptions(inputs=(folder / "labels.jsonl",), out=out, **options))  # type: ignore[arg-type]
    return out


def test_nothing_in_a_document_can_leave_its_place_in_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, DOCUMENTS, title=NASTY).read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    assert not set("<>&\u2028") & set(data[1])
    assert [row["text"] for row in json.loads(data[1])["documents"]] == [document.text for document in DOCUMENTS]
    assert json.loads(embedded(NASTY)) == NASTY
    assert "http://" not in text
    assert "https://" not in text


def test_what_does_not_belong_beside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gold\.jsonl: document 'n-1' has another text"):
        page(tmp_path, DOCUMENTS, [Document("n-1", "Another text.")])
    with pytest.raises(InputError, match="none of the 5 documents"):
        page(tmp_path, DOCUMENTS, [Document("other", "Another text.")])
    with pytest.raises(CallError, match="needs a label file"):
        review(ReviewOptions(out=tmp_path / "page.html"))
    assert not (tmp_path / "page.html").exists()


def test_the_report_counts_what_is_shown(tmp_path: Path) -> None:
    write_jsonl(DOCUMENTS, tmp_path / "a.jsonl")
    write_jsonl(GOLD, tmp_path / "g.jsonl")
    report = review(ReviewOptions(inputs=(tmp_path / "a.jsonl",), gold=tmp_path / "g.jsonl", out=tmp_path / "p.html"))
    assert "5 documents, 9 entities, lost mentions: 1, gold beside 2" in str(report)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def download(chromium: Browser, button: str, name: str) -> Path:
    for old in chromium.downloads.iterdir():
        old.unlink()
    chromium.run("document.getElementById('save').open = true; document.getElementById(arguments[0]).click()", button)
    chromium.wait((chromium.downloads / name).exists)
    return chromium.downloads / name


@in_browser
def test_the_page_shows_marks_gold_reasoning_and_losses_and_asks_nobody(tmp_path: Path, chromium: Browser) -> None:
    chromium.open(page(tmp_path, DOCUMENTS, GOLD))
    assert chromium.driver.title == "labels · review"
    assert chromium.texts(".ours") == [document.text for document in DOCUMENTS]
    first = "article:nth-of-type(1) "
    assert chromium.texts(first + ".ours mark") == ["Mira Solberg", "University of Oslo", "Oslo", "Fjord Bank"]
    assert chromium.texts(first + ".ours mark mark") == ["Oslo"]
    assert chromium.texts(first + ".ours mark.odd") == ["Oslo"]
    assert chromium.texts(first + ".ours mark.repaired") == ["Fjord Bank"]
    assert chromium.texts(first + ".gold mark") == ["Mira Solberg", "University of Oslo", "Fjord Bank"]
    assert "Fjörd" in chromium.texts(first + ".chip.lost")[0]
    assert "Step 2" in chromium.texts(first + ".reasoning p")[0]
    assert chromium.texts("article:nth-of-type(2) .ours mark") == ["fingers", "swelled up", "hurt"]
    assert chromium.texts("article:nth-of-type(2) .gold") == []
    assert chromium.texts("article:nth-of-type(4) .ours mark") == ["Ola Nord", "Nord", " met Kari"]  # they cross
    assert chromium.complaints() == []


@in_browser
def test_unchanged_documents_come_back_as_they_were(tmp_path: Path, chromium: Browser) -> None:
    chromium.open(page(tmp_path, DOCUMENTS))
    found = download(chromium, "save-all", "labels.corrected.jsonl")
    assert read_all(found) == DOCUMENTS
    assert [d.meta for d in read_all(found)] == [d.meta for d in DOCUMENTS]
    assert [e.score for e in read_all(found)[0].entities] == [None, 0.6, None, None]


@in_browser
def test_corrections_by_keys_are_kept_undone_and_downloaded(tmp_path: Path, chromium: Browser) -> None:
    where = page(tmp_path, DOCUMENTS, GOLD)
    chromium.open(where)
    labels = json.loads(chromium.run("return document.getElementById('data').textContent"))["labels"]
    chromium.press("l", "l", "l", "d")  # the third entity, Oslo, nested
    assert chromium.texts("article:nth-of-type(1) .state") == ["corrected"]
    chromium.press("h", "d", "u", str(labels.index("PER") + 1))  # delete the bank, undo; it is chosen no more
    chromium.press("a")
    assert chromium.run("return cursor.doc.id") == "n-2"
    chromium.press("l", str(labels.index("LOC") + 1), "j", "x", "j", "g")
    chromium.run("""
      const node = document.querySelector("article:nth-of-type(5) .ours").firstChild;
      getSelection().setBaseAndExtent(node, 6, node, 19);""")
    chromium.wait(lambda: chromium.run("return selection !== null"))
    chromium.press(str(labels.index("ORG") + 1))
    chromium.run("document.querySelector('.chip.outvoted').click()")
    chromium.open(where, kept=True)  # edits outlive the page
    assert chromium.texts("#done") == ["5 of 5 reviewed"]
    found = download(chromium, "save-all", "labels.corrected.jsonl")
    documents = {document.id: document for document in read_all(found)}
    assert sorted(documents) == ["n-1", "n-2", "n-4", "n-5"]  # n-3 was left out
    assert documents["n-1"].entities == GOLD[0].entities
    assert [entity.score for entity in documents["n-1"].entities] == [None] * 3
    assert documents["n-1"].meta == {**DOCUMENTS[0].meta, "review": "corrected"}
    assert [e.label for e in documents["n-2"].entities] == ["LOC", "ADE"]
    assert documents["n-2"].entities[0].fragments == (Span(0, 7), Span(23, 27))
    assert documents["n-4"].mention(documents["n-4"].entities[-1]) == "Oslo"
    (added,) = documents["n-5"].entities
    assert documents["n-5"].mention(added) == "\ud800 surrogate."
    assert len(read_gold_flat(found, overlaps="outermost").documents) == 4
    assert len(read_all(download(chromium, "save-reviewed", "labels.reviewed.jsonl"))) == 4
    assert chromium.complaints() == []


@in_browser
def test_selected_text_beyond_the_basic_plane_gets_code_point_offsets(tmp_path: Path, chromium: Browser) -> None:
    chromium.open(page(tmp_path, [Document("e-1", "👩‍👩‍👧 met Ada 🇳🇴 Lin in Oslo", (Entity(10, 13, "PER"),))]))
    chromium.run("""
      const box = document.querySelector(".ours"), last = box.lastChild;
      getSelection().setBaseAndExtent(last, last.length - 5, last, last.length);""")
    chromium.wait(lambda: chromium.run("return selection !== null"))
    chromium.press("1")
    (document,) = read_all(download(chromium, "save-all", "labels.corrected.jsonl"))
    assert [document.mention(entity) for entity in document.entities] == ["Ada", "Oslo"]


@in_browser
def test_filters_and_search_find_documents(tmp_path: Path, chromium: Browser) -> None:
    chromium.open(page(tmp_path, DOCUMENTS, GOLD))

    def toggled(value: str) -> list[str]:
        click = "document.querySelector(`.facet[data-value='${arguments[0]}']`).click()"
        chromium.run(click, value)
        ids = chromium.texts(".card .id")
        chromium.run(click, value)
        return ids

    assert toggled("lost") == ["n-1"]
    assert toggled("repaired") == ["n-1"]
    assert toggled("ADE") == ["n-2"]
    assert toggled("from gold") == ["n-1"]
    assert toggled("in the vote") == ["n-4"]
    assert toggled("accepted") == []
    chromium.press("/", *"FINGERS")
    chromium.wait(lambda: chromium.texts(".card .id") == ["n-2"])
    assert chromium.texts("#shown") == ["1 of 5 shown"]


@in_browser
def test_five_thousand_documents_stay_fluid(tmp_path: Path, chromium: Browser) -> None:
    many = [Document(f"m-{n}", DOCUMENTS[0].text * 3, DOCUMENTS[0].entities) for n in range(5000)]
    chromium.open(page(tmp_path, many, many), kept=True)
    assert chromium.run("return document.querySelectorAll('.card').length") == 5000
    assert chromium.run("return document.querySelectorAll('.ours').length") < 100
    took = chromium.run("""
      const from = performance.now();
      const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      for (let n = 0; n < 50; n++) press(n % 4 ? "j" : "a");
      document.body.offsetHeight;
      return (performance.now() - from) / 50;""")
    assert took < 250  # milliseconds a key; a tenth of it where no other work takes the processor
    chromium.run("window.scrollTo(0, document.body.scrollHeight)")
    chromium.wait(lambda: "m-4999" in chromium.texts(".card .id"))
    chromium.wait(lambda: chromium.run("return document.querySelectorAll('.ours').length") < 150)


@in_browser
@pytest.mark.parametrize(("width", "height"), [(360, 740), (820, 1180), (1600, 900)])
def test_the_page_fits_every_window(tmp_path: Path, chromium: Browser, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        chromium.open(page(tmp_path, DOCUMENTS, GOLD))
        assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")
        box = chromium.run("return document.querySelector('#bar .go').getBoundingClientRect().toJSON()")
        assert 0 <= box["left"] < box["right"] <= width
        assert box["bottom"] <= height
    finally:
        chromium.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
