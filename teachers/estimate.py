"""The estimate: how many requests, tokens and dollars a labelling will take, without asking anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from distill.document import Document
from distill.errors import CallError
from teachers.clashes import check_files
from teachers.counting import counter_for, of_messages
from teachers.intake import read_inputs
from teachers.options import LabelOptions
from teachers.prices import Price
from teachers.purse import dollars
from teachers.roster import Lesson, lesson_for
from teachers.servers import endpoint_of, purse_for, store_path
from teachers.store import Request, Store
from teachers.teacher import Conversation, ScriptedTeacher

OUT: dict[str, tuple[float, float]] = {
    "standard": (7, 0.22), "cot": (40, 0.6), "open": (30, 0.65), "definition": (30, 2.0), "conversation": (3, 0.05),
}  # fmt: skip
"""Tokens of an answer: so many, and so many for each token of the text. Measured on 2,266 recorded answers but for
definition and conversation (one type), which are guesses."""
OWN_OUT = (30, 0.8)
OUT_ERROR = 0.5
SEEN_ERROR = 0.15
ENOUGH = 20  # stored answers of the same model and parameters whose mean is believed


@dataclass(frozen=True)
class Estimate:
    """What a labelling will take; errors are shares, and cover what is stated beside them only."""

    documents: int
    requests: int
    stored: int
    tokens_in: int
    tokens_out: int
    error_in: float
    error_out: float
    price: Price | None
    exit_code: int = 0

    @property
    def dollars(self) -> float | None:
        return self.price.cost(self.tokens_in, self.tokens_out) if self.price else None

    @property
    def dollars_error(self) -> float | None:
        """How far off the dollars may be, in dollars."""
        if self.price is None:
            return None
        return self.price.cost(round(self.tokens_in * self.error_in), round(self.tokens_out * self.error_out))

    def lines(self) -> list[str]:
        """The estimate for people."""
        cost = "the price of the model is unknown; --prices FILE tells it"
        if self.dollars is not None and self.dollars_error is not None:
            cost = f"{dollars(self.dollars)}, give or take {dollars(self.dollars_error)}; half of it as a batch"
        return [
            f"documents  {self.documents}",
            f"requests   {self.requests} to ask, {self.stored} answered in the store; second attempts not counted",
            f"tokens     {self.tokens_in} in (±{self.error_in:.0%}), {self.tokens_out} out (±{self.error_out:.0%})",
            f"cost       {cost}",
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """The estimate for machines."""
        return {
            "documents": self.documents, "requests": self.requests, "stored": self.stored,
            "tokens": {"in": self.tokens_in, "out": self.tokens_out},
            "error": {"in": self.error_in, "out": self.error_out},
            "dollars": self.dollars, "dollars_error": self.dollars_error,
        }  # fmt: skip


def estimate(options: LabelOptions) -> Estimate:
    """Read all inputs, make all prompts, look into the store, and ask nobody."""
    if options.teacher != "openai":
        raise CallError(f"--dry-run estimates what a server costs; --teacher {options.teacher} asks none")
    check_files(options)
    endpoint, purse = endpoint_of(options), purse_for(options)
    lesson = lesson_for(options, ScriptedTeacher({}))
    count, error_in = counter_for(endpoint.model)
    path = store_path(options)
    store = Store(path) if path.exists() else None
    base, share, error_out = _length_of_answers(options, lesson.form, endpoint, store)
    documents = requests = stored = tokens_in = 0
    tokens_out = 0.0
    seen: set[bytes] = set()
    try:
        for document in documents_of(options):
            documents += 1
            for passage, conversation in conversations(lesson, document):
                request: Request = endpoint.request(conversation)
                key = bytes.fromhex(request.key)
                if key in seen:
                    continue
                seen.add(key)
                plain = replace(conversation, form="")
                if store and (store.find(request, conversation) or store.find(endpoint.request(plain), plain)):
                    stored += 1
                    continue
                requests += 1
                tokens_in += of_messages(conversation.billed, count)
                tokens_out += min(base + share * count(passage), purse.most_out or float("inf"))
    finally:
        if store:
            store.close()
    return Estimate(documents, requests, stored, tokens_in, round(tokens_out), error_in, error_out, purse.price)


def documents_of(options: LabelOptions) -> Iterator[Document]:
    """The documents that will be asked about: bad lines and blank texts are not."""
    for item in read_inputs(options.inputs):
        if isinstance(item, Document) and item.text.strip():
            yield item


def conversations(lesson: Lesson, document: Document) -> Iterator[tuple[str, Conversation]]:
    """What will be asked about a document, passage by passage."""
    chunks = lesson.divide(document.text)
    if len(chunks) == 1 and chunks[0].text == document.text:
        yield from ((document.text, each) for each in lesson.ask(document))
        return
    for number, chunk in enumerate(chunks, 1):
        yield from ((chunk.text, each) for each in lesson.ask(Document(f"{document.id}#{number}", chunk.text)))


def _length_of_answers(
    options: LabelOptions, form: str, endpoint: Any, store: Store | None
) -> tuple[float, float, float]:
    """Tokens of an answer, tokens for each of the text, and the error: of the store's answers where it has enough."""
    if store is not None:
        for each in (form, ""):
            count, mean = store.mean_out(endpoint.request(Conversation("", (), form=each)))
            if count >= ENOUGH:
                return mean, 0.0, SEEN_ERROR
    base, share = OUT.get(options.asked_by, OWN_OUT)
    return base, share, OUT_ERROR
