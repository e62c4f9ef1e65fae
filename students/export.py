"""From a trained student to a bundle that passed every gate, or to no bundle at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from distill.cores import cores, instruction_set
from distill.errors import CallError, InputError
from distill.files import STREAM, real
from distill.jsonl import document_to_json, dump_line
from distill.libraries import resolve
from distill.locks import locked
from distill.progress import say
from students.archive import is_archive, pack
from students.bundle import (
    CARD,
    MANIFEST,
    MODEL,
    SELFTEST,
    TOKENIZER,
    Manifest,
    entry,
    files_in,
    read_manifest,
    size_of,
)  # fmt: skip
from students.bundle_options import ExportOptions
from students.evidence import Evidence, evidence
from students.rehearsal import TOLERANCES, rehearsed
from students.runfolder import RunFolder
from students.runtime import ENGINE, Student
from students.temper import answers, tempered
from students.thresholds import thresholds
from students.waiting import wait_without_spinning
from students.wheels import add_wheels, check_wanted

_STAGED = ".{}.export-"  # how the folder of a bundle in the making begins, beside its place
_OTHER_ARCHIVES = (".zip", ".tgz", ".tar", ".gz", ".bz2", ".xz", ".zst", ".7z")  # whose folder would be taken for one
_COMPANY = 200  # documents tagged once more alone, to see that company does not matter


@dataclass(frozen=True)
class ExportReport:
    """The bundle and what the gates found."""

    bundle: Path
    manifest: Manifest

    @property
    def f1(self) -> float:
        return float(self.manifest.scores["strict_f1"])

    @property
    def f1_pytorch(self) -> float:
        return float(self.manifest.scores["strict_f1_pytorch"])

    def __str__(self) -> str:
        scores = self.manifest.scores
        return (
            f"{self.bundle}: {self.manifest.precision}, {size_of(self.manifest) / 1e6:.1f} MB; strict F1 {self.f1:.4f} "
            f"on {scores['documents']} documents (PyTorch {self.f1_pytorch:.4f}), {scores['words_with_other_tag']} of "
            f"{scores['words']} words with another tag"
        )

    def to_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return {
            "bundle": str(self.bundle), "precision": self.manifest.precision, "bytes": size_of(self.manifest),
            "scores": dict(self.manifest.scores),
        }  # fmt: skip


def export(options: ExportOptions) -> ExportReport:
    """Make a bundle of a run's student.

    Raises CheckFailed, and leaves no bundle, where the graph's logits, the answers in company or strict F1 do not hold.
    """
    if (options.platform or options.python_version) and not options.wheels:
        raise CallError("--platform and --python-version are those of --wheels; add it")
    check_wanted(options.platform, options.python_version)
    if options.out.is_symlink():
        options = replace(options, out=real(options.out))  # a link stays one
    _check_target(options.out)
    _check_finished(options.run)
    wait_without_spinning()
    outside = resolve("students.model:load_student", "export")(options.run)
    thresholds(options.threshold, outside.tags.labels)  # a mistake in them is said before the work
    gates = resolve("students.gates", "export")
    proof = evidence(options.run, options.verify, outside.tags.labels, options.licence)
    say(f"tracing the student to ONNX, then checking it on {len(proof.documents)} documents")
    graph = resolve("students.trace:trace", "export")(outside.model)
    plain = graph.SerializeToString(deterministic=True)
    farthest = gates.check_graph(outside.model, plain, cores(), case=outside.encoder.case)
    graphs = resolve("students.candidates:candidates", "export")(graph, outside, options)
    with _staged(options.out) as folder:
        shutil.copyfile(resolve("students.model:student_folder", "export")(options.run) / TOKENIZER, folder / TOKENIZER)
        draft = _draft(options, outside, proof, graph, farthest)
        if options.wheels:
            wheels = add_wheels(folder, options.platform, options.python_version)
            draft = replace(draft, verified={**draft.verified, "wheels": wheels})
        manifest = _finish(_Work(folder, outside, proof, options), draft, graphs)
    return ExportReport(options.out, manifest)


def _draft(options: ExportOptions, outside: Any, proof: Evidence, graph: Any, farthest: float) -> Manifest:
    """The manifest before anything was measured on the bundle."""
    gates = resolve("students.gates", "export")
    return Manifest(
        labels=outside.tags.labels, max_length=outside.encoder.max_length, stride=outside.encoder.stride,
        case=outside.encoder.case, sentences_above=outside.encoder.sentences_above, precision=options.precision,
        reduce_range=options.reduce_range and options.precision == "int8",
        opset=next(each.version for each in graph.opset_import if not each.domain), files={}, data=proof.data,
        verified={"instructions": instruction_set(), "onnxruntime": ENGINE},
        tolerances={
            "logits": gates.LOGITS, "logits_found": float(f"{farthest:.2g}"), "score": TOLERANCES[options.precision],
        },
        made_by=f"ner-distill {_version()}",
    )  # fmt: skip


class _Work(NamedTuple):
    """A bundle in the making, the student in PyTorch, and what it is checked on."""

    folder: Path
    outside: Any
    proof: Evidence
    options: ExportOptions


def _finish(work: _Work, draft: Manifest, graphs: Iterable[Any]) -> Manifest:
    """Measure the first graph that does not fall too far, through every gate, and write what the bundle says of it."""
    folder, outside, proof, options = work
    gates = resolve("students.gates", "export")
    for name in (SELFTEST, CARD):
        (folder / name).write_bytes(b"")
    limits = thresholds(options.threshold, draft.labels)
    for graph, exits in graphs:
        (folder / MODEL).write_bytes(graph.SerializeToString(deterministic=True))
        draft = replace(draft, exits=exits)
        inside = Student.load(_written(folder, draft))
        verdict, together = gates.compare(outside, inside, proof.documents)
        if not exits or verdict.holds(options.max_f1_drop):
            break
        say(f"early exits at {', '.join(map(str, exits.values()))} cost {verdict.drop:.4f} of strict F1: too much")
    gates.check_f1(verdict, options.max_f1_drop, exits=bool(draft.exits))
    gates.check_company(inside, proof.documents[:_COMPANY], together[:_COMPANY])
    temperature, calibration = tempered(answers(proof.documents, together, inside.encoder, inside.tags))
    scores = verdict.to_json() | {"calibration": calibration} | gates.depth(outside, inside, proof.documents)
    measured = replace(draft, scores=scores, temperature=temperature)
    sure = rehearsed(inside.under(measured), proof.documents, TOLERANCES[draft.precision])
    lines = [dump_line(document_to_json(document)) + "\n" for document in sure]
    inside.close()
    (folder / SELFTEST).write_text("".join(lines), encoding="utf-8", newline="\n")
    measured = replace(measured, thresholds=limits)
    page = resolve("students.card:card", "export")(measured)
    (folder / CARD).write_text(page, encoding="utf-8", newline="\n")
    return _manifest_of(_written(folder, measured), measured)


def _manifest_of(folder: Path, manifest: Manifest) -> Manifest:
    return replace(manifest, files={name: entry((folder / name).read_bytes()) for name in files_in(folder)})


def _written(folder: Path, manifest: Manifest) -> Path:
    """Put the manifest of what lies in the folder beside it."""
    (folder / MANIFEST).write_bytes(_manifest_of(folder, manifest).rendered())
    return folder


def _check_finished(run: Path) -> None:
    folder = RunFolder(run)
    if folder.unfinished and folder.best.is_dir():
        raise CallError(
            f"{run} has not finished training; let the same `train` command finish it, or export the best epoch so far "
            f"by its own folder, {folder.best}"
        )


def _check_target(out: Path) -> None:
    if str(out) == STREAM or (out.suffix.lower() in _OTHER_ARCHIVES and not is_archive(out)):
        raise CallError(f"--out {out}: a bundle is a folder, or one file whose name ends in .tar.gz")
    nearest = next(each for each in (out.absolute(), *out.absolute().parents) if each.exists())
    if not os.access(nearest if nearest != out.absolute() else nearest.parent, os.W_OK):  # said before minutes of work
        raise InputError("cannot be written: Permission denied", path=out)
    if is_archive(out) and out.is_file():
        try:
            read_manifest(out)
        except InputError:
            raise CallError(f"--out {out} exists and is no bundle; give a new name") from None
    elif os.path.ismount(out):
        raise CallError(f"--out {out} is where a disk is mounted, and cannot be replaced; give a name in it")
    elif out.is_file() or (out.is_dir() and any(out.iterdir()) and (is_archive(out) or not (out / MANIFEST).is_file())):
        raise CallError(f"--out {out} exists and is no bundle; give a new name")


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """A folder that takes the place of `out` in one step when the block ends, and vanishes where it does not.

    Where `out` is to be an archive, its archive does.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_up(out)
        fresh = Path(tempfile.mkdtemp(prefix=_STAGED.format(out.name), dir=out.parent))
        lock = locked(fresh)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=out) from None
    try:
        yield fresh
        if is_archive(out):
            pack(fresh, [MANIFEST, *files_in(fresh)], out)
            shutil.rmtree(fresh)
            return
        fresh.chmod(0o755)
        _put(fresh, out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _put(fresh: Path, out: Path) -> None:
    """Let a folder take the place of `out`, which stays where the system does not let it."""
    old = out.with_name(f".{out.name}.old")
    try:
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    except OSError as error:
        if old.exists() and not out.exists():
            old.rename(out)
        raise InputError(f"cannot be written: {error.strerror}; give a new name", path=out) from None
    shutil.rmtree(old, ignore_errors=True)


def _clear_up(out: Path) -> None:
    """Remove what killed exports of this name have left: folders of ours that no process holds.

    An empty one may be another export's that is about to lock it, and stays.
    """
    for left in out.parent.iterdir():
        if left.name.startswith(_STAGED.format(out.name)) and left.is_dir() and any(left.iterdir()):
            try:
                lock = locked(left)
            except BlockingIOError:
                continue
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _version() -> str:
    try:
        return version("ner-distill")
    except PackageNotFoundError:
        return "from a checkout"
