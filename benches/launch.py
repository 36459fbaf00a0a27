"""Time of the calling thread for a launch of a built kernel with three buffers and two scalars.

Only the call is timed; waiting for the device comes after. The buffers have 256 elements, one group: the host backend
runs kernels at once, so there the work, a few dozen nanoseconds, is in the figure. PyTorch's operation has one scalar.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benches.harness import Case, Runner
from benches.selection import TORCH, TORCH_CUDA, Peer, Selection
from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

PEERS = (TORCH, TORCH_CUDA)
ELEMENTS = 256
ALPHA, BETA = 0.5, 1.0

Array = np.ndarray[Any, Any]


@kernel
def combine(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = alpha * x + beta * y


def cases(selection: Selection) -> Iterator[Case]:
    """The one case."""
    rng = np.random.default_rng(0)
    x, y = rng.random(ELEMENTS, np.float32), rng.random(ELEMENTS, np.float32)
    expected = ALPHA * x.astype(np.float64) + BETA * y.astype(np.float64)

    def judge(result: Array) -> None:
        # Three positive terms at most, each rounded by 2**-24.
        np.testing.assert_allclose(result, expected, rtol=2**-22, atol=0)

    contenders = selection.contenders(
        "krnlpy", lambda device: KrnlpyLaunch(device, x, y), lambda peer: TorchLaunch(peer, x, y)
    )
    # No more than a few hundred launches are ever under way, so that no queue is full while the clock runs.
    yield Case("launch", {"buffers": 3, "scalars": 2}, contenders, judge, max_iterations=256)


class _Launch(Runner):
    """Work of which only the calls are timed."""

    def sample(self, iterations: int) -> float:
        start = time.perf_counter()
        self.run(iterations)
        taken = time.perf_counter() - start
        self.wait()
        return taken


class KrnlpyLaunch(_Launch):
    """A kernel of our own."""

    def __init__(self, device: Device, x: Array, y: Array) -> None:
        self.device = device
        self.x, self.y = Buffer.from_numpy(x.copy(), device), Buffer.from_numpy(y.copy(), device)
        self.z = Buffer.zeros(ELEMENTS, f32, device)

    def result(self) -> Array:
        self.run(1)
        result: Array = self.z.numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            combine(ALPHA, BETA, self.x, self.y, self.z)

    def wait(self) -> None:
        self.device.wait()


class TorchLaunch(_Launch):
    """An operation of PyTorch with an output that is given."""

    def __init__(self, peer: Peer, x: Array, y: Array) -> None:
        import torch

        self.torch = torch
        self.on_cuda = peer.device == "cuda"
        device = "cuda" if self.on_cuda else "cpu"
        self.x, self.y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
        self.z = torch.zeros_like(self.x)

    def result(self) -> Array:
        self.run(1)
        result: Array = self.z.cpu().numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.torch.add(self.y, self.x, alpha=ALPHA, out=self.z)

    def wait(self) -> None:
        if self.on_cuda:
            self.torch.cuda.synchronize()
