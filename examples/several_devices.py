"""One computation on all devices at once: each takes a part of the data, and the results come together on one.

Launches only queue work, so one thread keeps all devices busy; the first thing that waits is the copy of a result.
(The host's kernels are done when the call returns: it is given its part last.)

    python examples/several_devices.py [--elements N]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import krnlpy
from krnlpy import Buffer, Device, Item, ItemMut, f32, i32, kernel
from krnlpy.dsl import sqrt

STEPS = 32


@kernel
def roots(count: i32, x: Item[f32], y: ItemMut[f32]) -> None:
    value = x
    for _ in range(count):
        value = sqrt(value + 1.0)
    y = value


def split(count: int, weights: list[float]) -> list[slice]:
    """``count`` elements cut into parts in proportion to the weights."""
    ends = np.rint(np.cumsum(weights) / sum(weights) * count).astype(int).tolist()
    return [slice(first, end) for first, end in zip([0, *ends], ends, strict=False)]


def measure(devices: list[Device], x: np.ndarray) -> list[float]:
    """Elements a second of each device, from a small piece of the work."""
    rates = []
    for device in devices:
        source, result = Buffer.from_numpy(x, device, copy=True), Buffer.empty(x.shape, f32, device)
        roots(STEPS, source, result)  # builds the kernel
        device.wait()
        start = time.perf_counter()
        roots(STEPS, source, result)
        device.wait()
        rates.append(len(x) / (time.perf_counter() - start))
    return rates


def run(devices: list[Device], elements: int) -> tuple[np.ndarray, list[int]]:
    """The result, computed by all devices, and how many elements each had."""
    x = np.linspace(0, 100, elements, dtype=np.float32)
    shares = split(elements, measure(devices, x[: min(elements, 4096)]))
    sources = [Buffer.from_numpy(x[share], device) for share, device in zip(shares, devices, strict=True)]
    results = [Buffer.empty(source.shape, f32, source.device) for source in sources]
    for source, result in zip(sources, results, strict=True):
        roots(STEPS, source, result)
    # Together on the first device: straight into the parts of one buffer, wherever the others lie.
    whole = Buffer.empty(elements, f32, devices[0])
    for share, result in zip(shares, results, strict=True):
        whole[share].copy_from(result)
    return whole.numpy().copy(), [result.size for result in results]


def check(result: np.ndarray) -> None:
    """Compares with the limit that the iteration tends to, the golden ratio."""
    # Each step shrinks what is missing to less than a half; what is left is rounding, of half a unit in 24 bits a step.
    np.testing.assert_allclose(result, (1 + np.sqrt(5)) / 2, rtol=2**-22)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One computation on all devices at once.")
    parser.add_argument("--elements", type=int, default=1 << 20)
    count = parser.parse_args().elements
    everyone = [*map(Device, range(len(krnlpy.devices()))), Device.host()]
    found, sizes = run(everyone, count)
    check(found)
    for one, size in zip(everyone, sizes, strict=True):
        print(f"{size:9} elements on {one!r}")
