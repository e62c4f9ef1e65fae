"""A bundle in one file: the same answers, the same bytes, and nothing hostile gets through."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import sign
from sealed import export_tiny

from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl
from students import archive
from students.archive import TOP, header, pack
from students.bundle import MANIFEST, files_in, read_bundle, read_manifest
from students.bundle_options import PredictOptions, SelftestOptions
from students.predict import predict
from students.runtime import Student
from students.selftest import selftest


@pytest.fixture(scope="module")
def packed(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 bundle of `tiny_run` as one file."""
    return export_tiny(tiny_run, tmp_path_factory.mktemp("packed") / "B.tar.gz")


def test_one_file_answers_as_the_folder_does_and_passes_its_selftest(
    packed: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    assert [path.name for path in packed.parent.iterdir()] == ["B.tar.gz"]
    assert read_manifest(packed) == read_manifest(tiny_bundle)
    assert "replayed texts agree" in str(selftest(SelftestOptions(bundle=packed, threads=1)))
    text, out = "Globex moved from Quito to Cairoville", tmp_path / "out.jsonl"
    predict(PredictOptions(bundle=packed, text=text, out=out))
    assert next(read_jsonl(out)).entities == Student.load(tiny_bundle).tag([text])[0].entities


def test_the_name_of_one_file_may_be_in_capitals(packed: Path, tmp_path: Path) -> None:
    assert read_manifest(Path(shutil.copy(packed, tmp_path / "B.TAR.GZ"))) == read_manifest(packed)


def test_equal_bundles_are_equal_bytes_and_any_tar_unpacks_them(
    packed: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    pack(tiny_bundle, [MANIFEST, *files_in(tiny_bundle)], tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == packed.read_bytes()
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    unpacked = tmp_path / "unpacked" / "bundle"
    assert {each.name: each.read_bytes() for each in unpacked.iterdir()} == {
        each.name: each.read_bytes() for each in tiny_bundle.iterdir()
    }


def test_an_older_archive_gives_way_and_another_file_does_not(tiny_run: Path, packed: Path, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.tar.gz"
    mine.write_bytes(gzip.compress(b"mine"))
    with pytest.raises(CallError, match="no bundle"):
        export_tiny(tiny_run, mine)
    assert gzip.decompress(mine.read_bytes()) == b"mine"


def _gz(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 1))
    return path


def _whole(bundle: Path) -> bytes:
    buffer = bytearray()
    for name in (MANIFEST, *files_in(bundle)):
        data = (bundle / name).read_bytes()
        buffer += header(name, len(data)) + data + bytes(-len(data) % 512)
    return bytes(buffer)


def _entry(kind: bytes, name: str = TOP + "model.onnx", size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT)


END = bytes(1024)
HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a link": (lambda whole: _entry(tarfile.SYMTYPE, link="/etc/passwd") + whole + END, "holds a link"),
    "a hard link": (lambda whole: whole + _entry(tarfile.LNKTYPE, link="../x") + END, "holds a hard link"),
    "a device": (lambda whole: whole + _entry(tarfile.CHRTYPE) + END, "holds a device"),
    "a pipe": (lambda whole: whole + _entry(tarfile.FIFOTYPE) + END, "holds a pipe"),
    "a folder": (lambda whole: whole + _entry(tarfile.DIRTYPE, TOP + "wheels") + END, "holds a folder"),
    "a sparse file": (lambda whole: whole + _entry(tarfile.GNUTYPE_SPARSE) + END, "holds a sparse file"),
    "a header of a gigabyte": (lambda whole: whole + _entry(tarfile.XHDTYPE, "x", 1 << 30) + END, "extended header"),
    "a long name": (lambda whole: whole + _entry(tarfile.GNUTYPE_LONGNAME, "x", 1 << 30) + END, "holds a long name"),
    "a way out": (lambda whole: whole + header("../../etc/cron.d/x", 0) + END, "does not list"),
    "an absolute path": (lambda whole: whole + _entry(tarfile.REGTYPE, "/etc/passwd") + END, "export did not write"),
    "another owner": (lambda whole: whole + _entry(tarfile.REGTYPE, TOP + "x") + END, "export did not write"),
    "a negative size": (
        lambda whole: whole + header("x", 0)[:124] + b"\xff" * 12 + header("x", 0)[136:] + END, "export did not write",
    ),
    "a file twice": (lambda whole: whole + whole[: 512 * 1] + END, "manifest.json twice"),
    "a file nobody listed": (lambda whole: whole + header("extra.so", 0) + END, "does not list"),
    "a late manifest": (lambda whole: header("model.onnx", 0) + whole + END, "does not begin with manifest"),
    "nothing": (lambda whole: END, "its checksum does not hold"),
    "a bomb": (lambda whole: whole + header("x", 3 << 30) + END, "unfolds beyond 2 GiB"),
    "no end": (lambda whole: whole, "cut off"),
    "half": (lambda whole: whole[: len(whole) // 2], "cut off"),
    "more after the end": (lambda whole: whole + END + bytes(20_000), "does not end where it should"),
    "something after the end": (lambda whole: whole + END + b"x" * 512, "does not end where it should"),
    "something between": (lambda whole: whole[:-1] + b"x" + END, "between its files"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_one_line(word_bundle: Path, tmp_path: Path, what: str) -> None:
    made, said = HOSTILE[what]
    path = _gz(tmp_path / "hostile.tar.gz", made(_whole(word_bundle)))
    with pytest.raises(InputError, match=said) as refused:
        read_bundle(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert [each.name for each in tmp_path.iterdir()] == ["hostile.tar.gz"]


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_off_file_is_one_line(packed: Path, tmp_path: Path, kept: float) -> None:
    data, path = packed.read_bytes(), tmp_path / "cut.tar.gz"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(InputError, match=r"cut\.tar\.gz"):
        read_bundle(path)


def test_a_flipped_byte_in_the_file_is_refused(word_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.tar.gz"
    pack(word_bundle, [MANIFEST, *files_in(word_bundle)], path)
    whole = path.read_bytes()
    for at in (*range(10), *range(10, len(whole), 97), *range(len(whole) - 100, len(whole))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"flipped\.tar\.gz"):
            read_bundle(path)
    for more in (b"\0", gzip.compress(b"")):
        path.write_bytes(whole + more)
        with pytest.raises(InputError, match=r"flipped\.tar\.gz"):
            read_bundle(path)


def test_a_listed_file_that_is_missing_is_named(word_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "less.tar.gz"
    pack(word_bundle, [MANIFEST, "model.onnx", "selftest.jsonl"], path)
    with pytest.raises(InputError, match=r"tokenizer\.json: is missing"):
        read_bundle(path)


def test_a_bomb_that_its_manifest_lists_is_hashed_but_never_held(word_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(word_bundle, tmp_path / "bundle")
    (folder / "zeros.bin").write_bytes(bytes(64 << 20))
    sign(folder, replace(read_manifest(word_bundle)))
    path = tmp_path / "big.tar.gz"
    pack(folder, [MANIFEST, *files_in(folder)], path)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        read_bundle(path, ("model.onnx",))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such bundle"):
        read_bundle(tmp_path / "none.tar.gz")
    plain = tmp_path / "plain.tar.gz"
    plain.write_bytes(b"hello" * 100)
    with pytest.raises(InputError, match=r"[Nn]ot a gzipped file"):
        read_bundle(plain)
    assert archive.is_archive(plain)
    with pytest.raises(InputError, match=r"plain: not a bundle: a file, and its name does not end in \.tar\.gz"):
        read_bundle(plain.rename(tmp_path / "plain"))
    pipe = tmp_path / "pipe.tar.gz"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is a pipe"):
        read_bundle(pipe)
