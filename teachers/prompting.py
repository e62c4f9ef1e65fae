"""Prompting: a Jinja file, a document and its shots become the messages of a conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from distill.errors import CallError, InputError, did_you_mean
from distill.labels import LabelSet
from teachers.choice import Shape
from teachers.repertoire import SHAPES
from teachers.shots import Shot
from teachers.teacher import Message

FOLDER = Path(__file__).parent / "prompts"
LABELS = FOLDER / "labels.toml"
KEPT = 16  # system blocks, one for each tag and language that came up


class Prompt:
    """A template with the blocks `system` and `user`; one without blocks is the user's message as a whole.

    The template sees `labels`, `shots`, `text`, `tag` and `language` ("en" or "zh"), and may set `shape` to say what
    it asks for: "dictionary" or "list". Texts are values, never templates, and `tag` is a word whose `<tag>` stands in
    none of them.
    """

    def __init__(self, name: str) -> None:
        self.path = prompt_path(name)
        self.name = name if name in SHAPES else self.path.name
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self.path.parent, encoding="utf-8-sig"), undefined=jinja2.StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, autoescape=False,
        )  # fmt: skip
        try:
            self._template = environment.get_template(self.path.name)
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"not a template: {error.message}", path=self.path, line=error.lineno) from None
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            raise InputError(f"not a template: {error}", path=self.path) from None
        self.source = self.path.read_text(encoding="utf-8-sig")
        self._steady = "user" in self._template.blocks and _is_steady(environment.parse(self.source))
        self._rendered: dict[tuple[str, str], tuple[LabelSet, tuple[Shot, ...], str]] = {}

    def shape(self) -> Shape:
        """What the prompt asks for."""
        found = re.search(r"""\{%-?\s*set\s+shape\s*=\s*["'](\w+)["']""", self.source)
        shapes: tuple[Shape, ...] = ("dictionary", "list")
        for shape in shapes:
            if found and found.group(1) == shape:
                return shape
        if found:
            raise InputError(f"shape is dictionary or list, not {found.group(1)!r}", path=self.path)
        return "dictionary"

    def messages(
        self, text: str, labels: LabelSet, shots: Sequence[Shot] = (), language: str = "en"
    ) -> tuple[Message, ...]:
        """The conversation that asks for the entities of `text`."""
        context = {
            "labels": labels.labels, "shots": shots, "text": text, "tag": free_tag([text, *(s.text for s in shots)]),
            "language": "zh" if language == "zh" else "en",
        }  # fmt: skip
        try:
            if "user" not in self._template.blocks:
                return (Message("user", self._template.render(context).strip()),)
            roles = [role for role in ("system", "user") if role in self._template.blocks]
            return tuple(Message(role, self._block(role, context, labels)) for role in roles)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise InputError(f"cannot be rendered: {error}", path=self.path) from None

    def _block(self, role: str, context: dict[str, Any], labels: LabelSet) -> str:
        """One block, rendered; the system's is the same for most documents, and then rendered once."""
        place, shots = (context["tag"], context["language"]), tuple(context["shots"])
        known = self._rendered.get(place) if role == "system" and self._steady else None
        if known and known[0] is labels and known[1] == shots:
            return known[2]
        rendered = "".join(self._template.blocks[role](self._template.new_context(context))).strip()
        if role == "system" and self._steady:
            self._rendered = {**self._rendered, place: (labels, shots, rendered)} if len(self._rendered) < KEPT else {}
        return rendered


def _is_steady(template: nodes.Template) -> bool:
    """Whether nothing but the block `user` can see the text of the document."""
    if any(template.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport))):
        return False
    within = {id(name) for block in template.find_all(nodes.Block) if block.name == "user"
              for name in block.find_all(nodes.Name)}  # fmt: skip
    return not any(name.name in ("text", "self") and id(name) not in within for name in template.find_all(nodes.Name))


def prompt_path(name: str) -> Path:
    """The file of a built-in prompt or of the user's own."""
    path = FOLDER / f"{name}.jinja" if name in SHAPES else Path(name)
    if not path.is_file():
        raise CallError(f"--prompt is {', '.join(SHAPES)} or a file; {name} is none{did_you_mean(name, SHAPES)}")
    return path


def free_tag(texts: Sequence[str]) -> str:
    """`text`, or the first of `text2`, `text3`, ... that no text could close."""
    joined = "\n".join(texts).casefold()
    number, tag = 1, "text"
    while f"<{tag}" in joined or f"</{tag}" in joined:
        number += 1
        tag = f"text{number}"
    return tag
