"""How PyTorch lives on a machine: its threads wait asleep, and its memory is not handed back at every step."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's <malloc.h>
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def wait_without_spinning() -> None:
    """Let OpenMP's threads sleep between pieces of work, unless the environment says otherwise.

    They spin by default. Where another process holds one of the cores, each of a step's hundreds of joins then waits
    for the scheduler: on two busy cores training fell from 446 to some 40 tokens a second. OpenMP reads this when it
    is loaded, so it has to be said before torch is imported; afterwards it changes nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_memory() -> None:
    """Let this process keep the memory it frees, for the next step to use.

    glibc hands a step's gradients and activations back to the system and asks for them again in the next: 4,500 page
    faults a step of MiniLM, a tenth of its time. Elsewhere than on glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # its limit; smaller pieces come from the heap
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_TOP_PAD, 64 << 20)
