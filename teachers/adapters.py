"""Adapters: what `rait tune` learnt and the base it was learnt on become one ordinary model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError

from distill.errors import CallError, InputError
from distill.runs import replace_folder
from teachers.bases import fingerprint, load_dialogue, load_model, model_folder, quiet
from teachers.dialogue import Dialogue
from teachers.tune_options import MergeOptions


@dataclass(frozen=True)
class MergeReport:
    """Which folder was made of what."""

    folder: Path
    base: Path
    run: Path
    parameters: int
    stop: str

    def __str__(self) -> str:
        return (
            f"{self.folder}: {self.base} with the adapter of {self.run}, {self.parameters / 1e6:.1f} M parameters; "
            f"an answer ends with {self.stop}"
        )

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "folder": str(self.folder), "base": str(self.base), "run": str(self.run), "parameters": self.parameters,
            "stop": self.stop,
        }  # fmt: skip


def merge(options: MergeOptions) -> MergeReport:
    """Write the merged model: safetensors, tokenizer, chat template, and the token that ends an answer.

    Raises InputError where the run is not finished, or its base is not the one it was tuned on.
    """
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise CallError(f"--out {options.out} exists; give a new folder")
    adapter, told = options.run / "adapter", _told(options.run)
    base = model_folder(options.model or told["base"]["folder"])
    if fingerprint(base) != told["base"]["weights"]:
        raise InputError(f"the adapter of {options.run} was tuned on another base; name that one by --model", path=base)
    dialogue = load_dialogue(adapter)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        whole = _whole(base, adapter)
        _speaks(whole, dialogue)
        replace_folder(options.out, lambda folder: _write(whole, dialogue, folder))
    parameters = sum(weight.numel() for weight in whole.parameters())
    return MergeReport(options.out, base, options.run, parameters, dialogue.tokenizer.decode([dialogue.stop]))


def _told(run: Path) -> Mapping[str, Any]:
    """What the run says of itself."""
    if not (run / "config.json").is_file():
        raise InputError("no run of `rait tune`: it has no config.json", path=run)
    if not (run / "report.json").is_file() or not (run / "adapter" / "adapter_model.safetensors").is_file():
        raise InputError("this tuning is not finished; the same `rait tune` goes on where it was", path=run)
    try:
        told: Any = json.loads((run / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON: {error}", path=run / "config.json") from None
    base = told.get("base") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(base, dict) or not {"folder", "weights"} <= base.keys():
        raise InputError("no run of `rait tune`: its config.json names no base", path=run)
    return told


def _whole(base: Path, adapter: Path) -> Any:
    """The base in its own precision with the adapter added to its weights."""
    model = load_model(base, _stored(base))
    try:
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"does not fit {base}: {said}", path=adapter) from None


def _stored(base: Path) -> torch.dtype:
    """The precision that the base is stored in."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    found = getattr(torch, str(config.get("dtype") or config.get("torch_dtype") or "float32"), torch.float32)
    return found if isinstance(found, torch.dtype) else torch.float32


def _speaks(model: Any, dialogue: Dialogue) -> None:
    """Tell transformers and vLLM which token ends an answer, and that the likeliest token is to be said."""
    ends = model.generation_config.eos_token_id
    known = ends if isinstance(ends, list) else [] if ends is None else [ends]
    model.generation_config.eos_token_id = list(dict.fromkeys([dialogue.stop, *known]))
    for name in ("temperature", "top_p", "top_k"):
        setattr(model.generation_config, name, None)
    model.generation_config.do_sample = False


def _write(model: Any, dialogue: Dialogue, folder: Path) -> None:
    model.save_pretrained(folder)
    dialogue.tokenizer.save_pretrained(folder)
