"""``where``, conversions by NumPy's names, and functions of NumPy and ``math`` that are made of others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krnlpy import Device, func
from krnlpy.dsl import derivative, local_array, vec3, where
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.dsl.types.composites import Vector
from krnlpy.errors import KernelTypeError
from krnlpy.features import Feature
from krnlpy.scalar import f32, i32, u8
from tests.support.devices import requires
from tests.support.launching import Launcher, lower


@dataclass
class Pair:
    left: f32
    right: i32


def test_where_of_numbers_vectors_structs_and_tuples(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], a: ItemMut[f32], b: ItemMut[f32], c: ItemMut[f32], d: ItemMut[u8]) -> None:
        v = vec3(x, -x, 1)
        low, high = np.where(x > 0.0, (x, n), (1, 2))
        p = where(n > 0, Pair(x, n), Pair(0.5, -1))
        a = sum(np.where(v > 0.0, v, -4.0)) + where(n, 1, 0.5)
        b = sum(where(x > 0.0, v, 0.0)) + sum(where(v > 0.0, 2, v))
        c = low + high + p.left + p.right
        d = where(x > 0.0, 200, 3)  # a weak choice takes the type of what it meets

    x, n = np.array([-2.5, 0.0, 3.5], np.float32), np.array([4, 0, -1], np.int32)
    *_, a, b, c, d = launch(run, x, n, *(np.zeros(3, np.float32),) * 3, np.zeros(3, np.uint8))
    v, up = np.stack([x, -x, np.ones_like(x)]), x > 0
    np.testing.assert_array_equal(a, np.where(v > 0, v, -4).sum(0) + np.where(n != 0, 1, 0.5))
    np.testing.assert_array_equal(b, np.where(up, v, 0).sum(0) + np.where(v > 0, 2, v).sum(0))
    pair = np.where(n > 0, x + n, -0.5)
    np.testing.assert_array_equal(c, np.where(up, x + n, 3) + pair)
    np.testing.assert_array_equal(d, np.where(up, 200, 3))


def test_both_arms_are_evaluated(launch: Launcher) -> None:
    @func
    def counted(counts: Any, by: i32) -> i32:
        counts[0] += by
        return counts[0]

    def run(x: Item[i32], y: ItemMut[i32]) -> None:
        counts = local_array(i32, 1)
        y = where(x > 0, counted(counts, 1), counted(counts, 10)) + 100 * counts[0]

    y = launch(run, np.array([1, -1], np.int32), np.zeros(2, np.int32))[-1]
    np.testing.assert_array_equal(y, [1101, 1111])


def test_casts_by_numpys_names(launch: Launcher) -> None:
    def run(x: Item[f32], whole: ItemMut[i32], back: ItemMut[f32], flag: ItemMut[u8]) -> None:
        n: np.int16 = np.int16(x)
        own = local_array(np.int32, 2)
        own[1] = n
        whole = np.int32(x * 100.0) + own[1] + np.int8(300) + np.uint8(x)
        back = np.float32(n) + np.float16(0.1) + np.half(x) + np.single(1) + Vector[np.float32, 2](x, 1).y
        flag = np.uint8(np.bool_(x))

    x = np.array([-2.5, 0.0, 300.123], np.float32)
    _, whole, back, flag = launch(run, x, np.zeros(3, np.int32), np.zeros(3, np.float32), np.zeros(3, np.uint8))
    n = x.astype(np.int16)
    np.testing.assert_array_equal(
        whole, (x * np.float32(100)).astype(np.int32) + n + 44 + np.clip(x, 0, 255).astype(int)
    )
    want = n + np.float32(np.float16(0.1)) + x.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(back, want + np.float32(2))
    np.testing.assert_array_equal(flag, x != 0)


def test_casts_to_64_bits(launch: Launcher, device: Device) -> None:
    requires(device, Feature.FLOAT64, Feature.INT64)

    def run(x: Item[np.float32], y: ItemMut[np.float64], z: ItemMut[np.int64]) -> None:
        y = np.float64(x) / 3.0 + np.double(0.1)
        z = np.int64(x) * 2**40

    x = np.array([1.5, -7.0], np.float32)
    _, y, z = launch(run, x, np.zeros(2), np.zeros(2, np.int64))
    np.testing.assert_array_equal(y, x.astype(np.float64) / 3 + 0.1)
    np.testing.assert_array_equal(z, x.astype(np.int64) * 2**40)


def test_functions_of_numpy_and_math(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32], z: ItemMut[i32], t: ItemMut[i32]) -> None:
        v, w = vec3(x, 2, n), vec3(1, n, 3)
        quotient, rest = np.divmod(n, 7)
        y = np.heaviside(x, 0.5) + math.dist(v, w) + np.matmul(v, w) + math.prod(v) + np.prod((x, 2.0, n))
        z = math.gcd(n, 12) + 100 * np.lcm(n, 4) + quotient * 10 + rest
        t = i32(np.greater(x, 0.0)) + 2 * i32(np.logical_and(x, n)) + 4 * i32(np.logical_xor(x, n))
        t += 8 * i32(np.less_equal(x, 2)) + 16 * i32(np.logical_or(x > 9, n > 9)) + 32 * i32(np.not_equal(n, 9))

    x, n = np.array([-2.0, 0.0, 3.0, 7.0], np.float32), np.array([18, 0, -9, 9], np.int32)
    _, _, y, z, t = launch(run, x, n, np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros(4, np.int32))
    v, w = np.stack([x, np.full(4, 2), n]).astype(np.float64), np.stack([np.ones(4), n, np.full(4, 3)])
    want = np.heaviside(x, 0.5) + np.sqrt(((v - w) ** 2).sum(0)) + (v * w).sum(0) + 2 * v.prod(0)
    np.testing.assert_allclose(y, want, rtol=1e-6)  # the root has an error of 3 ulp, 2e-7
    quotient, rest = np.divmod(n, 7)
    np.testing.assert_array_equal(z, np.gcd(n, 12) + 100 * np.lcm(n, 4) + quotient * 10 + rest)
    both, one = np.logical_and(x, n), np.logical_xor(x, n)
    more = 8 * (x <= 2) + 16 * ((x > 9) | (n > 9)) + 32 * (n != 9)
    np.testing.assert_array_equal(t, (x > 0) + 2 * both + 4 * one + more)


def test_logarithms_of_sums_and_bases(launch: Launcher) -> None:
    @func
    def together(x, y):
        return np.logaddexp(x, y)

    def run(
        x: Item[f32], y: Item[f32], e: ItemMut[f32], two: ItemMut[f32], based: ItemMut[f32], d: ItemMut[f32]
    ) -> None:
        e, two = together(x, y), np.logaddexp2(x, y)
        based = math.log(abs(x) + 1.0, 3) + math.log(abs(x) + 1.0, 2)
        d = derivative(together, "x")(x, y)

    big = np.inf
    x = np.array([-2, 0, 3, 1000, -1000, big, -big, big, 88], np.float32)
    y = np.array([5, 0, 3, 999, 1000, 1, -big, big, -88], np.float32)
    _, _, e, two, based, d = launch(run, x, y, *(np.zeros(9, np.float32),) * 4)
    a, b = x.astype(np.float64), y.astype(np.float64)
    np.testing.assert_allclose(e, np.logaddexp(a, b), rtol=4e-7)  # exp and log1p: 1.5 and 2 ulp, and a sum
    np.testing.assert_allclose(two, np.logaddexp2(a, b), rtol=4e-7)
    np.testing.assert_allclose(based, np.log(abs(a) + 1) / math.log(3) + np.log2(abs(a) + 1), rtol=6e-7)
    np.testing.assert_allclose(
        d[:5], [1 / (1 + np.exp(7.0)), 0.5, 0.5, 1 / (1 + np.exp(-1.0)), 0.0], rtol=1e-6, atol=1e-37
    )


def test_where_has_derivatives(launch: Launcher) -> None:
    @func
    def bent(x, y):
        return where(x > y, x * x, 3.0 * y)

    def run(x: Item[f32], y: Item[f32], dx: ItemMut[f32], dy: ItemMut[f32]) -> None:
        dx, dy = derivative(bent, "x")(x, y), derivative(bent, "y")(x, y)

    x, y = np.array([2, -1], np.float32), np.array([1, 1], np.float32)
    _, _, dx, dy = launch(run, x, y, np.zeros(2, np.float32), np.zeros(2, np.float32))
    assert dx.tolist() == [4.0, 0.0] and dy.tolist() == [0.0, 3.0]


def test_what_is_known_while_compiling_is_decided_then() -> None:
    def run(y: ItemMut[i32]) -> None:
        y = where(True, 1, 2) + math.gcd(12, 18) + np.where(0, 5, 7)

    assert "y[] = 14" in str(_text(run))

    def wrong(x: Item[f32], y: ItemMut[f32]) -> None:
        y = where(x > 0.0, vec3(x), (x, x))

    with pytest.raises(KernelTypeError, match="where of"):
        lower(wrong)


def _text(function: Any) -> str:
    from krnlpy.dsl.ir.text import program_text

    return program_text(lower(function))
