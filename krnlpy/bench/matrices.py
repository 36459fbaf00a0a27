"""The rate of cooperative matrices: products of fragments that stay in registers."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.device_info import CooperativeShape
from krnlpy.dsl import CooperativeMatrix, cooperative_multiply_add, group_id
from krnlpy.dsl.types.annotations import Global, GlobalMut
from krnlpy.errors import MissingFeatures
from krnlpy.kernels.kernel import kernel
from krnlpy.scalar import ScalarType, scalar_type

from .benchmark import Benchmark, Case, Work

if TYPE_CHECKING:
    from krnlpy.dsl.types.checked import bf16, f16, f32
else:
    from krnlpy.scalar import bf16, f16, f32

T = TypeVar("T", f16, bf16)

SUBGROUPS: Final = (1 << 4, 1 << 8, 1 << 12, 1 << 16)
_SUMS: Final = 4
"""Accumulators of a subgroup that do not wait for each other."""
_FLOPS: Final = 1 << 21
"""Of a subgroup, whatever the shape is: 64 steps of 16 x 16 x 16."""


@cache
def _kernel(m: int, n: int, k: int, steps: int) -> Any:
    """Of one shape."""
    left, right = CooperativeMatrix[T, m, k, "a"], CooperativeMatrix[T, k, n, "b"]  # type: ignore[name-defined, valid-type]
    sums = CooperativeMatrix[f32, m, n, "accumulator"]  # type: ignore[name-defined, valid-type]

    @kernel
    def multiply(a: Global[T, 2], b: Global[T, 2], c: GlobalMut[f32, 2]) -> None:  # type: ignore[valid-type]
        x, y = left.load(a, 0, 0), right.load(b, 0, 0)
        p, q, r, s = sums(0.0), sums(1.0), sums(2.0), sums(3.0)
        for _ in range(steps):
            p = cooperative_multiply_add(x, y, p)
            q = cooperative_multiply_add(x, y, q)
            r = cooperative_multiply_add(x, y, r)
            s = cooperative_multiply_add(x, y, s)
        total = p + q + r + s
        total.store(c, group_id() * m, 0)

    return multiply


class Products(Work):
    """Products of a shape by so many subgroups."""

    def __init__(self, shape: CooperativeShape, subgroups: int, device: Device) -> None:
        super().__init__(device)
        m, n, k = shape.m, shape.n, shape.k
        self.subgroups = subgroups
        self.steps = _FLOPS // (2 * m * n * k * _SUMS)
        made = _kernel(m, n, k, self.steps).with_threads(device.info.subgroup_threads)
        self.kernel = made.with_groups(subgroups)
        rng = np.random.default_rng(0)
        self.factors = [rng.integers(-1, 1, size, np.int8, endpoint=True) for size in ((m, k), (k, n))]
        self.buffers = [Buffer.from_numpy(x.astype(shape.a.dtype), device) for x in self.factors]
        self.sums = Buffer.zeros((m * subgroups, n), f32, device)

    def verify(self) -> None:
        self.run(1)
        a, b = (x.astype(np.int64) for x in self.factors)
        # Whole numbers below 2**24, whose sums are exact.
        expected = 0 + 1 + 2 + 3 + _SUMS * self.steps * (a @ b)
        np.testing.assert_array_equal(self.sums.numpy(), np.tile(expected, (self.subgroups, 1)))

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.kernel(*self.buffers, self.sums)


def _shape(dtype: ScalarType, device: Device) -> CooperativeShape:
    """The largest that the device has of a type, added up in f32."""
    found = [
        shape
        for shape in device.info.cooperative_shapes
        if shape.a is dtype
        and shape.b is dtype
        and shape.c is scalar_type(f32)
        and _FLOPS % (2 * shape.m * shape.n * shape.k * _SUMS) == 0
    ]
    if not found:
        raise MissingFeatures(f"it has no cooperative matrices of {dtype} that are added up in f32")
    return max(found, key=lambda shape: shape.m * shape.n * shape.k)


def _open(dtype: ScalarType, subgroups: int, device: Device) -> Work:
    return Products(_shape(dtype, device), subgroups, device)


MATRIX: Final = Benchmark(
    "matrix",
    "products of cooperative matrices",
    "Floating-point operations a second (a multiply-add is two) of products of the largest fragments that the device"
    " has of a type, added up in f32. Nothing is read or written meanwhile: what products of matrices of that type are"
    " shares of. Unsupported where the device has no cooperative matrices.",
    "FLOP/s",
    lambda: [
        [
            Case({"dtype": dtype.name, "subgroups": count}, float(_FLOPS * count), partial(_open, dtype, count))
            for count in SUBGROUPS
        ]
        for dtype in map(scalar_type, (f16, bf16))
    ],
)
