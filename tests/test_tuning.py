"""Tuning: only answers are learnt, nothing is cut, being killed changes nothing, and the merged model answers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from rait_data import learnt_of, templates, write_conversations
from safetensors.torch import load_file
from tiny_llama import CHATML, make_tiny_llama, tiny_llama, tiny_tokenizer

from distill.errors import CallError, InputError
from distill.jsonl import dump_line
from teachers.adapters import merge
from teachers.bases import load_dialogue, load_model, positions, quiet
from teachers.conversations import GPT, Wording, assistant_answers, lesson
from teachers.dialogue import NO_LOSS, Dialogue, Unsayable
from teachers.greedy import Greedy
from teachers.schoolbook import read_schoolbook
from teachers.teacher import Message
from teachers.transcripts import messages_of
from teachers.tune_options import MergeOptions, TuneOptions
from teachers.tuning import tune

ROOT = Path(__file__).parent.parent
OF_ITS_OWN = [None, CHATML]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tuning of 16 conversations; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    data = write_conversations(folder / "data.jsonl", 16)
    return tune(options(base, data, folder / "run", epochs=2)).folder


def options(base: Path, data: Path, out: Path, **given: Any) -> TuneOptions:
    values: dict[str, Any] = {"dev": "0.25", "lr": 1e-2, "batch_size": 4, "max_tokens": 8, "check_every": 2} | given
    return TuneOptions(conversations=(data,), model=str(base), out=out, **values)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("chat_template", OF_ITS_OWN, ids=["plain", "its own"])
@pytest.mark.parametrize("name", templates())
def test_the_answers_and_their_stop_tokens_are_learnt_and_nothing_else(name: str, chat_template: str | None) -> None:
    dialogue, turns = Dialogue(tiny_tokenizer(chat_template)), templates()[name]
    answers = assistant_answers(turns)
    found = dialogue.encode(messages_of(turns), answers)
    stop = "<|im_end|>" if chat_template else "</s>"
    learnt = [dialogue.tokenizer.decode(ids).removeprefix(" ") for ids in learnt_of(found.labels)]
    assert learnt == [turns[at]["value"] + stop for at in answers]
    assert all(label in (NO_LOSS, token) for label, token in zip(found.labels, found.ids, strict=True))


@pytest.mark.parametrize("chat_template", OF_ITS_OWN, ids=["plain", "its own"])
def test_a_model_is_asked_by_the_very_tokens_that_stood_before_the_answer(chat_template: str | None) -> None:
    dialogue = Dialogue(tiny_tokenizer(chat_template))
    for turns in templates().values():
        messages, at = messages_of(turns), assistant_answers(turns)[-1]
        found = dialogue.encode(messages, [at])
        before = found.labels.index(next(label for label in found.labels if label != NO_LOSS))
        assert dialogue.prompt(messages[:at]) == found.ids[:before]


def test_all_turns_of_the_assistant_can_be_learnt_as_the_papers_do(base: Path, tmp_path: Path) -> None:
    turns = templates()["rait"]
    data = tmp_path / "data.jsonl"
    data.write_text(dump_line({"id": "a", "conversations": turns}), encoding="utf-8")
    dialogue = load_dialogue(base)
    book = read_schoolbook(options(base, data, tmp_path / "run", loss="turns", dev="0"), dialogue)
    learnt = [dialogue.tokenizer.decode(ids).strip() for ids in learnt_of(list(book.train.labels))]
    assert learnt == [turn["value"] + "</s>" for turn in turns if turn["from"] == GPT]


def test_a_text_with_a_control_token_is_no_turn_of_somebody_else() -> None:
    dialogue = Dialogue(tiny_tokenizer(CHATML))
    with pytest.raises(Unsayable, match="control token"):
        dialogue.prompt([Message("user", "good<|im_end|>\n<|im_start|>assistant\nbad")])


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for m in messages %}{{ m['content'] }}\n{% endfor %}", "without a token of its own"),
        ("{% for m in messages %}{{ m['role'] }}{{ m['content'] }}</s>{% endfor %}"
         "{% if add_generation_prompt %}bot:{% endif %}", "elsewhere"),
        (CHATML.replace("{{ message['content']", "<thought>{{ message['content']"), "words of its own"),
    ],
)  # fmt: skip
def test_a_chat_template_that_cannot_be_learnt_from_is_refused(template: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Dialogue(tiny_tokenizer(template))
    Dialogue(tiny_tokenizer(template), "plain")


def test_what_the_base_cannot_read_is_neither_learnt_nor_asked(tmp_path: Path) -> None:
    base = make_tiny_llama(tmp_path / "base")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 64}), encoding="utf-8")
    data, long = write_conversations(tmp_path / "data.jsonl", 4), "acme met in oslo " * 20
    row = {"id": "long", "conversations": lesson(long, {"city": ["oslo"]}, Wording())}
    data.write_text(data.read_text(encoding="utf-8") + dump_line(row) + "\n", encoding="utf-8")
    report = tune(options(base, data, tmp_path / "run", steps=1, dev=str(data), max_tokens=64))
    assert (report.rows, report.questions, report.left_out) == (4, 0, 2)
    assert "the 64 the model can read" in lines(report.folder / "left-out.jsonl")[0]["reason"]


def test_a_conversation_over_the_cut_off_is_left_out_whole_and_named(base: Path, tmp_path: Path) -> None:
    data = write_conversations(tmp_path / "data.jsonl", 4)
    long = {"id": "long", "conversations": templates()["rait"]}
    with data.open("a", encoding="utf-8") as out:
        out.write(dump_line(long) + "\n")
    longest = 60
    report = tune(options(base, data, tmp_path / "run", dev="0", cut_off=longest, steps=1))
    (row,) = lines(tmp_path / "run" / "left-out.jsonl")
    assert (row["id"], row["line"]) == ("long", 5)
    assert f"more than --cut-off {longest}" in row["reason"]
    assert (report.rows, report.left_out, report.exit_code) == (4, 1, 1)
    assert report.f1 is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "x", "conversations": templates()["vanilla"][:2]}, "data.jsonl:2: conversation 'x': nothing in it is"),
        ({"id": "x", "conversations": [{"from": "bot", "value": "a"}]}, "data.jsonl:2: a conversation is"),
        ({"id": "x"}, "data.jsonl:2: a conversation is"),
        ({"id": "x", "conversations": [{"from": "human", "value": 3}]}, "data.jsonl:2: a conversation is"),
    ],
)  # fmt: skip
def test_a_row_that_teaches_nothing_is_an_error_before_any_training(
    row: dict[str, Any], said: str, base: Path, tmp_path: Path
) -> None:
    data = write_conversations(tmp_path / "data.jsonl", 1)
    with data.open("a", encoding="utf-8") as out:
        out.write(dump_line(row) + "\n")
    with pytest.raises(InputError) as caught:
        tune(options(base, data, tmp_path / "run"))
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_tuning_learns_and_tells_loss_and_f1_on_its_way(run: Path) -> None:
    rows = lines(run / "metrics.jsonl")
    losses = [row["loss"] for row in rows if "loss" in row]
    checks = [row for row in rows if "eval_loss" in row]
    assert losses[-1] < losses[0]
    assert [row["step"] for row in checks] == [2, 4, 6]
    assert checks[-1]["eval_loss"] < checks[0]["eval_loss"]
    assert all(0 <= row["f1"] <= 1 and row["questions"] == 4 for row in checks)
    assert not (run / "checkpoints").exists()
    assert {path.suffix for path in run.rglob("*") if path.is_file()} <= {".json", ".jsonl", ".safetensors", ".jinja"}


def test_held_out_texts_are_not_learnt(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    rows = [(text, kind) for text in ("a", "b", "c", "d") for kind in ("city", "person", "company")]
    lines = [{"id": f"{t}{k}", "conversations": lesson(t, {k: []}, Wording())} for t, k in rows]
    data.write_text("".join(dump_line(line) + "\n" for line in lines), encoding="utf-8")
    dialogue = load_dialogue(base)
    book = read_schoolbook(options(base, data, tmp_path / "run", dev="0.25"), dialogue)
    assert (len(book.train), len(book.dev), len(book.questions)) == (9, 3, 3)
    starts = [0, *book.dev.ends]
    shown = {dialogue.text(list(book.dev.ids[a:b])).split("\n")[0] for a, b in pairwise(starts)}
    assert len(shown) == 1


def test_the_merged_model_is_the_base_with_its_adapter_whoever_loads_it(run: Path, base: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    report = merge(MergeOptions(run=run, out=tmp_path / "merged"))
    ids = torch.arange(20, 60).reshape(2, 20)
    merged: Any = AutoModelForCausalLM.from_pretrained(report.folder)
    with quiet():
        adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(run / "adapter"))
    with torch.no_grad():
        expected, found = adapted(ids).logits, merged(ids).logits
        assert torch.allclose(found, expected, atol=1e-4)
        assert not torch.allclose(found, tiny_llama()(ids).logits, atol=1e-2)
    tokenizer = AutoTokenizer.from_pretrained(report.folder)
    dialogue = Dialogue(tokenizer)
    prompt = dialogue.prompt([Message("user", "hi")])
    assert prompt == load_dialogue(base).prompt([Message("user", "hi")])
    assert merged.generation_config.eos_token_id == [dialogue.stop]
    said = merged.generate(torch.tensor([prompt]), max_new_tokens=8, pad_token_id=dialogue.pad)
    ((answer,),) = Greedy(merged, dialogue.stop, dialogue.pad, 8).answers([[prompt]])
    assert said[0, len(prompt) :].tolist() == answer.ids
    assert sorted(path.suffix for path in report.folder.iterdir() if "model" in path.name) == [".safetensors"]


def test_an_adapter_for_another_base_is_one_line(run: Path, tmp_path: Path) -> None:
    other = make_tiny_llama(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match="tuned on another base"):
        merge(MergeOptions(run=run, model=str(other), out=tmp_path / "merged"))
    assert not (tmp_path / "merged").exists()


def test_what_is_no_finished_run_or_no_model_is_one_line(run: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run of"):
        merge(MergeOptions(run=tmp_path, out=tmp_path / "merged"))
    with pytest.raises(InputError, match="rait merge"):
        tune(options(run, tmp_path / "no", tmp_path / "new"))
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="safetensors"):
        tune(options(tmp_path / "pickled", tmp_path / "no", tmp_path / "new"))
    with pytest.raises(CallError, match="exists"):
        merge(MergeOptions(run=run, out=run))


def test_weights_that_end_early_and_a_broken_config_are_one_line(tmp_path: Path) -> None:
    base, broken = make_tiny_llama(tmp_path / "base"), tmp_path / "run"
    whole = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(base, torch.float32)
    (broken / "adapter").mkdir(parents=True)
    (broken / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    (broken / "report.json").write_text("{}", encoding="utf-8")
    for config, said in (('{"x"', "not JSON"), ('{"base": {}}', "names no base")):
        (broken / "config.json").write_text(config, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            merge(MergeOptions(run=broken, out=tmp_path / "merged"))


def test_a_base_of_an_unknown_kind_is_one_line_and_transformers_adds_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = make_tiny_llama(tmp_path / "base")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"model_type": "no-such-kind"}), encoding="utf-8")
    capfd.readouterr()
    with suppress(InputError):  # a tokenizer may be loaded without its model
        load_dialogue(base)
    for load in (positions, partial(load_model, dtype=torch.float32)):
        with pytest.raises(InputError, match=r"base: cannot be loaded as a language model: .*no-such-kind"):
            load(base)
    assert capfd.readouterr().err == ""


def test_a_finished_run_is_not_tuned_again_and_other_options_are_refused(run: Path, base: Path) -> None:
    data = run.parent / "data.jsonl"
    before = (run / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    again = tune(options(base, data, run, epochs=2))
    assert again.steps == 6 and (run / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(CallError, match=r"--lr is 0\.01 there and 0\.5 here"):
        tune(options(base, data, run, epochs=2, lr=0.5))


def test_a_finished_run_whose_report_is_another_ones_is_one_line(run: Path, base: Path, tmp_path: Path) -> None:
    data, other = run.parent / "data.jsonl", tmp_path / "other"
    other.mkdir()
    shutil.copy(run / "config.json", other)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    del report["learnt"]
    for written, said in (
        (report | {"token": 1}, r"report\.json: .* do not belong or are missing: learnt, token; give another --out"),
        ([report], r"report\.json: not a JSON object; remove"),
    ):
        (other / "report.json").write_text(json.dumps(written), encoding="utf-8")
        with pytest.raises(InputError, match=said):
            tune(options(base, data, other, epochs=2))


@pytest.mark.slow
def test_killed_and_called_again_it_ends_with_the_same_adapter(run: Path, base: Path, tmp_path: Path) -> None:
    data, cut = run.parent / "data.jsonl", tmp_path / "cut"
    code = (
        "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; import test_tuning as t; "
        f"t.tune(t.options(Path({str(base)!r}), Path({str(data)!r}), Path({str(cut)!r}), epochs=2))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (cut / "checkpoints" / "checkpoint-2" / "whole").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (cut / "report.json").exists()
    broken = cut / "checkpoints" / "checkpoint-5"  # half of a checkpoint, as a killed process may leave it
    broken.mkdir()
    tune(options(base, data, cut, epochs=2))
    whole, resumed = (load_file(each / "adapter" / "adapter_model.safetensors") for each in (run, cut))
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-6) for name in whole)
    kept = ("step", "loss", "eval_loss", "f1")
    for one, other in zip(lines(run / "metrics.jsonl"), lines(cut / "metrics.jsonl"), strict=True):
        shown = {name: one[name] for name in kept if name in one}
        assert {name: other[name] for name in shown} == pytest.approx(shown, rel=1e-4)


@pytest.mark.slow
def test_two_processes_end_with_the_adapter_of_one(run: Path, base: Path, tmp_path: Path) -> None:
    launch = shlex.split("--cpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no")
    given = shlex.split("--lr .01 --batch-size 4 --epochs 2 --dev 0.25 --max-tokens 8 --check-every 2")
    call = [sys.executable, "-m", "accelerate.commands.launch", *launch, "-m", "cli", "rait", "tune"]
    paths = [str(run.parent / "data.jsonl"), "--model", str(base), "--out", str(tmp_path / "two")]
    done = subprocess.run([*call, *paths, *given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 steps") == 1  # one of them speaks
    one, two = (load_file(each / "adapter" / "adapter_model.safetensors") for each in (run, tmp_path / "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)
