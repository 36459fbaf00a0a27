"""The two-dimensional Ising model by Metropolis' rule, on a chessboard of black and white spins.

A port of ``ising_basic.py`` from NVIDIA's ising-gpu, which is for numba.cuda (MIT License):
https://github.com/NVIDIA/ising-gpu/blob/master/basic_python/ising_basic.py
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, f32, i8, kernel
from krnlpy.dsl import global_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main

TCRIT = 2.26918531421  # the critical temperature
ALPHA = 0.9  # the temperature, as a part of it
INV_TEMP = 1.0 / (ALPHA * TCRIT)
STEPS = 3


@kernel
def generate_lattice(randval: Item[f32], spin: ItemMut[i8]) -> None:
    spin = 1 if randval > 0.5 else -1


@kernel
def update_lattice(
    lattice: GlobalMut[i8, 2], op_lattice: Global[i8, 2], randvals: Global[f32, 2], is_black: bool
) -> None:
    n, m = lattice.shape
    tid = global_id()
    i = tid // m
    j = tid % m

    if i >= n or j >= m:
        return

    # neighbours, where the edges meet
    ipp = (i + 1) if (i + 1) < n else 0
    jpp = (j + 1) if (j + 1) < m else 0
    inn = (i - 1) if (i - 1) >= 0 else (n - 1)
    jnn = (j - 1) if (j - 1) >= 0 else (m - 1)

    # the neighbour in the row is on one side or the other, by colour and row
    if is_black:
        joff = jpp if (i % 2) else jnn
    else:
        joff = jnn if (i % 2) else jpp

    nn_sum = op_lattice[inn, j] + op_lattice[i, j] + op_lattice[ipp, j] + op_lattice[i, joff]

    # whether to flip the spin
    lij = lattice[i, j]
    acceptance_ratio = math.exp(-2.0 * INV_TEMP * nn_sum * lij)
    if randvals[i, j] < acceptance_ratio:
        lattice[i, j] = -lij


def updated(lattice: Array, op_lattice: Array, randvals: Array, is_black: bool) -> Array:
    """What the kernel does, by NumPy."""
    odd = np.arange(len(lattice))[:, None] % 2 == 1
    left, right = np.roll(op_lattice, 1, 1), np.roll(op_lattice, -1, 1)
    beside = np.where(odd == is_black, right, left)
    nn_sum = np.roll(op_lattice, 1, 0) + op_lattice + np.roll(op_lattice, -1, 0) + beside
    ratio = np.exp(np.float32(-2 * INV_TEMP) * nn_sum * lattice, dtype=np.float32)
    return np.where(randvals < ratio, -lattice, lattice)


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` by ``size`` spins, an even number."""
    shape = (size, size // 2)
    random = np.random.default_rng(0).random((2 + 2 * STEPS, *shape), np.float32)
    numbers = [Buffer.from_numpy(values, device) for values in random]
    black, white = (Buffer.zeros(shape, i8, device) for _ in range(2))
    update = update_lattice.with_global_threads(size * (size // 2))

    def launch() -> None:
        generate_lattice(numbers[0], black)
        generate_lattice(numbers[1], white)
        for step in range(STEPS):
            update(black, white, numbers[2 + 2 * step], True)
            update(white, black, numbers[3 + 2 * step], False)

    def check() -> None:
        spins = [np.where(values > 0.5, 1, -1).astype(np.int8) for values in random[:2]]
        for step in range(STEPS):
            spins[0] = updated(spins[0], spins[1], random[2 + 2 * step], True)
            spins[1] = updated(spins[1], spins[0], random[3 + 2 * step], False)
        np.testing.assert_array_equal(black.numpy(), spins[0])
        np.testing.assert_array_equal(white.numpy(), spins[1])

    yield Work("Ising", launch, check, STEPS * size**2 / 1e6, "Mspins")


if __name__ == "__main__":
    main(example, size=1024)
