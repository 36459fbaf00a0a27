"""y += alpha * x in f32: bytes read and written a second, on 1 and all threads.

The kernel of the README. NumPy runs on one thread whatever is asked, and makes two passes, the first into an
array that is there already. Each Vulkan device once more
by itself, beside the same kernel in GLSL through raw calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np

from benches.harness import Case, Runner
from benches.raw_vulkan import RawSaxpy
from benches.selection import NUMPY, TORCH, TORCH_CUDA, VULKAN, Peer, Selection
from krnlpy import Buffer, Device, Item, ItemMut, config, f32, kernel

PEERS = (NUMPY, TORCH, TORCH_CUDA, VULKAN)
ELEMENTS = (1 << 20, 1 << 24)
ALPHA = 0.5

Array = np.ndarray[Any, Any]


@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


def cases(selection: Selection) -> Iterator[Case]:
    """Each size on one thread, where there are threads to speak of, and on all."""
    hosts = tuple(device for device in selection.devices if device.is_host)
    host_peers = tuple(peer for peer in selection.peers if peer.device == "host")
    others = tuple(peer for peer in selection.peers if peer is not VULKAN)
    for elements in ELEMENTS:
        yield _case(Selection(hosts, host_peers), elements, threads=1)
        yield _case(Selection(selection.devices, others), elements, threads=None)
        for one in selection.by_device():
            if VULKAN in one.peers:
                yield _case(one, elements, threads=None, device=one.label)


def _case(selection: Selection, elements: int, threads: int | None, **more: Any) -> Case:
    rng = np.random.default_rng(0)
    x, y = rng.random(elements, np.float32), rng.random(elements, np.float32)
    expected = y.astype(np.float64) + ALPHA * x.astype(np.float64)

    def judge(result: Array) -> None:
        # All terms are positive: a product and a sum, each rounded by 2**-24, or both at once.
        np.testing.assert_allclose(result, expected, rtol=2**-23, atol=0)

    def ours(device: Device) -> Runner:
        return KrnlpySaxpy(device, x, y, threads or config.host_threads)

    def theirs(peer: Peer) -> Runner:
        if peer is VULKAN:
            return RawSaxpy(selection.devices[0], x, y, ALPHA)
        return NumpySaxpy(x, y) if peer is NUMPY else TorchSaxpy(peer, x, y, threads)

    return Case(
        "saxpy",
        {"elements": elements, "threads": threads or "all", **more},
        selection.contenders("krnlpy", ours, theirs),
        judge,
        amount=3 * x.nbytes / 1e9,
        unit="GB",
        max_iterations=256,  # a submission, of raw calls, is not made any longer
    )


class KrnlpySaxpy(Runner):
    """The kernel on a device."""

    def __init__(self, device: Device, x: Array, y: Array, threads: int) -> None:
        self.device = device
        self.threads = threads
        self.x, self.y = Buffer.from_numpy(x.copy(), device), Buffer.from_numpy(y.copy(), device)

    def result(self) -> Array:
        self.run(1)
        result: Array = self.y.numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        with patch.object(config, "host_threads", self.threads):
            for _ in range(iterations):
                saxpy(ALPHA, self.x, self.y)

    def wait(self) -> None:
        self.device.wait()


class NumpySaxpy(Runner):
    """NumPy at its best: the product needs an array, but not a new one each time."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y, self.product = x.copy(), y.copy(), np.empty_like(x)

    def result(self) -> Array:
        self.run(1)
        return self.y.copy()

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            np.multiply(self.x, np.float32(ALPHA), out=self.product)
            np.add(self.y, self.product, out=self.y)


class TorchSaxpy(Runner):
    """PyTorch's fused operation."""

    def __init__(self, peer: Peer, x: Array, y: Array, threads: int | None) -> None:
        import torch

        self.torch = torch
        self.on_cuda = peer.device == "cuda"
        self.threads = threads or torch.get_num_threads()
        device = "cuda" if self.on_cuda else "cpu"
        self.x, self.y = torch.from_numpy(x.copy()).to(device), torch.from_numpy(y.copy()).to(device)

    def result(self) -> Array:
        self.run(1)
        result: Array = self.y.cpu().numpy().copy()
        return result

    def run(self, iterations: int) -> None:
        before = self.torch.get_num_threads()
        self.torch.set_num_threads(self.threads)
        try:
            for _ in range(iterations):
                self.y.add_(self.x, alpha=ALPHA)
        finally:
            self.torch.set_num_threads(before)

    def wait(self) -> None:
        if self.on_cuda:
            self.torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float]:
        return {} if self.on_cuda else {"threads": self.threads}
