"""Early exits: who stops gets a head's answer, who goes on the whole student's, and neither depends on company."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from bundles import sign
from hypothesis import given
from hypothesis import strategies as st
from sealed import SENTENCES, export_tiny, make_checked_student
from test_lean import FAMILIES, NOT_FLAT, model_of, rows, session
from tiny_student import make_tiny_encoder, make_tiny_student
from training_data import write_sentences

from distill.document import Document
from distill.errors import CallError, CheckFailed, InputError
from distill.jsonl import read_jsonl
from students import depth, early
from students.bundle import read_manifest
from students.bundle_options import SelftestOptions
from students.encode import START
from students.exits import (
    FILE,
    INNER,
    Exits,
    _Way,
    arrays,
    exit_layers,
    fitted,
    new_head,
    read_exits,
    shortcut_layers,
    write_exits,
)
from students.model import load_student
from students.options import TrainOptions
from students.predictor import word_logits
from students.quantise import quantised
from students.runtime import Student
from students.selftest import selftest
from students.targets import Example, examples
from students.trace import trace
from students.train import fit

NEVER, ALWAYS, LIMIT = 2.0, 0.0, 0.27
Weights = dict[int, list[np.ndarray]]


def exits_for(heads: list[int], shortcuts: list[int], tags: int = 5, width: int = 32) -> Exits:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Exits(
            {layer: torch.nn.Sequential(*new_head(width, tags)) for layer in heads},
            {layer: torch.nn.Linear(width, width) for layer in shortcuts},
        )


def with_limit(graph: onnx.ModelProto, exits: Exits, limit: float, *, int8: bool = False) -> Any:
    made = early.with_exits(graph, *arrays(exits), dict.fromkeys(exits.heads, limit))
    return session(early.folded(quantised(made) if int8 else made))


def marked(ids: np.ndarray, seed: int = 0) -> np.ndarray:
    """Some pieces begin words, the second of each row among them."""
    begins = np.random.default_rng(seed).random(ids.shape) < 0.5
    begins[:, min(1, ids.shape[1] - 1)] = True
    found: np.ndarray = ids + START * begins
    return found


def logits_of(engine: Any, ids: np.ndarray) -> np.ndarray:
    return np.asarray(engine.run(["logits"], {"input_ids": ids})[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_the_encoder_an_exit_gives_the_heads_logits_and_the_rest_the_students(family: str) -> None:
    model = model_of(family, num_hidden_layers=3, n_layers=3)
    graph = trace(model)
    assert early.can_exit(graph, 3) is (family not in NOT_FLAT)
    assert not early.can_exit(graph, 4)
    if family in NOT_FLAT:
        return
    exits = exits_for([1, 2], [1])
    never, always = with_limit(graph, exits, NEVER), with_limit(graph, exits, ALWAYS)
    whole = early.folded(early.with_exits(graph, *arrays(exits), {1: 0.5, 2: 0.5}))
    onnx.checker.check_model(whole, full_check=True)
    for batch, length in ((1, 1), (5, 12)):
        ids = rows(batch, length)
        plain = logits_of(session(graph), ids)
        # Albert's layers share their weights, which a branch cannot have to itself: other sums.
        far = 1e-5 if family == "Albert" else 0.0
        np.testing.assert_allclose(logits_of(never, marked(ids)), plain, rtol=0, atol=far)
        # No mark: who knows of none is not answered early.
        np.testing.assert_allclose(logits_of(always, ids), plain, rtol=0, atol=far)
        with torch.no_grad():
            tokens = torch.from_numpy(ids)
            out = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), output_hidden_states=True)
            expected = exits.heads[1](out.hidden_states[1])
        np.testing.assert_allclose(logits_of(always, marked(ids)), expected.numpy(), atol=2e-4)


Six = tuple[Any, onnx.ModelProto, Exits]


@pytest.fixture(scope="module")
def six() -> Six:
    model = model_of("Bert", num_hidden_layers=6)
    return model, trace(model), exits_for([2, 3, 4], [2, 3, 4])


@pytest.fixture(scope="module", params=[False, True], ids=["fp32", "int8"])
def mixed(six: Six, request: pytest.FixtureRequest) -> Any:
    """With a limit among the shares that random heads give."""
    return with_limit(*six[1:], LIMIT, int8=bool(request.param))


@pytest.fixture(scope="module")
def engine(six: Six) -> Any:
    return with_limit(*six[1:], LIMIT)


@given(batch=st.integers(1, 9), length=st.integers(1, 24), seed=st.integers(0, 99))
def test_each_row_goes_its_own_way_and_has_the_same_bits_alone_and_in_company(
    mixed: Any, batch: int, length: int, seed: int
) -> None:
    ids = marked(rows(batch, length, seed), seed)
    together = logits_of(mixed, ids)
    for row in range(batch):
        assert np.array_equal(logits_of(mixed, ids[row : row + 1])[0], together[row])


@given(length=st.integers(1, 24), seed=st.integers(0, 999))
def test_words_stay_where_a_head_is_sure_and_the_others_look_at_them_by_shortcuts(
    six: Six, engine: Any, length: int, seed: int
) -> None:
    model, _, exits = six
    (row,) = ids = marked(rows(1, length, seed), seed)
    expected, met = staying(model, exits, LIMIT, row)
    found, *said = engine.run(None, {"input_ids": ids})
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    for (shares, going), each in zip(met, (each.reshape(2, -1) for each in said if each.size), strict=True):
        np.testing.assert_allclose(each[0], shares, atol=1e-4)
        assert np.array_equal(each[1], going)


def staying(model: Any, exits: Exits, limit: float, row: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """What the graph is to do with one row, said once more, token by token: its logits, and what its exits met."""
    begins = torch.from_numpy(row >= START)
    met: list[Any] = []
    with torch.no_grad():
        out = model(input_ids=torch.from_numpy(row % START)[None], output_hidden_states=True)
        states, goes = out.hidden_states[2][0], torch.ones(len(row), dtype=torch.bool)
        logits = torch.zeros(len(row), 5)
        for layer, module in enumerate(model.bert.encoder.layer[2:], 2):
            if layer in exits.heads:
                own = exits.heads[layer](states)
                shares = own.softmax(-1).amax(-1)
                unsure = [at for at in range(len(row)) if goes[at] and begins[at] and shares[at] < limit]
                near = [any(-early.BEFORE <= at - other <= early.AFTER for other in unsure) for at in range(len(row))]
                came, goes = goes, goes & torch.tensor(near)
                met.append(((shares + ~begins)[came].numpy(), goes[came].numpy()))
                logits[came] = own[came]
                if not goes.any():
                    return logits.numpy(), met
            through = module(states[None])
            through = (through[0] if isinstance(through, tuple) else through)[0]
            along = states + exits.shortcuts[layer](states) if layer in exits.shortcuts else states
            states = torch.where(goes[:, None], through, along)
        logits[goes] = model.classifier(states[goes])
    return logits.numpy(), met


def test_random_heads_send_tokens_all_ways(six: Six) -> None:
    ids = marked(rows(60, 12, 1), 1)
    met = [found.size // 2 for found in with_limit(*six[1:], LIMIT).run(None, {"input_ids": ids})[1:]]
    assert 720 == met[0] > met[1] > met[2] > 0


def test_the_layers_and_how_sure_a_head_must_be() -> None:
    assert [exit_layers(count) for count in (1, 2, 3, 4, 6, 12)] == [[], [1], [1, 2], [1, 2, 3], [2, 3, 4], [4, 6, 8]]
    for count in (3, 6, 12, 24):
        limits = [early.sure(layer, count) for layer in exit_layers(count)]
        assert limits == sorted(limits, reverse=True) and set(limits) <= {0.95, 0.9, 0.85}
        careful = [early.sure(layer, count, careful=True) for layer in exit_layers(count)]
        assert all(one < other for one, other in zip(limits, careful, strict=True))
        assert shortcut_layers(count) == list(range(exit_layers(count)[0], count - 1))
    assert shortcut_layers(1) == shortcut_layers(2) == []


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that learned its sentences, and the dev file it was chosen on."""
    folder = tmp_path_factory.mktemp("learned")
    write_sentences(folder / "gold.jsonl", 60, 1)
    write_sentences(folder / "dev.jsonl", 40, 2)
    make_tiny_encoder(folder / "encoder")
    fit(options_in(folder))
    return folder


