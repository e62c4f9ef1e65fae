"""One process or several: what this one takes of a step, what all of them add up to, and who writes.

`torchrun` and `accelerate launch` start one process a GPU (or several on CPUs); each runs the whole program, knows the
whole plan, and takes its part of every batch. So the blend, the batches and the steps are those of one process, and
the result is the same up to rounding and dropout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from torch import nn

from students.batches import Weighted

T = TypeVar("T")


class Processes:
    """This process among those that train the same student."""

    def __init__(self, device: str) -> None:
        """Meet the others; `device` is cpu or cuda, and each process gets a GPU of its own."""
        # Autocast stays in the loop's own hands, whatever the launcher was told: --precision decides.
        self._alone_with_it = not is_initialized()
        settings = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
        self._accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=[settings])
        self.device = self._accelerator.device
        self.rank, self.count = self._accelerator.process_index, self._accelerator.num_processes
        self.first = self.rank == 0
        """Whether this process writes and speaks for all."""

    def prepare(self, model: nn.Module) -> Any:
        """The model whose gradients are the mean over all processes (DDP); the model itself where there is one."""
        return self._accelerator.prepare(model)

    def share(self, windows: Sequence[Weighted]) -> Sequence[Weighted]:
        """This process's part of a batch: every so-manieth window, so that lengths are spread evenly.

        Never nothing, since all processes have to step together: a window of weight 0 teaches nothing.
        """
        return windows[self.rank :: self.count] or [Weighted(windows[0].example, 0.0)]

    @contextmanager
    def apart(self, model: nn.Module, apart: bool) -> Iterator[None]:
        """Keep gradients to this process while they are only accumulated, where `apart`."""
        if apart and self.count > 1:
            with self._accelerator.no_sync(model):
                yield
        else:
            yield

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        return values if self.count == 1 else self._accelerator.reduce(values, "sum")

    def gathered(self, value: T) -> list[T]:
        """Every process's value, in their order."""
        return list(gather_object([value]))

    def wait(self) -> None:
        """Go on when all are here, so that what the first one wrote is there."""
        self._accelerator.wait_for_everyone()

    def part(self) -> None:
        """Let go of the others, and of what accelerate remembers; not where the program used it before us."""
        if self._alone_with_it:
            self._accelerator.end_training()
            AcceleratorState._reset_state(reset_partial_state=True)


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The processes of one training."""
    met = Processes(device)
    try:
        yield met
    finally:
        met.part()
