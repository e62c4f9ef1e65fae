"""What the machine offers: the cores this process may use, and the instructions they know."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")
CPU_INFO = Path("/proc/cpuinfo")

# Best first: what integer matrix products are made of.
INSTRUCTIONS = (
    "amx_int8", "avx512_vnni", "avx_vnni", "avx512bw", "avx2", "avx", "sse4_1", "i8mm", "asimddp", "asimd",
)  # fmt: skip


def cores() -> int:
    """Cores this process may use: its affinity, and the quota of the control group it lives in."""
    try:
        own = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        own = os.cpu_count() or 1
    return max(1, min([own, *(math.ceil(quota) for quota in quotas())]))


def quotas(groups: Path = CGROUPS, process: Path = PROCESS_CGROUPS) -> Iterator[float]:
    """The CPU quotas, in cores, of the process's control group and all above it; version 2 and version 1."""
    for line in _read(process).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            yield from _walk(groups, path, "cpu.max")
        elif "cpu" in controllers.split(","):
            yield from _walk(groups / "cpu", path, "cpu.cfs_quota_us")


def _walk(root: Path, path: str, name: str) -> Iterator[float]:
    inside = Path(path.lstrip("/"))
    for folder in (inside, *inside.parents):
        fields = _read(root / folder / name).split()
        if name == "cpu.cfs_quota_us":
            fields += _read(root / folder / "cpu.cfs_period_us").split()
        if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]):
            yield int(fields[0]) / int(fields[1])


def instruction_set(info: Path = CPU_INFO) -> str:
    """The best of INSTRUCTIONS that this CPU has, or else the name of its architecture."""
    for line in _read(info).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            known = set(value.split())
            return next((each for each in INSTRUCTIONS if each in known), platform.machine())
    return platform.machine()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
