"""Random numbers: Philox's published values, distributions, and the same bits on every device."""

from __future__ import annotations

import math
import operator
from functools import cache
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, ItemMut, f32, i32, kernel, u32
from krnlpy.dsl import (
    global_id,
    item_id,
    philox,
    philox4x32,
    random_integers,
    random_normal,
    random_normal4,
    random_uniform,
    random_uniform4,
    unroll,
    uvec2,
    uvec4,
)
from krnlpy.dsl.library.random import _normal_pair
from tests.support import process

Array = np.ndarray[Any, Any]

# kat_vectors of Random123 1.14, philox4x32 10: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@kernel
def generator(counters: Global[u32, 2], keys: Global[u32, 2], out: GlobalMut[u32, 2]) -> None:
    i = global_id()
    c = uvec4(counters[i, 0], counters[i, 1], counters[i, 2], counters[i, 3])
    bits = philox4x32(c, uvec2(keys[i, 0], keys[i, 1]))
    for k in unroll(range(4)):
        out[i, k] = bits[k]


@kernel
def everything(bits: GlobalMut[u32, 2], floats: GlobalMut[f32, 2], whole: GlobalMut[i32, 2], seed: u32) -> None:
    i = global_id()
    b = philox(seed, i)
    u = random_uniform4(seed, i)
    n = random_normal4(seed, i)
    for k in unroll(range(4)):
        bits[i, k] = b[k]
        floats[i, k] = u[k]
        floats[i, 4 + k] = n[k]
    floats[i, 8] = random_uniform(seed, i)
    floats[i, 9] = random_normal(seed, i)
    floats[i, 10] = random_uniform(seed, i, 1)
    whole[i, 0] = random_integers(seed, i, -3, 4)
    whole[i, 1] = random_integers(seed, i, -(2**31), 2**31 - 1)
    whole[i, 2] = random_integers(seed, i, 5, 5)


def drawn(device: Device, count: int, seed: int = 11) -> tuple[Array, Array, Array]:
    bits = Buffer.zeros((count, 4), u32, device)
    floats = Buffer.zeros((count, 11), f32, device)
    whole = Buffer.zeros((count, 3), i32, device)
    everything.with_threads(64).with_groups(count // 64)(bits, floats, whole, seed)
    return bits.numpy(), floats.numpy(), whole.numpy()


@cache
def on_host() -> tuple[Array, Array, Array]:
    return drawn(Device.host(), 1 << 16)


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def test_published_values(device: Device) -> None:
    counters, keys, want = (np.array([words(row[k]) for row in KNOWN], np.uint32) for k in range(3))
    out = Buffer.zeros((3, 4), u32, device)
    generator.with_threads(3).with_groups(1)(Buffer.from_numpy(counters, device), Buffer.from_numpy(keys, device), out)
    assert (out.numpy() == want).all()


def test_every_device_draws_the_same_bits(device: Device) -> None:
    count = 512 if device.info.backend == "interpreter" else 1 << 14
    for got, want in zip(drawn(device, count), on_host(), strict=True):
        assert (got.view(np.uint32) == want[:count].view(np.uint32)).all()


def test_single_numbers_are_the_first_of_four() -> None:
    _, floats, _ = on_host()
    assert (floats[:, 8] == floats[:, 0]).all()
    assert (floats[:, 9] == floats[:, 4]).all()


def distance(sample: Array, distribution: Any) -> float:
    """The greatest distance of a sample's distribution from another one (Kolmogorov and Smirnov)."""
    ordered = distribution(np.sort(sample.astype(np.float64)))
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.abs(ordered - steps[1:]).max(), np.abs(ordered - steps[:-1]).max()))


# A right sample exceeds this distance with a probability of 1e-4: sqrt(-ln(1e-4 / 2) / 2n).
LIMIT = math.sqrt(-math.log(1e-4 / 2) / (2 * 4 * (1 << 16)))


def test_uniform_numbers() -> None:
    _, floats, _ = on_host()
    u = floats[:, :4].astype(np.float64)
    assert u.min() >= 0 and u.max() < 1
    assert (u * 2**24 == np.floor(u * 2**24)).all()
    assert distance(u.reshape(-1), lambda x: x) < LIMIT
    # Of n pairs without correlation, the coefficient has a deviation of 1/sqrt(n); 4.5 of them.
    most = 4.5 / math.sqrt(len(u))
    others = np.column_stack([u, floats[:, 10], np.roll(u[:, 0], 1)])
    correlation = np.corrcoef(others.T) - np.eye(6)
    assert np.abs(correlation).max() < most