def options_in(folder: Path, **more: Any) -> TrainOptions:
    given: dict[str, Any] = {
        "gold": (folder / "gold.jsonl",), "dev": str(folder / "dev.jsonl"), "schedule": "gold", "epochs": 6,
        "student": str(folder / "encoder"), "lr": 5e-3, "max_length": 64, "stride": 8, "threads": 1,
        "precision": "fp32", "out": folder / "run",
    }  # fmt: skip
    return TrainOptions(**given | more)


def test_heads_learn_what_the_student_says_and_leave_it_as_it_is(learned: Path) -> None:
    student = load_student(learned / "run")
    before = {name: value.clone() for name, value in student.model.state_dict().items()}
    documents = list(read_jsonl(learned / "gold.jsonl"))
    learnt = examples(documents, student.encoder, student.tags).rows
    exits = fitted(student, learnt, 1)
    assert all(torch.equal(value, before[name]) for name, value in student.model.state_dict().items())
    again, other = fitted(student, learnt, 1), fitted(student, learnt, 2)
    for one, two, same in ((exits, again, True), (exits, other, False)):
        assert torch.equal(one.heads[1][0].weight, two.heads[1][0].weight) is same  # type: ignore[arg-type]
    kept = read_exits(learned / "run" / "student", student)
    torch.testing.assert_close(kept.heads[1][2].weight, exits.heads[1][2].weight, atol=1e-4, rtol=0)  # by other threads
    assert fitted(student, [[]], 1) == fitted(student, [[_without_words(learnt[0][0])]], 1) == Exits({}, {})


