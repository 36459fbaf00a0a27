"""Does something many times, and measures what the process holds after each part of it.

The first part is to warm up; after that nothing may grow in proportion to what is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import krnlpy
from krnlpy import Buffer, Device, f32, u8, u32, vulkan
from tests.faults.layer import Layer, close, injected
from tests.support.kernels import saxpy

from .operations import new_kernel
from .resources import open_files, resident_bytes, settle

_PARTS = 5
_MOST_POOLS = 18  # see commands.py


@dataclass
class Leak:
    """What was measured after each part.

    Attributes:
        resident: bytes of memory. ``handles``: living objects of Vulkan. ``files``: open ones.
        pools: the most command pools, which are as many as batches were queued at once.
    """

    name: str
    count: int
    resident: list[int]
    handles: list[int]
    files: list[int]
    pools: int = 0

    @property
    def growth(self) -> float:
        """Bytes of memory that each repetition left behind, after the first part."""
        return (self.resident[-1] - self.resident[0]) / (self.count * (_PARTS - 1) / _PARTS)

    @property
    def is_flat(self) -> bool:
        """Whether objects and files are as many as after the first part."""
        return self.handles[-1] <= self.handles[0] and self.files[-1] <= self.files[0] and self.pools <= _MOST_POOLS


def measure(selector: int | str, name: str, count: int) -> Leak:
    """Does one of TASKS ``count`` times."""
    layer = Layer(records_sites=False)
    leak = Leak(name, count, [], [], [])
    with injected(layer):
        do = TASKS[name](selector)
        for part in range(_PARTS):
            for number in range(part * count // _PARTS, (part + 1) * count // _PARTS):
                do(number)
            for device in list(krnlpy.device._backends.values()):
                device.wait()
                device.wait()  # the second takes back what the first found done
            settle()
            for device in list(krnlpy.device._backends.values()):
                device.wait()  # destroys the pipelines of kernels that the garbage collector found
            leak.resident.append(resident_bytes())
            counts = layer.counts()
            leak.pools = max(leak.pools, counts.pop("VkCommandPool", 0))
            leak.handles.append(sum(counts.values()))
            leak.files.append(open_files())
        saxpy.definition.forget()
        close()
    assert not layer.alive, layer.counts()
    assert not layer.strangers
    return leak


def _dispatches(selector: int) -> Callable[[int], None]:
    device = Device(selector)
    x, y = Buffer.ones(100, f32, device), Buffer.zeros(100, f32, device)
    return lambda _: saxpy(1.0, x, y)


def _allocations(selector: int) -> Callable[[int], None]:
    device = Device(selector)
    kept: list[Buffer] = []

    def allocate(number: int) -> None:
        buffer = Buffer.empty(1 + number * 7919 % 100_000, u8, device)
        buffer.fill(number % 256)
        kept.append(buffer)
        if len(kept) > 50:
            kept.pop(number % 50)
        if number % 100 == 0:
            assert (buffer.numpy() == number % 256).all()

    return allocate


def _devices(selector: int) -> Callable[[int], None]:
    data = np.arange(1000, dtype=np.uint8)

    def open_and_close(_: int) -> None:
        backend = vulkan.open_device(selector)
        memory = backend.allocate(1000)
        backend.upload(memory, 0, data)
        backend.fill(memory, 0, 500, b"\1")
        out = np.empty(1000, np.uint8)
        backend.download(memory, 0, out)
        assert out[:500].sum() == 500
        backend.close()

    return open_and_close


def _pipelines(selector: int | str) -> Callable[[int], None]:
    device = Device(selector)
    x = Buffer.ones(100, u32, device)
    return lambda number: new_kernel(number % 65536)(x)


TASKS: dict[str, Callable[[Any], Callable[[int], None]]] = {
    "dispatches": _dispatches,
    "allocations": _allocations,
    "devices": _devices,
    "pipelines": _pipelines,
}
COUNTS = {"dispatches": 100_000, "allocations": 10_000, "devices": 1000, "pipelines": 1000}
