"""The Batch API: what is submitted, that nothing is submitted twice, and that results find their documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batch_api import BatchApi, batching
from chat_server import KEY

from distill.errors import CallError, TeacherError
from distill.jsonl import read_jsonl
from teachers.batch import collect, status, submit
from teachers.batch_files import Limits
from teachers.batch_options import BatchCollectOptions, BatchStatusOptions, BatchSubmitOptions
from teachers.labelling import label


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)


def options(folder: Path, server: BatchApi, **more: Any) -> BatchSubmitOptions:
    source, prices = folder / "in.jsonl", folder / "prices.toml"
    rows = [{"id": f"d{n}", "text": f"In row {n} Anna met Bert."} for n in range(5)]
    rows.append({"id": "twin", "text": rows[0]["text"]})
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prices.write_text("[loopback]\ninput = 10\noutput = 50\n")
    given: dict[str, Any] = {
        "inputs": (source,), "out": folder / "L.jsonl", "model": "loopback", "prompt": "standard", "prices": prices,
        "base_url": server.url, "api_key_env": "LOOPBACK_KEY", "param": ("temperature=0",),
    }  # fmt: skip
    return BatchSubmitOptions(**{**given, **more})


def collecting(folder: Path, **more: Any) -> BatchCollectOptions:
    return BatchCollectOptions(out=folder / "L.jsonl", **more)


def test_a_batch_gives_what_labelling_online_gives_for_half_the_price(tmp_path: Path) -> None:
    with batching() as server:
        given = options(tmp_path, server)
        report = submit(given)
        (body,) = [json.loads(line) for line in server.files["file-0"].splitlines()][:1]
        assert (report.requests, len(server.batches)) == (5, 1)
        assert set(body) == {"custom_id", "method", "url", "body"}
        assert set(body["body"]) == {"model", "messages", "temperature"}
        assert not [path for path in tmp_path.iterdir() if KEY.encode() in path.read_bytes()]
        waiting = collect(collecting(tmp_path))
        assert (waiting.running, waiting.exit_code, waiting.labelled) == (1, 1, None)
        assert "in_progress" in status(BatchStatusOptions(out=given.out)).lines()[0]
        server.ended = True
        done = collect(collecting(tmp_path))
        assert (done.answered, done.errors, done.exit_code) == (5, 0, 0)
        assert done.labelled and done.labelled.saved == pytest.approx(6 * 0.0015 / 2)
        first = (tmp_path / "L.jsonl").read_bytes()
        assert [document.id for document in read_jsonl(given.out)] == ["d0", "d1", "d2", "d3", "d4", "twin"]
        assert label(given).asked == 0
        assert (tmp_path / "L.jsonl").read_bytes() == first
        assert not server.online
    assert sorted(path.name for path in tmp_path.glob("L*")) == ["L.jsonl"]


def test_errors_and_missing_results_are_reported_or_asked_online(tmp_path: Path) -> None:
    for retry, online in (("report", 0), ("online", 2)):
        folder = tmp_path / retry
        folder.mkdir()
        with batching() as server:
            server.ended, server.bad, server.absent = True, "row 1", "row 3"
            submit(options(folder, server))
            report = collect(collecting(folder, retry=retry))
            assert len(server.online) == online
        assert (report.answered, report.errors) == (3, 2)
        assert report.labelled and report.labelled.documents == 4 + online
        if retry == "report":
            rejected = [json.loads(line) for line in (folder / "L.rejected.jsonl").read_text().splitlines()]
            assert [(row["id"], row["reason"]) for row in rejected] == [
                ("d1", "batch: HTTP 400: not this one"), ("d3", "batch: no result for this request"),
            ]  # fmt: skip
            assert report.exit_code == 1


@pytest.mark.parametrize("limits", [Limits(requests=2), Limits(bytes=4000)])
def test_files_are_split_at_both_limits(tmp_path: Path, limits: Limits) -> None:
    with batching() as server:
        server.ended = True
        submit(options(tmp_path, server), limits)
        assert len(server.batches) >= 3
        assert all(len(file.splitlines()) <= limits.requests for file in server.files.values())
        assert all(len(file) <= limits.bytes for file in server.files.values())
        assert collect(collecting(tmp_path)).answered == 5


def test_a_submission_that_broke_off_is_not_paid_for_twice(tmp_path: Path) -> None:
    with batching() as server:
        server.refuse = True
        with pytest.raises(TeacherError, match="HTTP 503: come back later"):
            submit(options(tmp_path, server))
        server.refuse = False
        state = tmp_path / "L.jsonl.batch.json"
        submit(options(tmp_path, server))
        lost = json.loads(state.read_text())
        lost["parts"][0]["batch"] = ""  # the answer of the server never came
        state.write_text(json.dumps(lost))
        submit(options(tmp_path, server))
        submit(options(tmp_path, server))
        assert (len(server.batches), len(server.files)) == (1, 1)
        with pytest.raises(CallError, match="made by another call"):
            submit(options(tmp_path, server, prompt="cot"))


def test_results_that_are_here_need_no_server(tmp_path: Path) -> None:
    """The way of `vllm run-batch`: write the files, run it, collect what it wrote."""
    with batching() as server:
        report = submit(options(tmp_path, server, files_only=True))
        assert report.lines() == [f"{tmp_path / 'L.batch-001.jsonl'}: 5 requests"]
        server.files["f"], server.batches["b"] = (tmp_path / "L.batch-001.jsonl").read_bytes(), {"input_file_id": "f"}
        (tmp_path / "results.jsonl").write_bytes(server.results("b")[0])
        assert not server.online
    done = collect(collecting(tmp_path, results=(tmp_path / "results.jsonl",)))
    assert done.labelled and done.labelled.documents == 6
    with pytest.raises(CallError, match="nothing was submitted"):
        collect(collecting(tmp_path))


def test_a_line_that_is_no_result_and_one_of_another_batch_keep_no_other_from_being_collected(tmp_path: Path) -> None:
    with batching() as server:
        submit(options(tmp_path, server, files_only=True))
        server.files["f"], server.batches["b"] = (tmp_path / "L.batch-001.jsonl").read_bytes(), {"input_file_id": "f"}
        lines = server.results("b")[0].splitlines()
    results = tmp_path / "results.jsonl"
    foreign = b'{"custom_id": "another", "response": {"status_code": 200, "body": {}}}'
    results.write_bytes(foreign)
    with pytest.raises(CallError, match="1 results are of no request"):
        collect(collecting(tmp_path, results=(results,)))
    results.write_bytes(b"\n".join([foreign, *lines[:-1], lines[-1][:40]]))
    done = collect(collecting(tmp_path, results=(results,)))
    assert (done.answered, done.errors, done.exit_code) == (4, 1, 1)
    assert any(f"{results}:6:" in line and "left out" in line for line in done.lines())
    assert "1 results are of no request of this submission; left out" in done.lines()


def test_what_cannot_be_a_batch_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with batching() as server:
        with pytest.raises(CallError, match="more than --budget"):
            submit(options(tmp_path, server, budget=0.0001))
        with pytest.raises(CallError, match="is no address"):
            submit(options(tmp_path, server, base_url="http://[::1/v1"))
        with pytest.raises(CallError, match="by --api-key-env"):
            submit(options(tmp_path, server, base_url=server.url.replace("//", "//me:secret@")))
        with pytest.raises(CallError, match="asks none"):
            submit(options(tmp_path, server, teacher="replay"))
    assert not list(tmp_path.glob("L*"))
