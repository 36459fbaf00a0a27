"""Time of the calling thread for 100 kernels: launched one by one, and replayed as a graph.

Each kernel has three buffers of 256 elements and two scalars, and needs what the one before it computed. Only the calls
are timed; waiting for the device comes after. The host backend runs kernels at once, so there the work is in the
figures. Ratios refer to the launches one by one, on the same device; "changed" is a replay before which a scalar of
every tenth kernel changes, as a learning rate does in a training step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benches.harness import Case, Contender, Runner
from benches.selection import Peer, Selection, device_label
from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

PEERS: tuple[Peer, ...] = ()
ELEMENTS = 256
KERNELS = 100
ALPHA, BETA = 0.5, 0.25
CHANGED = range(0, KERNELS, 10)

Array = np.ndarray[Any, Any]


@kernel
def combine(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = alpha * x + beta * y


def cases(selection: Selection) -> Iterator[Case]:
    """One for each device."""
    rng = np.random.default_rng(0)
    first = rng.random((2, ELEMENTS), np.float32)
    row = first.astype(np.float64)
    for _ in range(KERNELS):
        row = np.stack([row[1], ALPHA * row[0] + BETA * row[1]])

    def judge(result: Array) -> None:
        # Positive terms, each step rounded three times by 2**-24.
        np.testing.assert_allclose(result, row[1], rtol=3 * KERNELS * 2.0**-24, atol=0)

    for device in selection.devices:
        contenders = [
            Contender(name, device_label(device), _opener(runner, device, first), device.info.driver, peer=not place)
            for place, (name, runner) in enumerate([("launches", Launches), ("replay", Replay), ("changed", Changed)])
        ]
        # A few replays are ever under way, so that no queue is full while the clock runs.
        yield Case(f"{KERNELS} kernels", {"device": device_label(device)}, contenders, judge, max_iterations=4)


def _opener(runner: type[Launches], device: Device, first: Array) -> Any:
    return lambda: runner(device, first)


class Launches(Runner):
    """The kernels, launched one by one."""

    def __init__(self, device: Device, first: Array) -> None:
        self.device = device
        rows = np.concatenate([first, np.zeros((KERNELS, ELEMENTS), np.float32)])
        self.rows = [Buffer.from_numpy(row.copy(), device) for row in rows]

    def launch(self, alphas: list[Any]) -> None:
        """The kernels; kernel i has alphas[i]."""
        for alpha, x, y, z in zip(alphas, self.rows, self.rows[1:], self.rows[2:], strict=False):
            combine(alpha, BETA, x, y, z)

    def result(self) -> Array:
        self.run(1)
        result: Array = self.rows[-1].numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.launch([ALPHA] * KERNELS)

    def wait(self) -> None:
        self.device.wait()

    def sample(self, iterations: int) -> float:
        start = time.perf_counter()
        self.run(iterations)
        taken = time.perf_counter() - start
        self.wait()
        return taken


class Replay(Launches):
    """The kernels as a graph."""

    def __init__(self, device: Device, first: Array) -> None:
        super().__init__(device, first)
        with device.capture() as self.graph:
            alpha = self.graph.parameter("alpha", ALPHA)
            self.launch([alpha if i in CHANGED else ALPHA for i in range(KERNELS)])

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.graph.replay()


class Changed(Replay):
    """The graph with another number each time."""

    def __init__(self, device: Device, first: Array) -> None:
        super().__init__(device, first)
        self.count = 0

    def result(self) -> Array:
        self.graph.replay(alpha=1.0)
        self.graph.replay(alpha=ALPHA)
        result: Array = self.rows[-1].numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.count += 1
            self.graph.replay(alpha=ALPHA + 1e-6 * (self.count % 1000))
