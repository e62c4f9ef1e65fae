"""The options of `label`, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.options import Options, option
from teachers.conversations import STYLES

LANGUAGES = ("auto", "en", "zh")
SHOTS_BY = ("fixed", "random", "nearest", "diverse", "filtered", "none")
CONVERSATION = "conversation"
"""The prompt that asks about each type by itself; its turns stand in `teachers.conversations`."""


@dataclass(frozen=True)
class LabelOptions(Options):
    """What `label` can be told; `ner-distill.toml` takes the same names under [label]."""

    inputs: tuple[Path, ...] = option((), "documents to label: jsonl, conll or text", argument=True, flag="input")
    out: Path = option(help="where the labelled documents go (JSONL)")
    teacher: str = option("openai", "who labels", choices=("openai", "llama", "replay"))
    prompt: str | None = option(
        None, "standard, cot, open, definition, conversation or a Jinja file of your own; cot if not given, "
        "conversation with llama"
    )
    style: str = option("rait", "wording of conversation: rait quotes a type, uniner does not", choices=STYLES)
    language: str = option("auto", "wording of open and definition; auto looks at each text", choices=LANGUAGES)
    responses: Path | None = option(None, "recorded answers for replay: JSONL of id and response")
    model: str | None = option(None, "the model's name at the server; llama: its folder, or a name on the hub")
    base_url: str | None = option(None, "any server that speaks /v1/chat/completions; OpenAI's own if not given")
    api_key_env: str | None = option(
        None, "NAME of the environment variable with the key; OPENAI_API_KEY for OpenAI's own server"
    )
    structured: str = option(
        "auto", "hold answers to a JSON schema: on; off; auto: where the prompt asks for the result alone and the "
        "server takes it", choices=("auto", "on", "off"),
    )
    param: tuple[str, ...] = option(
        (), "k=v for the server, v as JSON or text; nothing else is sent along. llama: max_tokens, precision, template"
    )
    labels: Path | None = option(None, "label set (labels.toml); LOC, MISC, ORG and PER if not given")
    shots: int | None = option(
        None, "worked examples in the prompt; four if they fit the labels, two in a conversation", at_least=0
    )
    shots_by: str = option(
        "fixed", "which examples a document gets; in a conversation also diverse: drawn from the 128 nearest, and "
        "filtered: the nearest that BM25 finds near enough", choices=SHOTS_BY,
    )
    shots_from: Path | None = option(None, "labelled documents to take examples from")
    shots_per_label: int | None = option(None, "nearest: examples that may show a label, at most", at_least=1)
    embedder: str = option("minilm", "nearest: what embeds sentences: minilm, a folder, or a name on the hub")
    seed: int = option(0, "seed of --shots-by random and diverse")
    chunk_tokens: int | None = option(
        None, "longer texts are asked about in chunks; 0: never; 256, but 0 for replay, if not given", at_least=0
    )
    chunk_tokenizer: Path | None = option(
        None, "tokenizer.json, or a folder with one, that counts them; without it a word is a token per five letters"
    )
    occurrences: str | None = option(
        None, "places a mention labels: its own, or all; own for dictionaries, all for lists", choices=("own", "all")
    )
    similarity: float = option(0.9, "how alike a misspelt mention must be; 1 turns this repair off", above=0, at_most=1)
    drop_empty: bool = option(False, "leave out documents without any entity")
    store: Path | None = option(None, "where requests and answers are kept; answers.sqlite beside --out if not given")
    attempts: int = option(2, "how often a document is asked at most where its answer cannot be used", at_least=1)
    concurrency: int = option(
        16, "requests under way at once, at most; llama: questions answered together", at_least=1, at_most=1000
    )
    timeout: float = option(120.0, "seconds to wait for one answer", above=0)
    budget: float | None = option(
        None, "US dollars; stop before this labelling costs more, what is in flight included", above=0
    )
    prices: Path | None = option(None, "TOML of dollars per million tokens; its models count before the known ones")
    dry_run: bool = option(False, "ask nothing; estimate requests, tokens and cost")
    max_requests: int | None = option(None, "stop after so many requests", at_least=1)
    json: bool = option(False, "print the report as JSON")

    @property
    def asked_by(self) -> str:
        """The prompt, where none is given the teacher's usual one."""
        return self.prompt or (CONVERSATION if self.teacher == "llama" else "cot")
