"""Time of the calling thread for a launch of a built kernel with three buffers and two scalars.

Only the call is timed; waiting for the device comes after. The buffers have 256 elements, one group: the host backend
runs kernels at once, so there the work, a few dozen nanoseconds, is in the figure. ``again`` launches with the same
arguments every time, ``in turn`` two kernels that have no argument in common, so that everything is bound anew.
PyTorch's operation has one scalar.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from benches.harness import Case, Runner
from benches.launch_work import ALPHA, BETA, ELEMENTS, Array, inputs
from benches.peer_process import ProcessRunner
from benches.selection import NUMBA_VULKAN, TAICHI, TAICHI_VULKAN, TORCH, TORCH_CUDA, Peer, Selection
from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

PEERS = (TAICHI_VULKAN, NUMBA_VULKAN, TAICHI, TORCH, TORCH_CUDA)


@kernel
def combine(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = alpha * x + beta * y


@kernel
def combine_doubled(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = 2.0 * (alpha * x + beta * y)


def cases(selection: Selection) -> Iterator[Case]:
    """The same launch again, beside the peers; and two that have nothing in common, in turn."""
    x, y = inputs()
    expected = ALPHA * x.astype(np.float64) + BETA * y.astype(np.float64)

    def judge(result: Array) -> None:
        # Three positive terms at most, each rounded by 2**-24.
        np.testing.assert_allclose(result, expected, rtol=2**-22, atol=0)

    def open_peer(peer: Peer) -> Runner:
        if peer.package == "taichi":
            arch = "cpu" if peer.device == "host" else peer.device
            return ProcessRunner("benches.launch_taichi", arch, counts_wait=False)
        if peer.package == "numba_vulkan":
            return ProcessRunner("benches.launch_numba_vulkan", counts_wait=False)
        return TorchLaunch(peer, x, y)

    for kind in (KrnlpyLaunch, KrnlpyLaunchInTurn):
        peers = selection if kind is KrnlpyLaunch else replace(selection, peers=())
        contenders = peers.contenders("krnlpy", partial(kind, x, y), open_peer)
        # No more than a few hundred launches are ever under way, so that no queue is full while the clock runs.
        configuration = {"buffers": 3, "scalars": 2, "arguments": kind.arguments}
        yield Case("launch", configuration, contenders, judge, max_iterations=256)


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

    arguments = "the same"

    def __init__(self, x: Array, y: Array, device: Device) -> None:
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


class KrnlpyLaunchInTurn(KrnlpyLaunch):
    """Two kernels, with other buffers and numbers each."""

    arguments = "in turn"

    def __init__(self, x: Array, y: Array, device: Device) -> None:
        super().__init__(x, y, device)
        self.others = [Buffer.zeros(ELEMENTS, f32, device) for _ in range(3)]

    def run(self, iterations: int) -> None:
        for i in range(iterations):
            if i % 2:
                combine_doubled(BETA, ALPHA, *self.others)
            else:
                combine(ALPHA, BETA, self.x, self.y, self.z)


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
