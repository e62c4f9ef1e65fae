"""Open types: the wording, the filters, the language of a text, and real answers read whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from distill.alignment import Mention
from distill.document import Document
from distill.jsonl import read_jsonl
from distill.labels import Label, LabelSet, read_labels
from teachers.filters import Filters
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.prompting import Prompt
from teachers.repertoire import is_latin, language_of
from teachers.report import LabelReport
from teachers.roster import BUILT_IN_LABELS
from teachers.shots import shots_for

GOLDEN = Path(__file__).parent / "golden"
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def replay(folder: Path, text: str, answer: str, **more: Any) -> tuple[LabelReport, Document]:
    source, given = folder / "in.jsonl", folder / "answers.jsonl"
    source.write_text(json.dumps({"id": "a", "text": text}) + "\n")
    given.write_text(json.dumps({"id": "a", "response": answer}) + "\n")
    options = LabelOptions(inputs=(source,), out=folder / "L.jsonl", teacher="replay", responses=given, **more)
    report = label(options)
    (document,) = read_jsonl(folder / "L.jsonl")
    return report, document


@pytest.mark.parametrize("name", ["open", "definition"])
@pytest.mark.parametrize(("language", "text"), [("en", "Ann Lee runs Rome ."), ("zh", "安娜住在罗马。")])
def test_the_wording_is_the_one_that_was_agreed_on(name: str, language: str, text: str) -> None:
    """UPDATE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    path = GOLDEN / f"{name}.{language}.txt"
    prompt = Prompt(name)
    messages = prompt.messages(text, read_labels(BUILT_IN_LABELS), language=language)
    rendered = "\n".join(f"[{message.role}]\n{message.content}" for message in messages) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(rendered, encoding="utf-8")
    assert rendered == path.read_text(encoding="utf-8")
    assert prompt.shape() == "list"


def test_open_types_label_every_occurrence_under_the_teachers_own_words(tmp_path: Path) -> None:
    answer = '[{"Oslo": "city"}, {"Ann": "job  title"}, {"Oslo": "city"}]'
    report, document = replay(tmp_path, "Ann left Oslo; Oslo stayed.", answer, prompt="open")
    found = [(document.mention(entity), entity.label) for entity in document.entities]
    assert found == [("Ann", "job title"), ("Oslo", "city"), ("Oslo", "city")]
    assert (report.exact, report.lost.total()) == (3, 0)


def test_open_types_given_as_a_dictionary_from_type_to_mentions_are_turned_round(tmp_path: Path) -> None:
    report, document = replay(tmp_path, "Ann saw Oslo.", '{"people": ["Ann"], "city": ["Oslo"]}', prompt="open")
    found = [(document.mention(entity), entity.label) for entity in document.entities]
    assert found == [("Ann", "people"), ("Oslo", "city")]
    assert report.notes["mention and type exchanged"] == 1


def test_one_type_that_the_text_says_too_leaves_the_others_turned_round(tmp_path: Path) -> None:
    answer = '[{"person": "Ann"}, {"city": "Oslo"}, {"country": "Norwege"}]'
    _, document = replay(tmp_path, "Ann saw the city of Oslo in Norway.", answer, prompt="open")
    found = [(document.mention(entity), entity.label) for entity in document.entities]
    assert found == [("Ann", "person"), ("Oslo", "city")]


def test_what_says_nothing_is_counted_by_its_reason(tmp_path: Path) -> None:
    answer = '[{"Ann": "person"}, {"left": "None"}, {"Oslo": "misc."}, {"Осло": "city"}, {"Bergen": "city"}]'
    report, document = replay(tmp_path, "Ann left Oslo (Осло).", answer, prompt="open")
    assert [entity.label for entity in document.entities] == ["person"]
    assert dict(report.lost) == {"a type that says nothing": 2, "not English": 1, "not in the text": 1}
    assert report.mentions == 5
    assert "a type that says nothing 2" in "\n".join(report.lines())


def test_a_label_set_maps_open_types_and_knows_its_own_misc(tmp_path: Path) -> None:
    labels = tmp_path / "labels.toml"
    labels.write_text('[LOC]\naliases = ["city"]\n[MISC]\n')
    answer = '[{"Oslo": "City"}, {"Ann": "person"}, {"Open": "misc"}, {"left": "none"}]'
    report, document = replay(tmp_path, "Ann left Oslo Open.", answer, prompt="open", labels=labels)
    assert [entity.label for entity in document.entities] == ["LOC", "MISC"]
    assert dict(report.lost) == {"unknown label": 1, "a type that says nothing": 1}


def test_a_definition_is_a_type_of_its_own(tmp_path: Path) -> None:
    answer = '[("Oslo", "A town in which people live."), {"Ann": "A person, \\"real\\" or not."}]'
    _, document = replay(tmp_path, "Ann left Oslo.", answer, prompt="definition")
    defined = [entity.label for entity in document.entities]
    assert defined == ['A person, "real" or not.', "A town in which people live."]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ann met Bo.", "en"), ("Zoë aß Käse", "en"), ("", "en"), ("12 + 3", "en"), ("安娜在 Oslo 工作。", "zh"),
        ("Анна пела", "other"), ("東京でアンナに会いました", "other"), ("The word 安 stands here in a sentence", "en"),
    ],
)  # fmt: skip
def test_a_text_is_asked_about_in_the_language_of_its_script(text: str, language: str) -> None:
    assert language_of(text) == language


def test_only_english_texts_lose_what_is_not_english() -> None:
    cyrillic = Mention("Осло", "city")
    assert Filters().drop("Anna left Осло.", cyrillic) == "not English"
    assert Filters().drop("Анна в Осло.", cyrillic) == ""
    assert Filters("en").drop("Анна в Осло.", cyrillic) == "not English"
    assert Filters("zh").drop("Anna left Осло.", cyrillic) == ""
    assert is_latin("β-Carotene") and is_latin("42") and not is_latin("β")


def test_shots_for_open_types_are_lists_of_pairs(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "s", "text": "Bo sold ships .", "entities": [[0, 2, "trader"], [8, 13, "vessel"]]}\n')
    shots = shots_for(None, path, None, "fixed", 0)(Document("a", "Ann"))
    system, _ = Prompt("open").messages("Ann", LabelSet((Label("X"),)), shots)
    assert system.content.endswith('<text>\nBo sold ships .\n</text>\n[{"Bo": "trader"}, {"ships": "vessel"}]')
    assert shots_for(None, None, None, "fixed", 0)(Document("a", "Ann")) == ()


@pytest.mark.corpora
@pytest.mark.skipif(not DATA.exists(), reason="the corpora do not lie beside the project")
@pytest.mark.parametrize(
    ("documents", "answers", "rows", "lost"),
    [
        ("bbc/passages300.jsonl", "bbc/passages300.open.responses.jsonl", 300, 2),
        ("zh/skyner/raw10.responses.jsonl", "zh/skyner/raw10.responses.jsonl", 17, 1),
    ],
)
def test_real_open_answers_are_all_read(tmp_path: Path, documents: str, answers: str, rows: int, lost: int) -> None:
    """The lost ones do not stand in their texts: a word of another sentence, a misprinted year."""
    source = DATA / documents
    report = label(LabelOptions(
        inputs=(source,), out=tmp_path / "L.jsonl", teacher="replay", prompt="open", responses=DATA / answers,
    ))  # fmt: skip
    assert (report.documents, report.rejected.total(), dict(report.lost)) == (rows, 0, {"not in the text": lost})
