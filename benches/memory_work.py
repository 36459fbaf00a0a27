"""What a process of the benchmark ``memory`` does, whatever software does it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HIGH_WATER = Path("/proc/self/clear_refs")
"""Where Linux is told to forget how much was resident at most."""
STEPS = 8
MIB = 1 << 20

Step = Callable[[], float]
Open = Callable[[dict[str, Any], dict[str, Any], str], Step]
"""Makes a step of training of weights, a batch, and a way; the step returns the loss."""


def resident(what: str) -> int:
    """Bytes of the process that are resident now (``VmRSS``), or were at most (``VmHWM``)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) << 10


class Training:
    """Steps of training, and the memory that the first of them took.

    Args:
        path: a file of weights and a batch.
        open: makes a step.
        way: one of the ways.
        buffers: says how many bytes buffers take now, and took at most; where that is known.
        settle: gives back what is kept of memory that was freed; for software that keeps any.
    """

    def __init__(
        self,
        path: str,
        open: Open,
        way: str,
        buffers: Callable[[], tuple[int, int]] | None = None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        weights = {name[7:]: array for name, array in arrays.items() if name.startswith("weight:")}
        batch = {name: array for name, array in arrays.items() if not name.startswith("weight:")}
        small = open(weights, {name: array[:2] for name, array in batch.items()}, way)
        for _ in range(3):
            small()
        del small
        gc.collect()
        settle()
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed, and would use it
        if give_back is not None:
            give_back(0)
        self.step = open(weights, batch, way)
        self._buffers = buffers

    def result(self) -> Any:
        """Losses of the first steps, then MiB: see :mod:`benches.memory`. -1 is what is not known."""
        before, taken = resident("VmRSS"), (0, 0) if self._buffers is None else self._buffers()
        HIGH_WATER.write_text("5")
        losses = [self.step() for _ in range(STEPS)]
        most = resident("VmHWM") - before
        HIGH_WATER.write_text("5")
        losses += [self.step() for _ in range(STEPS)]
        later = resident("VmHWM") - before
        now = None if self._buffers is None else self._buffers()
        buffers = [-1.0, -1.0] if now is None else [(now[1] - taken[0]) / MIB, (now[0] - taken[0]) / MIB]
        return np.array([*losses, most / MIB, later / MIB, *buffers])

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.step()

    def wait(self) -> None:
        """Each step has read its loss."""
