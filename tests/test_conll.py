"""CoNLL files of every layout are read exactly, and what they cannot carry is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import data_sets

from distill.conll import conll_rows, read_conll, write_conll
from distill.document import Document, Entity, Span
from distill.errors import InputError
from distill.layout import ConllColumns
from distill.rejects import BadRow
from distill.tags import SCHEMES


def read(folder: Path, content: str, columns: ConllColumns | None = None) -> list[Document]:
    (folder / "sample.conll").write_bytes(content.encode())
    return list(read_conll(folder / "sample.conll", columns, Counter()))


def mentions(document: Document) -> list[tuple[str, str]]:
    return [(document.mention(entity), entity.label) for entity in document.entities]


FOUR = (
    "-DOCSTART- -X- -X- O\n\nMira NNP B-NP B-PER\nSolberg NNP I-NP I-PER\nleft VBD B-VP O\n. . O O\n\n"
    "Oslo NNP B-NP B-LOC"
)


@pytest.mark.parametrize(
    "content",
    [
        FOUR,
        FOUR.replace("\n", "\r\n"),
        FOUR.replace(" ", "\t"),
        FOUR.replace(" ", "   "),
        "\ufeff" + FOUR,
        FOUR + "\n\n\n\n",
        FOUR.replace("\n\n", "\n \t\n"),
        FOUR.replace("-DOCSTART- -X- -X- O\n\n", "-DOCSTART- -X- O\n"),
        "# made by hand\n" + FOUR,
        "Mira B-PER\nSolberg I-PER\nleft O\n. O\n\nOslo B-LOC\n",
        "B-PER\tMira\nI-PER\tSolberg\nO\tleft\nO\t.\n\nB-LOC\tOslo",
        "Mira I-PER\nSolberg I-PER\nleft O\n. O\n\nOslo I-LOC\n",
        "Mira B-PER\nSolberg E-PER\nleft O\n. O\n\nOslo S-LOC\n",
        "Mira B-PER\nSolberg L-PER\nleft O\n. O\n\nOslo U-LOC\n",
    ],
)
def test_every_layout_gives_the_same_documents(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [
        Document("sample-1", "Mira Solberg left .", (Entity(0, 12, "PER"),)),
        Document("sample-2", "Oslo", (Entity(0, 4, "LOC"),)),
    ]


def test_any_column_can_be_named(tmp_path: Path) -> None:
    content = "1\tMira\tB-PER\tO\n2\tleft\tO\tO\n"
    assert mentions(read(tmp_path, content, ConllColumns(token=1, tag=2))[0]) == [("Mira", "PER")]
    assert mentions(read(tmp_path, content, ConllColumns(token=1))[0]) == []
    with pytest.raises(InputError, match="no column 4; the file has 4"):
        read(tmp_path, content, ConllColumns(tag=4))
    with pytest.raises(InputError, match="both the tokens and the tags"):
        read(tmp_path, content, ConllColumns(token=-1))


def test_chinese_japanese_and_thai_are_joined_without_spaces(tmp_path: Path) -> None:
    content = "他\tO\n在\tO\n奥\tB-LOC\n斯\tI-LOC\n陆\tI-LOC\n，\tO\nNRK\tB-ORG\n说\tO\n"
    document = read(tmp_path, content)[0]
    assert document.text == "他在奥斯陆， NRK 说"
    assert mentions(document) == [("奥斯陆", "LOC"), ("NRK", "ORG")]


def test_segmentation_digits_go_when_asked(tmp_path: Path) -> None:
    content = "奥0\tB-LOC\n斯1\tI-LOC\n20\tO\n7\tO\n"
    assert read(tmp_path, content)[0].text == "奥0 斯1 20 7"
    assert read(tmp_path, content, ConllColumns(segmentation_digits=True))[0].text == "奥斯 2 7"


def test_tokens_keep_spaces_and_hash_signs_that_are_theirs(tmp_path: Path) -> None:
    content = "# id = note-7\n#\tO\n# 1\tO\nNew York\tB-LOC\n10\u00a0km\tO\nx\u2028y\tO\n#oslo\tB-LOC\n"
    document = read(tmp_path, content)[0]
    assert document.id == "note-7"
    assert document.text == "# # 1 New York 10\u00a0km x\u2028y #oslo"
    assert mentions(document) == [("New York", "LOC"), ("#oslo", "LOC")]


def test_tokens_that_look_like_tags_do_not_mislead(tmp_path: Path) -> None:
    document = read(tmp_path, "O O\nB-52 B-MISC\nlanded O\n\nE-mail O\n")[0]
    assert mentions(document) == [("B-52", "MISC")]


def test_repaired_tags_are_counted_or_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slips.conll"
    path.write_text("Mira I-PER\nOslo B-LOC\nfjord I-LOC\nBergen I-ORG\n")
    repairs: Counter[str] = Counter()
    assert len(list(read_conll(path, None, repairs))) == 1
    assert repairs == {str(path): 2}
    assert capsys.readouterr().err == ""
    list(read_conll(path))
    assert "2 tags" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Mira B-PER\nSolberg\nleft O\n", r"sample.conll:2: 1 columns, the file has 2"),
        ("Mira\nSolberg B-PER\nleft O\n. O\n", r"sample.conll:1: 1 columns, the file has 2"),
        ("Mira\tB-PER\nNew York B-LOC\nleft\tO\n", r"sample.conll:2: 1 columns"),
        ("Mira B-PER\n\nOslo LOC\nis O\n. O\n", r"sample.conll:3: 'LOC' is no tag"),
        ("Mira B-PER\n#oslo\nis O\n", r"sample.conll:2: 1 columns"),
        ("Mira B-PER\nleft o\nOslo I-LOC\n", r"sample.conll:2: 'o' is no tag"),
        ("Mira\nleft\n", "sample.conll: one column"),
        ("Mira B-PER\nSolberg I-PER more\n", r"sample.conll:2: 3 columns, the file has 2"),
        ("Mira B-PER\nSolberg Q-PER\n", r"sample.conll:2: 'Q-PER' is no tag"),
        ("Mira B-\nOslo I-LOC\n", r"sample.conll:1: 'B-' is no tag"),
        ("Mira B-PER\nSolberg\nOslo\n", r"sample.conll:2: 1 columns, the file has 2"),
        ("Mira NNP x\nO NNP x\n" + "left VBD x\n" * 8, "sample.conll: neither the last nor the first column"),
        ("Mira B-PER\rleft O\r\rOslo B-LOC\r", "sample.conll:1: a carriage return within the line"),
        ("1\tMira\tB-PER\n2\tleft\tO\n\n1\tOslo\tB-LOC\n", "the first column counts the words; .*--token-column 1"),
        ("Mira B_PER\nleft O_O\n", "the first line's last is 'B_PER'; if another column does"),
        ("Mira went\nto Oslo\n", "neither the last nor the first column holds tags"),
        ("Mira\tB-PER\n\tO\nleft\tO\n", "sample.conll:2: empty token"),
        ("Mira B-PER\nS. M-PER\nSolberg I-PER\n", "sample.conll: tags mix schemes"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("bad", "line", "reason"),
    [
        (b"Solberg\n", 5, "1 columns, the file has 2"),
        (b"Solberg B-PER\nBerg\nleft now O\n", 6, "1 columns"),
        (b"Solberg PER\nin\n", 5, "'PER' is no "),
        (b"Bod\xf8 B-LOC\n", 5, "not UTF-8 at byte 3 of the line"),
    ],
)
def test_for_those_who_go_on_a_bad_line_costs_its_sentence_and_no_other(
    tmp_path: Path, bad: bytes, line: int, reason: str
) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes(b"Mira I-PER\nSolberg I-PER\n\nof O\n" + bad + b"left O\n\nOslo I-LOC\nis O\nold O\n")
    first, rejected, last = conll_rows(path)
    assert isinstance(first, Document) and isinstance(last, Document)
    assert [(document.id, mentions(document)) for document in (first, last)] == [
        ("a-1", [("Mira Solberg", "PER")]), ("a-3", [("Oslo", "LOC")]),
    ]  # fmt: skip
    assert isinstance(rejected, BadRow)
    assert (rejected.id, rejected.source, rejected.line) == ("a-2", str(path), line)
    assert reason in rejected.reason
    assert rejected.raw.split("\n") == ["of O", *bad.decode("utf-8", "replace").splitlines(), "left O"]
    with pytest.raises(InputError, match=rf"a.conll:{line}: {reason}"):
        list(read_conll(path))


def test_a_scheme_given_is_held_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sample.conll:2: 'E-PER' is no IOB2 tag"):
        read(tmp_path, "Mira B-PER\nSolberg E-PER\n", ConllColumns(scheme="IOB2"))


def test_an_empty_file_is_an_empty_data_set(tmp_path: Path) -> None:
    assert read(tmp_path, "") == read(tmp_path, "\n\n-DOCSTART-\n\n# nothing\n") == []


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(data_sets(), st.sampled_from(sorted(SCHEMES)), st.sampled_from(["spaces", "words"]))
def test_what_is_written_comes_back_and_what_is_lost_is_counted(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Document], scheme: str, split: str
) -> None:
    path = tmp_path_factory.mktemp("conll") / "out.conll"
    report = write_conll(documents, path, scheme, split=split, ids=True)
    repairs: Counter[str] = Counter()
    found = {document.id: document for document in read_conll(path, ConllColumns(scheme=scheme), repairs)}
    assert not repairs.total()
    assert len(found) == report.documents == len(documents) - report.lost["empty"]
    given = sum(len(document.entities) for document in documents)
    kept = sum(len(document.entities) for document in found.values())
    assert kept == report.entities == given - report.lost_entities
    for document in documents:
        if document.id not in found:
            continue
        back = found[document.id]
        assert squeezed(back.text) == squeezed(document.text)
        wanted = Counter((squeezed(document.mention(e)), e.label) for e in document.entities)
        assert not Counter((squeezed(back.mention(e)), e.label) for e in back.entities) - wanted
        if back.text == document.text and not report.lost["trimmed"]:
            assert set(back.entities) <= set(document.entities)
    if not report.lost["respaced"]:
        assert all(document.text == found[document.id].text for document in documents if document.id in found)


token_rows = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\r\n"), min_size=1, max_size=4)),
    min_size=1, max_size=6,
).map(lambda rows: [row[0] for row in rows])  # fmt: skip


@given(st.lists(token_rows, min_size=1, max_size=3))
def test_any_tokens_are_read_and_every_offset_slices_them(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("conll") / "in.conll"
    sentences = [[token for token in tokens if token.strip("\ufeff") and token != "#"] for tokens in sentences]
    blocks = ["".join(f"{token}\tB-X\n" for token in tokens) for tokens in sentences if tokens]
    path.write_text("\n".join(blocks), encoding="utf-8", newline="\n")
    found = list(read_conll(path))
    expected = [[token.removeprefix("\ufeff") if at == row == 0 else token for row, token in enumerate(tokens)]
                for at, tokens in enumerate(each for each in sentences if each)]  # fmt: skip
    assert [[d.text[e.start : e.end] for e in d.entities] for d in found] == expected


def test_a_conll_text_gives_its_own_tokens_back(tmp_path: Path) -> None:
    content = "U.N.\tB-ORG\nenvoy\tO\nMira\tB-PER\n's\tO\n(\tO\n10\u00a0km\tO\n)\tO\n\n東\tB-LOC\n京\tI-LOC\n\n"
    documents = read(tmp_path, content)
    report = write_conll(documents, tmp_path / "again.conll")
    assert (tmp_path / "again.conll").read_text(encoding="utf-8") == content
    assert report.complete
    assert report.losses() == ["2 documents lost their id"]


def test_prose_is_divided_where_entities_need_it(tmp_path: Path) -> None:
    text = "(Oslo) Mira's タワー東京で."
    document = Document("a", text, (Entity(1, 5, "LOC"), Entity(7, 11, "PER"), Entity(17, 19, "LOC")))
    report = write_conll([document], tmp_path / "prose.conll")
    rows = (tmp_path / "prose.conll").read_text(encoding="utf-8").split("\n")
    assert rows[:-2] == [
        "(\tO", "Oslo\tB-LOC", ")\tO", "Mira\tB-PER", "'s\tO",
        "タワー\tO", "東\tB-LOC", "京\tI-LOC", "で.\tO",
    ]  # fmt: skip
    assert (report.entities, report.lost["respaced"]) == (3, 1)


def test_the_report_names_what_tags_cannot_say(tmp_path: Path) -> None:
    apart = Entity(0, 12, "PER", None, (Span(0, 4), Span(5, 12)))
    document = Document(
        "a", "Mira Solberg of Oslo ",
        (Entity(0, 12, "PER", 0.5), Entity(5, 12, "PER"), apart, Entity(16, 18, "LOC"), Entity(16, 21, "LOC"),
         Entity(13, 15, " odd")),
        {"teacher": "t"},
    )  # fmt: skip
    report = write_conll([document, Document("b", " \n")], tmp_path / "out.conll")
    assert (report.documents, report.entities) == (1, 2)
    assert dict(+report.lost) == {
        "overlapping": 1, "discontinuous": 1, "inside a word": 1, "label": 1, "empty": 1, "respaced": 1,
        "trimmed": 1, "score": 1, "meta": 1, "id": 1,
    }  # fmt: skip
    assert not report.complete
    assert "1 entities are discontinuous" in str(report)


def test_a_lone_surrogate_is_refused_and_no_file_appears(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'bad' holds a lone surrogate"):
        write_conll([Document("good", "Oslo"), Document("bad", "a\ud800")], tmp_path / "out.conll")
    assert list(tmp_path.iterdir()) == []
