"""Chat templates of the shapes that models bring, written for tests: who speaks is marked in each one's own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tiny_llama import tiny_tokenizer

_EACH = "{% for m in messages %}"
_NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
_ALTERNATE = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles take turns') }}{% endif %}"
)
_TURN = "<|im_start|>{{ m['role'] }}\n"
_CHATML = f"{_EACH}{_TURN}{{{{ m['content'] }}}}<|im_end|>\n{{% endfor %}}"
_ASK = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
_DATE = "{{ strftime_now('%d %b %Y') }}"
_HEAD = "<|start_header_id|>{}<|end_header_id|>\n\n"


@dataclass(frozen=True)
class Shape:
    """A template, the control tokens of its model, what ends an answer, and whether it takes a system turn."""

    template: str
    controls: tuple[str, ...] = ()
    stop: str = "</s>"
    system: bool = True

    def tokenizer(self) -> Any:
        made = tiny_tokenizer(self.template)
        made.add_special_tokens({"additional_special_tokens": list(self.controls)})
        return made


SHAPES = {
    "chatml": Shape(_CHATML + _ASK, stop="<|im_end|>"),
    "chatml with a system turn of its own": Shape(
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are of use.<|im_end|>\n{% endif %}"
        + _CHATML + _ASK, stop="<|im_end|>",
    ),
    "headers, the date, stripped": Shape(
        "{{ bos_token }}" + _HEAD.format("system") + "Today: " + _DATE + "\n\n{% if messages[0]['role'] == 'system' %}"
        "{{ messages[0]['content'] | trim }}{% set messages = messages[1:] %}{% endif %}<|eot_id|>" + _EACH
        + _HEAD.format("{{ m['role'] }}") + "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}" + _HEAD.format("assistant") + "{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), "<|eot_id|>",
    ),
    "instructions with a system turn in the first": Shape(
        "{% if messages[0]['role'] == 'system' %}"
        "{% set told = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}{% set messages = messages[1:] %}"
        "{% else %}{% set told = '' %}{% endif %}" + _EACH + _ALTERNATE
        + "{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ (told if loop.first else '') + m['content'].strip() }}"
        " [/INST]{% else %} {{ m['content'].strip() }} {{ eos_token }}{% endif %}{% endfor %}",
    ),
    "instructions without a system turn": Shape(
        "{{ bos_token }}" + _NO_SYSTEM + _EACH + _ALTERNATE + "{% if m['role'] == 'user' %}"
        "[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}",
        system=False,
    ),
    "turns of a model, stripped, without a system turn": Shape(
        "{{ bos_token }}" + _NO_SYSTEM + _EACH + _ALTERNATE + "<start_of_turn>"
        "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        ("<start_of_turn>", "<end_of_turn>"), "<end_of_turn>", system=False,
    ),
}  # fmt: skip
"""Templates from which answers can be learnt."""

_THOUGHT = "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
UNFIT = {
    "an empty thought in the last answer": (
        _CHATML.replace(_TURN, _TURN + _THOUGHT) + _ASK, "adds words of its own to an answer",
    ),
    "an empty thought where the answer is asked for, forgotten later": (
        _CHATML.replace(_TURN, _TURN + _THOUGHT) + _ASK.replace("assistant\n", "assistant\n<think>\n\n</think>\n\n"),
        "writes what comes before an answer otherwise",
    ),
    "a thought begun": (_CHATML + _ASK.replace("assistant\n", "assistant\n<think>\n"), "elsewhere"),
    "an end behind the last answer alone": (
        _EACH + "\n{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}\nassistant:{% else %}{{ eos_token }}{% endif %}",
        "does not end every answer",
    ),
    "white space that the answer begins with": (
        _EACH + "{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}",
        "joins an answer",
    ),
    "texts cut short": (_CHATML.replace("m['content']", "m['content'][:3]") + _ASK, "leaves out or changes"),
    "a program that fails": ("{{ messages[0]['content'] + 1 }}", "refuses the conversation"),
    "no template": ("{% for m in messages %}", "refuses the conversation"),
}  # fmt: skip
"""Templates from which they cannot, and what is said of them."""
