"""Upload and download of existing memory, beside a plain memory copy between two arrays.

An upload is ``buffer.copy_from(array)``, a download ``buffer.numpy(out=array)``. Work on the device is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benches.harness import Case, Runner
from benches.selection import NUMPY, TORCH_CUDA, Peer, Selection
from krnlpy import Buffer, Device, u8

PEERS = (NUMPY, TORCH_CUDA)
SIZES = (4 << 10, 64 << 10, 1 << 20, 16 << 20, 128 << 20, 1 << 30)

Array = np.ndarray[Any, Any]


def cases(selection: Selection) -> Iterator[Case]:
    """Each size up and down."""
    for nbytes in SIZES:
        for direction in ("upload", "download"):
            yield _case(selection, direction, nbytes)


def _case(selection: Selection, direction: str, nbytes: int) -> Case:
    data = np.tile(np.random.default_rng(0).integers(0, 256, 4096, np.uint8), nbytes // 4096)

    def judge(result: Array) -> None:
        if not np.array_equal(result, data):
            raise AssertionError("other bytes arrived than were sent")

    def theirs(peer: Peer) -> Runner:
        return Copy(data) if peer is NUMPY else TorchTransfer(data, direction)

    return Case(
        direction,
        {"KiB": nbytes >> 10},
        selection.contenders("krnlpy", lambda device: Transfer(device, data, direction), theirs),
        judge,
        amount=nbytes / 1e9,
        unit="GB",
    )


class Transfer(Runner):
    """Between a buffer of a device and an array."""

    def __init__(self, device: Device, data: Array, direction: str) -> None:
        self.device = device
        self.is_upload = direction == "upload"
        self.data = data
        self.out = np.zeros_like(data)
        self.buffer = Buffer.zeros(data.shape, u8, device)
        if not self.is_upload:
            self.buffer.copy_from(data)
        device.wait()

    def result(self) -> Array:
        self.run(1)
        return self.buffer.numpy() if self.is_upload else self.out

    def run(self, iterations: int) -> None:
        buffer = self.buffer
        if self.is_upload:
            for _ in range(iterations):
                buffer.copy_from(self.data)
        else:
            for _ in range(iterations):
                buffer.numpy(self.out)

    def wait(self) -> None:
        self.device.wait()


class Copy(Runner):
    """From array to array."""

    def __init__(self, data: Array) -> None:
        self.data, self.out = data, np.zeros_like(data)

    def result(self) -> Array:
        self.run(1)
        return self.out

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            np.copyto(self.out, self.data)


class TorchTransfer(Runner):
    """PyTorch's, between CUDA and ordinary memory."""

    def __init__(self, data: Array, direction: str) -> None:
        import torch

        self.torch = torch
        self.is_upload = direction == "upload"
        self.data = torch.from_numpy(data)
        self.there = self.data.to("cuda")
        self.out = torch.zeros_like(self.data)

    def result(self) -> Array:
        self.run(1)
        result: Array = (self.there.cpu() if self.is_upload else self.out).numpy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            if self.is_upload:
                self.there.copy_(self.data)
            else:
                self.out.copy_(self.there)

    def wait(self) -> None:
        self.torch.cuda.synchronize()
