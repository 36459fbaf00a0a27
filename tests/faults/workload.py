"""Uses all of the runtime once, and checks what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np

import krnlpy
from krnlpy import Buffer, Device, Feature, ItemMut, config, f32, kernel, u32, u64
from tests.support.kernels import saxpy

_COUNT = 1000
_LARGE = (4 << 20) + 4096  # more than what travels in one piece


@kernel
def many(
    a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32, a6: u32, a7: u32, a8: u32, a9: u32,
    b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32, b6: u32, b7: u32, b8: u32, b9: u32,
    c0: u32, c1: u32, c2: u32, c3: u32, c4: u32, c5: u32, c6: u32, c7: u32, c8: u32, c9: u32,
    d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32, d6: u32, d7: u32, d8: u32, d9: u32,
    e0: u32, e1: u32, e2: u32, e3: u32, e4: u32, e5: u32, e6: u32, e7: u32, e8: u32, e9: u32,
    f0: u32, f1: u32, f2: u32, f3: u32, f4: u32, f5: u32, f6: u32, f7: u32, f8: u32, f9: u32,
    g0: u32, g1: u32, g2: u32, g3: u32, g4: u32, g5: u32, g6: u32, g7: u32, g8: u32, g9: u32,
    y: ItemMut[u32],
) -> None:  # fmt: skip
    y += a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8 + b9
    y += c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + d9
    y += e0 + e1 + e2 + e3 + e4 + e5 + e6 + e7 + e8 + e9 + f0 + f1 + f2 + f3 + f4 + f5 + f6 + f7 + f8 + f9
    y += g0 + g1 + g2 + g3 + g4 + g5 + g6 + g7 + g8 + g9


_KERNELS = (saxpy, many)


class Workload:
    """What a program does with a device.

    Attributes:
        device: once it is open.
        witness: a buffer that was filled before anything else happened, and what is in it.
        inputs: arrays of the host, which nothing may change.
    """

    def __init__(self, selector: int) -> None:
        self.selector = selector
        self.device: Device | None = None
        self.witness: Buffer | None = None
        self.inputs: list[np.ndarray[Any, Any]] = [
            np.arange(_COUNT, dtype=np.float32),
            np.arange(_LARGE, dtype=np.uint8),
        ]
        self._before = [array.copy() for array in self.inputs]

    def open(self) -> None:
        """Opens the device, and fills the witness."""
        self.device = Device(self.selector)
        self.witness = None
        self.witness = Buffer.from_numpy(self.inputs[0], self.device)

    def run(self) -> None:
        """Opens the device and uses it. Raises AssertionError if a result is wrong."""
        self.open()
        assert krnlpy.devices()
        self.use()

    def use(self) -> None:
        """Allocates, uploads, builds, launches, copies, fills, replays, downloads and waits, on the open device."""
        device, (small, large) = self.device, self.inputs
        assert device is not None
        x, y = Buffer.from_numpy(small, device), Buffer.ones(_COUNT, f32, device)
        saxpy(2.0, x, y)
        counts = Buffer.zeros(_COUNT, u32, device)
        for _ in range(2):
            many(*range(70), counts)
        copied = y.copy()
        saxpy(1.0, copied, y)
        wide = Buffer.full(_COUNT, 0x0123456789ABCDEF, u64, device)  # is copied from the staging ring
        reversed_rows = y.reshape((40, 25)).transpose().copy()  # is copied by a kernel
        travelled = Buffer.from_numpy(large, device)  # has a block of its own
        for _ in range(70):  # more than a batch
            saxpy(0.0, x, y)
        total, sums = Buffer.empty(_COUNT, f32, device), Buffer.empty(_COUNT, u32, device)
        with device.capture() as graph:
            total.fill(0.0)
            sums.fill(0)
            saxpy(graph.parameter("rate", 1.0), x, total)
            many(*range(70), sums)
        graph.replay()
        graph.replay(rate=3.0)
        debug, config.debug = config.debug, True
        try:
            saxpy(1.0, x, copied)  # reports, and is waited for
        finally:
            config.debug = debug
        if Feature.SHARED_HOST_MEMORY in device.info.features:
            shared = np.ones(_COUNT, np.float32)
            saxpy(1.0, x, Buffer.from_numpy(shared, device, copy=False))
            device.wait()
            assert (shared == small + 1).all()
        assert (y.numpy() == 2 * (2 * small + 1)).all()
        assert (reversed_rows.numpy() == (2 * (2 * small + 1)).reshape((40, 25)).T).all()
        assert (copied.numpy() == 3 * small + 1).all()
        assert (counts.numpy() == 2 * sum(range(70))).all()
        assert (total.numpy() == 3 * small).all()
        assert (sums.numpy() == sum(range(70))).all()
        assert (wide.numpy() == 0x0123456789ABCDEF).all()
        assert (travelled.numpy() == large).all()
        with device.profile() as p:
            saxpy(1.0, x, y)
        assert [record.name for record in p.records] == ["saxpy"]
        device.wait()

    def check_unharmed(self) -> None:
        """What has nothing to do with a failed call is as it was: the host's arrays, and the witness."""
        assert all((a == b).all() for a, b in zip(self.inputs, self._before, strict=True))
        if self.witness is not None and self.device is not None and not self.device.backend.lost:
            assert (self.witness.numpy() == self.inputs[0]).all()


def forget_kernels() -> None:
    """Lets go of all that kernels were built to, as new kernels would know nothing."""
    from krnlpy.buffers import copy_kernels

    own: list[Any] = [k for k in vars(copy_kernels).values() if isinstance(k, krnlpy.Kernel)]
    for known in (*_KERNELS, *own):
        known.definition.forget()
