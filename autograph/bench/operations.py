"""Operations of tensors: products, convolutions, shares, norms, attention and sorting, in sizes that networks have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import numpy as np

import autograph as ag
from autograph.tensor.tensor import Tensor
from krnlpy import Device, ScalarType, bf16, f16, f32, scalar_type
from krnlpy.bench import Benchmark, Case, Peak, Work

from . import references
from .references import Array

SIZES: Final = (64, 256, 512, 1024, 2048, 4096, 8192)
"""Of square products. Those to 512 show what an operation costs beside its arithmetic."""
DTYPES: Final = tuple(map(scalar_type, (f32, f16, bf16)))
IMAGES: Final = (1, 8, 32, 128)
ROWS: Final = (1024, 8192, 65536)
WIDTH: Final = 768
LENGTHS: Final = (128, 512, 2048, 8192)
HEADS: Final = 6
FEATURES: Final = 64
COUNTS: Final = (1 << 16, 1 << 20, 1 << 24)

Operation = Callable[..., Tensor]


def arithmetic(dtype: ScalarType) -> Peak:
    """What bounds a product of numbers of a type, which is computed in f32 where there is nothing faster."""
    in_f32 = Peak("fma", {"dtype": "f32"})
    return in_f32 if dtype is scalar_type(f32) else Peak("matrix", {"dtype": dtype.name}, otherwise=in_f32)


class Operations(Work):
    """Calls of an operation on tensors that lie on the device.

    Args:
        operation: of the tensors.
        arrays: what they hold while the operation is timed.
        device: where they lie.
    """

    def __init__(self, operation: Operation, arrays: Iterable[Array], device: Device) -> None:
        super().__init__(device)
        self.operation = operation
        self.tensors = [Tensor.from_numpy(array, device) for array in arrays]

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.operation(*self.tensors)


class _Exact(Operations):
    """Sums of products of -1, 0 and 1, which no order of additions rounds; then it goes on with other numbers."""

    def __init__(
        self,
        operation: Operation,
        expected: Callable[..., Array],
        shapes: Iterable[tuple[int, ...]],
        dtype: ScalarType,
        device: Device,
    ) -> None:
        rng = np.random.default_rng(0)
        shapes = tuple(shapes)
        # What a GPU draws of power, and so its clock, depends on the numbers: these are of all bits.
        super().__init__(operation, (rng.standard_normal(s, np.float32).astype(dtype.dtype) for s in shapes), device)
        self.expected, self.dtype = expected, dtype
        self.small = [rng.integers(-1, 1, s, np.int8, endpoint=True) for s in shapes]

    def verify(self) -> None:
        found = self.operation(*(Tensor.from_numpy(x.astype(self.dtype.dtype), self.device) for x in self.small))
        expected = self.expected(*(x.astype(np.float32) for x in self.small))
        # Whole numbers below 2**24 are exact in f32; a narrower type rounds the result once.
        np.testing.assert_array_equal(found.numpy(), expected.astype(self.dtype.dtype))


class _Close(Operations):
    """An operation of f32 whose result is compared with NumPy's in f64, in all places or some."""

    def __init__(
        self,
        operation: Operation,
        expected: Callable[..., Array],
        shapes: Iterable[tuple[int, ...]],
        tolerance: float,
        device: Device,
        places: Callable[[Array], Array] = np.asarray,
    ) -> None:
        rng = np.random.default_rng(0)
        self.arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
        super().__init__(operation, self.arrays, device)
        self.expected, self.tolerance, self.places = expected, tolerance, places

    def verify(self) -> None:
        found = self.places(self.operation(*self.tensors).numpy())
        expected = self.expected(*self.arrays)
        largest = float(np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=self.tolerance * largest)


class _Sorts(Operations):
    def __init__(self, count: int, device: Device) -> None:
        self.array = np.random.default_rng(0).standard_normal(count, np.float32)
        super().__init__(ag.sort, [self.array], device)

    def verify(self) -> None:
        np.testing.assert_array_equal(self.operation(*self.tensors).numpy(), np.sort(self.array))


def _products() -> list[list[Case]]:
    return [
        [
            Case(
                {"dtype": dtype.name, "shape": f"{n} x {n} x {n}"},
                2.0 * n**3,
                partial(_Exact, ag.matmul, np.matmul, [(n, n), (n, n)], dtype),
                arithmetic(dtype),
            )
            for n in SIZES
        ]
        for dtype in DTYPES
    ]


