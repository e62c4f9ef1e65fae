"""Batch files: requests as a Batch API and `vllm run-batch` take them, their results, and what was submitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from distill.errors import CallError, InputError
from distill.files import open_lines, whole_or_not_at_all
from distill.jsonl import parse_line
from distill.options import field_types
from teachers.batch_options import BatchSubmitOptions
from teachers.completions import BadCompletion, read_completion
from teachers.store import Request
from teachers.teacher import Conversation, Message, Reply

URL = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold at most: OpenAI's limits."""

    requests: int = 50_000
    bytes: int = 200_000_000


@dataclass
class Part:
    """One request file and its batch: `batch` is empty until the server has it, `asked` is set just before."""

    file: str
    requests: int
    upload: str = ""
    asked: bool = False
    batch: str = ""


@dataclass
class Submission:
    """What was submitted for one output; it lies beside it until everything is collected."""

    path: Path
    options: dict[str, Any]
    parts: list[Part] = field(default_factory=list)

    def save(self) -> None:
        with whole_or_not_at_all(self.path) as out:
            json.dump({"options": self.options, "parts": [asdict(part) for part in self.parts]}, out, indent=1)

    def file(self, part: Part, suffix: str = "") -> Path:
        return self.path.parent / (part.file + suffix)

    def files(self) -> list[Path]:
        """What a submission consists of."""
        return [self.path, *(self.file(part, suffix) for part in self.parts for suffix in ("", ".ids"))]

    def remove(self, keep: Iterable[Path] = ()) -> None:
        """Everything is collected: the answers are in the store. Results that somebody brought are theirs to keep."""
        downloads = (self.file(part, ".results") for part in self.parts)
        brought = [path.resolve() for path in keep]
        for path in (*self.files(), *(each for each in downloads if each.resolve() not in brought)):
            path.unlink(missing_ok=True)


def submission_path(out: Path) -> Path:
    """`L.jsonl.batch.json` for `L.jsonl`."""
    return out.with_name(out.name + ".batch.json")


def request_files(out: Path) -> list[Path]:
    """What a submission of this output writes, as far as it is there already."""
    own = re.compile(rf"{re.escape(out.name.removesuffix('.jsonl'))}\.batch-\d+\.jsonl(\.ids|\.results)?")
    beside = out.parent.iterdir() if out.parent.is_dir() else ()
    return [submission_path(out), *(path for path in beside if own.fullmatch(path.name))]


def read_submission(out: Path) -> Submission:
    """What `batch submit` left; CallError where there is nothing."""
    path = submission_path(out)
    if not path.exists():
        raise CallError(f"nothing was submitted for {out}, or all of it is collected; begin with batch submit")
    value = json.loads(path.read_text(encoding="utf-8"))
    return Submission(path, value["options"], [Part(**part) for part in value["parts"]])


def options_to_json(options: BatchSubmitOptions) -> dict[str, Any]:
    """The options as JSON; a key is never among them, only the name of its variable."""
    row: dict[str, Any] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        several = value if isinstance(value, tuple) else (value,)
        values = [str(one) if isinstance(one, Path) else one for one in several]
        row[each.name] = values if isinstance(value, tuple) else values[0]
    return row


def options_from_json(row: Mapping[str, Any]) -> BatchSubmitOptions:
    """The options that `batch submit` was given."""
    given: dict[str, Any] = {}
    for name, kind in field_types(BatchSubmitOptions).items():
        value = row.get(name)
        if kind.many:
            given[name] = tuple(Path(one) if kind.of is Path else one for one in value or ())
        else:
            given[name] = Path(value) if kind.of is Path and value is not None else value
    return BatchSubmitOptions(**given)


def write_requests(
    asked: Iterable[tuple[Request, Conversation]], submission: Submission, stem: str, limits: Limits
) -> None:
    """Request files, each within both limits, and beside each the ids of its documents line by line."""
    lines: list[bytes] = []
    ids: list[str] = []
    size = 0

    def close() -> None:
        part = Part(f"{stem}.batch-{len(submission.parts) + 1:03}.jsonl", len(lines))
        with submission.file(part).open("wb") as out:
            out.writelines(lines)
        with whole_or_not_at_all(submission.file(part, ".ids")) as out_ids:
            out_ids.writelines(json.dumps(one) + "\n" for one in ids)
        submission.parts.append(part)

    for request, conversation in asked:
        line = request_line(request)
        if lines and (len(lines) >= limits.requests or size + len(line) > limits.bytes):
            close()
            lines, ids, size = [], [], 0
        lines.append(line)
        ids.append(conversation.id)
        size += len(line)
    if lines:
        close()


def request_line(request: Request) -> bytes:
    """One request; its `custom_id` is the key under which the store will know the answer."""
    turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    body = {"model": request.model, "messages": turns, **json.loads(request.parameters)}
    row = {"custom_id": request.key, "method": "POST", "url": URL, "body": body}
    return json.dumps(row).encode("ascii") + b"\n"


def read_requests(submission: Submission, part: Part, endpoint: str) -> Iterator[tuple[Request, Conversation]]:
    """The requests of a file as the store knows them, with the documents they are about."""
    ids = [json.loads(line) for _, line in open_lines(submission.file(part, ".ids"))]
    for (number, line), identity in zip(open_lines(submission.file(part)), ids, strict=True):
        row = parse_line(line, submission.file(part), number)
        body = dict(row["body"])
        messages = tuple(Message(turn["role"], turn["content"]) for turn in body.pop("messages"))
        request = Request(endpoint, body.pop("model"), json.dumps(body, sort_keys=True), messages)
        if request.key != row["custom_id"]:
            raise InputError("the request was changed: its id is not its own", path=submission.file(part), line=number)
        yield request, Conversation(identity, messages)


def read_results(path: Path) -> Iterator[tuple[str | None, Reply]]:
    """The results of a batch by `custom_id`, in the order of the file: a reply each, or the error in its place.

    A line that is no result, as a broken download ends with, has no id, and says in its reply where it stands.
    """
    for number, line in open_lines(path, "surrogateescape"):
        if line.strip():
            try:
                row = parse_line(line, path, number)
            except InputError as error:
                yield None, Reply(error=str(error))
                continue
            yield str(row.get("custom_id")), _reply(row)


def _reply(row: Mapping[str, Any]) -> Reply:
    error, response = row.get("error"), row.get("response")
    if error:
        return Reply(error=f"batch: {_message(error)}")
    if not isinstance(response, dict):
        return Reply(error="batch: a result without a response")
    status, body = response.get("status_code", 200), response.get("body")
    if status != 200:
        said = body.get("error", body) if isinstance(body, dict) else body
        return Reply(error=f"batch: HTTP {status}: {_message(said)}")
    try:
        return read_completion(json.dumps(body), "application/json")
    except BadCompletion as bad:
        return Reply(error=f"batch: {bad}")


def _message(error: Any) -> str:
    text = error.get("message") or error.get("code") if isinstance(error, dict) else error
    return " ".join(str(text).split())[:300]
