"""What a student is checked on at export: documents labelled by people, and where all its data is from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.corpora import read_gold_flat
from distill.document import Document
from distill.errors import CallError, InputError
from distill.labels import Label, LabelSet, read_labels
from distill.progress import say

NO_DEV = "give documents labelled by people as --verify (never the test file)"


@dataclass(frozen=True)
class Evidence:
    """Documents to check on, and what the manifest says of the data: names and checksums, no paths."""

    documents: list[Document]
    data: dict[str, Any]


def evidence(run: Path, verify: Sequence[Path], labels: Sequence[str], licence: str) -> Evidence:
    """The documents of `--verify`, or else those the run chose its best epoch on.

    Their labels are read as the training read them: by the aliases of its `--labels`.
    """
    place, config = _config(run)
    known = _labels(place, config, labels, needed=not verify)
    if verify:
        documents = _read(verify, known)
        names = [_named(path) for path in verify]
    else:
        documents, names = _dev(place, config, known)
    if not any(document.entities for document in documents):
        raise InputError(f"no entities to check on; {NO_DEV}", path=names[0]["name"])
    files = config.get("data", {})
    unused = _left_out(place, files.get("distilled", []))
    trained = {
        use: [_bare(each) for each in files.get(use, []) if each["path"] not in unused]
        for use in ("distilled", "gold", "dev")
    }
    data: dict[str, Any] = {"verified_on": names, "trained_on": trained, "licence": licence}
    if notes := _notes(place):
        data["notes"] = notes
    for key in ("source", "licence"):
        said = sorted({str(document.meta[key]) for document in documents if document.meta.get(key)})
        data[f"verified_on_{key}"] = said[:20]
    return Evidence(documents, data)


def _read(paths: Iterable[Path], labels: LabelSet) -> list[Document]:
    read = [read_gold_flat(path, labels) for path in paths]
    if unknown := sum(corpus.unknown.total() for corpus in read):
        say(f"{unknown} entities to check on have labels that the training left out, and so are they here")
    return [document for corpus in read for document in corpus.documents]


def _config(run: Path) -> tuple[Path, dict[str, Any]]:
    """The run folder that `run` is or stands in, and its configuration; empty where there is none."""
    for folder in (run, run.parent):
        path = folder / "config.json"
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(f"not JSON: {error}", path=path) from None
            if isinstance(found, dict) and isinstance(found.get("data"), dict):
                return folder, found
    return run, {}


def _labels(run: Path, config: dict[str, Any], ids: Sequence[str], *, needed: bool) -> LabelSet:
    """The training's label set, which nobody edits any more; the bare ids where its file is gone and not `needed`."""
    bare = LabelSet(tuple(Label(label) for label in ids), source="the student's", fixed=True)
    named = config.get("data", {}).get("labels", [])
    try:
        files = [_as_it_was(row, run, config["options"], "label file") for row in named]
    except CallError:
        if needed:
            raise
        return bare
    read = [replace(read_labels(path), source=bare.source, fixed=True) for path in files]
    return next((labels for labels in read if labels.ids == bare.ids), bare)


def _left_out(run: Path, distilled: Sequence[Mapping[str, Any]]) -> set[str]:
    """The paths of the distilled files that the training found not worth learning from."""
    from students.material import short_names

    path = run / "vetting.json"
    if not path.is_file():
        return set()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        bad = {str(row["file"]) for row in rows if not row["kept"]}
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"not what a training writes: {error}", path=path) from None
    names = short_names([Path(str(each["path"])) for each in distilled])
    return {str(path) for path, name in names.items() if name in bad}


def _notes(run: Path) -> list[str]:
    """What the training had to say, such as a teacher that was left out; nothing where there is no report."""
    path = run / "report.json"
    if not path.is_file():
        return []
    try:
        notes = json.loads(path.read_text(encoding="utf-8")).get("notes", [])
        return [str(note) for note in notes]
    except (ValueError, AttributeError, TypeError):
        raise InputError("is no report of a training", path=path) from None


def _dev(run: Path, config: dict[str, Any], labels: LabelSet) -> tuple[list[Document], list[dict[str, Any]]]:
    from students.material import dev_share, divided

    options, files = config.get("options", {}), config.get("data", {})
    share = dev_share(options["dev"]) if options.get("dev") else None
    chosen = files.get("gold" if share is not None else "dev", [])
    if not chosen:
        raise CallError(f"{run} names no dev file to check on; {NO_DEV}")
    documents = _read([_as_it_was(each, run, options, "dev data") for each in chosen], labels)
    names = [_bare(each) for each in chosen]
    if share is None:
        return documents, names
    _, dev = divided(documents, share, int(options["seed"]))
    return dev, [each | {"share": share, "seed": int(options["seed"])} for each in names]


def _as_it_was(row: Mapping[str, Any], run: Path, options: Mapping[str, Any], what: str) -> Path:
    """The file of the training, found from here or, by where the run was put, from where `train` was called."""
    named, out = Path(str(row["path"])), Path(str(options.get("out", "")))
    steps, lies = out.parts, run.resolve()
    places = [Path()]
    if steps and not out.is_absolute() and lies.parts[-len(steps) :] == steps:
        places.append(lies.parents[len(steps) - 1])
    for path in (place / named for place in places):
        if path.is_file() and _named(path)["sha256"] == row["sha256"]:
            return path
    named = places[-1] / named
    raise CallError(f"the run's {what} {named} is gone from there or has changed since; {NO_DEV}")


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    """A file's name and checksum; where it lay is nobody's business."""
    return {"name": Path(str(row["path"])).name, "sha256": row["sha256"]}


def _named(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
