"""The bundle's manifest: what the folder or archive holds, by checksum, and what was measured when it was made.

A manifest is refused unless its bytes are exactly what this module would write for it, so that a flipped byte is found
in the manifest as in any other file. Files are hashed from the very bytes that are then used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from distill.errors import InputError
from distill.files import real, unreadable
from students.archive import SUFFIX, Member, is_archive, members

FORMAT = 1
MANIFEST, MODEL, TOKENIZER, SELFTEST, CARD = (
    "manifest.json", "model.onnx", "tokenizer.json", "selftest.jsonl", "README.md",
)  # fmt: skip
NEEDED = (MODEL, TOKENIZER, SELFTEST)
EXIT = "exit.{}"
"""The graph's output for the early exit after a layer, one list: `students.session.Session.at_exits` says of what."""
_ONLY_WHERE_SET = frozenset({"thresholds", "case", "sentences_above", "exits"})  # keys that came later
_LARGEST_MANIFEST = 1 << 24
_LARGEST = 1 << 20  # of numbers: more pieces than any window has
_PART = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
_LAYER = re.compile(r"[1-9][0-9]{0,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    `files` maps each file's path to its `sha256` and `size`. `verified` names the machine that made the checks, `data`
    what the student learned from and was checked on, `scores` what came out, `tolerances` how far a replay may differ.
    Logits are divided by `temperature` before they become probabilities; an entity below its label's score in
    `thresholds` is not reported. With `case` the model is told which words have capitals. Texts of more pieces than
    `sentences_above` are read sentence by sentence (0: none is). After the layers in `exits` words stay of which the
    model is that sure (students/early.py).
    """

    labels: tuple[str, ...]
    max_length: int
    stride: int
    precision: str
    reduce_range: bool
    opset: int
    files: Mapping[str, Mapping[str, Any]]
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    case: bool = False
    sentences_above: int = 0
    exits: Mapping[str, float] = field(default_factory=dict)
    verified: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=dict)
    made_by: str = ""
    format: int = FORMAT

    def rendered(self) -> bytes:
        """The manifest's bytes; its own checksum stands at the end, over everything else."""
        row = {each.name: getattr(self, each.name) for each in fields(self)} | {"labels": list(self.labels)}
        for name in _ONLY_WHERE_SET:
            if not row[name]:
                del row[name]
        return json.dumps(row | {"sha256": _digest(row)}, indent=1, sort_keys=True).encode() + b"\n"


def _digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def entry(data: bytes) -> dict[str, Any]:
    """A file's line in the manifest."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def read_manifest(folder: Path) -> Manifest:
    """A bundle's manifest; InputError where there is none, or it is damaged or of a format that is not known here."""
    if is_archive(folder) and not folder.is_dir():
        return _first(members(folder), folder)
    path = folder / MANIFEST
    if not folder.exists():
        raise InputError("no such bundle", path=folder)
    if folder.is_file():
        raise InputError(f"not a bundle: a file, and its name does not end in {SUFFIX}", path=folder)
    if not path.is_file():
        raise InputError(f"not a bundle: no {MANIFEST} in it; `ner-distill export` makes one", path=folder)
    _check_plain(path)
    if path.stat().st_size > _LARGEST_MANIFEST:
        raise InputError("far too large for a manifest", path=path)
    return _parsed(_read(path), path)


def _parsed(raw: bytes, path: Path) -> Manifest:
    try:
        manifest = _manifest(json.loads(raw), path)
        sound = manifest.rendered() == raw
    except (ValueError, RecursionError) as error:
        raise InputError(f"damaged: not JSON ({error}); copy the bundle again", path=path) from None
    if not sound:
        raise InputError("damaged: its checksum does not hold; copy the bundle again", path=path)
    return manifest


def _manifest(row: Any, path: Path) -> Manifest:
    if not isinstance(row, dict):
        raise InputError("damaged: not a JSON object; copy the bundle again", path=path)
    if row.get("format") != FORMAT:
        message = f"is of format {row.get('format')!r}, this program reads format {FORMAT}"
        raise InputError(f"{message}; use the version that made the bundle, or a newer one", path=path)
    known = {each.name for each in fields(Manifest)}
    strange = (set(row) ^ (known | {"sha256"})) - (_ONLY_WHERE_SET - set(row))
    if strange:
        named = ", ".join(sorted(strange))
        raise InputError(f"damaged: keys that do not belong or are missing: {named}", path=path)
    values = {name: value for name, value in row.items() if name in known}
    try:
        manifest = Manifest(**values | {"labels": tuple(row["labels"])})
    except TypeError as error:
        raise InputError(f"damaged: {error}", path=path) from None
    _check(manifest, path)
    return manifest


def _check(manifest: Manifest, path: Path) -> None:
    integers = (manifest.format, manifest.max_length, manifest.stride, manifest.opset, manifest.sentences_above)
    limits, tolerances = manifest.thresholds, manifest.tolerances
    tables = (manifest.files, limits, tolerances, manifest.verified, manifest.data, manifest.scores, manifest.exits)
    sound = (
        all(isinstance(label, str) and label for label in manifest.labels)
        and 0 < len(manifest.labels) == len(set(manifest.labels)) and all(type(value) is int for value in integers)
        and all(isinstance(table, dict) for table in tables) and manifest.precision in ("int8", "fp32")
        and type(manifest.reduce_range) is bool and type(manifest.case) is bool and isinstance(manifest.made_by, str)
        and _is_number(manifest.temperature) and 0.01 <= manifest.temperature <= 100
        and all(_is_number(value) and 0 <= value <= 1 for value in (*limits.values(), *manifest.exits.values()))
        and all(_LAYER.fullmatch(layer) for layer in manifest.exits)
        and all(_is_number(value) and 0 <= value <= _LARGEST for value in tolerances.values())
        and 0 < manifest.max_length <= _LARGEST and 0 <= manifest.stride <= manifest.max_length // 2
        and 0 < manifest.opset <= _LARGEST and 0 <= manifest.sentences_above <= _LARGEST
        and set(limits) <= set(manifest.labels)
    )  # fmt: skip
    if not sound:
        raise InputError("damaged: a value is not of its kind", path=path)
    for name, row in manifest.files.items():
        _check_name(name, path)
        if not (isinstance(row, dict) and type(row.get("size")) is int and _SHA256.fullmatch(str(row.get("sha256")))):
            raise InputError(f"damaged: {name} needs a sha256 and a size", path=path)
    missing = [name for name in NEEDED if name not in manifest.files]
    if missing:
        raise InputError(f"damaged: lists no {', '.join(missing)}", path=path)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _check_name(name: str, path: Path) -> None:
    """Paths stay in the folder: plain relative names, no `..`, no drive, nothing a shell or a file system may twist."""
    if not name or len(name) > 200 or not all(_PART.fullmatch(part) for part in name.split("/")):
        raise InputError(f"names a file outside the bundle: {name!r}; do not trust this bundle", path=path)


def _check_plain(path: Path, name: str = MANIFEST) -> None:
    """InputError where a bundle's file is a link, or lies in one."""
    if real(path) != real(path.parents[name.count("/")]) / name:
        raise InputError("is a link; a bundle holds plain files", path=path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(error, path) from None


def read_file(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of a listed file, checked; InputError that names the file where they are not those of the export."""
    path, row = folder / name, manifest.files[name]
    _check_plain(path, name)
    if not path.is_file():
        raise InputError("is missing from the bundle; copy it again", path=path)
    size = path.stat().st_size
    if size != row["size"]:
        raise InputError(f"damaged: {size} bytes instead of {row['size']}; copy the bundle again", path=path)
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise InputError("damaged: its checksum does not hold; copy the bundle again", path=path)
    return data


def read_bundle(folder: Path, wanted: tuple[str, ...] = ()) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the bytes of the `wanted` files, after every file of the bundle was checked.

    `folder` may be a `.tar.gz` too, which is read and checked in memory.
    """
    if is_archive(folder) and not folder.is_dir():
        return _from_archive(folder, wanted)
    manifest = read_manifest(folder)
    kept = {}
    for name in sorted(manifest.files):
        data = read_file(folder, manifest, name)
        if name in wanted:
            kept[name] = data
    return manifest, kept


def _from_archive(path: Path, wanted: tuple[str, ...]) -> tuple[Manifest, dict[str, bytes]]:
    entries = members(path)
    manifest = _first(entries, path)
    kept, seen = {}, set()
    for member in entries:
        if member.name not in manifest.files:
            raise InputError(f"holds {member.name}, which its manifest does not list; do not trust it", path=path)
        seen.add(member.name)
        data = _checked(member, manifest.files[member.name], path / member.name, member.name in wanted)
        if member.name in wanted:
            kept[member.name] = data
    missing = sorted(set(manifest.files) - seen)
    if missing:
        raise InputError("is missing from the bundle; copy it again", path=path / missing[0])
    return manifest, kept


def _first(entries: Iterator[Member], path: Path) -> Manifest:
    """The manifest, which an archive begins with, so that everything after it is checked as it comes."""
    member = next(entries, None)
    if member is None or member.name != MANIFEST:
        message = f"does not begin with {MANIFEST}; `ner-distill export --out NAME.tar.gz` makes such archives"
        raise InputError(f"{message}, others must be unpacked", path=path)
    if member.size > _LARGEST_MANIFEST:
        raise InputError("far too large for a manifest", path=path / MANIFEST)
    return _parsed(b"".join(member.chunks), path / MANIFEST)


def _checked(member: Member, row: Mapping[str, Any], path: Path, keep: bool) -> bytes:
    """The bytes of an archive's file where they are wanted, hashed as they come."""
    if member.size != row["size"]:
        raise InputError(f"damaged: {member.size} bytes instead of {row['size']}; copy the bundle again", path=path)
    digest, kept = hashlib.sha256(), []
    for chunk in member.chunks:
        digest.update(chunk)
        if keep:
            kept.append(chunk)
    if digest.hexdigest() != row["sha256"]:
        raise InputError("damaged: its checksum does not hold; copy the bundle again", path=path)
    return b"".join(kept)


def files_in(folder: Path) -> list[str]:
    """The names of a bundle folder's files, without the manifest, in order."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if name != MANIFEST]


def size_of(manifest: Manifest) -> int:
    """Bytes of all listed files."""
    return sum(int(row["size"]) for row in manifest.files.values())
