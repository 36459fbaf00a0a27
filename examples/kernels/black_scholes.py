"""Price of a European call and put by Monte Carlo, next to the closed form of Black and Scholes.

Random numbers are functions of a counter, and four paths have one for their own: no thread waits for another, and the
same seed gives the same paths on every device.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import numpy as np

from krnlpy import Buffer, Device, Out, f32, func, i32, kernel, u32
from krnlpy.dsl import (
    exp,
    global_id,
    global_threads,
    group_array,
    group_id,
    random_normal4,
    subgroup_elect,
    subgroup_id,
    unroll,
    vec3,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main
from examples.kernels._group import add_in_group

THREADS = 128
ROUNDS = 4  # of four paths, a thread
SEED = 2026
SPOT, STRIKE, RATE, VOLATILITY, YEARS = 100.0, 105.0, 0.05, 0.2, 1.0
DISCOUNT = math.exp(-RATE * YEARS)
DRIFT, SPREAD = (RATE - VOLATILITY**2 / 2) * YEARS, VOLATILITY * math.sqrt(YEARS)


@func
def payoffs(x: f32) -> vec3:
    """Of a path that ends x standard deviations up: the call's, its square, and the put's."""
    gain = SPOT * exp(DRIFT + SPREAD * x) - STRIKE
    call = max(gain, 0.0)
    return vec3(call, call * call, max(-gain, 0.0))


@kernel(threads=THREADS)
def simulate(counters: i32, seed: u32, sums: Out[f32, 2]) -> None:
    """Row g of ``sums``: the payoffs added over the paths of group g."""
    shared = group_array(vec3, THREADS)
    total = vec3(0.0)
    for round in unroll(range(ROUNDS)):  # unrolled, it is vectorised over threads on the host
        counter = round * global_threads() + global_id()
        if counter < counters:
            ends = random_normal4(seed, counter)
            for i in unroll(range(4)):
                total += payoffs(ends[i])
    total = add_in_group(total, shared)
    if subgroup_id() == 0 and subgroup_elect():
        for i in unroll(range(3)):
            sums[group_id(), i] = total[i]


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
    sums = Buffer.empty((-(-counters // (ROUNDS * THREADS)), 3), f32, device)
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
