"""Planets circle a sun; kernels are methods of a class.

A port of ``odop_solar.py`` from Taichi's examples (Apache License 2.0):
https://github.com/taichi-dev/taichi/blob/master/python/taichi/examples/simulation/odop_solar.py
Random numbers here have no state: a planet's are numbered by its index.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, func, i32, kernel
from krnlpy.dsl import cos, global_id, length, random_uniform, sin, vec2

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

STEPS = 100


class SolarSystem:
    x: GlobalMut[vec2]
    v: GlobalMut[vec2]
    center: Global[vec2]

    def __init__(self, n: int, dt: float, device: Device) -> None:
        self.n = n
        self.dt = dt
        self.x = Buffer.zeros((n, 2), f32, device)
        self.v = Buffer.zeros((n, 2), f32, device)
        self.center = Buffer.from_numpy(np.array([[0.5, 0.5]], np.float32), device)

    @staticmethod
    @func
    def random_vector(radius: f32, i: i32, stream: i32) -> vec2:  # a random vector in a circle
        theta = random_uniform(0, i, stream) * 2 * math.pi
        r = random_uniform(0, i, stream + 1) * radius
        return r * vec2([cos(theta), sin(theta)])

    @kernel
    def initialize_particles(self) -> None:
        i = global_id()
        if i < self.n:
            offset = self.random_vector(0.5, i, 0)
            self.x[i] = self.center[0] + offset  # Offset from center
            self.v[i] = [-offset.y, offset.x]  # Perpendicular to offset
            self.v[i] += self.random_vector(0.02, i, 2)  # Random velocity noise
            self.v[i] *= 1 / length(offset) ** 1.5  # Kepler's third law

    @func
    def gravity(self, pos: vec2) -> vec2:
        offset = -(pos - self.center[0])
        return offset / length(offset) ** 3

    @kernel
    def integrate(self) -> None:  # Semi-implicit Euler time integration
        i = global_id()
        if i < self.n:
            self.v[i] += self.dt * self.gravity(self.x[i])
            self.x[i] += self.dt * self.v[i]


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` planets."""
    solar = SolarSystem(size, 0.0001, device)
    solar.initialize_particles.with_global_threads(size)()
    start = [solar.x.numpy(), solar.v.numpy()]

    def launch() -> None:
        for _ in range(STEPS):
            solar.integrate.with_global_threads(size)()

    def check() -> None:
        x, v = (values.astype(np.float64) for values in start)
        for _ in range(STEPS):
            offset = 0.5 - x
            v += 1e-4 * offset / np.linalg.norm(offset, axis=1, keepdims=True) ** 3
            x += 1e-4 * v
        # Near the sun a step turns a planet far; elsewhere errors are those of f32 in so many steps.
        far = np.linalg.norm(start[0] - 0.5, axis=1) > 0.1
        np.testing.assert_allclose(solar.x.numpy()[far], x[far], rtol=0, atol=STEPS * 2**-23)

    yield Work("solar system", launch, check, STEPS * size / 1e6, "Mplanets")


if __name__ == "__main__":
    main(example, size=8192)
