"""Price of a European call and put by Monte Carlo, next to the closed form of Black and Scholes.

Random numbers come from Philox4x32-10, a function of a counter: each path has its own counter, so that no thread waits
for another and the result does not depend on how many threads there are (J. Salmon and others, "Parallel random
numbers: as easy as 1, 2, 3", 2011). Box and Muller's transform makes four normal numbers of its four words.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import numpy as np

from krnlpy import Buffer, Device, Out, f32, func, kernel, u32
from krnlpy.dsl import cos, exp, group_array, group_id, log, mul_hi, sin, sqrt, thread_id, unroll, vec2, vec3

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main
from examples.kernels._group import add_in_group

THREADS = 128
EACH = 16  # times four paths a thread
SEED = 2026
M1, M2, W1, W2 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85  # Philox's multipliers and the steps of its key
SPOT, STRIKE, RATE, VOLATILITY, YEARS = 100.0, 105.0, 0.05, 0.2, 1.0
DISCOUNT = math.exp(-RATE * YEARS)
DRIFT, SPREAD = (RATE - VOLATILITY**2 / 2) * YEARS, VOLATILITY * math.sqrt(YEARS)


@func
def uniform(word: u32) -> f32:
    """A number in (0, 1], of the upper 24 bits: all of them f32 can hold, and a logarithm takes them."""
    return (f32(word >> 8) + 1.0) * 2.0**-24


@func
def philox(a: u32, b: u32, c: u32, d: u32, key: u32, other: u32) -> tuple[u32, u32, u32, u32]:
    """Four random words of a counter of four words and a key of two."""
    for _ in range(10):
        a, b, c, d = mul_hi(M2, c) ^ b ^ key, M2 * c, mul_hi(M1, a) ^ d ^ other, M1 * a
        key, other = key + W1, other + W2
    return a, b, c, d


@func
def normal(word: u32, another: u32) -> vec2:
    """Two independent numbers of the standard normal distribution."""
    angle = 2 * math.pi * uniform(another)
    return sqrt(-2.0 * log(uniform(word))) * vec2(cos(angle), sin(angle))


@func
def payoffs(x: f32) -> vec3:
    """Of a path that ends x standard deviations up: the call's, its square, and the put's."""
    gain = SPOT * exp(DRIFT + SPREAD * x) - STRIKE
    call = max(gain, 0.0)
    return vec3(call, call * call, max(-gain, 0.0))


@kernel(threads=THREADS)
def simulate(counters: u32, seed: u32, sums: Out[f32, 2]) -> None:
    """Row g of ``sums``: the payoffs added over the paths of group g."""
    shared = group_array(vec3, THREADS)
    total = vec3(0.0)
    first = u32(group_id() * EACH * THREADS + thread_id())
    for counter in range(first, min(first + EACH * THREADS, counters), THREADS):
        a, b, c, d = philox(counter, 0, 0, 0, seed, 0)
        for pair in unroll((normal(a, b), normal(c, d))):
            total += payoffs(pair.x) + payoffs(pair.y)
    shared[thread_id()] = total
    add_in_group(shared)
    if thread_id() == 0:
        for i in unroll(range(3)):
            sums[group_id(), i] = shared[0][i]


def closed_form() -> tuple[float, float]:
    """Prices of the call and the put (F. Black and M. Scholes, 1973)."""
    d = (math.log(SPOT / STRIKE) + DRIFT) / SPREAD
    cdf = NormalDist().cdf
    call = SPOT * cdf(d + SPREAD) - STRIKE * DISCOUNT * cdf(d)
    return call, call - SPOT + STRIKE * DISCOUNT


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` paths, or up to three more."""
    counters = -(-size // 4)
    paths = 4 * counters
    sums = Buffer.empty((-(-counters // (EACH * THREADS)), 3), f32, device)
    launcher = simulate.with_groups(sums.shape[0])

    def check() -> None:
        total, squares, puts = sums.numpy().sum(0, dtype=np.float64) / paths
        call, put = DISCOUNT * total, DISCOUNT * puts
        # The mean of so many independent payoffs errs by more than four standard errors once in 16,000 seeds.
        error = DISCOUNT * math.sqrt((squares - total**2) / paths)
        np.testing.assert_allclose(call, closed_form()[0], rtol=0, atol=4 * error)
        # Call minus put is the stock minus the strike, whose variance is known: put-call parity.
        error = SPOT * math.sqrt(math.expm1(SPREAD**2) / paths)
        np.testing.assert_allclose(call - put, SPOT - STRIKE * DISCOUNT, rtol=0, atol=4 * error)

    yield Work("black-scholes", lambda: launcher(counters, SEED, sums), check, paths / 1e6, "Mpath")


if __name__ == "__main__":
    main(example, size=1 << 22)
