"""predict: streams, files, bad rows, formats, and an answer for each text in its order."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from distill.corpora import format_of
from distill.errors import CallError, InputError
from distill.intake import read_rows
from distill.jsonl import read_jsonl
from students.bundle_options import PredictOptions
from students.predict import predict

PROGRAM = """
import sys
from pathlib import Path
from students.bundle_options import PredictOptions
from students.predict import predict
predict(PredictOptions(bundle=Path(sys.argv[1]), inputs=(Path("-"),)))
"""


def _said(capfdbinary: pytest.CaptureFixture[bytes]) -> list[Any]:
    return [json.loads(line) for line in capfdbinary.readouterr().out.decode("utf-8").splitlines()]


def test_a_text_on_the_command_line(word_bundle: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    report = predict(PredictOptions(bundle=word_bundle, text="👋 Oslo", uncertainty=True))
    (row,) = _said(capfdbinary)
    assert row["entities"][0]["start"] == 2 and row["meta"]["uncertainty"]["margin"] > 0.9
    assert (report.documents, report.entities, report.rejected) == (1, 1, 0)


def test_files_of_every_kind_in_the_order_given(
    word_bundle: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = tmp_path / "a.jsonl"
    rows.write_text('{"id": "j", "text": "in Oslo", "entities": [[0, 2, "OLD"]], "meta": {"k": 1}}\n', encoding="utf-8")
    text = tmp_path / "b.txt"
    text.write_text("\ufeffin Lima\n\n  \nnowhere\n", encoding="utf-8")
    conll = tmp_path / "c.conll"
    conll.write_text("Oslo\tO\n,\tO\n\n", encoding="utf-8")
    packed = tmp_path / "d.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"text": "Oslo"}\n'))
    predict(PredictOptions(bundle=word_bundle, inputs=(rows, text, conll, packed)))
    said = _said(capfdbinary)
    assert [(row["id"], row["text"], len(row["entities"])) for row in said] == [
        ("j", "in Oslo", 1), ("b-1", "in Lima", 1), ("b-4", "nowhere", 0), ("c-1", "Oslo ,", 1), ("d-1", "Oslo", 1),
    ]  # fmt: skip
    assert said[0]["entities"][0]["label"] == "LOC" and said[0]["meta"] == {"k": 1}


BAD = (
    b'{"text": "Oslo"}\n{"text": \n\xff\xfe\n{"id": 3}\n[1]\n{"text": "\\ud83d Oslo"}\n'
    b'{"text": "a", "entities": [[0, 9, "X"]]}\n'
)


def test_bad_rows_are_left_out_by_number_and_the_rest_is_answered(
    word_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(BAD)
    report = predict(PredictOptions(bundle=word_bundle, inputs=(path,)))
    out, err = capfd.readouterr()
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["Oslo", "\ud83d Oslo"]
    assert [line.split(":")[1] for line in err.splitlines()] == ["2", "3", "4", "5", "7"]
    assert (report.documents, report.rejected, report.rejected_file) == (2, 5, None)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz", "unnamed"])
def test_a_line_in_another_encoding_is_rejected_by_number_and_the_run_goes_on(
    word_bundle: Path, tmp_path: Path, name: str
) -> None:
    path, out = tmp_path / name, tmp_path / "out.jsonl"
    content = b"to Oslo\nTroms\xf8\nto Lima\n"
    if "txt" not in name:
        content = b'{"text": "to Oslo"}\n{"text": "Troms\xf8"}\n{"text": "to Lima"}\n'
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    predict(PredictOptions(bundle=word_bundle, inputs=(path,), out=out))
    (row,) = (json.loads(line) for line in (tmp_path / "out.rejected.jsonl").read_text("utf-8").splitlines())
    assert (row["source"], row["line"]) == (str(path), 2)
    assert "not UTF-8 at byte" in row["error"] and "Troms�" in row["raw"]
    assert [document.text for document in read_jsonl(out)] == ["to Oslo", "to Lima"]


def test_with_out_bad_rows_go_to_a_file_of_their_own(word_bundle: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(BAD)
    report = predict(PredictOptions(bundle=word_bundle, inputs=(path,), out=out))
    assert report.rejected_file == tmp_path / "out.rejected.jsonl" and "5 rows rejected" in str(report)
    rejected = [json.loads(line) for line in report.rejected_file.read_text(encoding="utf-8").splitlines()]
    assert [row["line"] for row in rejected] == [2, 3, 4, 5, 7] and rejected[0]["raw"] == '{"text": '
    assert [document.text for document in read_jsonl(out)] == ["Oslo", "\ud83d Oslo"]
    path.write_bytes(b'{"text": "Oslo"}\n')
    predict(PredictOptions(bundle=word_bundle, inputs=(path,), out=out))
    assert not report.rejected_file.exists()


@pytest.mark.parametrize("begins", [b'{"text": "Oslo"}\n', b"no row\n"])
def test_a_call_that_breaks_off_leaves_both_files_of_an_earlier_one(
    word_bundle: Path, tmp_path: Path, begins: bytes
) -> None:
    path, out, broken = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "broken.jsonl.gz"
    path.write_bytes(BAD)
    predict(PredictOptions(bundle=word_bundle, inputs=(path,), out=out))
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    broken.write_bytes(gzip.compress(begins * 10_000)[:-9])
    with pytest.raises(InputError, match="broken gzip file"):
        predict(PredictOptions(bundle=word_bundle, inputs=(broken,), source="jsonl", out=out))
    broken.unlink()
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_bad_rows_of_a_folder_of_shards_are_no_end_either(word_bundle: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "shards", tmp_path / "out.jsonl"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b'{"text": "to Oslo"}\n{"text": \n\n{"text": "to Lima", "doc_id": 7}\n')
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "Troms\xf8"}\n{"text": "Oslo"}\n'))
    report = predict(PredictOptions(bundle=word_bundle, inputs=(folder,), out=out))
    assert (report.documents, report.rejected, report.rejected_file) == (3, 2, tmp_path / "out.rejected.jsonl")
    assert [(each.id, each.text) for each in read_jsonl(out)] == [("a-1", "to Oslo"), ("7", "to Lima"), ("b-2", "Oslo")]
    rejected = [json.loads(line) for line in (tmp_path / "out.rejected.jsonl").read_text("utf-8").splitlines()]
    assert [(row["source"], row["line"]) for row in rejected] == [
        (str(folder / "a.jsonl"), 2), (str(folder / "b.jsonl.gz"), 1),
    ]  # fmt: skip
    wanted = [row.id for row in read_rows(folder, None, lambda number: number > 3) if row is not None]
    assert wanted == ["b-1", "b-2"]  # rows are counted through all shards: labelling goes on by their number


def test_a_text_from_the_shell_is_utf8_whatever_python_took_it_for(
    word_bundle: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    typed = "to Oslo und Z\xfcrich".encode()
    predict(PredictOptions(bundle=word_bundle, text=typed.decode("ascii", "surrogateescape")))
    assert json.loads(capfdbinary.readouterr().out)["text"] == "to Oslo und Z\xfcrich"
    with pytest.raises(CallError, match="--text is not UTF-8 at byte 1;"):
        predict(PredictOptions(bundle=word_bundle, text=b"Z\xfcrich".decode("utf-8", "surrogateescape")))


def test_a_certain_text_has_an_entropy_of_nought_without_a_sign(
    word_bundle: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    predict(PredictOptions(bundle=word_bundle, text="\u200b", uncertainty=True))
    assert b'"uncertainty": {"entropy": 0.0, "margin": 1.0}' in capfdbinary.readouterr().out


def test_a_slow_stream_is_answered_line_by_line(word_bundle: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    call = [sys.executable, "-c", PROGRAM, str(word_bundle)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin and process.stdout
        for number, word in enumerate(("Oslo", "nothing", "Lima"), 1):
            process.stdin.write(f"to {word}\n".encode())
            process.stdin.flush()
            row = json.loads(process.stdout.readline())  # comes before the next line goes in
            assert (row["id"], row["text"]) == (f"stdin-{number}", f"to {word}")
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_stream_that_is_interrupted_while_one_waits_for_more_ends_in_one_line(word_bundle: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    call, pipe = [sys.executable, "-m", "cli", "predict", str(word_bundle), "-"], subprocess.PIPE
    with subprocess.Popen(call, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"to Oslo\n")
        process.stdin.flush()
        assert b"Oslo" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        said = process.stderr.read()
        assert said.startswith(b"ner-distill: interrupted; the same command begins anew") and said.count(b"\n") == 1


@pytest.mark.parametrize("form", ["conll", "table", "html"])
def test_other_formats_and_a_file_to_write_to(word_bundle: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    predict(PredictOptions(bundle=word_bundle, text="to Oslo \ud800", format=form, out=out))
    assert "Oslo" in out.read_text(encoding="utf-8")


def test_mistakes_in_the_call_are_one_line(word_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="not both"):
        predict(PredictOptions(bundle=word_bundle, text="x", inputs=(Path("-"),)))
    with pytest.raises(InputError, match="no such"):
        predict(PredictOptions(bundle=word_bundle, inputs=(tmp_path / "none.jsonl",)))
    with pytest.raises(InputError, match="not a bundle"):
        predict(PredictOptions(bundle=tmp_path, text="x"))
    with pytest.raises(CallError, match="also read"):
        predict(PredictOptions(bundle=word_bundle, inputs=(tmp_path / "a",), out=tmp_path / "a"))
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    with pytest.raises(InputError, match="folder"):
        predict(PredictOptions(bundle=word_bundle, inputs=(folder,)))
    with pytest.raises(CallError, match="--format"):
        PredictOptions(bundle=word_bundle, format="xml")
    with pytest.raises(CallError, match="--offsets is for --format jsonl; table"):
        predict(PredictOptions(bundle=word_bundle, text="x", format="table", offsets="utf8"))
    with pytest.raises(CallError, match="--uncertainty is for --format jsonl; conll"):
        predict(PredictOptions(bundle=word_bundle, text="x", format="conll", uncertainty=True))


def test_conll_comes_on_standard_input_when_it_is_named(word_bundle: Path) -> None:
    call = [sys.executable, "-m", "cli", "predict", str(word_bundle), "-", "--from", "conll"]
    root = Path(__file__).parents[1]
    given = b"mayor O\nof O\nOslo O\n\nLima O\n, O\n\n"
    done = subprocess.run(call, input=given, capture_output=True, cwd=root, check=True, timeout=120)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["text"], row["entities"][0]["start"]) for row in said] == [("mayor of Oslo", 9), ("Lima ,", 0)]
    done = subprocess.run(call, input=b"a O\nb\n\nLima O\n", capture_output=True, cwd=root, check=False, timeout=120)
    assert done.returncode == 1 and b"stdin:2: 1 columns, the file has 2; " in done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["stdin-2"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
@pytest.mark.parametrize("source", [None, "jsonl", "conll"])
def test_a_pipe_with_a_name_is_read_once(word_bundle: Path, tmp_path: Path, source: str | None) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out.jsonl"
    given = b"mayor O\nOslo O\n\nLima O\n" if source == "conll" else b'{"text": "mayor Oslo"}\n{"text": "Lima"}\n'
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(given,), daemon=True)
    writer.start()
    predict(PredictOptions(bundle=word_bundle, inputs=(pipe,), source=source, out=out))
    assert [document.text for document in read_jsonl(out)] == ["mayor Oslo", "Lima"]
    with pytest.raises(InputError, match="only once, so its format cannot be told"):
        format_of(pipe)


def test_what_standard_input_lacks_is_said(word_bundle: Path) -> None:
    root = Path(__file__).parents[1]
    call = f"{sys.executable} -m cli predict {word_bundle}"
    for words in ("", " -"):
        closed = subprocess.run(call + words + " <&-", shell=True, capture_output=True, cwd=root, check=False)
        assert closed.returncode == 2 and b"standard input is closed" in closed.stderr
        assert len(closed.stderr.splitlines()) == 1 and not closed.stdout
    empty = subprocess.run(call, shell=True, input=b"\n", capture_output=True, cwd=root, check=True)
    assert (empty.stdout, empty.stderr) == (b"", b"the input holds no documents\n")


def test_where_the_answer_cannot_go_is_one_line(word_bundle: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    call = f"{sys.executable} -m cli predict {word_bundle} --text Oslo"
    places = [(" >&-", b"standard output is closed"), (f" --out {root.anchor}", b"it is a folder")]
    if Path("/dev/full").exists():
        places.append((" >/dev/full", b"cannot be written: No space left"))
    for words, said in places:
        done = subprocess.run(call + words, shell=True, capture_output=True, cwd=root, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1) and said in done.stderr, words
    (tmp_path / "out.rejected.jsonl").mkdir()
    (tmp_path / "in.jsonl").write_text("{\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"out\.rejected\.jsonl: cannot be written"):
        predict(PredictOptions(bundle=word_bundle, inputs=(tmp_path / "in.jsonl",), out=tmp_path / "out.jsonl"))


def test_a_dash_as_out_is_standard_output(
    word_bundle: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text('{"text": "Oslo"}\n{\n', encoding="utf-8")
    predict(PredictOptions(bundle=word_bundle, inputs=(Path("in.jsonl"),), out=Path("-")))
    assert _said(capfdbinary)[0]["text"] == "Oslo"
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_utf_16_is_no_heap_of_bad_rows(word_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Oslo\nLima\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"a\.txt: is UTF-16"):
        predict(PredictOptions(bundle=word_bundle, inputs=(path,), out=tmp_path / "out.jsonl"))


def test_somebody_at_a_terminal_is_told_that_it_is_their_turn(word_bundle: Path) -> None:
    ours, theirs = os.openpty()
    call = [sys.executable, "-m", "cli", "predict", str(word_bundle)]
    with subprocess.Popen(
        call, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[1]
    ) as process:
        assert process.stdout and process.stderr
        assert b"one a line" in process.stderr.readline()
        os.write(ours, b"to Oslo\n")
        assert json.loads(process.stdout.readline())["text"] == "to Oslo"
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
    os.close(ours)
    os.close(theirs)


def test_a_text_that_looks_like_json_is_text_when_it_is_named(word_bundle: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "a.txt", tmp_path / "out.jsonl"
    path.write_text("{Oslo\n", encoding="utf-8")
    predict(PredictOptions(bundle=word_bundle, inputs=(path,), source="text", out=out))
    assert next(read_jsonl(out)).text == "{Oslo"
