"""The Batch API: the same labelling for half the price, submitted today and collected tomorrow."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distill.clashes import keep_apart, named
from distill.errors import CallError
from teachers.batch_files import (
    Limits,
    Part,
    Submission,
    options_from_json,
    options_to_json,
    read_requests,
    read_results,
    read_submission,
    request_files,
    submission_path,
    write_requests,
)
from teachers.batch_options import BatchCollectOptions, BatchStatusOptions, BatchSubmitOptions
from teachers.batch_server import BatchServer, Standing
from teachers.clashes import check_files, written_by
from teachers.estimate import conversations, documents_of
from teachers.labelling import label
from teachers.options import LabelOptions
from teachers.purse import Purse, dollars
from teachers.remembering import Remembering
from teachers.report import LabelReport
from teachers.room import check_room
from teachers.roster import lesson_for
from teachers.servers import api_key, check_url, endpoint_of, purse_for, store_path
from teachers.store import Request, Store
from teachers.teacher import Conversation, Reply, ScriptedTeacher

AT_ONCE = 256  # answers that wait for one write


@dataclass
class BatchReport:
    """What was submitted, or how it stands, and after collecting how the labelling ended."""

    out: Path
    said: list[str] = field(default_factory=list)
    requests: int = 0
    answered: int = 0
    errors: int = 0
    running: int = 0
    labelled: LabelReport | None = None

    @property
    def exit_code(self) -> int:
        """1 where something is still missing."""
        return self.labelled.exit_code if self.labelled else int(bool(self.running))

    def lines(self) -> list[str]:
        return self.said + (self.labelled.lines() if self.labelled else [])

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out), "requests": self.requests, "answered": self.answered, "errors": self.errors,
            "running": self.running, "labelled": self.labelled.to_json() if self.labelled else None,
        }  # fmt: skip


def submit(options: BatchSubmitOptions, limits: Limits | None = None) -> BatchReport:
    """Write the requests that the store has no answer to, and submit them.

    A call that broke off is repeated as it was: what the server has is not submitted again. Raises CallError where
    another labelling of the same output is under way, or the likely cost is above the budget.
    """
    _check(options)
    path = submission_path(options.out)
    if path.exists():
        submission = read_submission(options.out)
        if submission.options != options_to_json(options):
            raise CallError(f"{path} was made by another call; collect it, or delete it to begin anew")
    else:
        submission = _written(options, path, limits or Limits())
    report = BatchReport(options.out, requests=sum(part.requests for part in submission.parts))
    if not submission.parts:
        report.said.append("nothing to submit: the store has every answer; batch collect, or label, makes the output")
    elif options.files_only:
        report.said += [f"{submission.file(part)}: {part.requests} requests" for part in submission.parts]
    else:
        server = _server(options)
        for part in submission.parts:
            _submit(server, submission, part)
            report.said.append(f"{part.batch}: {part.requests} requests")
    return report


def status(options: BatchStatusOptions) -> BatchReport:
    """How the batches of an output stand."""
    submission = read_submission(options.out)
    server = _server(options_from_json(submission.options))
    report = BatchReport(options.out, requests=sum(part.requests for part in submission.parts))
    for part in submission.parts:
        _told(report, part, server.standing(part.batch) if part.batch else Standing("not submitted"))
    return report


def collect(options: BatchCollectOptions) -> BatchReport:
    """Put the results into the store; once all are there, label with them.

    Results are matched by `custom_id`, in any order. What has no usable answer is rejected with its reason, or asked
    for online.
    """
    submission = read_submission(options.out)
    written = [*written_by(options.out), *submission.files()]
    keep_apart(named("--results", options.results), named("batch collect --out for", written))
    asked = options_from_json(submission.options)
    report = BatchReport(options.out, requests=sum(part.requests for part in submission.parts))
    if options.results:
        pairs = [(part, list(options.results)) for part in submission.parts]
    else:
        pairs = _downloaded(_server(asked), submission, report)
    if report.running:
        report.said.append(f"{report.running} of {len(submission.parts)} batches are not finished; collect again later")
        return report
    store = Store(store_path(asked))
    try:
        failed = asyncio.run(
            _stored(store, submission, pairs, endpoint_of(asked).address, purse_for(asked), report=report)
        )
    finally:
        store.close()
    report.errors, report.answered = len(failed), report.requests - len(failed)
    report.said.append(f"collected  {report.answered} answers, {report.errors} requests without one")
    report.labelled = _labelled(asked, failed, options.retry)
    submission.remove(options.results)
    return report


def _check(options: BatchSubmitOptions) -> None:
    if options.teacher != "openai":
        raise CallError(f"a batch asks a server; --teacher {options.teacher} asks none")
    if options.base_url is not None:
        check_url(options.base_url)
    if options.base_url and (urlsplit(options.base_url).username or urlsplit(options.base_url).query):
        raise CallError("a batch keeps its call in a file: give the key by --api-key-env, not within --base-url")
    check_files(options, request_files(options.out))
    check_room((options.out.parent, store_path(options).parent))


def _written(options: BatchSubmitOptions, path: Path, limits: Limits) -> Submission:
    endpoint, purse = endpoint_of(options), purse_for(options)
    lesson = lesson_for(options, ScriptedTeacher({}))
    store = Store(store_path(options))
    price = replace(purse, price=purse.price.in_batch()) if purse.price else purse
    cost = 0.0

    def asked() -> Iterator[tuple[Request, Conversation]]:
        nonlocal cost
        seen: set[str] = set()
        for document in documents_of(options):
            for _, conversation in conversations(lesson, document):
                request = endpoint.request(conversation)
                if request.key not in seen and not store.find(request, conversation):
                    seen.add(request.key)
                    cost += price.likely(conversation.billed)
                    yield request, conversation

    submission = Submission(path, options_to_json(options))
    try:
        write_requests(asked(), submission, options.out.name.removesuffix(".jsonl"), limits)
    finally:
        store.close()
    if options.budget is not None and cost > options.budget:
        submission.remove()
        raise CallError(f"the batch may cost {dollars(cost)}, more than --budget {options.budget:g} USD")
    submission.save()
    return submission


def _submit(server: BatchServer, submission: Submission, part: Part) -> None:
    """Bring one file to the server, each step written down, so that a repeated call goes on behind it."""
    if part.batch:
        return
    tag = hashlib.sha256(submission.file(part).read_bytes()).hexdigest()[:32]
    if part.asked:
        part.batch = server.find(tag)
    if not part.upload:
        part.upload = server.upload(submission.file(part))
    part.asked = True
    submission.save()
    part.batch = part.batch or server.create(part.upload, tag)
    submission.save()


def _server(options: LabelOptions) -> BatchServer:
    return BatchServer(endpoint_of(options).url, api_key(options, os.environ), max(options.timeout, 600.0))


def _told(report: BatchReport, part: Part, standing: Standing) -> None:
    report.running += not standing.ended
    failed = f", {standing.failed} failed" if standing.failed else ""
    error = f": {standing.error}" if standing.error else ""
    name = part.batch or part.file
    report.said.append(f"{name}: {standing.status}, {standing.done} of {part.requests} answered{failed}{error}")


def _downloaded(server: BatchServer, submission: Submission, report: BatchReport) -> list[tuple[Part, list[Path]]]:
    pairs = []
    for part in submission.parts:
        standing = server.standing(part.batch) if part.batch else Standing("not submitted")
        _told(report, part, standing)
        if standing.ended:
            file = submission.file(part, ".results")
            pairs.append((part, [file]))
            if not file.exists():
                server.download(standing.files, file)
    return pairs


async def _stored(
    store: Store,
    submission: Submission,
    pairs: Sequence[tuple[Part, list[Path]]],
    address: str,
    purse: Purse,
    *,
    report: BatchReport,
) -> dict[str, str]:
    """Every answer into the store; the requests that have none by key, with the reason.

    The report tells of lines that are no results and of results that answer nothing here; a CallError where none does.
    """
    failed: dict[str, str] = {}
    known: set[str] = set()
    found: set[str] = set()
    unread: dict[str, None] = {}
    for part, files in pairs:
        asked = {request.key: (request, talk) for request, talk in read_requests(submission, part, address)}
        known |= asked.keys()
        why = dict.fromkeys(asked, "batch: no result for this request")
        results = chain.from_iterable(map(read_results, files))
        while some := list(islice(results, AT_ONCE)):
            unread |= {str(reply.error): None for key, reply in some if key is None}
            found |= {key for key, _ in some if key is not None}
            mine = [(key, _priced(reply, purse)) for key, reply in some if key in asked]
            why |= {key: reply.error for key, reply in mine if reply.error}
            await asyncio.gather(*(store.keep(*asked[key], reply) for key, reply in mine))
        failed |= {key: reason for key, reason in why.items() if not store.find(*asked[key])}
    strays = len(found - known)
    if strays and not found & known:
        raise CallError(f"{strays} results are of no request of this submission; check --results")
    report.said += [f"{line}; left out" for line in unread]
    report.said += [f"{strays} results are of no request of this submission; left out"] if strays else []
    return failed


def _priced(reply: Reply, purse: Purse) -> Reply:
    """The reply with what it cost in a batch."""
    if reply.error or reply.cost is not None or purse.price is None:
        return reply
    cost = purse.price.in_batch().cost(reply.tokens_in, reply.tokens_out, reply.tokens_cached)
    return replace(reply, cost=cost)


def _labelled(options: BatchSubmitOptions, failed: Mapping[str, str], retry: str) -> LabelReport:
    """The labelling itself: from the store, and online or with a reason where it has no answer."""
    given = {each.name: getattr(options, each.name) for each in fields(LabelOptions)}
    if retry == "online":
        return label(LabelOptions(**given))
    endpoint = endpoint_of(options)

    def excuse(conversation: Conversation) -> Reply:
        return Reply(error=failed.get(endpoint.request(conversation).key, "not in the store, and not asked online"))

    teacher = Remembering(ScriptedTeacher(excuse, options.model or ""), Store(store_path(options)), endpoint.request)
    return label(LabelOptions(**{**given, "attempts": 1}), teacher)
