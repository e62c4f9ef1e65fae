"""Jobs: commands that run as processes, several at once, each on its cores or its GPU."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.cores import cores
from distill.errors import CheckFailed, NerDistillError

TAIL = 6  # lines of a log that tell why
_LOOK = 0.05  # seconds between two looks at the running processes
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Job:
    """A command to run once all of `needs` have ended well; `then` makes its result final and may refuse it."""

    key: str
    name: str
    command: Callable[[], list[str]]
    log: Path
    then: Callable[[float], None]
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Failure:
    """A job that did not end well, and the last lines of its log."""

    name: str
    why: str
    tail: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.why}", *(f"    {line}" for line in self.tail)])


@dataclass(frozen=True)
class Place:
    """Where jobs run: their folder, an environment a slot, and an open file that they inherit."""

    folder: Path
    slots: Sequence[Mapping[str, str]]
    inherited: int | None = None


@dataclass
class Jobs:
    """Jobs under way. A failed one takes with it only those that need it."""

    place: Place
    failures: list[Failure] = field(default_factory=list)

    def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs, in their order as far as their needs allow; processes end with this call, however it ends."""
        waiting, free = list(jobs), list(range(len(self.place.slots)))
        open_keys, failed = {job.key for job in jobs}, set[str]()
        running: dict[int, tuple[Job, subprocess.Popen[bytes], float]] = {}
        try:
            while waiting or running:
                waiting = self._dropped(waiting, failed, open_keys)
                while free and (job := next((job for job in waiting if not job.needs & open_keys), None)):
                    waiting.remove(job)
                    slot = free.pop(0)
                    running[slot] = (job, self._start(job, slot), time.monotonic())
                ended = [slot for slot, (_, process, _) in running.items() if process.poll() is not None]
                for slot in ended:
                    job, process, began = running.pop(slot)
                    free.append(slot)
                    if not self._ended(job, process.returncode, time.monotonic() - began):
                        failed.add(job.key)
                    open_keys.discard(job.key)
                if not ended and running:
                    time.sleep(_LOOK)
        finally:
            _end([process for _, process, _ in running.values()])

    def _dropped(self, waiting: list[Job], failed: set[str], open_keys: set[str]) -> list[Job]:
        """The jobs that may still run; one that needs a failed one has failed as well."""
        lost = [job for job in waiting if job.needs & failed]
        for job in lost:
            self.failures.append(Failure(job.name, "not started, as a run that it needs has failed"))
            failed.add(job.key)
            open_keys.discard(job.key)
        return [job for job in waiting if job not in lost]

    def _start(self, job: Job, slot: int) -> subprocess.Popen[bytes]:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        command = job.command()
        with job.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            return subprocess.Popen(  # noqa: S603 - the study's own commands, without a shell
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.place.folder,
                env={**os.environ, **self.place.slots[slot]},
                pass_fds=() if self.place.inherited is None else (self.place.inherited,),
                # No threads here, so nothing can be locked between fork and exec.
                preexec_fn=_die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
            )  # fmt: skip

    def _ended(self, job: Job, code: int, seconds: float) -> bool:
        """Whether the job ended well, its result taken over."""
        try:
            if code != 0:
                raise CheckFailed(f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}")
            job.then(seconds)
        except NerDistillError as error:
            self.failures.append(Failure(job.name, str(error), _last_lines(job.log)))
            return False
        return True


def _die_with_parent() -> Callable[[], object]:
    """What a child does first: ask the kernel to be killed when its parent is, so that kill -9 leaves no orphans."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_lines(log: Path) -> tuple[str, ...]:
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    told = [line for line in lines if line and not line.startswith("$ ")]
    return tuple(told[-TAIL:])


def devices() -> list[str]:
    """The GPUs that a run may have, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each.strip() for each in visible.split(",") if each.strip() not in ("", "-1")]
    found = shutil.which("nvidia-smi")
    if found is None:
        return []
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run([found, "-L"], capture_output=True, text=True, check=True, timeout=20).stdout  # noqa: S603
        return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU"))]
    return []


def slots(jobs: int | None, threads: int, gpus: Sequence[str]) -> list[dict[str, str]]:
    """An environment a slot: by default one slot a GPU, or else as many as there are cores for so many threads.

    More jobs than GPUs share them in turn.
    """
    count = jobs or len(gpus) or max(1, cores() // threads)
    own = {"OMP_NUM_THREADS": str(threads)}
    return [own | ({"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if gpus else {}) for slot in range(count)]
