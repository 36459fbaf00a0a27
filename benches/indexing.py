"""Elements gathered from and added to places drawn at random: elements a second.

A million numbers from and to as many places, and to a thousand, where each place gets a thousand of them; PyTorch runs
eagerly. Its sums on a GPU are those of atomics, in no fixed order; ours are in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograph import Tensor, scatter_add, take_along_axis
from benches.harness import Case, Runner
from benches.selection import TORCH, TORCH_CUDA, Peer, Selection
from krnlpy import Device

PEERS = (TORCH, TORCH_CUDA)
COUNT = 1_000_000
PLACES = (COUNT, 1000)

Array = np.ndarray[Any, Any]


def cases(selection: Selection) -> Iterator[Case]:
    """Both operations, for each number of places."""
    for operation in ("gather", "scatter_add"):
        for places in PLACES:
            yield _case(selection, operation, places)


def _case(selection: Selection, operation: str, places: int) -> Case:
    rng = np.random.default_rng(0)
    # Whole numbers, whose sums are exact in any order.
    x, source = (rng.integers(-9, 10, n).astype(np.float32) for n in (places, COUNT))
    index = rng.integers(0, places, COUNT)
    expected = x[index] if operation == "gather" else x + np.bincount(index, source, places).astype(np.float32)

    def judge(result: Array) -> None:
        np.testing.assert_array_equal(result, expected)

    return Case(
        operation,
        {"elements": f"{COUNT:,}", "places": f"{places:,}"},
        selection.contenders(
            "autograph",
            lambda device: AutographPlaces(device, operation, x, index, source),
            lambda peer: TorchPlaces(peer, operation, x, index, source),
        ),
        judge,
        amount=COUNT / 1e9,
        unit="Gelement",
    )


class AutographPlaces(Runner):
    """The operation on a device, by indices of 32 bits."""

    def __init__(self, device: Device, operation: str, x: Array, index: Array, source: Array) -> None:
        self.device, self.gathers = device, operation == "gather"
        self.x, self.index, self.source = (
            Tensor.from_numpy(array, device) for array in (x, index.astype(np.int32), source)
        )

    def _once(self) -> Tensor:
        if self.gathers:
            return take_along_axis(self.x, self.index, 0)
        return scatter_add(self.x, self.index, self.source, 0)

    def result(self) -> Array:
        return self._once().numpy()

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._once()

    def wait(self) -> None:
        self.device.wait()


class TorchPlaces(Runner):
    """The operation in PyTorch, whose indices have 64 bits."""

    def __init__(self, peer: Peer, operation: str, x: Array, index: Array, source: Array) -> None:
        import torch

        self.torch = torch
        self.on_cuda, self.gathers = peer.device == "cuda", operation == "gather"
        device = "cuda" if self.on_cuda else "cpu"
        self.x, self.index, self.source = (torch.from_numpy(array).to(device) for array in (x, index, source))

    def _once(self) -> Any:
        if self.gathers:
            return self.x.gather(0, self.index)
        return self.x.scatter_add(0, self.index, self.source)

    def result(self) -> Array:
        result: Array = self._once().cpu().numpy()
        return result

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._once()

    def wait(self) -> None:
        if self.on_cuda:
            self.torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float]:
        return {} if self.on_cuda else {"threads": self.torch.get_num_threads()}
