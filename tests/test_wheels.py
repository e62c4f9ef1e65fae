"""A bundle that brings what runs it: into a machine with no network, from nothing but Python."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from sealed import export_tiny

from distill.errors import CallError
from students import runtime
from students.bundle import read_manifest
from students.bundle_options import ExportOptions
from students.export import export
from students.wheels import check_wanted, own_wheel, tags

try:
    distribution("ner-distill")
except PackageNotFoundError:
    pytest.skip("ner-distill is not installed here", allow_module_level=True)


def test_our_wheel_is_made_of_the_installed_files_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, again = own_wheel(tmp_path), own_wheel(tmp_path / "again")
    assert first.read_bytes() == again.read_bytes() and first.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(first) as wheel:
        names = wheel.namelist()
        assert wheel.read("students/runtime.py") == Path(runtime.__file__).read_bytes()
        record = wheel.read(next(name for name in names if name.endswith("/RECORD"))).decode()
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {
        "cli.py", "curricula", "distill", "students", "teachers",
    }  # fmt: skip
    assert {"students/page.css", "students/install.sh"} <= set(names) and not [n for n in names if "__pycache__" in n]
    assert all(f"{name}," in record for name in names)


def test_a_newer_glibc_takes_wheels_for_an_older_one() -> None:
    found = tags("manylinux_2_28_x86_64")
    assert found[0] == "manylinux_2_28_x86_64" and {"manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(found)
    assert "manylinux_2_31_x86_64" not in found and tags("win_amd64") == ["win_amd64"]
    assert tags("manylinux2014_aarch64")[0] == "manylinux_2_17_aarch64"


def test_a_platform_without_wheels_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="add it"):
        export(ExportOptions(run=tmp_path, out=tmp_path / "b", platform="win_amd64"))
    for platform in ("foo", "windows", "linux"):
        with pytest.raises(CallError, match="no wheel has that tag"):
            check_wanted(platform, None)
    for python in ("x", "2.7", "3", "3.12a"):
        with pytest.raises(CallError, match=r"write 3\.12"):
            check_wanted(None, python)
    for platform in ("win_amd64", "manylinux2014_x86_64", "linux_x86_64", "macosx_11_0_arm64", "musllinux_1_2_x86_64"):
        check_wanted(platform, "3.12")


def test_nothing_is_run_before_the_checksums_hold(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "wheels").mkdir(parents=True)
    shutil.copy(Path(runtime.__file__).with_name("install.sh"), bundle)
    own_wheel(bundle / "wheels")
    (bundle / "manifest.json").write_text('{"files": {}}', encoding="utf-8")
    for name in ("json.py", "hashlib.py", "pathlib.py"):
        (bundle / name).write_text("print('run'); raise SystemExit", encoding="utf-8")
    call, environment = ["sh", "install.sh", "env"], {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(call, cwd=bundle, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "") and "damaged or not listed in manifest.json" in done.stderr
    assert not (bundle / "env").exists()


SEALED = """
set -eu
ip link show up 2>/dev/null | grep -v lo: | grep -q '^[0-9]' && { echo "there is a network"; exit 9; }
sh "$1/install.sh" "$2/env"
cd "$2"
env/bin/ner-distill selftest "$1"
env/bin/ner-distill predict "$1" --text "Globex moved from Quito to Cairoville"
env/bin/python - "$1" <<'SERVED'
import fcntl, json, signal, socket, struct, subprocess, sys, urllib.request
with socket.socket() as line:  # loopback exists here, and is down
    fcntl.ioctl(line, 0x8914, struct.pack("16sh22x", b"lo", 1))
with subprocess.Popen(["env/bin/ner-distill", "serve", sys.argv[1], "--port", "0"], stderr=subprocess.PIPE) as service:
    url = service.stderr.readline().decode().partition(" answers at ")[2].split()[0]
    asked = urllib.request.Request(url + "tag", b'{"text": "Globex left Quito"}', {"Content-Type": "application/json"})
    print("served:", json.load(urllib.request.urlopen(asked))["text"])
    service.send_signal(signal.SIGTERM)
    service.stderr.read()
assert service.returncode == 0, service.returncode
try:
    socket.create_connection(("192.0.2.1", 80), 3)
except OSError as error:
    print("no way out:", error)
SERVED
"""


def _alone() -> list[str]:
    """The command that puts another one into an empty network, or a skip."""
    for flags in (["-n"], ["-rn"]):
        try:
            if not subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode:
                return ["unshare", *flags]
        except FileNotFoundError:
            break
    pytest.skip("unshare cannot make an empty network namespace here")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_installs_and_answers_where_there_is_no_network(tiny_run: Path, tmp_path: Path) -> None:
    alone = _alone()
    if importlib.util.find_spec("pip") is None:
        pytest.skip("no pip here to fetch wheels with")
    try:
        bundle = export_tiny(tiny_run, tmp_path / "bundle", wheels=True)
    except CallError as error:
        pytest.skip(f"no wheels to be had here: {error}")
    wheels = {name for name in read_manifest(bundle).files if name.startswith("wheels/")}
    assert wheels == {f"wheels/{path.name}" for path in (bundle / "wheels").iterdir()}
    room = tmp_path / "room"
    (room / "home").mkdir(parents=True)
    bare = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(room / "home")}
    call = [*alone, "sh", "-c", SEALED, "sh", str(bundle), str(room)]
    done = subprocess.run(
        call, env=bare | {"PYTHON": os.path.realpath(sys.executable)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "replayed texts agree" in done.stdout and '"text": "Globex moved' in done.stdout
    left = [str(path) for path in (room / "home").rglob("*")]
    assert "served: Globex left Quito" in done.stdout and "no way out" in done.stdout and not left
    damaged = next((bundle / "wheels").glob("rich-*"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    call[-1] = str(tmp_path / "other")
    (tmp_path / "other").mkdir()
    done = subprocess.run(call, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode and damaged.name in done.stderr and not (tmp_path / "other" / "env").exists()
