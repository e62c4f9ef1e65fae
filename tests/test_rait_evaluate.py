"""rait evaluate: three kinds of figures kept apart, from label files or answers; what is amiss is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from distill.document import Document, Entity
from distill.errors import CallError, InputError
from distill.jsonl import document_to_json, write_jsonl
from distill.scores import KINDS
from teachers.benches import BENCHES, bench, read_gold
from teachers.building import build
from teachers.conversations import Wording, lesson
from teachers.examination import Examination, examine
from teachers.rait_options import RaitBuildOptions, RaitEvaluateOptions

DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = {
    "crossner-ai": "crossner/ai/dev.txt", "crossner-literature": "crossner/literature/dev.txt",
    "crossner-music": "crossner/music/train.txt", "crossner-politics": "crossner/politics/train.txt",
    "crossner-science": "crossner/science/train.txt", "mit-movie": "mit/movie.train.txt",
    "mit-restaurant": "mit/restaurant.train.txt", "wnut17": "wnut17/emerging.dev.conll",
    "boson": "zh/boson/dev.jsonl", "weibo": "zh/weibo/weiboNER_2nd_conll.dev", "cluener": "zh/cluener/train.json",
}  # fmt: skip
GOLD = [
    Document("a", "The Owls , a band , sang The Owl in Oslo .", (Entity(0, 8, "band"), Entity(25, 32, "song"))),
    Document("b", "Nobody sang .", ()),
]


def gold(tmp_path: Path) -> Path:
    write_jsonl(GOLD, tmp_path / "gold.jsonl")
    (tmp_path / "labels.toml").write_text('[band]\n[song]\nname = "tune"\n[city]\n')
    return tmp_path / "gold.jsonl"


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def marked(tmp_path: Path, *rows: Any, **options: Any) -> Examination:
    labels, source = tmp_path / "labels.toml", gold(tmp_path)
    system = lines(tmp_path / "found.jsonl", *rows)
    return examine(RaitEvaluateOptions(systems=(system,), gold=(source,), labels=labels, samples=0, **options))


def counts(found: Examination, kind: str) -> tuple[float, int, int]:
    (marks,) = found.systems.values()
    whole = marks.scores[kind].total
    return whole.correct, whole.predicted, whole.gold


def recorded(identity: str, kind: str, response: str) -> dict[str, str]:
    return {"id": identity, "type": kind, "response": response}


def test_answers_that_are_no_lists_count_as_empty_and_their_number_is_shown(tmp_path: Path) -> None:
    found = marked(
        tmp_path, recorded("a", "band", "I see none."), recorded("a", "tune", '["the owl", "The Owl"]'),
        recorded("b", "band", "[]"), recorded("b", "tune", '{"no": 1'),
    )  # fmt: skip
    assert counts(found, "strings") == (1, 1, 2)
    assert counts(found, "strict") == (1, 1, 2)
    (marks,) = found.systems.values()
    assert marks.unparsed == 2 and "counted as empty: 2" in str(found)


def test_an_answer_that_was_cut_off_counts_as_none_as_where_labels_are_made(tmp_path: Path) -> None:
    whole = [recorded("a", "tune", "[]"), recorded("b", "band", "[]"), recorded("b", "tune", "[]")]
    found = marked(tmp_path, recorded("a", "band", '["The Owls", "The Owls", "The O'), *whole)
    (marks,) = found.systems.values()
    assert marks.unparsed == 1 and counts(found, "strings")[1] == 0


def test_a_mention_that_is_not_in_the_text_counts_among_the_strings_alone(tmp_path: Path) -> None:
    found = marked(tmp_path, recorded("a", "band", '["The Owls", "The Swans"]'), recorded("b", "band", "[]"))
    assert counts(found, "strings") == (1, 2, 2)
    assert counts(found, "strict") == (1, 1, 2)
    assert "1 mentions are not in their text" in str(found)


def test_a_label_files_lost_mentions_count_among_the_strings_too(tmp_path: Path) -> None:
    labelled = GOLD[0].with_entities([Entity(0, 8, "band"), Entity(28, 32, "tune")])
    row = document_to_json(labelled) | {"meta": {"lost": [{"mention": "Swans", "label": "band", "why": "not in it"}]}}
    found = marked(tmp_path, row, document_to_json(GOLD[1]))
    assert counts(found, "strict") == (1, 2, 2)
    assert counts(found, "partial") == (1.5, 2, 2)
    assert counts(found, "strings") == (2, 3, 2)  # without its article "The Owl" is "owl"


def test_rejected_documents_count_as_empty_and_are_told_by_kind(tmp_path: Path) -> None:
    lines(tmp_path / "found.rejected.jsonl", {"id": "a", "kind": "unparsed"}, {"id": "z", "kind": "unparsed"})
    found = marked(tmp_path, document_to_json(GOLD[1]))
    (marks,) = found.systems.values()
    assert (marks.missing, marks.unparsed) == (1, 1) and "unparsed 1" in str(found)


def test_conversations_are_scored_by_what_the_assistant_says(tmp_path: Path) -> None:
    turns = lesson(GOLD[0].text, {"band": ["The Owls"], "tune": [], "city": ["Oslo"]}, Wording())
    other = lesson(GOLD[1].text, {"band": []}, Wording(style="uniner"))
    found = marked(tmp_path, {"id": "x", "conversations": turns}, {"id": "b", "conversations": other})
    assert [counts(found, kind) for kind in KINDS] == [(1, 2, 2)] * 3


def test_the_three_kinds_never_share_a_table(tmp_path: Path) -> None:
    shown = str(marked(tmp_path, *map(document_to_json, GOLD)))
    assert [shown.count(f"{kind}: ") for kind in KINDS] == [1, 1, 1]
    assert shown.count("micro") == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (recorded("a", "bend", "[]"), "type 'bend' is not one of .*did you mean band"),
        (recorded("c", "band", "[]"), "document 'c' is not in gold"),
        ({"id": "a", "text": "Another text", "entities": []}, "one text in gold, another here"),
        ({"conversations": lesson("Unheard of .", {"band": []}, Wording())}, "a text that is not in gold"),
    ],
)
def test_answers_to_something_else_name_their_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        marked(tmp_path, recorded("b", "band", "[]"), row)
    assert "found.jsonl:2: " in str(raised.value)


def test_a_call_without_the_types_in_words_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="--benchmark, or else --labels"):
        examine(RaitEvaluateOptions(systems=(gold(tmp_path),), gold=(gold(tmp_path),)))
    with pytest.raises(CallError, match="did you mean"):
        RaitEvaluateOptions(benchmark="crossner-art")


def test_the_command_prints_figures(tmp_path: Path) -> None:
    source = gold(tmp_path)
    call = ["rait", "evaluate", str(source), "--gold", str(source), "--labels", str(tmp_path / "labels.toml"), "--json"]
    done = CliRunner().invoke(cli.app, call)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["systems"][str(source)]["strings"]["micro"]["f1"] == 1.0


def test_every_benchmark_has_words_for_its_labels() -> None:
    for name in BENCHES:
        names = [label.name for label in bench(name).labels]
        assert all(names) and len(set(names)) == len(names)


@pytest.mark.corpora
@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora do not lie beside the project (../shared/data)")
@pytest.mark.parametrize("name", BENCHES)
def test_every_benchmark_is_read_whole_and_answers_itself(tmp_path: Path, name: str) -> None:
    source, head = bench(name), tmp_path / Path(FILES[name]).name
    text = (DATA / FILES[name]).read_text(encoding="utf-8")
    cut = 30 if head.suffix in (".jsonl", ".json") else 300
    head.write_text("\n".join(text.splitlines()[:cut]) + "\n", encoding="utf-8")
    assert any(one.strings for one in read_gold(head, source.labels, source.left_out, source))
    out = tmp_path / "answers.jsonl"
    build(RaitBuildOptions(inputs=(head,), out=out, benchmark=name, negative_types="all"))
    found = examine(RaitEvaluateOptions(systems=(out,), gold=(head,), benchmark=name, samples=0))
    assert found.systems[str(out)].scores["strings"].f1 == 1.0
