"""Several mentions in one string: divided where the text has each of them by itself, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.alignment import AlignmentRules, Mention, align
from distill.document import Document
from distill.labels import Label, LabelSet
from teachers.enumerations import divided
from teachers.rows import Reader
from teachers.teacher import Reply


def parts(text: str, said: str) -> list[str]:
    return [mention.text for mention in divided(text, [Mention(said, "PER")])]


@pytest.mark.parametrize(
    "said",
    ["Ann Lee, Bo, Cy", "Ann Lee,Bo,Cy", "Ann Lee; Bo; Cy;", "Ann Lee, Bo and Cy", "Ann Lee, Bo, and Cy",
     "Ann Lee\nBo\nCy", "- Ann Lee\n- Bo\n- Cy", "1. Ann Lee\n2. Bo\n3. Cy", "Ann Lee | Bo | Cy",
     "Ann Lee / Bo & Cy", "Ann Lee、Bo、Cy"],
)  # fmt: skip
def test_names_in_one_string_are_mentions_of_their_own(said: str) -> None:
    assert parts("Ann Lee met Bo , then Cy .", said) == ["Ann Lee", "Bo", "Cy"]


def test_chinese_names_are_divided_too() -> None:
    assert parts("王小明见了李雷，还有韩梅梅", "王小明、李雷和韩梅梅") == ["王小明", "李雷", "韩梅梅"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Faro, Algarve", "Faro, Algarve"),
        ("Quill, Vance & Sons fell", "Quill, Vance and Sons"),
        ("John Smith left", "Smith, John"),
        ("John Smith and Mary Jones left", "Smith, John, Jones, Mary"),
        ("a sailor named Ann", "Ann, a sailor"),
        ("Ann and Bo", "Ann, Zed"),
        ("the 1,500 metres", "1,500 metre"),
        ("Ann met Bo", "Ann and Bo"),
        ("Ann Lee met Bo and Cy", "Ann Lee, Bo and Cy"),
        ("Quill Inc. won", "Quill, Inc."),
        ("New Alder won", "New\nAlder"),
    ],
)
def test_what_may_be_one_name_is_not_divided(text: str, said: str) -> None:
    assert parts(text, said) == [said]


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("the Drava Union (DU) directive", "Drava Union, DU", ["Drava Union", "DU"]),
        ("the Faro / Oslo games", "Faro, Oslo", ["Faro", "Oslo"]),
        ("in Faro , Algarve", "Faro\nAlgarve", ["Faro", "Algarve"]),
        ("Faro beat Faro Rowers", "Faro, Faro Rowers", ["Faro", "Faro Rowers"]),
        ("Quill's sister saw Ann", 'Quill", Ann', ["Quill", "Ann"]),
    ],
)
def test_marks_that_the_text_has_not_divide(text: str, said: str, expected: list[str]) -> None:
    assert parts(text, said) == expected


@pytest.mark.parametrize("said", ["Ann Lee and Bo Quill", "Ann Lee, Bo Quill", "Ann Lee; Quill", "Ann Lee / Bo"])
def test_what_lies_between_two_names_is_no_part_of_a_name(said: str) -> None:
    (outcome,) = align("Ann Lee and the sailor Bo Quill .", [Mention(said, "PER")]).outcomes
    assert outcome.status == "lost"


@given(st.text("AnBo ,;|/&和、\n1.-"), st.text("AnBo ,;|/&和、\n1.-"))
def test_no_letter_that_was_said_is_left_out(text: str, said: str) -> None:
    def letters(each: str) -> list[str]:
        return [char for char in each if char.isalpha() and char != "和"]

    assert letters("".join(parts(text, said))) == letters(said)


def test_a_document_tells_of_mentions_in_one_string() -> None:
    reader = Reader("replay", "standard", "dictionary", LabelSet((Label("PER"),)), AlignmentRules())
    heard = reader.heard(Reply(text='{"PER": "Ann, Bo"}', finish="stop"))
    row = reader.read(Document("d", "Ann met Bo ."), [heard])
    assert isinstance(row, dict)
    assert [(each["start"], each["end"]) for each in row["entities"]] == [(0, 3), (8, 10)]
    assert row["meta"]["notes"] == ["a string for a list", "several mentions in one string"]
    assert row["meta"]["alignment"] == {"exact": 2, "repaired": {}, "lost": 0}
