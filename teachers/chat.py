"""Chat: a teacher behind any server that speaks `/v1/chat/completions`. It alone decides about trying again."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import openai

from distill.errors import TeacherError
from distill.progress import say
from teachers.completions import BadCompletion, read_completion
from teachers.forms import refuses
from teachers.patience import Backoff, Throttle, retry_after
from teachers.purse import Purse
from teachers.store import Request
from teachers.teacher import Conversation, FormRefused, Reply

HTTP: Any = import_module(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
"""httpx, or its successor: whichever the openai package stands on."""
PATH = "/chat/completions"
OPENAI_URL = "https://api.openai.com/v1"
TRIES = 10  # with four requests in ten failing, one document in ten thousand is given up
BAD_TRIES = 3  # a reply of the wrong shape may have been paid for
SAME_ERRORS = 5  # identical errors without an answer between them: the next one would be no different
IN_A_POOL, POOLS = 8, 16  # connections in a pool; pools at most, since each takes a while to make
_TAGS = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
LONG_WAIT = 10.0  # seconds without a word that look like a program that hangs
SHORTEST_SECRET = 8  # what is shorter is a placeholder such as "none", and stands in many an innocent text


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and what to ask: parameters go to the server as they are, and nothing that was not asked for."""

    model: str
    url: str = OPENAI_URL
    parameters: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    timeout: float = 120.0
    max_requests: int | None = None

    @property
    def address(self) -> str:
        """The URL without what may be secret in it: user, password, query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    @property
    def base(self) -> str:
        """The URL without its query, which goes behind the path of every request."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    def request(self, conversation: Conversation) -> Request:
        """The request as the store knows it."""
        parameters = json.dumps(self.body(conversation), sort_keys=True)
        return Request(self.address, self.model, parameters, conversation.messages)

    def body(self, conversation: Conversation) -> dict[str, Any]:
        """What goes along with model and messages."""
        form = {"response_format": json.loads(conversation.form)} if conversation.form else {}
        return {**self.parameters, **form}


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, chance and patience, which tests bring along. `grace` is how long a stopped run waits for its answers."""

    grace: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Random = field(default_factory=Random)
    backoff: Backoff = field(default_factory=Backoff)


@dataclass
class _Trouble(Exception):
    """A request that brought no answer: what to say, how often to try, and how long the server asks to wait."""

    text: str
    tries: int = 1
    told: float | None = None
    busy: bool = False
    reached: bool = True
    free: bool = False


class ChatTeacher:
    """Asks a server, at most `concurrency` requests at a time.

    Transport errors, 429 and 5xx are tried again after a wait; other errors concern one document. Raises
    TeacherError on a wrong key, an unknown model, an exhausted quota, a server that never answers, and on five
    identical errors without an answer between them.
    """

    def __init__(
        self, endpoint: Endpoint, key: str | None, clock: Clock | None = None, purse: Purse | None = None
    ) -> None:
        self.endpoint, self.requests, self.purse = endpoint, 0, purse or Purse()
        self._key, self._clock = key or "none", clock or Clock()
        self._clients = [
            openai.AsyncOpenAI(
                api_key=self._key, base_url=endpoint.base, default_query=endpoint.query, timeout=endpoint.timeout,
                max_retries=0, http_client=client,
            )
            for client in _http_clients(endpoint.concurrency)
        ]  # fmt: skip
        self._throttle = Throttle(endpoint.concurrency, self._clock.steady)
        self._reached, self._last_error, self._same, self._form_refused = False, "", 0, ""
        self._said_wait = False

    @property
    def name(self) -> str:
        return self.endpoint.model

    async def close(self) -> None:
        for client in self._clients:
            await client.close()

    async def answer(self, conversation: Conversation) -> Reply:
        tried = 0
        failures: Counter[int] = Counter()  # by how many are too many: a busy server does not use up other patience
        while True:
            tried += 1
            try:
                async with self._throttle.turn():
                    self._check(conversation.form)
                    reply = await self._paid(conversation)
                self._throttle.served()
                self._same = 0
                return replace(reply, requests=tried, cost=self.purse.cost(reply, conversation.billed))
            except FormRefused as refusal:
                self._form_refused = str(refusal)
                raise FormRefused(str(refusal), tried - 1 + refusal.requests) from None
            except _Trouble as trouble:
                if trouble.busy:
                    self._throttle.complained()
                failures[trouble.tries] += 1
                if failures[trouble.tries] >= trouble.tries:
                    return self._given_up(trouble, tried)
                told = trouble.told
            await self._clock.sleep(self._clock.backoff.wait(tried, self._clock.random, told))

    def _check(self, form: str) -> None:
        """Many requests wait for their turn when the first is refused; they need not be sent."""
        if form and self._form_refused:
            raise FormRefused(self._form_refused, 0)

    async def _paid(self, conversation: Conversation) -> Reply:
        """One request, with money set aside while it is under way; what broke off may have to be paid all the same."""
        messages = conversation.billed
        held = await self.purse.hold(messages)
        try:
            reply = await self._finished(conversation)
        except BaseException as error:
            free = isinstance(error, TeacherError | FormRefused) or (isinstance(error, _Trouble) and error.free)
            self.purse.settle(held, messages, None, paid=not free)
            raise
        self.purse.settle(held, messages, reply)
        return reply

    async def _finished(self, conversation: Conversation) -> Reply:
        """One request that a cancelled run still waits for: its answer is paid for and belongs in the store."""
        asking = asyncio.ensure_future(self._once(conversation))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait({asking}, timeout=self._clock.grace)
            if not asking.done():
                asking.cancel()
            if not asking.done() or asking.cancelled() or asking.exception():
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            return asking.result()

    def _given_up(self, trouble: _Trouble, tried: int) -> Reply:
        """The Reply of a document that gets no answer, or the end of the run where no other would get one."""
        if not trouble.reached and not self._reached:
            raise TeacherError(f"{self.endpoint.address}: {trouble.text}; check --base-url, and that the server runs")
        self._same = self._same + 1 if trouble.text == self._last_error else 1
        self._last_error = trouble.text
        if self._same >= SAME_ERRORS:
            raise TeacherError(f"{self.endpoint.address}: {SAME_ERRORS} times in a row: {trouble.text}")
        return Reply(error=trouble.text + (f" (tried {tried} times)" if tried > 1 else ""), requests=tried)

    async def _once(self, conversation: Conversation) -> Reply:
        """One request; raises _Trouble, or TeacherError where no other request would fare better."""
        most = self.endpoint.max_requests
        if most is not None and self.requests >= most:
            raise TeacherError(f"--max-requests {most} is reached; the same command goes on, with as many again")
        self.requests += 1
        turns: Any = [{"role": turn.role, "content": turn.content} for turn in conversation.messages]
        try:
            async with asyncio.timeout(self.endpoint.timeout):  # a server that trickles would outlast the client's own
                client = self._clients[self.requests % len(self._clients)]
                raw = await client.post(  # the answer as it came: reading it is our business
                    PATH, cast_to=HTTP.Response,
                    body={"messages": turns, "model": self.endpoint.model, **self.endpoint.body(conversation)},
                )  # fmt: skip
            self._reached = True
            self._check_way(raw)
            return read_completion(self._clean(raw.text), raw.headers.get("content-type", ""))
        except openai.APIStatusError as error:
            self._reached = True
            self._check_way(error.response)
            if conversation.form and refuses(error.status_code, _whole(error)):
                raise FormRefused(self._clean(_said(error))) from None
            raise self._judged(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise self._unreached(f"no answer within {self.endpoint.timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            raise self._unconnected(error) from None
        except BadCompletion as error:
            raise _Trouble(str(error), BAD_TRIES) from None
        except UnicodeError as error:
            raise _Trouble(f"the request cannot be sent: {error}") from None

    def _check_way(self, response: Any) -> None:
        """Raise TeacherError where a redirection made a GET of the request, as HTTP has it: it asks nothing then."""
        if any(step.status_code in (301, 302, 303) for step in response.history):
            to = urlsplit(str(response.url))
            base = urlunsplit((to.scheme, to.netloc.rpartition("@")[2], to.path.removesuffix(PATH), "", ""))
            raise TeacherError(f"{self.endpoint.address}: the server is to be found at {base}; give that as --base-url")

    def _unconnected(self, error: openai.APIConnectionError) -> _Trouble:
        """Why there is no connection; raises TeacherError where there will be none."""
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, ssl.SSLCertVerificationError):
                raise TeacherError(
                    f"{self.endpoint.address}: its certificate is not trusted ({found.verify_message}); the "
                    "environment variable SSL_CERT_FILE may name a file of certificates to trust"
                ) from None
            found = found.__cause__ or found.__context__
        return self._unreached(f"no connection ({_cause(error)})")

    def _unreached(self, text: str) -> _Trouble:
        """A server that has answered before is worth more patience than one that never did."""
        return _Trouble(text, TRIES if self._reached else BAD_TRIES, reached=False)

    def _judged(self, error: openai.APIStatusError) -> _Trouble:
        """What an HTTP status means; raises TeacherError for those that mean the end."""
        status, text = error.status_code, f"HTTP {error.status_code}: {self._clean(_said(error))}"
        where = self.endpoint.address
        if status in (401, 403):
            raise TeacherError(f"{where}: the key was refused; check --api-key-env ({text})") from None
        if status == 404 and "model" in text.lower():
            model = self.endpoint.model
            raise TeacherError(f"{where}: no model {model!r} there; check --model and --base-url ({text})") from None
        if status in (404, 405):
            said = f"no {PATH} there; check --base-url, which mostly ends in /v1 ({text})"
            raise TeacherError(f"{where}: {said}") from None
        if status == 402 or "insufficient_quota" in (error.code, error.type):
            raise TeacherError(f"{where}: the quota is exhausted ({text}); the same command goes on later") from None
        if status in (408, 409, 425, 429) or status >= 500:
            told = retry_after(error.response.headers, self._clock.wall())
            self._check_wait(told, text)
            return _Trouble(text, TRIES, told, busy=status in (429, 503, 529), free=True)
        return _Trouble(text, free=True)

    def _check_wait(self, told: float | None, text: str) -> None:
        """Say once that the server asks to wait; raise TeacherError where it is longer than a run waits."""
        if told is None or told < LONG_WAIT:
            return
        where, asks = self.endpoint.address, f"the server asks to wait {told:g} seconds"
        if told > self._clock.backoff.obeyed:
            raise TeacherError(f"{where}: {asks} ({text}); the same command goes on then") from None
        if not self._said_wait:
            self._said_wait = True
            say(f"{where}: {asks} ({text})")

    def _clean(self, text: str) -> str:
        """The text without the key: some servers repeat it in what they say."""
        return text.replace(self._key, "***") if len(self._key) >= SHORTEST_SECRET else text


def _http_clients(concurrency: int) -> list[Any]:
    """What carries the requests. A pool looks at each of its idle connections for every request: many look at few."""
    certificates = ssl.create_default_context()  # one for all: reading it takes longer than a request
    pools = min(POOLS, -(-concurrency // IN_A_POOL))
    return [openai.DefaultAsyncHttpxClient(verify=certificates) for _ in range(pools)]


def _said(error: openai.APIStatusError) -> str:
    """What the server says in its own words, wherever it puts them; the title and the rest of a page without tags."""
    body = error.body
    found = (body.get("message") or body.get("detail") or body.get("error")) if isinstance(body, dict) else body
    text = str(found or error.response.text or "no reason given")
    if text.lstrip().startswith("<"):
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:300]


def _whole(error: openai.APIStatusError) -> str:
    """All that an error says: which parameter it is about stands in one place or another."""
    return f"{error.message} {error.param or ''} {error.code or ''} {error.body!r}"[:5000]


def _cause(error: openai.APIConnectionError) -> str:
    cause = error.__cause__ or error
    return " ".join(f"{type(cause).__name__}: {cause}".split())[:120].rstrip(": ")
