"""The wheels that a bundle carries, so that a machine with no network can install what runs it.

Other people's come through pip's own client, for a chosen platform and Python. Ours is made of the files that are
installed here, never fetched by its name: whoever owns that name on an index could put anything there.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from distill.errors import CallError
from distill.progress import say

NAME = "ner-distill"
REQUIRED = ("typer", "rich", "numpy", "tokenizers", "onnxruntime", "fastapi", "uvicorn", "httptools")
"""What `students.runtime`, the command line and the service import; pip finds what these need in turn."""
WINDOWS, ELSEWHERE = ("colorama",), ("uvloop",)
"""What is needed on Windows alone, for click, and what Windows does not have."""
PACKAGES, ROOF = ("distill", "students", "curricula", "teachers"), "cli"
FOLDER, INSTALL = "wheels", "install.sh"
_SCRIPT = Path(__file__).with_name(INSTALL)
_OLDEST, _NEWEST = 17, 39  # of the manylinux_2_N tags
_PLATFORM = re.compile(r"(?:linux|manylinux\w*|musllinux|macosx|win|android|ios)_\w+|win32|any")
_VERSION = re.compile(r"3\.\d+(?:\.\d+)?|3\d+")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time a zip can hold


def check_wanted(platform: str | None, python: str | None) -> None:
    """Raise CallError, before any work, for what is no platform tag and no version."""
    if platform is not None and not _PLATFORM.fullmatch(platform):
        raise CallError(f"--platform {platform}: no wheel has that tag; write manylinux_2_28_x86_64 or the like")
    if python is not None and not _VERSION.fullmatch(python):
        raise CallError(f"--python-version {python}: write 3.12 or the like")


def add_wheels(folder: Path, platform: str | None, python: str | None) -> dict[str, str]:
    """Put `wheels/` and `install.sh` into a bundle's folder; returns what they are for, for the manifest.

    `platform` is a wheel's platform tag and `python` a version such as 3.12; without them, those of this machine.
    Raises CallError where pip cannot get them.
    """
    target = folder / FOLDER
    target.mkdir()
    say(f"fetching wheels for {platform or 'this platform'}, Python {python or _own_python()}")
    _download(target, platform, python)
    own_wheel(target)
    script = folder / INSTALL
    script.write_bytes(_SCRIPT.read_bytes())
    script.chmod(0o755)
    return {"platform": platform or "as where it was made", "python": python or _own_python()}


def _own_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _download(target: Path, platform: str | None, python: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "constraints.txt"
        pins.write_text("".join(f"{line}\n" for line in _installed()), encoding="utf-8")
        chosen = [flag for tag in tags(platform) for flag in ("--platform", tag)] if platform else []
        chosen += ["--python-version", python] if python else []
        wanted = [*REQUIRED, *(WINDOWS if (platform or sys.platform).startswith("win") else ELSEWHERE)]
        call = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
            "--only-binary=:all:", "--dest", str(target), "--constraint", str(pins), *chosen, *wanted,
        ]  # fmt: skip
        done = subprocess.run(call, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        where = f"{platform or 'this platform'}, Python {python or _own_python()}"
        raise CallError(f"--wheels: pip gets none for {where}: {said[0].strip() if said else 'it says nothing'}")


def tags(platform: str) -> list[str]:
    """The platform tags to ask for: a machine with glibc 2.N takes wheels for every older one too."""
    found = re.fullmatch(r"(?:manylinux_2_(\d+)|linux|manylinux2014)_(\w+)", platform)
    if not found:
        return [platform]
    newest = int(found[1]) if found[1] else _OLDEST if platform.startswith("manylinux2014") else _NEWEST
    return [f"manylinux_2_{minor}_{found[2]}" for minor in range(newest, _OLDEST - 1, -1)] + [
        f"manylinux2014_{found[2]}", f"manylinux2010_{found[2]}", f"manylinux1_{found[2]}",
    ]  # fmt: skip


def _installed() -> list[str]:
    """What is installed here, as constraints: the bundle was verified with these versions."""
    found = {str(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    return sorted(f"{name}=={version}" for name, version in found.items() if name != NAME)


def own_wheel(target: Path) -> Path:
    """Our own wheel, made of the files installed here; the same files give the same bytes."""
    about = _distribution()
    name = f"{NAME.replace('-', '_')}-{about.version}"
    contents = dict(_modules()) | _about(about, f"{name}.dist-info")
    record = f"{name}.dist-info/RECORD"
    contents[record] = "".join(
        f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in sorted(contents.items())
    ).encode() + f"{record},,\n".encode()
    wheel = target / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            packed.writestr(entry, data)
    return wheel


def _distribution() -> Distribution:
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        raise CallError(f"--wheels needs {NAME} installed, not only its files on the path: pip install -e .") from None


def _modules() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root).as_posix()
            if path.is_file() and "__pycache__" not in inside and not path.name.startswith("."):
                yield f"{package}/{inside}", path.read_bytes()
    roof = importlib.util.find_spec(ROOF)
    assert roof is not None and roof.origin
    yield f"{ROOF}.py", Path(roof.origin).read_bytes()


def _about(about: Distribution, folder: str) -> dict[str, bytes]:
    entry = about.read_text("entry_points.txt") or f"[console_scripts]\n{NAME} = {ROOF}:main\n"
    wheel = f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    found = {"METADATA": about.read_text("METADATA") or "", "entry_points.txt": entry, "WHEEL": wheel}
    licence = about.read_text("licenses/LICENSE") or about.read_text("LICENSE")
    if licence:
        found["licenses/LICENSE"] = licence
    return {f"{folder}/{name}": text.encode() for name, text in found.items()}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
