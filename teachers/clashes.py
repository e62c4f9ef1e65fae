"""Clashes: the files that a labelling reads must not be those that it writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from distill.clashes import same
from distill.corpora import check_jsonl_target
from distill.errors import CallError
from distill.files import existing, in_place, refuse_stream, unpacked
from teachers.ledger import rejected_path
from teachers.options import LabelOptions
from teachers.repertoire import SHAPES
from teachers.servers import store_path


def check_files(options: LabelOptions, also: Iterable[Path] = ()) -> None:
    """Raise at once for what would only show after some money was spent, or a file was written over.

    `also` names files that are written besides those of every labelling.
    """
    refuse_stream("--out", options.out, "label keeps what is done beside it")
    if options.out.is_dir() or options.out.resolve().is_dir():
        raise CallError(f"--out {options.out} is a folder; give a file in it")
    if in_place(options.out):
        raise CallError(f"--out {options.out} is no file of the disk; label keeps what is done beside it, so name one")
    check_jsonl_target(options.out)
    if unpacked(options.out) != options.out.name:
        raise CallError(f"--out {options.out}: label appends plain lines; leave {options.out.suffix} off")
    if not options.inputs:
        raise CallError("label needs at least one INPUT, or inputs under [label] in ner-distill.toml")
    for path in options.inputs:
        if not existing(path).is_file():
            raise CallError(f"{path}: label reads files, which a restart can come back to; name those of a folder")
    written = (*written_by(options.out), *also)
    for what, path in _read(options):
        for other in written:
            if same(path, other):
                aside = "" if other == options.out else f", which would be written as {other},"
                raise CallError(f"--out {options.out}{aside} is {what}; give it another name")


def _read(options: LabelOptions) -> Iterator[tuple[str, Path]]:
    """What is read, or kept for other runs, and its name in a message."""
    yield from (("one of the inputs", path) for path in options.inputs)
    named = {
        "--responses": options.responses, "--labels": options.labels, "--shots-from": options.shots_from,
        "--prices": options.prices, "--chunk-tokenizer": options.chunk_tokenizer,
        "--prompt": None if options.asked_by in SHAPES else Path(options.asked_by),
        "the store of answers": store_path(options),
    }  # fmt: skip
    yield from ((f"the file of {name}" if name[0] == "-" else name, path) for name, path in named.items() if path)


def written_by(out: Path) -> Iterator[Path]:
    """The files of a labelling."""
    for path in (out, rejected_path(out)):
        yield path
        yield path.with_name(path.name + ".partial")
    yield out.with_name(out.name + ".partial.json")
