"""What the machine offers to PyTorch: device, bf16, threads, processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from distill.cores import cores
from distill.errors import CallError


@dataclass(frozen=True)
class Hardware:
    """Where a training runs and how: all of it shapes the last bits of the result."""

    device: str
    precision: str
    threads: int
    processes: int = 1

    @property
    def bf16(self) -> bool:
        return self.precision == "bf16"

    def as_options(self) -> dict[str, str | int]:
        """As a call would say it; one process goes without saying, and several are the launcher's option."""
        options: dict[str, str | int] = {
            "--device": self.device, "--precision": self.precision, "--threads": self.threads
        }  # fmt: skip
        return options | ({"the number of processes": self.processes} if self.processes > 1 else {})


def found_hardware(precision: str, threads: int | None, device: str = "auto") -> Hardware:
    """What the options come to on this machine.

    For "auto" the GPU where there is one, and bf16 where it is done in hardware, fp32 otherwise. Raises CallError for
    what the machine does not have.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise CallError("--device cuda: PyTorch finds no GPU on this machine; use --device cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    able = _bf16(device)
    if precision == "bf16" and not able:
        raise CallError("--precision bf16: this machine has no bf16 instructions, it would only be slow; use auto")
    chosen = "bf16" if precision == "bf16" or (precision == "auto" and able) else "fp32"
    # PyTorch knows the machine's cores, not the share of them that a container has.
    count = threads or min(torch.get_num_threads(), cores())
    return Hardware(device, chosen, count, int(os.environ.get("WORLD_SIZE", "1")))  # as torchrun and accelerate say it


def _bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in flags and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch with so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
