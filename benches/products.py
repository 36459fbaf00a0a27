"""Products of matrices, and of stacks of them: floating-point operations a second, and the time of small ones.

A product of 64 x 64 is small enough to show what an operation costs beside its arithmetic. The stack is that of a small
transformer's attention: 12 heads of 8 sentences. PyTorch runs eagerly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograph import Tensor
from benches.harness import Case, Runner
from benches.selection import TORCH, TORCH_CUDA, Peer, Selection
from krnlpy import Device, ScalarType, bf16, f32, scalar_type

PEERS = (TORCH, TORCH_CUDA)
SHAPES = ((64, 64), (96, 64, 64), (1024, 1024))
DTYPES = tuple(map(scalar_type, (f32, bf16)))

Array = np.ndarray[Any, Any]


def cases(selection: Selection) -> Iterator[Case]:
    """Each shape in f32 and bf16."""
    for dtype in DTYPES:
        for shape in SHAPES:
            yield _case(selection, shape, dtype)


def _case(selection: Selection, shape: tuple[int, ...], dtype: ScalarType) -> Case:
    rng = np.random.default_rng(0)
    # Numbers that bf16 holds.
    x, y = (rng.random(shape, np.float32).astype(scalar_type(bf16).dtype).astype(np.float32) for _ in range(2))
    expected = x.astype(np.float64) @ y
    # All terms are positive: each product and each sum is rounded, and the result once more.
    roundings = 2 * shape[-1] * 2.0**-24 + (2.0**-8 if dtype is bf16 else 0.0)

    def judge(result: Array) -> None:
        np.testing.assert_allclose(result, expected, rtol=roundings, atol=0)

    return Case(
        "product",
        {"shape": " x ".join(map(str, shape)), "dtype": dtype.name},
        selection.contenders(
            "autograph",
            lambda device: AutographProduct(device, x, y, dtype),
            lambda peer: TorchProduct(peer, x, y, dtype.name),
        ),
        judge,
        amount=2 * x.size * shape[-1] / 1e9,
        unit="GFLOP",
    )


class AutographProduct(Runner):
    """``x @ y`` on a device."""

    def __init__(self, device: Device, x: Array, y: Array, dtype: ScalarType) -> None:
        self.device = device
        self.x, self.y = (Tensor.from_numpy(array.astype(dtype.dtype), device) for array in (x, y))

    def result(self) -> Array:
        return (self.x @ self.y).numpy().astype(np.float64)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.x @ self.y

    def wait(self) -> None:
        self.device.wait()


class TorchProduct(Runner):
    """``x @ y`` in PyTorch."""

    def __init__(self, peer: Peer, x: Array, y: Array, dtype: str) -> None:
        import torch

        self.torch = torch
        self.on_cuda = peer.device == "cuda"
        type, device = torch.float32 if dtype == "f32" else torch.bfloat16, "cuda" if self.on_cuda else "cpu"
        self.x, self.y = (torch.from_numpy(array).to(device, type) for array in (x, y))

    def result(self) -> Array:
        result: Array = (self.x @ self.y).double().cpu().numpy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.x @ self.y

    def wait(self) -> None:
        if self.on_cuda:
            self.torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float]:
        return {} if self.on_cuda else {"threads": self.torch.get_num_threads()}
