"""Gravity between n bodies, each pulled by all others. A group reads the bodies a tile at a time into group memory,
from where each of its threads takes all of them. Time goes on by leapfrog, which keeps the energy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, kernel
from krnlpy.dsl import barrier, global_id, group_array, sqrt, thread_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

THREADS = 128
STEPS = 10
STEP = 1e-3  # of time; the whole system takes a few units to collapse
SOFTENING = 0.05  # a length: nearer bodies do not attract each other more
FLOPS = 20  # of a pair, as this benchmark counts them since GPU Gems 3, chapter 31


@kernel(threads=THREADS)
def kick(step: f32, bodies: Global[f32, 2], velocity: GlobalMut[f32, 2]) -> None:
    """Adds ``step`` times the acceleration. The rows of ``bodies`` are x, y, z and mass."""
    tile = group_array(f32, (4, THREADS))
    n = bodies.shape[1]
    i, lane = global_id(), thread_id()
    me = min(i, n - 1)  # threads past the last body help to fill tiles
    x, y, z = bodies[0, me], bodies[1, me], bodies[2, me]
    ax, ay, az = 0.0, 0.0, 0.0
    for start in range(0, n, THREADS):
        if start + lane < n:
            for c in range(4):
                tile[c, lane] = bodies[c, start + lane]
        barrier()
        for j in range(min(THREADS, n - start)):
            dx, dy, dz = tile[0, j] - x, tile[1, j] - y, tile[2, j] - z
            square = dx * dx + dy * dy + dz * dz + SOFTENING**2
            pull = tile[3, j] / (square * sqrt(square))  # a body does not pull itself: its distance is 0
            ax += pull * dx
            ay += pull * dy
            az += pull * dz
        barrier()
    if i < n:
        velocity[0, i] += step * ax
        velocity[1, i] += step * ay
        velocity[2, i] += step * az


@kernel(threads=THREADS)
def drift(step: f32, velocity: Global[f32, 2], bodies: GlobalMut[f32, 2]) -> None:
    i = global_id()
    if i < bodies.shape[1]:
        for c in range(3):
            bodies[c, i] += step * velocity[c, i]


def energy(bodies: Array, velocity: Array) -> float:
    """Kinetic and potential energy, in f64; a few rows of the matrix of distances at a time."""
    x, mass = bodies[:3].astype(np.float64), bodies[3].astype(np.float64)
    potential = 0.0
    for first in range(0, len(mass), 256):
        rows = slice(first, first + 256)
        square = sum((x[c, rows, None] - x[c]) ** 2 for c in range(3)) + SOFTENING**2
        potential -= float(mass[rows] @ (1 / np.sqrt(square)) @ mass)
    return float(mass @ (velocity.astype(np.float64) ** 2).sum(0)) / 2 + potential / 2


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` bodies at rest in a ball."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(3, size))
    place = direction / np.linalg.norm(direction, axis=0) * rng.random(size) ** (1 / 3)
    bodies = np.vstack([place, np.full(size, 1 / size)]).astype(np.float32)
    b, v = Buffer.from_numpy(bodies.copy(), device), Buffer.zeros((3, size), f32, device)
    pull, move = kick.with_global_threads(size), drift.with_global_threads(size)

    def launch() -> None:
        for _ in range(STEPS):
            pull(STEP / 2, b, v)
            move(STEP, v, b)
            pull(STEP / 2, b, v)

    def check() -> None:
        before, after = energy(bodies, np.zeros((3, size), np.float32)), energy(b.numpy(), v.numpy())
        # Leapfrog errs by (STEP * frequency)**2 / 24 of the energy, and bodies no nearer than the softening circle each
        # other at most at sqrt(2 / size / SOFTENING**3) a unit: 1e-6 for few bodies, less for many; f32 adds sqrt(size)
        # roundings of 2**-24 a step. A wrong force changes the energy by its work: 1e-4 already after these steps.
        np.testing.assert_allclose(after, before, rtol=1e-5)

    yield Work("n-body", launch, check, 2 * STEPS * FLOPS * size**2 / 1e9, "GFLOP")


if __name__ == "__main__":
    main(example, size=4096)
