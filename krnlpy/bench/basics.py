"""What a device can do at most, and what asking it costs: copies, sums, multiply-adds, launches, replays."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.dsl import barrier, fma, group_array, group_id, thread_id
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.kernels.kernel import kernel
from krnlpy.scalar import ScalarType, scalar_type

from .benchmark import Benchmark, Case, Peak, Work
from .matrices import MATRIX

if TYPE_CHECKING:
    from krnlpy.dsl.types.checked import f16, f32, f64, i32
else:
    from krnlpy.scalar import f16, f32, f64, i32

T = TypeVar("T", f16, f32, f64)

Array = np.ndarray[Any, Any]

BYTES: Final = (4 << 20, 64 << 20, 256 << 20)
"""Of a buffer: one that fits caches, one that does not, and one at which what a launch costs is forgotten."""
_PERIOD: Final = 1 << 20
"""Elements after which what a buffer holds begins anew."""
_THREADS: Final = 256
_BLOCK: Final = 1 << 20
"""Bytes: slices begin at multiples of them."""
_ALPHA: Final = 0.5

CHAIN_ITEMS: Final = (1 << 17, 1 << 20, 1 << 23)
_CHAINS: Final = 8
"""Numbers of a thread that do not wait for each other."""
_STEPS: Final = 32
"""Of a chain: of more, LLVM leaves a loop, and then does one item after the other. An element that is read and written
is worth 512 operations: more than any memory is slow."""

KERNELS: Final = 100
ELEMENTS: Final = 256


@kernel
def move(x: Item[f32], y: ItemMut[f32]) -> None:
    y = x


@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


@kernel(threads=_THREADS)
def sum_chunks(x: Global[f32], sums: GlobalMut[f32], chunk: i32) -> None:
    part = group_array(f32, _THREADS)
    i = thread_id()
    start = group_id() * chunk
    total = f32(0)
    for place in range(start + i, min(start + chunk, len(x)), _THREADS):
        total += x[place]
    part[i] = total
    barrier()
    step = _THREADS // 2
    while step > 0:
        if i < step:
            part[i] += part[i + step]
        barrier()
        step //= 2
    if i == 0:
        sums[group_id()] = part[0]


@kernel
def multiply_add(a: T, b: T, x: ItemMut[T]) -> None:
    p, q, r, s = x, x + T(0.125), x + T(0.25), x + T(0.375)  # type: ignore[misc]
    t, u, v, w = x + T(0.5), x + T(0.625), x + T(0.75), x + T(0.875)  # type: ignore[misc]
    for _ in range(_STEPS):
        p, q, r, s = fma(p, a, b), fma(q, a, b), fma(r, a, b), fma(s, a, b)
        t, u, v, w = fma(t, a, b), fma(u, a, b), fma(v, a, b), fma(w, a, b)
    x = ((p + q) + (r + s)) + ((t + u) + (v + w))


@kernel
def combine(alpha: f32, beta: f32, x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = alpha * x + beta * y


def _pattern(seed: int) -> Array:
    """Small whole numbers: their sums, and halves of them, are exact in f32."""
    return np.random.default_rng(seed).integers(-8, 8, _PERIOD, endpoint=True).astype(np.float32)


def _filled(pattern: Array, nbytes: int, device: Device) -> Buffer:
    return Buffer.from_numpy(np.resize(pattern, nbytes // pattern.itemsize), device)


def _assert_repeats(found: Array, pattern: Array) -> None:
    wrong = np.argwhere(found.reshape(-1, _PERIOD) != pattern)
    if len(wrong):
        row, place = wrong[0]
        value = found[row * _PERIOD + place]
        raise AssertionError(
            f"{len(wrong)} of {found.size} elements are wrong: element {row * _PERIOD + place} is {value}, not"
            f" {pattern[place]}"
        )


class _Copy(Work):
    """Buffers that are copied, by what the driver has for it."""

    def __init__(self, nbytes: int, device: Device) -> None:
        super().__init__(device)
        self.pattern = _pattern(0)
        self.x = _filled(self.pattern, nbytes, device)
        self.y = Buffer.zeros(self.x.shape, f32, device)

    def verify(self) -> None:
        self.run(1)
        _assert_repeats(self.y.numpy(), self.pattern)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.y.copy_from(self.x)


class _KernelCopy(_Copy):
    """By a kernel: on the host by all threads, and where it is faster than what the driver has."""

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            move(self.x, self.y)


class _Saxpy(Work):
    def __init__(self, nbytes: int, device: Device) -> None:
        super().__init__(device)
        self.patterns = _pattern(0), _pattern(1)
        self.x, self.y = (_filled(pattern, nbytes, device) for pattern in self.patterns)

    def verify(self) -> None:
        self.run(1)
        x, y = self.patterns
        _assert_repeats(self.y.numpy(), y + np.float32(_ALPHA) * x)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            saxpy(_ALPHA, self.x, self.y)


class _Sum(Work):
    def __init__(self, nbytes: int, device: Device) -> None:
        super().__init__(device)
        self.pattern = _pattern(0)
        self.x = _filled(self.pattern, nbytes, device)
        # A kernel does not reach all of a buffer that is larger than the device binds.
        reached = min(nbytes, device.info.max_binding_bytes // _BLOCK * _BLOCK) // 4
        self.slices = [self.x[first : first + reached] for first in range(0, self.x.size, reached)]
        # A CPU runs a group's threads in turn: they share a chunk that fits its cache.
        self.chunk = 64 * _THREADS
        self.counts = [-(-part.size // self.chunk) for part in self.slices]
        self.parts = Buffer.zeros(sum(self.counts), f32, device)
        starts = np.cumsum([0, *self.counts])
        self.parts_of = [self.parts[int(a) : int(b)] for a, b in pairwise(starts)]
        self.total = Buffer.zeros(1, f32, device)

    def verify(self) -> None:
        self.run(1)
        expected = float(self.pattern.sum(dtype=np.float64)) * (self.x.size // _PERIOD)
        found = float(self.total.numpy()[0])
        # All partial sums are whole numbers below 2**24, so that no order of additions rounds.
        assert found == expected, f"the sum is {found}, not {expected}"

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for x, parts, count in zip(self.slices, self.parts_of, self.counts, strict=True):
                sum_chunks.with_groups(count)(x, parts, self.chunk)
            sum_chunks.with_groups(1)(self.parts, self.total, self.parts.size)


class _Chains(Work):
    def __init__(self, dtype: ScalarType, items: int, device: Device) -> None:
        super().__init__(device)
        self.dtype = dtype
        self.start = np.resize((np.arange(64) / 64).astype(dtype.dtype), items)
        self.x = Buffer.from_numpy(self.start, device)

    def verify(self) -> None:
        self.run(1)
        expected = np.zeros(64)
        for chain in range(_CHAINS):
            value = np.arange(64) / 64 + chain / _CHAINS
            for _ in range(_STEPS):
                value = value * 0.5 + 1.0
            expected += value
        # Each step halves the error of the one before, and rounds at most twice; then there are three sums.
        epsilon = float(np.finfo(self.dtype.dtype).eps)
        found = self.x.numpy().astype(np.float64).reshape(-1, 64)
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=8 * epsilon)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            multiply_add(0.5, 1.0, self.x)


class _Launches(Work):
    """Kernels of which each needs what the one before it computed."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        first = np.random.default_rng(0).random((2, ELEMENTS), np.float32)
        rows = np.concatenate([first, np.zeros((KERNELS, ELEMENTS), np.float32)])
        self.first = first.astype(np.float64)
        self.rows = [Buffer.from_numpy(row.copy(), device) for row in rows]

    def launch(self) -> None:
        for x, y, z in zip(self.rows, self.rows[1:], self.rows[2:], strict=False):
            combine(0.5, 0.25, x, y, z)

    def verify(self) -> None:
        self.run(1)
        row = self.first
        for _ in range(KERNELS):
            row = np.stack([row[1], 0.5 * row[0] + 0.25 * row[1]])
        # Positive terms, each step rounded three times by 2**-24.
        np.testing.assert_allclose(self.rows[-1].numpy(), row[1], rtol=3 * KERNELS * 2.0**-24)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.launch()

    def sample(self, iterations: int) -> float:
        """Only the calls are timed; waiting for the device comes after."""
        start = time.perf_counter()
        self.run(iterations)
        taken = time.perf_counter() - start
        self.wait()
        return taken