def test_normal_numbers() -> None:
    _, floats, _ = on_host()
    z = floats[:, 4:8].astype(np.float64)
    sample = z.reshape(-1)
    normal = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
    assert distance(sample, normal) < LIMIT
    n = sample.size
    # Deviations of the moments of n normal numbers: 1/sqrt(n), sqrt(2/n), sqrt(15/n), sqrt(96/n); 4.5 of them.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((sample**power).mean() - moment) < 4.5 * math.sqrt(variance / n)
    assert np.abs(np.corrcoef(z.T) - np.eye(4)).max() < 4.5 / math.sqrt(len(z))


def test_normal_numbers_are_those_of_the_transform() -> None:
    bits, floats, _ = on_host()
    for first in (0, 2):
        a, b = bits[:, first].astype(np.float64), bits[:, first + 1].astype(np.int64)
        radius = np.sqrt(-2 * np.log(np.where(a == 0, 1, a) / 2.0**32))
        angle = (((b >> 6) & 0xFFFFFF) - 8388607.5) * (np.pi / 2 * 2.0**-24) + (b >> 30) * (np.pi / 2)
        exact = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
        assert np.abs(floats[:, 4 + first : 6 + first] - exact).max() < 1e-6


@kernel
def edges(bits: Global[u32], out: GlobalMut[f32, 2]) -> None:
    from_bits = _normal_pair(bits[global_id()], bits[global_id()])
    out[global_id(), 0] = from_bits.x
    out[global_id(), 1] = from_bits.y


def test_normal_numbers_at_the_ends(device: Device) -> None:
    ends = [0, 1, 2, 3, 0xFF, 0x7FFFFFFF, 0x80000000, 0xB504F333, 0xB504F334, 0xFFFFFF00, 0xFFFFFFFE, 0xFFFFFFFF]
    bits = np.array(ends, np.uint32)
    out = Buffer.zeros((len(ends), 2), f32, device)
    edges.with_threads(len(ends)).with_groups(1)(Buffer.from_numpy(bits, device), out)
    a = np.maximum(bits.astype(np.float64), 1)
    length = np.hypot(*out.numpy().astype(np.float64).T)
    # The logarithm, the root and the direction round some ten times: 2**-24 each.
    np.testing.assert_allclose(length, np.sqrt(-2 * np.log(a / 2.0**32)), rtol=6e-7)


def test_integers() -> None:
    bits, _, whole = on_host()
    counts = np.bincount(whole[:, 0] + 3, minlength=7)
    assert counts.size == 7
    mean = len(whole) / 7
    # Chi-square of 6 degrees of freedom: above 27.9 with a probability of 1e-4.
    assert ((counts - mean) ** 2 / mean).sum() < 27.9
    first = bits[:, 0].astype(np.uint64)
    assert (whole[:, 1] == ((first * np.uint64(2**32 - 1)) >> np.uint64(32)).astype(np.int64) - 2**31).all()
    assert (whole[:, 2] == 5).all()


@kernel
def noise(x: ItemMut[f32], seed: u32, step: i32) -> None:
    x = random_normal(seed, item_id(), step)


def test_in_item_kernels(device: Device) -> None:
    drawn = []
    for seed, step in ((1, 0), (1, 1), (2, 0), (1, 0)):
        x = Buffer.zeros(100, f32, device)
        noise(x, seed, step)
        drawn.append(x.numpy())
    assert (drawn[0] == drawn[3]).all()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (drawn[one] != drawn[other]).all()


def test_the_language_is_imported_without_them() -> None:
    heavy = "{'krnlpy.dsl.library.random', 'krnlpy.dsl.frontend'}"
    assert process.output("-c", f"import sys, krnlpy.dsl; print({heavy} & sys.modules.keys())") == "set()\n"
    with pytest.raises(AttributeError, match="no attribute 'randomm'"):
        import krnlpy.dsl

        operator.attrgetter("randomm")(krnlpy.dsl)
