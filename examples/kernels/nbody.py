"""Gravity between n bodies, each pulled by all others. A group reads the bodies a tile at a time into group memory,
from where each of its threads takes all of them. Time goes on by leapfrog, which keeps the energy."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from krnlpy import Device, GlobalMut, StructBuffer, f32, kernel, struct_dtype
from krnlpy.dsl import barrier, dot, global_id, group_array, sqrt, thread_id, vec3, vec4

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

THREADS = 128
STEPS = 10
STEP = 1e-3  # of time; the whole system takes a few units to collapse
SOFTENING = 0.05  # a length: nearer bodies do not attract each other more
FLOPS = 20  # of a pair, as this benchmark counts them since GPU Gems 3, chapter 31


@dataclass
class Body:
    """A point mass."""

    place: vec3
    mass: f32
    velocity: vec3


@kernel(threads=THREADS)
def kick(step: f32, bodies: GlobalMut[Body]) -> None:
    """Adds ``step`` times the acceleration to the velocities."""
    tile = group_array(vec4, THREADS)
    i, lane = global_id(), thread_id()
    place = bodies[min(i, len(bodies) - 1)].place  # threads past the last body help to fill tiles
    acceleration = vec3(0.0)
    for start in range(0, len(bodies), THREADS):
        if start + lane < len(bodies):
            tile[lane] = vec4(bodies[start + lane].place, bodies[start + lane].mass)
        barrier()
        for j in range(min(THREADS, len(bodies) - start)):
            way = tile[j].xyz - place
            square = dot(way, way) + SOFTENING**2
            acceleration += tile[j].w / (square * sqrt(square)) * way  # of itself: 0, as the way is
        barrier()
    if i < len(bodies):
        bodies[i].velocity += step * acceleration


@kernel
def drift(step: f32, bodies: GlobalMut[Body]) -> None:
    """Moves the bodies on."""
    i = global_id()
    if i < len(bodies):
        bodies[i].place += step * bodies[i].velocity


def energy_and_acceleration(bodies: Array) -> tuple[float, Array]:
    """Kinetic and potential energy, and all accelerations, in f64; for a few bodies at a time."""
    place, velocity, mass = (bodies[name].astype(np.float64) for name in ("place", "velocity", "mass"))
    energy, acceleration = float(mass @ (velocity**2).sum(1)) / 2, np.empty_like(place)
    for first in range(0, len(mass), 256):
        some = slice(first, first + 256)
        way = place - place[some, None]
        square = (way**2).sum(2) + SOFTENING**2
        energy -= float(mass[some] @ (square**-0.5 @ mass)) / 2
        acceleration[some] = np.einsum("ij,ijc->ic", mass * square**-1.5, way)
    return energy, acceleration


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` bodies at rest in a ball."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(size, 3))
    start = np.zeros(size, struct_dtype(Body))
    start["place"] = direction / np.linalg.norm(direction, axis=1, keepdims=True) * rng.random((size, 1)) ** (1 / 3)
    start["mass"] = 1 / size
    bodies = StructBuffer.from_numpy(start, device)
    pull, move = kick.with_global_threads(size), drift.with_global_threads(size)

    def launch() -> None:
        for _ in range(STEPS):
            pull(STEP / 2, bodies)
            move(STEP, bodies)
            pull(STEP / 2, bodies)

    def check() -> None:
        end = bodies.numpy()
        before, acceleration = energy_and_acceleration(start)
        after, _ = energy_and_acceleration(end)
        # Two bodies circle each other at most at this frequency, as they are softened. Leapfrog errs by (STEP *
        # frequency)**2 / 24 of the energy, and f32 by some roundings of 2**-24 a step.
        frequency = math.sqrt(2 / size / SOFTENING**3)
        np.testing.assert_allclose(after, before, rtol=(STEP * frequency) ** 2 / 24 + 10 * STEPS * 2**-24)
        # From rest, and so soon, velocities are the first accelerations times the time.
        time = STEPS * STEP
        expected = time * acceleration
        error = ((time * frequency) ** 2 / 6 + 1e-4) * np.abs(expected).max()
        np.testing.assert_allclose(end["velocity"], expected, rtol=0, atol=error)

    yield Work("n-body", launch, check, 2 * STEPS * FLOPS * size**2 / 1e9, "GFLOP")


if __name__ == "__main__":
    main(example, size=4096)
