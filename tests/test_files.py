"""Files are read line by line with clear errors, and written whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.calibration import read_calibration
from distill.errors import InputError
from distill.files import first_lines, in_place, open_lines, read_whole, stem, whole_or_not_at_all
from distill.labels import read_labels
from distill.studies.options import StudyOptions
from distill.studies.plan import read_plan
from teachers.prices import read_prices

lines = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8), max_size=5)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["a.txt", "a.txt.gz"]))
def test_only_line_feeds_end_a_line(
    tmp_path_factory: pytest.TempPathFactory, content: list[str], end: str, name: str
) -> None:
    path = tmp_path_factory.mktemp("files") / name
    with whole_or_not_at_all(path) as out:
        out.write("\ufeff" + "".join(line + end for line in content))
    assert list(open_lines(path)) == list(enumerate(content, 1)) or content == []
    assert first_lines(path, 2) == (content or [""])[:2]


def test_equal_data_gives_equal_compressed_files(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with whole_or_not_at_all(tmp_path / name) as out:
            out.write("Oslo\n" * 100)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"Oslo\n" * 100


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"fine\nOsl\xf8\n", r"a.txt:2: not UTF-8 at byte 3 of the line"),
        ("a.jsonl", gzip.compress(b"Oslo\n"), r"a.jsonl: is packed; unpack it first, or name it .gz"),
        ("a.jsonl", b"PK\x03\x04\x14\x00\x00\x00\x00\x00", r"a.jsonl: is an archive; unpack it first"),
        ("a.gz", b"no gzip", r"a.gz:1: broken gzip file"),
        ("a.gz", gzip.compress(b"Oslo\n" * 99)[:-12], "broken gzip file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(open_lines(tmp_path / name))


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["Oslo\n", "a\n\n\nto Lima\n", '{"text": "Осло"}\n', "Осло\nЛима и Кито\n", "Αθήνα 1\nΟυ\n"]
)
def test_utf_16_is_refused_with_a_byte_order_mark_and_without(tmp_path: Path, coding: str, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode(coding))
    with pytest.raises(InputError, match=r"a\.txt: is UTF-16, not UTF-8; convert the file first"):
        list(open_lines(tmp_path / "a.txt", "surrogateescape"))


@pytest.mark.parametrize(
    "text", ["a\0b", "\0" * 3, "Oslo\0\0\0\0\0Lima and Quito", "\x1b[1mOslo\x1b[0m", "a\tb\tc\td\te\tf"]
)
def test_a_text_may_hold_control_characters(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode() + b"\n")
    assert list(open_lines(tmp_path / "a.txt")) == [(1, text)]


def test_a_folder_and_a_missing_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, expected a file"):
        list(open_lines(tmp_path))
    with pytest.raises(InputError, match="no such file"):
        list(open_lines(tmp_path / "absent"))


UNREADABLE = Path("/proc/self/mem")  # a file that opens, and gives an error of the disk when it is read


@pytest.mark.skipif(not UNREADABLE.exists(), reason="needs /proc")
def test_a_file_that_the_disk_does_not_give_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="mem: cannot be read: input/output error"):
        list(open_lines(UNREADABLE))
    with pytest.raises(InputError, match="mem: cannot be read: input/output error"):
        read_whole(UNREADABLE)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")  # a whole path may be too long for a socket
        with pytest.raises(InputError, match="s: cannot be read: no such device"):
            list(open_lines(tmp_path / "s"))


def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), whole_or_not_at_all(target) as out:
        out.write("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    with whole_or_not_at_all(tmp_path / "new" / "a.txt") as out:
        out.write("x")
    (tmp_path / "other").write_text("x")
    assert (tmp_path / "new" / "a.txt").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_target_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), whole_or_not_at_all(tmp_path / "file" / "a.txt"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"), whole_or_not_at_all(tmp_path / "folder"):
        pass
    for folder in (tmp_path / "folder", ".", ".."):
        worked = False
        with pytest.raises(InputError, match="cannot be written: it is a folder"), whole_or_not_at_all(folder):
            worked = True
        assert not worked
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_what_is_no_file_of_the_disk_is_written_into_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text("utf-8")))
    reader.start()
    with whole_or_not_at_all(pipe) as out:
        out.write("Oslo\n")
    reader.join(30)
    assert found == ["Oslo\n"] and pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    assert in_place("/dev/null") and in_place("/dev/stdout")
    assert not in_place(tmp_path) and not in_place(tmp_path / "new")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(file)
    for text in ("one", "two"):
        with whole_or_not_at_all(link) as out:
            out.write(text)
        assert link.is_symlink() and file.read_text() == text


def test_standard_output_takes_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding="ascii"))
    with whole_or_not_at_all("-") as out:
        out.write("Tromsø\n")
    print("after", flush=True)
    assert taken.getvalue() == "Tromsø\nafter\n".encode()


@pytest.mark.parametrize(
    ("path", "name"), [("x/a.jsonl", "a"), ("a.jsonl.gz", "a"), ("a.b.conll", "a.b"), ("a", "a"), ("-", "stdin")]
)
def test_fallback_ids_begin_with_the_name_of_the_file(path: str, name: str) -> None:
    assert stem(path) == name


@pytest.mark.parametrize(
    "read",
    [read_labels, read_prices, read_calibration, lambda path: read_plan(StudyOptions(study=path, out=path), {})],
)
def test_a_folder_for_a_file_is_one_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match="is a folder, expected a file"):
        read(tmp_path)