def _convolutions() -> list[list[Case]]:
    layers: tuple[tuple[str, int, int, int, int, int], ...] = (
        # input channels, output channels, side of filters, padding, side of images
        ("5 x 5, 6 to 16 channels", 6, 16, 5, 0, 12),
        ("3 x 3, 64 to 64 channels", 64, 64, 3, 1, 56),
        ("1 x 1, 256 to 64 channels", 256, 64, 1, 0, 56),
    )
    return [[_convolution(dtype, images, *layer) for images in IMAGES] for layer in layers for dtype in DTYPES[:2]]


def _convolution(
    dtype: ScalarType, images: int, name: str, ic: int, oc: int, size: int, padding: int, side: int
) -> Case:
    out = side + 2 * padding - size + 1
    return Case(
        {"dtype": dtype.name, "filters": name, "images": f"{images} of {side} x {side}"},
        2.0 * images * oc * out**2 * ic * size**2,
        partial(
            _Exact,
            partial(ag.conv2, padding=padding),
            partial(references.convolution, padding=padding),
            [(images, ic, side, side), (oc, ic, size, size)],
            dtype,
        ),
        arithmetic(dtype),
    )


def _of_rows(operation: Operation, expected: Callable[[Array], Array], tolerance: float) -> list[list[Case]]:
    return [
        [
            Case(
                {"dtype": "f32", "shape": f"{rows} x {WIDTH}"},
                8 * rows * WIDTH,
                partial(_Close, operation, expected, [(rows, WIDTH)], tolerance),
                Peak("copy", {"bytes": 4 * rows * WIDTH}),
            )
            for rows in ROWS
        ]
    ]


def _attentions() -> list[list[Case]]:
    return [[_attention(length) for length in LENGTHS]]


def _attention(length: int) -> Case:
    places = np.linspace(0, length - 1, min(length, 64)).astype(np.intp)
    shape = (1, HEADS, length, FEATURES)
    return Case(
        {"dtype": "f32", "shape": f"{HEADS} heads, {length} x {FEATURES}"},
        4.0 * HEADS * length**2 * FEATURES,
        # Weights are sums of exponentials of sums of 64 terms; each is rounded by 2**-24, and the result is a mean.
        partial(
            _Close,
            ag.scaled_dot_product_attention,
            partial(references.attention, places=places),
            [shape, shape, shape],
            2.0**-16,
            places=lambda found: found[:, :, places],
        ),
        arithmetic(scalar_type(f32)),
    )


def _sorts() -> list[list[Case]]:
    return [[Case({"dtype": "f32", "elements": count}, count, partial(_Sorts, count)) for count in COUNTS]]


OPERATIONS: Final = (
    Benchmark(
        "matmul",
        "products of matrices, by type and size",
        "Floating-point operations a second (a multiply-add is two) of the product of two square matrices, as"
        " autograph computes it. Sums are of f32, whatever the operands' type. Verified with whole numbers, whose sums"
        " are exact, then timed with normal ones. Small sizes show what an operation costs beside its arithmetic."
        " The share is of the rate of cooperative matrices of that type where it was measured, else of f32"
        " multiply-adds in registers.",
        "FLOP/s",
        _products,
        peers={"torch": "autograph.bench.peers.pytorch"},
    ),
    Benchmark(
        "conv",
        "convolutions of images, as LeNet5 and ResNets have them",
        "Floating-point operations a second (a multiply-add is two) that a convolution needs where it is computed"
        " directly, stride 1, forward. Verified with whole numbers, whose sums are exact, then timed with normal ones.",
        "FLOP/s",
        _convolutions,
    ),
    Benchmark(
        "softmax",
        "softmax of rows of 768",
        "Bytes read and written a second, where each element is read once and written once: what is above 100 % of a"
        " copy's comes of a cache, what is below of arithmetic or of rows that are read again.",
        "B/s",
        lambda: _of_rows(ag.softmax, references.softmax, 2.0**-18),
    ),
    Benchmark(
        "layer-norm",
        "layer norm of rows of 768",
        "Bytes read and written a second, where each element is read once and written once. Shares as of softmax.",
        "B/s",
        lambda: _of_rows(ag.layer_norm, references.layer_norm, 2.0**-18),
    ),
    Benchmark(
        "attention",
        "attention of 6 heads, forward",
        "Floating-point operations a second of the two products of scaled dot-product attention; exponentials are not"
        " counted. Scores are computed a tile at a time. Verified at 64 queries.",
        "FLOP/s",
        _attentions,
    ),
    Benchmark(
        "sort",
        "normal numbers sorted",
        "Numbers of f32 a second that are sorted, stably.",
        "elements/s",
        _sorts,
    ),
)  # fmt: skip
