"""Memory that training steps take: LeNet5 at batch 100, a transformer of 6 blocks, each in a process of its own.

What is told of a contender is how much more of its process is resident at most while it takes its first eight steps
than before them, when the model and the batch were there and all libraries had been used by steps of a batch of 2; the
same of later steps; and what autograph says of its buffers. Linux tells. A captured function runs as it is at its first
call, so its first steps take what eager ones take. Both train from the same weights with Adam, in f32.

Verified: the losses are those of the first contender.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benches.harness import Case, Unavailable
from benches.memory_autograph import MODELS
from benches.memory_work import HIGH_WATER
from benches.peer_process import ProcessRunner
from benches.selection import TORCH, Selection
from krnlpy import Device

PEERS = (TORCH,)
FIGURES = ("MiB more at most", "MiB more in later steps", "MiB of buffers at most", "MiB of buffers later")
TOLERANCE = 2e-3
"""Of a loss, which is about 3 and rounded by 2**-24 in sums of up to 57,600 terms, and which Adam's first steps, of one
length whatever the gradient, change by tenths: signs of gradients near 0 may differ."""


def cases(selection: Selection) -> Iterator[Case]:
    """One for each model, on the host."""
    hosts = Selection(tuple(d for d in selection.devices if d.is_host), selection.peers)
    for name, model in MODELS.items():
        folder = mkdtemp(prefix="bench-memory-")
        path = Path(folder) / "work.npz"
        weights = {key: p.numpy() for key, p in model.make(Device.host()).named_parameters()}
        np.savez(path, **{f"weight:{key}": w for key, w in weights.items()}, **model.batch())  # type: ignore[arg-type]

        def ours(device: Device, way: str, name: str = name, path: Path = path) -> MemoryRunner:
            return MemoryRunner("benches.memory_autograph", name, str(path), way)

        def theirs(peer: Any, name: str = name, path: Path = path) -> MemoryRunner:
            return MemoryRunner("benches.memory_torch", name, str(path), peer.way)

        contenders = hosts.in_ways("torch", ("eager", "compile")).contenders(
            "autograph", {way: partial(ours, way=way) for way in ("eager", "captured")}, theirs
        )
        case = Case("memory of training", {"model": name, **model.about}, contenders, _judge_of_equals())
        weakref.finalize(case, rmtree, folder, ignore_errors=True)
        yield case


def _judge_of_equals() -> Callable[[Any], None]:
    first: list[Any] = []

    def judge(losses: Any) -> None:
        first.append(losses)
        np.testing.assert_allclose(losses, first[0], atol=TOLERANCE, rtol=0)

    return judge


class MemoryRunner(ProcessRunner):
    """A process that trains."""

    def __init__(self, module: str, *arguments: str) -> None:
        if not HIGH_WATER.exists():
            raise Unavailable("only Linux tells how much memory was resident at most")
        super().__init__(module, *arguments, counts_wait=True)
        self._facts: dict[str, float] = {}

    def result(self) -> Any:
        found = super().result()
        figures = zip(FIGURES, found[-len(FIGURES) :], strict=True)
        self._facts = {name: float(f"{value:.3g}") for name, value in figures if value >= 0}
        return found[: -len(FIGURES)]

    def facts(self) -> Mapping[str, float]:
        return self._facts