class _Replays(_Launches):
    def __init__(self, device: Device) -> None:
        super().__init__(device)
        with device.capture() as self.graph:
            self.launch()

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.graph.replay()


class _RoundTrips(_Launches):
    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for x, y, z in zip(self.rows, self.rows[1:], self.rows[2:], strict=False):
                combine(0.5, 0.25, x, y, z)
                self.device.wait()


def _of_bytes(work: type[_Copy] | type[_Saxpy] | type[_Sum], moved: int, **more: str) -> list[list[Case]]:
    return [
        [
            Case({"bytes": nbytes, **more}, moved * nbytes, partial(work, nbytes), Peak("copy", {"bytes": nbytes}))
            for nbytes in BYTES
        ]
    ]


def _chain_series() -> list[list[Case]]:
    work = 2.0 * _CHAINS * _STEPS
    return [
        [
            Case({"dtype": dtype.name, "items": items}, work * items, partial(_Chains, dtype, items))
            for items in CHAIN_ITEMS
        ]
        for dtype in map(scalar_type, (f32, f16, f64))
    ]


def _of_kernels(work: type[_Launches]) -> list[list[Case]]:
    # A few are ever under way, so that no queue is full while the clock runs.
    return [[Case({"kernels": KERNELS, "elements": ELEMENTS}, KERNELS, work, most_iterations=4)]]


