"""The validation layer finds nothing to complain of, and would if there were something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from krnlpy import vulkan

_RUN = """
import numpy as np
from tests.support.launching import BuiltKernel, lower
from krnlpy import vulkan
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import f32
from krnlpy.vulkan.queue.hazards import HazardTracker

def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    y += alpha * x

devices, reasons = vulkan.enumerate_devices()
if any("VK_LAYER" in reason for reason in reasons):
    print("no layer")
    raise SystemExit

def run(backend):
    kernel = BuiltKernel(backend, lower(saxpy), (64, 1, 1))
    x, y, z = (backend.allocate(4 * 1000) for _ in range(3))
    backend.fill(x, 0, 4000, np.float32(1).tobytes())
    backend.fill(y, 1, 3, b"\\1")
    backend.fill(y, 0, 4000, bytes(8))
    for i in range(100):
        kernel(1.0, (x, 0, 1000), (y, 0, 1000))
        backend.copy(y, 4, z, 0, 3996)
        backend.copy(z, 400, x, 400, 400)
        x = x if i % 7 else backend.allocate(4 * 1000)
        backend.upload(x, 0, np.ones(4000, np.uint8))
    out = np.empty(4000, np.uint8)
    for memory in (x, y, z):
        memory.block.mapped = None
        backend.download(memory, 0, out)
    debugged = BuiltKernel(backend, lower(saxpy, (32, 1, 1)), (32, 1, 1), debug=True)
    debugged(1.0, (x, 0, 1000), (y, 0, 1000))
    backend.wait()

for info in devices:
    backend = vulkan.open_device(info.index)
    run(backend)
    backend.close()
print("clean:", *vulkan.take_validation_messages())

HazardTracker.record = lambda self, accesses: False
for info in devices:
    backend = vulkan.open_device(info.index)
    run(backend)
    backend.close()
    print("hazards:", any("HAZARD" in message for message in vulkan.take_validation_messages()))
"""


@pytest.mark.skipif(not vulkan.enumerate_devices()[0], reason="no Vulkan device")
def test_validation(python: Callable[..., str]) -> None:
    """Nothing is wrong; and without barriers synchronization validation finds hazards, so it does look."""
    printed = python(_RUN, KRNLPY_VALIDATE="1").splitlines()
    if printed == ["no layer"]:
        pytest.skip("the validation layer is not installed")
    count = len(vulkan.enumerate_devices()[0])
    assert printed == ["clean:", *["hazards: True"] * count]
