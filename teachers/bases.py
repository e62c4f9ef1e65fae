"""Bases: where a local model lies, what tells it from another one, and how it is loaded. Safetensors only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from huggingface_hub.utils import logging as hub_logging
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from distill.errors import CallError, InputError
from distill.hosts import may_be_there
from distill.progress import say
from teachers.dialogue import Dialogue
from teachers.intake import identity

WANTED = ["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"]  # what a hub's model is loaded from


def model_folder(name: str) -> Path:
    """The folder of a model: the one named, or the hub's own copy of it."""
    folder = Path(name)
    if folder.is_dir():
        return _checked(folder)
    if folder.exists() or folder.is_absolute() or name.startswith("."):
        raise InputError("no such model folder", path=name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    say(f"{name} is no folder; looking on the hub and in its cache")
    try:
        with quiet():
            found = Path(snapshot_download(name, allow_patterns=WANTED, local_files_only=not hub_is_there()))
        return _checked(found)
    except (OSError, ValueError, HfHubHTTPError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"neither a folder nor a model of the hub: {said}", path=name) from None


def hub_is_there() -> bool:
    """Whether the hub can be asked, or only its cache."""
    return may_be_there(constants.ENDPOINT)


def _checked(folder: Path) -> Path:
    if (folder / "adapter").is_dir():
        raise InputError(f"a run of `rait tune`; first: ner-distill rait merge {folder} --out FOLDER", path=folder)
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise InputError("an adapter without its base; give the merged model", path=folder)
    if not (folder / "config.json").exists():
        raise InputError("no model folder: it has no config.json", path=folder)
    if not any(folder.glob("*.safetensors")):
        raise InputError("no *.safetensors in it; other weights are not loaded, convert them first", path=folder)
    return folder


def fingerprint(folder: Path) -> list[str]:
    """What tells a model from another or changed one: its weights, by size and by both their ends."""
    found = [identity(path) for path in sorted(folder.glob("*.safetensors"))]
    return [f"{each['file']} {each['size']} {each['sha256']}" for each in found]


def load_dialogue(folder: Path, template: str = "auto") -> Dialogue:
    """The model's tokenizer with its chat template."""
    with _loading(folder, "no tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    return Dialogue(tokenizer, template, str(folder))


def positions(folder: Path) -> int | None:
    """How many tokens the model can read at most, where it says so."""
    with _loading(folder, "cannot be loaded as a language model"):
        config: Any = AutoConfig.from_pretrained(str(folder))
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) else None


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """The model in this precision, on the first GPU of this process where there is one."""
    with _loading(folder, "cannot be loaded as a language model"):
        return AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, use_safetensors=True)


@contextmanager
def _loading(folder: Path, fault: str) -> Iterator[None]:
    """transformers at work without a word of its own; what it cannot load is an InputError with its first line."""
    with quiet():
        try:
            yield
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{fault}: {said}", path=folder) from None


def precision_of(name: str) -> torch.dtype:
    """bf16 on a GPU and fp32 on a CPU, unless told otherwise."""
    if name == "auto":
        return torch.bfloat16 if torch.cuda.is_available() else torch.float32
    if name == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise CallError("--precision bf16: this GPU has no bf16 instructions; use fp32")
    return torch.bfloat16 if name == "bf16" else torch.float32


@contextmanager
def quiet() -> Iterator[None]:
    """transformers and its like without bars, notes, and warnings about each other's old names; errors stay errors."""
    log: Any = logging  # untyped in parts
    hub: Any = hub_logging
    level, bars, hub_level = log.get_verbosity(), log.is_progress_bar_enabled(), hub.get_verbosity()
    log.set_verbosity_error()
    hub.set_verbosity_error()  # it would tell of every retry
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        hub.set_verbosity(hub_level)
        if bars:
            log.enable_progress_bar()