BASICS: Final = (
    Benchmark(
        "copy",
        "a buffer is copied to another",
        "Bytes read and written a second, where a buffer of so many bytes is copied on the device, by a kernel and by"
        " what the driver has for it: the bandwidth of its memory, or of a cache that holds both buffers. The faster of"
        " the two is what figures that are bound by memory are shares of. A share above 100 % is no mistake: a CPU"
        " reads what it is about to overwrite, which a copy does not count and an addition in place does.",
        "B/s",
        lambda: [*_of_bytes(_KernelCopy, 2, by="kernel"), *_of_bytes(_Copy, 2, by="driver")],
    ),
    Benchmark(
        "saxpy",
        "y += a * x, in f32",
        "Bytes read and written a second by a kernel that reads two numbers and writes one. Less than a copy means that"
        " kernels do not reach the memory's bandwidth.",
        "B/s",
        lambda: _of_bytes(_Saxpy, 3),
    ),
    Benchmark(
        "sum",
        "the sum of a buffer, in f32",
        "Bytes read a second by two launches of a kernel: groups add chunks in memory of a group, then one group adds"
        " their sums. A share above 100 % is no mistake: reading alone may be faster than a copy.",
        "B/s",
        lambda: _of_bytes(_Sum, 1),
    ),
    Benchmark(
        "fma",
        "multiply-adds in registers",
        "Floating-point operations a second (a multiply-add is two) of threads that have eight numbers each and touch"
        " no memory meanwhile: what figures that are bound by arithmetic are shares of.",
        "FLOP/s",
        _chain_series,
    ),
    MATRIX,
    Benchmark(
        "launch",
        "time of a launch",
        "Seconds of the calling thread for each launch of a small kernel with three buffers and two numbers. The device"
        " is not waited for. The host runs kernels at once: there the work, some dozen nanoseconds, is in the figure.",
        "s",
        lambda: _of_kernels(_Launches),
    ),
    Benchmark(
        "replay",
        "time of a kernel in a graph that is replayed",
        "Seconds of the calling thread for each kernel of a graph of 100, which is replayed. The device is not waited"
        " for; the host runs kernels at once.",
        "s",
        lambda: _of_kernels(_Replays),
    ),
    Benchmark(
        "round-trip",
        "time from a launch to its end",
        "Seconds from a launch of a small kernel until the calling thread knows that it is done: what a program pays"
        " that looks at each result.",
        "s",
        lambda: _of_kernels(_RoundTrips),
    ),
)  # fmt: skip
