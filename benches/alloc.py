"""Memory of 1 MiB made and dropped: nothing is written to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benches.harness import Case, Runner
from benches.selection import NUMPY, TORCH, TORCH_CUDA, Peer, Selection
from krnlpy import Buffer, Device, f32

PEERS = (NUMPY, TORCH, TORCH_CUDA)
ELEMENTS = 1 << 18


def cases(selection: Selection) -> Iterator[Case]:
    """The one case."""

    def judge(result: Any) -> None:
        if tuple(result.shape) != (ELEMENTS,):
            raise AssertionError(f"shape {result.shape}")

    contenders = selection.contenders("krnlpy", KrnlpyAlloc, lambda peer: PeerAlloc(peer))
    yield Case("alloc", {"KiB": ELEMENTS * 4 >> 10}, contenders, judge)


class KrnlpyAlloc(Runner):
    """``Buffer.empty``."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def result(self) -> Buffer:
        return Buffer.empty(ELEMENTS, f32, self.device)

    def run(self, iterations: int) -> None:
        device = self.device
        for _ in range(iterations):
            Buffer.empty(ELEMENTS, f32, device)

    def wait(self) -> None:
        self.device.wait()


class PeerAlloc(Runner):
    """``empty`` of NumPy or PyTorch."""

    def __init__(self, peer: Peer) -> None:
        self.empty: Callable[[], Any] = lambda: np.empty(ELEMENTS, np.float32)
        if peer is not NUMPY:
            import torch

            device = "cuda" if peer.device == "cuda" else "cpu"
            self.empty = lambda: torch.empty(ELEMENTS, device=device)

    def result(self) -> Any:
        return self.empty()

    def run(self, iterations: int) -> None:
        empty = self.empty
        for _ in range(iterations):
            empty()
