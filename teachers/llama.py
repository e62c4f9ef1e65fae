"""A local model as a teacher: what waits for it is answered in batches, the questions about one text together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import torch

from distill.errors import CallError, TeacherError
from distill.progress import say
from teachers.bases import fingerprint, load_dialogue, load_model, model_folder, precision_of
from teachers.dialogue import Dialogue, Unsayable
from teachers.greedy import Greedy
from teachers.options import LabelOptions
from teachers.remembering import Remembering
from teachers.servers import parameters_of, store_path
from teachers.store import Request, Store
from teachers.teacher import Conversation, Message, Reply, Teacher

PAUSE = 0.01  # seconds: who asks at the same time is answered in the same batch
MAX_TOKENS = 512  # of an answer, unless --param max_tokens says otherwise
PRECISIONS = ("auto", "bf16", "fp32")
PARAMETERS = {"max_tokens": MAX_TOKENS, "precision": "auto", "template": "auto"}


def llama_for(options: LabelOptions) -> Teacher:
    """The model that the options name, behind its store."""
    parameters = _parameters(options)
    if not options.model:
        raise CallError("--teacher llama needs --model, the folder of a model; `rait merge` makes one")
    folder = model_folder(options.model)
    dialogue = load_dialogue(folder, parameters["template"])
    dtype = precision_of(parameters["precision"])
    model = load_model(folder, dtype).eval()
    if torch.cuda.is_available():
        model = model.to("cuda")
    greedy = Greedy(model, dialogue.stop, dialogue.pad, parameters["max_tokens"], options.concurrency)
    store = Store(store_path(options))
    known = json.dumps(parameters | {"precision": str(dtype)}, sort_keys=True)
    weights = " ".join(fingerprint(folder))
    say(f"{folder}: {sum(weight.numel() for weight in model.parameters()) / 1e6:.1f} M parameters on {model.device}")
    return Remembering(
        LlamaTeacher(Speaker(dialogue, greedy), folder.name, options.concurrency), store,
        lambda conversation: Request("local", weights, known, conversation.messages),
    )  # fmt: skip


def _parameters(options: LabelOptions) -> dict[str, Any]:
    given = parameters_of(options.param)
    for name, value in given.items():
        if name not in PARAMETERS:
            raise CallError(f"--param {name}: a local model knows {', '.join(PARAMETERS)}")
        good = isinstance(value, int) and value > 0 if name == "max_tokens" else isinstance(value, str)
        if not good or (name == "precision" and value not in PRECISIONS):
            raise CallError(f"--param {name} cannot be {value!r}")
    return PARAMETERS | given


class Speaker:
    """Conversations in, replies out; those that differ in their last turn alone are read once up to there."""

    def __init__(self, dialogue: Dialogue, greedy: Greedy) -> None:
        self.dialogue, self.greedy = dialogue, greedy
        self._limit: int | None = getattr(greedy.model.config, "max_position_embeddings", None)

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """The reply to each; what the model cannot read is an error of that one alone."""
        replies: dict[int, Reply] = {}
        groups: dict[tuple[Message, ...], list[tuple[int, list[int]]]] = {}
        for number, conversation in enumerate(conversations):
            prompt = self._prompt(conversation)
            if isinstance(prompt, Reply):
                replies[number] = prompt
            else:
                groups.setdefault(conversation.messages[:-1], []).append((number, prompt))
        said = self.greedy.answers([[prompt for _, prompt in group] for group in groups.values()])
        for group, answers in zip(groups.values(), said, strict=True):
            for (number, prompt), answer in zip(group, answers, strict=True):
                replies[number] = Reply(
                    self.dialogue.text(answer.ids), "stop" if answer.whole else "length",
                    tokens_in=len(prompt), tokens_out=len(answer.ids), requests=1,
                )  # fmt: skip
        return [replies[number] for number in range(len(conversations))]

    def _prompt(self, conversation: Conversation) -> list[int] | Reply:
        try:
            prompt = self.dialogue.prompt(conversation.messages)
        except Unsayable as error:
            return Reply(error=str(error))
        most = self.greedy.most
        if self._limit is not None and len(prompt) + most > self._limit:
            sizes = f"{len(prompt)} tokens and {most} for the answer are more than the model's {self._limit}"
            return Reply(error=f"{sizes}; lower --chunk-tokens, --shots or --param max_tokens")
        return prompt


class LlamaTeacher:
    """The seam's teacher over a Speaker: at most `rows` conversations in one batch, unless they are about one text."""

    def __init__(self, speaker: Speaker, name: str, rows: int) -> None:
        self._speaker, self._name, self._rows = speaker, name, rows
        self._waiting: list[tuple[Conversation, asyncio.Future[Reply]]] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    async def answer(self, conversation: Conversation) -> Reply:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((conversation, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """What is being said is said to its end; nothing else is begun."""
        self._waiting.clear()
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        await asyncio.sleep(PAUSE)
        while batch := self._next():
            try:
                replies = await asyncio.to_thread(self._speaker.replies, [conversation for conversation, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever waits for the answer raises it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(_explained(error, len(batch)))
                continue
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _next(self) -> list[tuple[Conversation, asyncio.Future[Reply]]]:
        """The conversations that wait longest, all about a text together, until the batch is full."""
        self._waiting = [each for each in self._waiting if not each[1].done()]
        chosen: dict[int, tuple[Conversation, asyncio.Future[Reply]]] = {}
        openings: dict[tuple[Message, ...], list[int]] = {}
        for number, (conversation, _) in enumerate(self._waiting):
            openings.setdefault(conversation.messages[:-1], []).append(number)
        for numbers in openings.values():
            if chosen and len(chosen) + len(numbers) > self._rows:
                break
            chosen |= {number: self._waiting[number] for number in numbers}
        self._waiting = [each for number, each in enumerate(self._waiting) if number not in chosen]
        return list(chosen.values())


def _explained(error: Exception, rows: int) -> Exception:
    if isinstance(error, torch.OutOfMemoryError):
        return TeacherError(f"the GPU has no memory for {rows} answers at once; lower --concurrency")
    return error