def _without_words(window: Example) -> Example:
    return window._replace(at=window.at[:0])


def test_only_the_last_student_of_a_training_gets_exits(learned: Path, tmp_path: Path) -> None:
    (learned / "texts.jsonl").write_text('{"text": "The mayor of Oslo met Acme ."}\n')
    fit(options_in(
        learned, out=tmp_path / "run", epochs=1, schedule="mix", distilled=(learned / "dev.jsonl",), vet=False,
        unlabelled=(learned / "texts.jsonl",), committee=1,
    ))  # fmt: skip
    assert (tmp_path / "run" / "student" / FILE).is_file()
    assert [path.parent.name for path in tmp_path.rglob(FILE)] == ["student"]
    assert (tmp_path / "run" / "committee" / "1" / "student" / "config.json").is_file()


def test_int8_stops_early_and_says_how_deep_it_reads(learned: Path, tmp_path: Path) -> None:
    bundle = export_tiny(learned / "run", tmp_path / "bundle", verify=())
    manifest = read_manifest(bundle)
    assert dict(manifest.exits) == {"1": early.sure(1, 2)}
    scores = manifest.scores
    assert scores["layers"] == 2 and 1 <= scores["layers_read"] <= 2
    assert "1 of 2 layers" not in (bundle / "README.md").read_text()
    assert f"{scores['layers_read']:.2f} of 2 layers" in (bundle / "README.md").read_text()
    assert selftest(SelftestOptions(bundle=bundle)).texts
    documents = list(read_jsonl(learned / "dev.jsonl"))
    student = Student.load(bundle)
    assert student.tag([each.text for each in documents]) == [
        replace(student.tag([each.text])[0], id=str(number)) for number, each in enumerate(documents, 1)
    ]


@pytest.mark.parametrize(
    ("precision", "asked", "there"), [("int8", None, True), ("int8", False, False), ("fp32", None, False),
                                      ("fp32", True, True)]
)  # fmt: skip
def test_fp32_is_the_whole_student_unless_one_asks(
    learned: Path, tmp_path: Path, precision: str, asked: bool | None, there: bool
) -> None:
    bundle = export_tiny(learned / "run", tmp_path / "b", verify=(), precision=precision, early_exit=asked)
    manifest = read_manifest(bundle)
    assert bool(manifest.exits) is there and ("layers_read" in manifest.scores) is there
    if precision == "fp32" and not there:
        assert manifest.scores["words_with_other_tag"] == 0


