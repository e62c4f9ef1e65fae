"""How PyTorch's threads wait for each other: asleep, so that a machine that others use as well stays usable."""

from __future__ import annotations

import os


def wait_without_spinning() -> None:
    """Let OpenMP's threads sleep between pieces of work, unless the environment says otherwise.

    They spin by default. Where another process holds one of the cores, each of a step's hundreds of joins then waits
    for the scheduler: on two busy cores training fell from 446 to some 40 tokens a second. OpenMP reads this when it
    is loaded, so it has to be said before torch is imported; afterwards it changes nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
