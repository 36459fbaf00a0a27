"""Bytes filled a second: on the host beside NumPy, on each Vulkan device beside ``vkCmdFillBuffer`` by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benches.harness import Case, Runner
from benches.raw_vulkan import RawFill
from benches.selection import NUMPY, VULKAN, Selection
from krnlpy import Buffer, Device, u32

PEERS = (NUMPY, VULKAN)
SIZES = (4 << 20, 64 << 20)
WORD = 0x01020304

Array = np.ndarray[Any, Any]


def cases(selection: Selection) -> Iterator[Case]:
    """Each size on each device, by itself with its peer."""
    for nbytes in SIZES:
        for one in selection.by_device():
            yield _case(one, nbytes)


def _case(selection: Selection, nbytes: int) -> Case:
    def judge(result: Array) -> None:
        if not (result == WORD).all():
            raise AssertionError("not filled")

    device = selection.devices[0]
    contenders = selection.contenders(
        "krnlpy",
        lambda device: KrnlpyFill(device, nbytes),
        lambda peer: NumpyFill(nbytes) if peer is NUMPY else RawFill(device, nbytes, WORD),
    )
    configuration = {"MiB": nbytes >> 20, "device": selection.label}
    return Case("fill", configuration, contenders, judge, amount=nbytes / 1e9, unit="GB", max_iterations=256)


class KrnlpyFill(Runner):
    """``Buffer.fill``."""

    def __init__(self, device: Device, nbytes: int) -> None:
        self.device = device
        self.buffer = Buffer.zeros(nbytes // 4, u32, device)

    def result(self) -> Array:
        self.run(1)
        return self.buffer.numpy()

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.buffer.fill(WORD)

    def wait(self) -> None:
        self.device.wait()


class NumpyFill(Runner):
    """``ndarray.fill``."""

    def __init__(self, nbytes: int) -> None:
        self.array = np.zeros(nbytes // 4, np.uint32)

    def result(self) -> Array:
        self.run(1)
        return self.array

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.array.fill(WORD)
