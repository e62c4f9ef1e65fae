"""The ledger: the output of a run while it grows, and where a run that was stopped goes on.

`L.jsonl.partial` takes the labelled documents in input order, `L.rejected.jsonl.partial` the rejected ones with their
number, `L.jsonl.partial.json` says which call they belong to. All of them take their final names when the run ends.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from distill.errors import CallError
from distill.files import whole_or_not_at_all
from distill.jsonl import dump_line
from teachers.report import LabelReport
from teachers.room import Flock, flock, locked
from teachers.rows import Rejected, Row


def rejected_path(out: Path) -> Path:
    """`L.rejected.jsonl` for `L.jsonl`."""
    return out.with_name(out.name.removesuffix(".jsonl") + ".rejected.jsonl")


class Ledger:
    """Rows in, files out. `done` documents were dealt with; the last labelled one of them had number and id `last`."""

    def __init__(
        self, out: Path, call: Mapping[str, Any], drop_empty: bool = False,
        lock: Flock | Literal["system"] | None = "system",
    ) -> None:  # fmt: skip
        self.out, self._call, self._drop_empty = out, dict(call), drop_empty
        self.partial = out.with_name(out.name + ".partial")
        self._sidecar = out.with_name(out.name + ".partial.json")
        self._rejected = rejected_path(out)
        self._rejected_partial = self._rejected.with_name(self._rejected.name + ".partial")
        self.done = 0
        self.last: tuple[int, str] | None = None
        self.begun = time.time()
        """When the first run of this labelling began."""
        self._rows: IO[bytes] | None = None
        self._refused: IO[bytes] | None = None
        self._lock = flock() if lock == "system" else lock
        self._unlock: Callable[[], None] = _nothing

    def begin(self, report: LabelReport) -> None:
        """Open the files; what an earlier run of the same call has written is counted into `report`."""
        with self._on_disk():
            self.out.parent.mkdir(parents=True, exist_ok=True)
            if self._read_sidecar().get("finished"):
                self._rename()
            self._check_call()
            self._rows, self._unlock = locked(self.partial, self._lock)
            self._refused = self._rejected_partial.open("ab+")
            begun = self._read_sidecar().get("begun")
            self.begun = begun if isinstance(begun, float) else self.begun
            self._resume(self._rows, self._refused, report)
            self._write_sidecar(finished=False)

    def add(self, row: Row) -> None:
        """The row of the next document. A rejected one is on the disk before any later row."""
        self.done += 1
        assert self._rows and self._refused
        with self._on_disk():
            if isinstance(row, Rejected):
                self._refused.write(_line({"number": self.done, **row.row}))
                self._refused.flush()
            else:
                self._rows.write(_line(row))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._rows:
            with self._on_disk():
                self._rows.flush()

    def cut_back(self, number: int) -> None:
        """Forget the rows from document `number` on; the next run makes them again, most of them from the store."""
        assert self._rows and self._refused
        with self._on_disk():
            self._rows.flush()
            refused = [(row.get("number"), end) for row, end in _whole_lines(self._refused, self._rejected_partial)]
            before = [end for other, end in refused if isinstance(other, int) and other < number]
            labelled = number - 1 - len(before)
            ends = (end for _, end in _whole_lines(self._rows, self.partial))
            self._rows.truncate(max(islice(ends, labelled), default=0))
            self._refused.truncate(max(before, default=0))
        self.done = number - 1

    def close(self) -> None:
        """Leave the files as they are, for the next run to go on with."""
        for file in (self._rows, self._refused):
            if file:
                with self._on_disk():
                    file.close()
        self._rows = self._refused = None
        self._unlock()

    def finish(self) -> None:
        """Give the files their final names."""
        assert self._rows and self._refused
        with self._on_disk():
            for file in (self._rows, self._refused):
                file.flush()
                os.fsync(file.fileno())
            self._write_sidecar(finished=True)
            self._rename()
        self.close()

    def _rename(self) -> None:
        """The last step, which a killed run repeats: it may find any part of it done."""
        if self._rejected_partial.exists() and self._rejected_partial.stat().st_size:
            self._rejected_partial.replace(self._rejected)
        elif self._rejected_partial.exists():
            self._rejected.unlink(missing_ok=True)
            self._rejected_partial.unlink()
        if self.partial.exists() and self._drop_empty:
            with self.partial.open(encoding="utf-8", newline="\n") as rows, whole_or_not_at_all(self.out) as out:
                out.writelines(row for row in rows if json.loads(row)["entities"])
            self.partial.unlink()
        elif self.partial.exists():
            self.partial.replace(self.out)
        self._sidecar.unlink(missing_ok=True)

    def _read_sidecar(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads(self._sidecar.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def _write_sidecar(self, *, finished: bool) -> None:
        with whole_or_not_at_all(self._sidecar) as out:
            json.dump({"finished": finished, "begun": self.begun, "call": self._call}, out, indent=1, ensure_ascii=True)

    def _check_call(self) -> None:
        """Another call may not go on with these files: its rows would be mixed with ours."""
        if not self.partial.exists() or not self.partial.stat().st_size:
            return
        before = self._read_sidecar().get("call")
        if not isinstance(before, dict):
            raise CallError(f"{self.partial} is there without {self._sidecar.name}; delete it to begin anew")
        now = json.loads(json.dumps(self._call))
        changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if changed:
            raise CallError(
                f"{self.partial} was begun with another {', '.join(changed)}; finish it with the same call, delete it "
                "to begin anew, or give another --out"
            )

    def _resume(self, rows: IO[bytes], refused: IO[bytes], report: LabelReport) -> None:
        """Count what stands in the files, cut what goes beyond their common end, and go on from there."""
        refusals = _whole_lines(refused, self._rejected_partial)
        numbers = {row.get("number"): (str(row.get("kind")), end) for row, end in refusals}
        kept = refused_end = 0
        for row, end in _whole_lines(rows, self.partial):
            refused_end = self._skip_rejected(numbers, report, refused_end)
            self.done, kept = self.done + 1, end
            self.last = (self.done, row["id"])
            report.count_row(row)
        refused_end = self._skip_rejected(numbers, report, refused_end)
        report.resumed = self.done
        rows.truncate(kept)
        refused.truncate(refused_end)

    def _skip_rejected(self, numbers: Mapping[Any, tuple[str, int]], report: LabelReport, end: int) -> int:
        while self.done + 1 in numbers:
            self.done += 1
            kind, end = numbers[self.done]
            report.rejected[kind] += 1
        return end

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CallError(
                f"{error.filename or self.partial}: cannot be written: {error.strerror}; the same command goes on "
                "when that is mended"
            ) from None


def _nothing() -> None:
    """No lock is held."""


def _line(row: Any) -> bytes:
    return (dump_line(row) + "\n").encode("utf-8")


def _whole_lines(file: IO[bytes], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Every whole line as JSON, with the offset where it ends; a line torn by a crash is not there."""
    file.seek(0)
    end = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        end += len(line)
        try:
            yield json.loads(line), end
        except ValueError:
            raise CallError(f"{path}: byte {end - len(line)} begins no row of ours; delete it to begin anew") from None
