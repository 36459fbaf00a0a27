"""Distributions: the same numbers on every device, and those that they should be.

The statistics are of fixed seeds: what is asserted always holds or never. Bounds are such that a right distribution
fails them once in a million seeds: by the inequality of Dvoretzky, Kiefer and Wolfowitz (with the constant of Massart)
for the greatest distance between distribution functions, sqrt(log(2 / 1e-6) / (2 n)).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import erf, exp, log, sqrt
from typing import Any

import numpy as np
import pytest

import autograph.random.draws
from autograph import Tensor, random
from krnlpy import Device, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.support.devices import limit_reach, requires
from tests.support.typed import untyped

Array = np.ndarray[Any, Any]
COUNT = 50_000

# What has the same bits on every device.
EXACT: dict[str, Callable[..., Any]] = {
    "uniform": partial(random.uniform, low=-1.5, high=7),
    "normal": partial(random.normal, mean=3, std=0.7),
    "exponential": partial(random.exponential, scale=2),
    "truncated_normal": random.truncated_normal,
    "far": partial(random.truncated_normal, mean=1, std=2, low=-20, high=-7),
    "narrow": partial(random.truncated_normal, low=-0.4, high=-0.1),
}


def same(found: Tensor, expected: Tensor) -> None:
    assert found.dtype is expected.dtype and found.shape == expected.shape
    assert found.numpy().tobytes() == expected.numpy().tobytes()


@pytest.mark.parametrize("name", EXACT)
def test_the_same_floats_on_every_device(name: str, device: Device) -> None:
    for seed, dtype in enumerate([f32, f16, bf16]):
        shape = (3, 101) if dtype is f32 else (5,)
        found = EXACT[name](random.Generator(seed), shape, dtype=dtype, device=device)
        same(found, EXACT[name](random.Generator(seed), shape, dtype=dtype))


def test_the_same_whole_numbers_on_every_device(device: Device) -> None:
    ranges: list[tuple[Any, int, int]] = [
        (u8, 3, 120), (i8, -128, 128), (u16, 0, 1), (i16, -3, 30000),
        (u32, 5, (1 << 31) + 6), (i32, -(1 << 31), 1 << 31),
    ]  # fmt: skip
    for dtype, low, high in ranges:
        found = random.integers(random.Generator(1), 99, low=low, high=high, dtype=dtype, device=device)
        same(found, random.integers(random.Generator(1), 99, low=low, high=high, dtype=dtype))
    same(
        random.bernoulli(random.Generator(1), 0.3, (9, 11), device=device),
        random.bernoulli(random.Generator(1), 0.3, (9, 11)),
    )
    same(random.permutation(random.Generator(1), 99, device=device), random.permutation(random.Generator(1), 99))


def test_numbers_of_64_bits(device: Device) -> None:
    requires(device, f64, i64)
    g = random.Generator
    same(random.uniform(g(1), 99, high=3, dtype=f64, device=device), random.uniform(g(1), 99, high=3, dtype=f64))
    for dtype, low, high in [(i64, -(1 << 60), (1 << 61) + 5), (u64, 0, 1 << 64), (u64, 1 << 63, (1 << 63) + 7)]:
        given: Any = {"low": low, "high": high, "dtype": dtype}
        found = random.integers(g(1), 99, **given, device=device)
        same(found, random.integers(g(1), 99, **given))
        assert low <= int(found.numpy().min()) and int(found.numpy().max()) < high
    # Made by the device's functions, each within 3 ulp of what it should be, and of magnitudes up to 40.
    for f in (random.normal, random.exponential, random.gumbel):
        found, expected = (untyped(f)(g(1), 99, dtype=f64, device=where).numpy() for where in (device, None))
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


def test_elements_do_not_depend_on_the_size(device: Device) -> None:
    whole = random.normal(random.Generator(2), (4, 150), device=device).numpy().reshape(-1)
    for n in (1, 255, 256, 257):
        np.testing.assert_array_equal(random.normal(random.Generator(2), n, device=device).numpy(), whole[:n])
    assert random.normal(random.Generator(2), (), device=device).item() == whole[0]
    assert random.normal(random.Generator(2), (2, 0), device=device).shape == (2, 0)


def test_elements_do_not_depend_on_the_launch(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    whole = [
        random.normal(random.Generator(2), 5000).numpy(),
        random.truncated_normal(random.Generator(2), 999).numpy(),
    ]
    monkeypatch.setattr(autograph.functions.launch, "MAX_THREADS", 1)
    limit_reach(device, 4096, monkeypatch)
    np.testing.assert_array_equal(random.normal(random.Generator(2), 5000, device=device).numpy(), whole[0])
    np.testing.assert_array_equal(random.truncated_normal(random.Generator(2), 999, device=device).numpy(), whole[1])


def distance(x: Array, cumulative: Callable[[float], float]) -> float:
    """The greatest distance between the distribution function and that of a sample: Kolmogorov's and Smirnov's."""
    x = np.sort(x.astype(np.float64))
    expected = np.array([cumulative(value) for value in x])
    places = np.arange(len(x) + 1) / len(x)
    return float(max((places[1:] - expected).max(), (expected - places[:-1]).max()))


def phi(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


def between(low: float, high: float) -> Callable[[float], float]:
    return lambda x: (phi(x) - phi(low)) / (phi(high) - phi(low))


CONTINUOUS: dict[str, tuple[Callable[..., Any], Callable[[float], float]]] = {
    "uniform": (partial(random.uniform, low=2, high=4), lambda x: (x - 2) / 2),
    "normal": (partial(random.normal, mean=1, std=3), lambda x: phi((x - 1) / 3)),
    "exponential": (partial(random.exponential, scale=2), lambda x: 1 - exp(-x / 2)),
    "gumbel": (random.gumbel, lambda x: exp(-exp(-x))),
    "truncated": (random.truncated_normal, between(-2, 2)),
    "one side": (partial(random.truncated_normal, low=0.5, high=30), lambda x: between(0.5, 8)(min(x, 8))),
    "tail": (partial(random.truncated_normal, low=2, high=9), lambda x: between(-9, -2)(-x) * -1 + 1),
    "lower tail": (partial(random.truncated_normal, low=-9, high=-2), between(-9, -2)),
    "strip": (partial(random.truncated_normal, low=1, high=1.3), between(1, 1.3)),
    "middle": (partial(random.truncated_normal, low=-0.1, high=0.2), between(-0.1, 0.2)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_distributions(name: str) -> None:
    f, cumulative = CONTINUOUS[name]
    bound = sqrt(log(2e6) / (2 * COUNT))
    for seed, dtype in enumerate([f32, f64]):
        assert distance(f(random.Generator(seed), COUNT, dtype=dtype).numpy(), cumulative) < bound


def test_neighbours_and_draws_are_independent() -> None:
    g = random.Generator(4)
    x, y = (random.normal(g, COUNT).numpy().astype(np.float64) for _ in range(2))
    # A mean product of independent numbers has a standard deviation of 1 / sqrt(COUNT).
    for other in (y, *(np.roll(x, shift) for shift in (1, 2, 3, 64, 128, 192, 256))):
        assert abs((x * other).mean()) < 5 / sqrt(COUNT)
        assert abs(((x * x - 1) * (other * other - 1)).mean()) < 2 * 5 / sqrt(COUNT)


def test_ends_of_ranges() -> None:
    for dtype in (f16, bf16, f32, f64):
        x = random.uniform(random.Generator(0), COUNT, dtype=dtype).numpy().astype(np.float64)
        assert x.min() >= 0 and x.max() < 1
    for low, high in ((1, 2), (0.1, 0.3), (-3, 1e-3)):
        x = random.uniform(random.Generator(0), 1 << 20, low=low, high=high).numpy()
        assert x.min() >= np.float32(low) and x.max() < np.float32(high)
    assert set(random.uniform(random.Generator(0), 9, low=2, high=2).numpy()) == {2.0}
    x = random.truncated_normal(random.Generator(0), COUNT, mean=0.3, std=0.1, low=0.2, high=0.3).numpy()
    assert x.min() >= np.float32(0.2) and x.max() <= np.float32(0.3)
    assert random.exponential(random.Generator(0), 1 << 20).numpy().min() > 0
    assert np.isfinite(random.gumbel(random.Generator(0), 1 << 20).numpy()).all()


@pytest.mark.parametrize(("high", "dtype"), [(6, i32), (3 << 30, u32), (3 << 62, u64)])
def test_whole_numbers_are_equally_likely(high: int, dtype: Any) -> None:
    """Of the two wide ranges, a product or remainder without rejection gives a third of the numbers twice as often."""
    x = random.integers(random.Generator(3), COUNT, high=high, dtype=dtype).numpy()
    counts = np.bincount((x // (high // 6)).astype(np.int64), minlength=6)
    # A count has a standard deviation of sqrt(n p (1 - p)).
    assert len(counts) == 6 and np.abs(counts - COUNT / 6).max() < 5 * sqrt(COUNT * 5 / 36)
    residues = np.bincount((x % 3).astype(np.int64), minlength=3)
    assert np.abs(residues - COUNT / 3).max() < 5 * sqrt(COUNT * 2 / 9)


def test_truth_values() -> None:
    for p in (0.0, 0.2, 1.0):
        x = random.bernoulli(random.Generator(1), p, COUNT)
        assert x.dtype == bool and abs(x.numpy().mean() - p) <= 5 * sqrt(p * (1 - p) / COUNT)
    shares = np.repeat(np.array([0.0, 0.3, 1.0], np.float32)[:, None], COUNT, 1)
    for dtype in (f16, f32, f64):
        probabilities = Tensor.from_numpy(shares).cast(dtype)
        x = random.bernoulli(random.Generator(1), probabilities)
        assert x.shape == shares.shape and np.abs(x.numpy().mean(1) - shares[:, 0]).max() <= 5 * sqrt(0.21 / COUNT)


def test_orders_are_equally_likely() -> None:
    for n in (0, 1, 2, 5, 1000):
        assert sorted(random.permutation(random.Generator(0), n).numpy().tolist()) == list(range(n))
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    for axis in (0, 1, -1):
        places = random.permutation(random.Generator(7), x.shape[axis]).numpy()
        found = random.permutation(random.Generator(7), Tensor.from_numpy(x), axis=axis)
        np.testing.assert_array_equal(found.numpy(), np.take(x, places, axis))
    g = random.Generator(0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(2400):
        order = tuple(random.permutation(g, 4, dtype=u8).numpy().tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24 and max(abs(n - 100) for n in counts.values()) < 5 * sqrt(100)


def test_classes(device: Device) -> None:
    shares = np.array([[0.1, 0.2, 0.7, 0.0], [0.25, 0.25, 0.25, 0.25]])
    with np.errstate(divide="ignore"):
        logits = Tensor.from_numpy((np.log(shares) + np.array([[50], [-3]])).astype(np.float32), device)
    n = 300 if device.info.backend == "interpreter" else 5000
    x = random.categorical(random.Generator(2), logits, n).numpy()
    assert x.shape == (n, 2) and x.dtype == np.int32
    for row in range(2):
        found = np.bincount(x[:, row], minlength=4) / n
        assert np.abs(found - shares[row]).max() <= 5 * sqrt(0.25 / n) and (found[shares[row] == 0] == 0).all()
    assert random.categorical(random.Generator(2), logits.T, axis=0).shape == (2,)
    assert random.categorical(random.Generator(2), logits, (3, 0)).shape == (3, 0, 2)
