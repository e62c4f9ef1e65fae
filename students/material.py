"""What a student learns from and is chosen on: distilled, gold and dev Documents under one label set."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.corpora import FlatCorpus, flattened, read_all
from distill.document import Document
from distill.errors import CallError, InputError
from distill.files import existing
from distill.labels import LabelSet, conform, fault_of, labels_of, read_labels
from students.options import TrainOptions
from students.targets import row_weight


@dataclass
class Material:
    """Flat Documents by use, the label set, and what was left out on the way (by label); unlabelled ones are bare.

    `parts` are the numbers of distilled Documents by file.
    """

    labels: LabelSet
    distilled: list[Document]
    gold: list[Document]
    dev: list[Document]
    unlabelled: list[Document] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    overlapping: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def read_material(options: TrainOptions) -> Material:
    """Read all data of a training.

    Overlapping gold is an InputError, overlapping distilled entities are dropped and counted. A share for dev is
    drawn from gold and taken out of it.
    """
    _check_given(options)
    share = dev_share(options.dev)
    read = {path: read_all(path) for path in data_files(options)}
    everything = [document for documents in read.values() for document in documents]
    if not any(document.entities for document in everything):
        raise InputError("no document has an entity, so there is no label to learn", path=next(iter(read)))
    labels = read_labels(options.labels) if options.labels else _implied(read)
    material = Material(labels, [], [], [])
    material.unlabelled = [d.with_entities(()) for path in dict.fromkeys(options.unlabelled) for d in read_all(path)]
    if options.unlabelled and not material.unlabelled:
        raise InputError("no texts for the committee to label; leave --unlabelled out", path=options.unlabelled[0])
    material.distilled = [d for path in options.distilled for d in _flat(read[path], path, material, "outermost")]
    material.parts = [len(read[path]) for path in options.distilled]
    material.gold = [d for path in options.gold for d in _flat(read[path], path, material, "error")]
    if options.weighted:
        for document in (*material.distilled, *material.gold):
            row_weight(document)
    if share is not None:
        material.gold, material.dev = divided(material.gold, share, options.seed)
    elif options.dev is not None:
        material.dev = _flat(read[Path(options.dev)], Path(options.dev), material, "error")
        if not material.dev:
            raise InputError("no documents to choose the epoch on; leave --dev out to keep the last", path=options.dev)
    _check_learnable(material, options)
    return material


def _implied(read: Mapping[Path, Sequence[Document]]) -> LabelSet:
    """The labels of the files; InputError for one that no tag can carry, or that is another but for its case."""
    for path, documents in read.items():
        for document in documents:
            for label in {entity.label for entity in document.entities}:
                if fault := fault_of(label):
                    message = f"document {document.id!r}: the label {label!r} {fault}"
                    raise InputError(f"{message}; rename it, or give --labels with it as an alias", path=path)
    try:
        return labels_of(document for documents in read.values() for document in documents)
    except InputError as error:
        raise CallError(f"labels of the data: {error.message}; give --labels with one as the other's alias") from None


def _check_learnable(material: Material, options: TrainOptions) -> None:
    """There is something to learn, and something to tell one epoch from another by."""
    if not any(document.entities for document in (*material.distilled, *material.gold)):
        known = f"of the labels {', '.join(material.labels.ids)} " if material.unknown else ""
        raise CallError(f"the training data has no entity {known}to learn; see --labels, --gold and --distilled")
    if material.dev and not any(document.entities for document in material.dev):
        raise CallError(f"--dev {options.dev} has no entity, so all epochs score alike; leave it out to keep the last")


def data_files(options: TrainOptions) -> list[Path]:
    """Every data file of a training once; a missing one is an InputError."""
    dev = [] if options.dev is None or dev_share(options.dev) is not None else [Path(options.dev)]
    return [existing(path, "data file") for path in dict.fromkeys([*options.distilled, *options.gold, *dev])]


def _check_given(options: TrainOptions) -> None:
    if not options.distilled and not options.gold:
        raise CallError("train needs data: --distilled (labelled by a teacher), --gold (labelled by people) or both")
    if dev_share(options.dev) is not None and not options.gold:
        raise CallError(f"--dev {options.dev} is a share of gold and there is none; give --gold, or a file as --dev")


def dev_share(dev: str | None) -> float | None:
    """The share of gold that `--dev` asks for, None where it names a file or nothing."""
    try:
        share = float(dev) if dev is not None else None
    except ValueError:
        return None
    if share is not None and not 0 < share < 1:
        raise CallError(f"--dev is a file or a share between 0 and 1, not {dev}")
    return share


def divided(gold: Sequence[Document], share: float, seed: int) -> tuple[list[Document], list[Document]]:
    """Gold for training and for dev, each in its order; which is which follows from the seed.

    Raises CallError where either would be empty.
    """
    count = round(share * len(gold))
    if not 0 < count < len(gold):
        raise CallError(f"--dev {share:g} of {len(gold)} gold documents leaves one side empty; give a file as --dev")
    chosen = set(random.Random(f"{seed}/dev").sample(range(len(gold)), count))
    return [d for i, d in enumerate(gold) if i not in chosen], [gold[i] for i in sorted(chosen)]


def short_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for every file: as much of its path's end as tells it from the others."""
    different = list(dict.fromkeys(paths))
    for length in range(1, max((len(path.parts) for path in different), default=1)):
        names = {path: "/".join(path.parts[-length:]) for path in different}
        if len(set(names.values())) == len(different):
            return names
    return {path: str(path) for path in different}


def _flat(documents: list[Document], path: Path, material: Material, overlaps: str) -> list[Document]:
    known, unknown = conform(documents, material.labels, path)
    corpus = flattened(FlatCorpus(known, unknown=unknown), path, overlaps)
    material.unknown += corpus.unknown
    material.overlapping += corpus.overlapping
    return corpus.documents


def checksums(options: TrainOptions) -> dict[str, list[dict[str, Any]]]:
    """Path, size and sha256 of every file that shapes a training, by option."""
    dev = [Path(options.dev)] if options.dev is not None and dev_share(options.dev) is None else []
    labels = [options.labels] if options.labels else []
    groups = {"distilled": options.distilled, "gold": options.gold, "dev": dev, "labels": labels}
    if options.unlabelled:
        groups |= {"unlabelled": options.unlabelled}
    return {name: [_checksum(path) for path in paths] for name, paths in groups.items()}


def _checksum(path: Path) -> dict[str, Any]:
    data = existing(path, "data file").read_bytes()
    return {"path": str(path), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