def test_heads_that_know_nothing_are_given_up_unless_one_asked_for_them(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(learned / "run", tmp_path / "run")
    student = load_student(run)
    head = new_head(32, len(student.tags))
    torch.nn.init.constant_(dict(head.named_parameters())["2.bias"][:1], 99.0)  # no word is an entity's
    write_exits(Exits({1: head}, {}), run / "student")
    monkeypatch.setattr("students.early.sure", lambda *_, careful: 0.001 * careful)
    with pytest.raises(CheckFailed, match=r"strict F1 fell .* Try --no-early-exit or --precision fp32"):
        export_tiny(run, tmp_path / "bundle", verify=(), max_f1_drop=0.003, early_exit=True)
    assert not (tmp_path / "bundle").exists()
    capsys.readouterr()
    bundle = export_tiny(run, tmp_path / "bundle", verify=(), max_f1_drop=0.003)
    assert not read_manifest(bundle).exits
    assert re.findall(r"early exits at ([.\d]+) cost [\d.]+ of strict F1", capsys.readouterr().err) == ["0.0", "0.001"]
    assert student_of(bundle) == student_of(export_tiny(run, tmp_path / "other", verify=(), early_exit=False))


def student_of(bundle: Path) -> bytes:
    return (bundle / "model.onnx").read_bytes()


def test_exits_that_are_not_this_students_are_one_line(learned: Path, tmp_path: Path) -> None:
    run = shutil.copytree(learned / "run", tmp_path / "run")
    student = load_student(run)
    message = r"exits\.safetensors: not the early exits of this student: .*; train it again, or"
    for heads in ({1: new_head(16, len(student.tags))}, {1: new_head(32, 3)}, {7: new_head(32, len(student.tags))}):
        write_exits(Exits(heads, {}), run / "student")
        with pytest.raises(InputError, match=message):
            read_exits(run / "student", student)
    (run / "student" / FILE).write_bytes(b"no tensors")
    with pytest.raises(InputError, match="not the early exits of this student"):
        export_tiny(run, tmp_path / "bundle", verify=())
    (run / "student" / FILE).unlink()
    assert not read_manifest(export_tiny(run, tmp_path / "bundle", verify=())).exits


def test_a_manifest_must_know_the_exits_of_its_graph(learned: Path, tmp_path: Path) -> None:
    bundle = export_tiny(learned / "run", tmp_path / "bundle", verify=())
    manifest = read_manifest(bundle)
    for exits in ({}, {"2": 0.9}, {"1": 0.9, "2": 0.9}):
        with pytest.raises(InputError, match="not those of the manifest"):
            Student.load(sign(bundle, replace(manifest, exits=exits)))
    wrong: list[Any] = [{"one": 0.9}, {"1": 2}, {"1": "0.9"}, {"0": 0.9}, [1]]
    for each in wrong:
        with pytest.raises(InputError, match="damaged"):
            Student.load(sign(bundle, replace(manifest, exits=each)))


def test_texts_of_the_selftest_keep_away_from_the_limits(learned: Path, tmp_path: Path) -> None:
    bundle = export_tiny(learned / "run", tmp_path / "bundle", verify=())
    student = Student.load(bundle)
    stored = [json.loads(line) for line in (bundle / "selftest.jsonl").read_text().splitlines()]
    distances = [depth.nearest(student, Document(row["id"], row["text"])) for row in stored]
    assert sum(distance > 0.03 for distance in distances) >= min(len(distances) - 8, 1)
    assert depth.nearest(student, Document("empty", "")) == float("inf")


def test_a_student_without_exits_is_exported_as_before(tmp_path: Path) -> None:
    run = make_checked_student(tmp_path / "run")
    bundle = export_tiny(run, tmp_path / "bundle")
    assert not read_manifest(bundle).exits
    assert depth.nearest(Student.load(bundle), Document("1", SENTENCES[0])) == float("inf")


def test_heads_agree_with_the_last_layer_on_what_they_learned(tmp_path: Path) -> None:
    """A random student: what it says is arbitrary, and its middle layer knows it all the same."""
    student = load_student(make_tiny_student(tmp_path / "student"))
    texts = [student.encoder.encode(text) for text in SENTENCES]
    documents = [Document(str(n), text) for n, text in enumerate(SENTENCES)]
    learnt = examples(documents, student.encoder, student.tags).rows * 400
    (head,) = fitted(student, learnt, 1).heads.values()
    assert head[0].weight.shape == (INNER, 32)
    same = words = 0
    for text, expected in zip(texts, word_logits(student, texts), strict=True):
        (window,) = student.encoder.windows(text)
        ids = torch.from_numpy(student.encoder.row(text, window).astype(np.int64))[None]
        with torch.no_grad():
            states = student.model(input_ids=ids, output_hidden_states=True).hidden_states[1][0, 1:-1]
            found = head(states[text.first]).numpy()
        same += int((found.argmax(-1) == expected.argmax(-1)).sum())
        words += len(expected)
    assert same > 0.9 * words


def test_a_training_that_was_stopped_at_its_exits_goes_on_there(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_in(learned, out=tmp_path / "run")

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("students.loop.fitted", stopped)
        with pytest.raises(KeyboardInterrupt):
            fit(options)
    assert not (tmp_path / "run" / "student" / FILE).exists()
    assert fit(options).epochs == 6
    whole = (learned / "run" / "student" / FILE).read_bytes()
    assert (tmp_path / "run" / "student" / FILE).read_bytes() == whole


def test_a_shortcut_learns_where_a_linear_layer_takes_its_tokens() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        states, matrix, bias = torch.randn(2_000, 8), torch.randn(8, 8), torch.randn(8)
        way = _Way(8)
        for some in torch.split(states, 300):
            way.add(some, some + some @ matrix + bias)
    shortcut = way.shortcut()
    torch.testing.assert_close(shortcut(states), states @ matrix + bias, atol=0.02, rtol=0)


def test_exits_that_are_not_there_cannot_be_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"--early-exit: .* has no early exits.*leave it out"):
        export_tiny(tiny_run, tmp_path / "bundle", early_exit=True)
    assert not list(tmp_path.iterdir())
