"""One source for many types."""

from __future__ import annotations

from typing import TypeVar

import ml_dtypes
import numpy as np
import pytest

from krnlpy.dsl import local_array
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i32
from tests.support.launching import Launcher

from .values import NUMBERS, assert_same

T = TypeVar("T")
F = TypeVar("F", f16, bf16, f32, f64)
R = TypeVar("R", f32, i32)
W = TypeVar("W", f32, f64)


def axpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


@pytest.mark.parametrize("type", NUMBERS, ids=str)
def test_a_kernel_for_each_type(launch: Launcher, type: ScalarType) -> None:
    x = np.arange(40).astype(type.dtype)
    y = (np.arange(40) % 3).astype(type.dtype)
    wide = type.compute.dtype
    want = (y.astype(wide) + wide.type(3) * x.astype(wide)).astype(type.dtype)
    assert_same(launch(axpy, 3, x, y)[1], want)


@pytest.mark.parametrize("type", [f16, bf16, f32, f64], ids=str)
def test_variables_of_the_type_round(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[F], y: ItemMut[W]) -> None:
        a: F = x * 0.1
        array = local_array(F, 2)
        array[1] = a + x
        y = F(x + 0.3) + array[1] - a

    x = np.linspace(0, 3, 13).astype(type.dtype)
    compute = type.compute.dtype.type
    wide = x.astype(compute)

    def round_(value: np.ndarray) -> np.ndarray:
        return value.astype(type.dtype).astype(compute)

    a = round_(wide * compute(0.1))
    want = round_(wide + compute(0.3)) + round_(a + wide) - a
    assert_same(launch(kernel, x, np.zeros(x.shape, compute))[1], want, x)


def test_two_type_variables(launch: Launcher) -> None:
    def kernel(x: Item[F], out: GlobalMut[R], at: Item[i32]) -> None:
        out[at] = R(x * 2.0)

    at = np.array([3, 0, 2, 1], np.int32)
    x = np.array([0.75, -1.5, 3.0, 100.0])
    for source in (np.float16, ml_dtypes.bfloat16, np.float32):
        for to in (np.float32, np.int32):
            got = launch(kernel, x.astype(source), np.zeros(4, to), at)[1]
            want = np.zeros(4, to)
            want[at] = (x.astype(source).astype(np.float32) * 2).astype(to)
            assert_same(got, want)
