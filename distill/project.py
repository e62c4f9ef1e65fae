"""A new project: the folder, its ner-distill.toml and labels.toml, and on request the demo corpus."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from distill.errors import CallError, InputError
from distill.files import whole_or_not_at_all
from distill.options import PROJECT_FILE, Options, option

LABELS_FILE = "labels.toml"
DATA_FOLDER = "data"
CORPUS = ("texts.jsonl", "texts.gold.jsonl", "completions.jsonl", "gold.jsonl", "dev.jsonl", "test.jsonl", "README.md")
_TEXT_ROW = '{"id", "text"}'


@dataclass(frozen=True)
class InitOptions(Options):
    """What `init` needs to know."""

    folder: Path = option(Path(), "where the project goes; made if need be", argument=True, flag="dir")
    demo: bool = option(False, "with the demo corpus and a recorded teacher, so that every command runs at once")


@dataclass(frozen=True, slots=True)
class InitReport:
    """What `init` wrote, what it found and left alone, and what to run next."""

    folder: Path
    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    demo: bool

    @property
    def next_command(self) -> str:
        """The command to try next, ready to be pasted into a shell."""
        name = str(self.folder)
        quoted = shlex.quote(f"./{name}" if name.startswith("-") else name)
        return "ner-distill label" if name == "." else f"cd {quoted} && ner-distill label"

    def __str__(self) -> str:
        lines = [f"wrote into {self.folder}: {self._listed(self.written)}"]
        if self.kept:
            lines.append(f"kept as they were: {self._listed(self.kept)}")
        if not self.demo:
            texts = self.folder / DATA_FOLDER / "texts.jsonl"
            lines.append(f"first: your texts, {_TEXT_ROW} a line, into {texts}; the model's name into {PROJECT_FILE}")
        return "\n".join([*lines, f"next: {self.next_command}"])

    def _listed(self, paths: tuple[Path, ...]) -> str:
        return ", ".join(path.relative_to(self.folder).as_posix() for path in paths)


def init(options: InitOptions) -> InitReport:
    """Write a project into the folder; a file that already stands there is never overwritten.

    Raises CallError, with nothing written, where the folder already is a project. ner-distill.toml is written last, so
    that an init that was cut short can simply be started again.
    """
    folder = options.folder
    if (folder / PROJECT_FILE).exists():
        raise CallError(
            f"{folder / PROJECT_FILE} already exists, so {folder.resolve()} is a project; nothing was written. "
            f"Give another folder: ner-distill init DIR"
        )
    _make(folder)
    _make(folder / DATA_FOLDER)
    contents = project_files(options.demo)
    kept = tuple(folder / name for name in contents if (folder / name).exists())
    written = tuple(folder / name for name in contents if folder / name not in kept)
    for path in written:
        with whole_or_not_at_all(path) as out:
            out.write(contents[str(path.relative_to(folder).as_posix())])
    return InitReport(folder, written, kept, options.demo)


def project_files(demo: bool) -> dict[str, str]:
    """The files of a new project by their path in it, the project file last."""
    contents = {LABELS_FILE: _blueprint(LABELS_FILE)}
    if demo:
        contents |= {f"{DATA_FOLDER}/{name}": _shipped("demo", name) for name in CORPUS}
    label = "label.demo.toml" if demo else "label.toml"
    return contents | {PROJECT_FILE: "".join(_blueprint(part) for part in ("head.toml", label, "rest.toml"))}


def _blueprint(name: str) -> str:
    return _shipped("blueprint", name)


def _shipped(folder: str, name: str) -> str:
    return files("distill").joinpath(folder, name).read_text(encoding="utf-8")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError("a file stands where a folder is needed", path=folder) from None
    except OSError as error:
        raise InputError(f"cannot be made: {error.strerror}", path=folder) from None
