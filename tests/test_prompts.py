"""Prompts: what is sent, to the letter; that a text cannot leave its place; and which examples a document gets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.document import Document
from distill.errors import CallError, InputError
from distill.labels import LabelSet, read_labels
from teachers.prompting import Prompt, free_tag
from teachers.roster import BUILT_IN_LABELS
from teachers.shots import BUILT_IN, shots_for

GOLDEN = Path(__file__).parent / "golden"
SENTENCE = Document("a", 'Ann Lee said "{{ labels }} & <b>Rome</b>" .')


def built_in() -> LabelSet:
    return read_labels(BUILT_IN_LABELS)


@pytest.mark.parametrize("name", ["standard", "cot"])
def test_the_prompts_are_those_that_were_agreed_on(name: str) -> None:
    """UPDATE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    labels = built_in()
    shots = shots_for(labels, None, None, "fixed", 0)(SENTENCE)
    messages = Prompt(name).messages(SENTENCE.text, labels, shots)
    rendered = "\n".join(f"[{message.role}]\n{message.content}" for message in messages) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / f"{name}.txt").write_text(rendered, encoding="utf-8")
    assert rendered == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@given(st.text(st.sampled_from("</text1235> {}%#") | st.characters()))
def test_a_text_stays_whole_between_its_tags(text: str) -> None:
    system, user = Prompt("cot").messages(text, built_in())
    tag = free_tag([text])
    assert user.content == f"<{tag}>\n{text}\n</{tag}>"
    assert f"</{tag}" not in text.casefold()
    assert f"stands between <{tag}> and </{tag}>" in system.content


def test_a_template_of_ones_own_is_one_message_and_may_ask_for_a_list(tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("{% set shape = 'list' %}\nTypes: {{ labels | map(attribute='id') | join(', ') }}\n{{ text }}\n")
    prompt = Prompt(str(own))
    assert prompt.shape() == "list"
    assert prompt.messages("Ann sang .", built_in()) == (("user", "Types: LOC, MISC, ORG, PER\nAnn sang ."),)


@pytest.mark.parametrize(
    "system",
    [
        "{{ labels[0].id }} {{ shots | length }} {{ tag }} {{ language }}", "{{ text }}", "{{ self.user() }}",
        "{% include 'part.jinja' %}",
    ],
)  # fmt: skip
def test_a_system_message_that_was_rendered_before_is_that_of_the_document(tmp_path: Path, system: str) -> None:
    own = tmp_path / "own.jinja"
    (tmp_path / "part.jinja").write_text("part {{ text }}")
    own.write_text("{% block system %}" + system + "{% endblock %}\n{% block user %}{{ text }}{% endblock %}")
    reused, labels = Prompt(str(own)), built_in()
    shots = shots_for(labels, None, None, "fixed", 0)(SENTENCE)
    for text in ("Ann", "Bo", "</text>", "Ann"):
        for some in (shots, shots[:1], ()):
            for language in ("en", "zh"):
                for names in (labels, LabelSet(labels.labels[::-1])):
                    call = (text, names, some, language)
                    assert reused.messages(*call) == Prompt(str(own)).messages(*call)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% if %}", r"own\.jinja:1: not a template"),
        ("{{ nothing_of_this_name }}", "'nothing_of_this_name' is undefined"),
        ("{{ ''.__class__.__mro__ }}", "unsafe|undefined"),
        ("{% set shape = 'tree' %}", "shape is dictionary or list, not 'tree'"),
    ],
)
def test_a_template_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, template: str, says: str) -> None:
    own = tmp_path / "own.jinja"
    own.write_text(template)
    with pytest.raises(InputError, match=says):
        prompt = Prompt(str(own))
        prompt.shape()
        prompt.messages("text", built_in())
    with pytest.raises(CallError, match="did you mean standard"):
        Prompt("standart")


def test_every_built_in_shot_is_a_document_of_the_built_in_labels() -> None:
    shots = shots_for(built_in(), None, 4, "fixed", 0)(SENTENCE)
    answers = [json.loads(shot.answer) for shot in shots]
    assert {label for answer in answers for label in answer} == {"LOC", "MISC", "ORG", "PER"}
    assert answers[-1] == {}
    assert BUILT_IN.is_file()


def test_shots_of_ones_own_fixed_or_drawn_but_never_the_document_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"id": str(n), "text": f"Ann saw {n} ships .", "entities": [[0, 3, "Person"]]} for n in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels = built_in()
    fixed = shots_for(labels, path, 2, "fixed", 0)(SENTENCE)
    assert [shot.text for shot in fixed] == ["Ann saw 0 ships .", "Ann saw 1 ships ."]
    assert fixed[0].answer == '{"PER": ["Ann"]}'
    assert fixed[0].types == "Ann PER"
    drawn = shots_for(labels, path, 5, "random", 7)
    of_three = drawn(Document("3", "Ann saw 3 ships ."))
    assert len({shot.text for shot in of_three}) == 5
    assert "Ann saw 3 ships ." not in {shot.text for shot in of_three}
    assert drawn(Document("3", "Ann saw 3 ships .")) == of_three
    with pytest.raises(CallError, match=r"--shots 7, but .* has 6"):
        shots_for(labels, path, 7, "fixed", 0)


def test_other_labels_get_no_built_in_shots_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text("[GENE]\ndefinition = 'a gene'\n")
    labels = read_labels(path)
    assert shots_for(labels, None, None, "fixed", 0)(SENTENCE) == ()
    with pytest.raises(CallError, match="--shots-from"):
        shots_for(labels, None, 2, "fixed", 0)
