"""A block of jelly falls to the ground: the material point method in its moving-least-squares form.

A port of ``mpm88.py`` by Yuanming Hu, from Taichi's examples (Apache License 2.0):
https://github.com/taichi-dev/taichi/blob/master/python/taichi/examples/simulation/mpm88.py
Each of its parallel loops is a kernel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, ItemMut, f32, kernel
from krnlpy.dsl import atomic_add, global_id, grid, ivec2, mat2, outer, trace, unroll, vec2

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

N_GRID = 64
DX = 1 / N_GRID
DT = 2e-4
P_RHO = 1
P_VOL = (DX * 0.5) ** 2
P_MASS = P_VOL * P_RHO
GRAVITY = 9.8
BOUND = 3
E = 400
STEPS = 10


@kernel
def clear(grid_v: ItemMut[vec2], grid_m: ItemMut[f32]) -> None:
    grid_v = [0, 0]
    grid_m = 0


@kernel
def particles_to_grid(
    x: Global[vec2],
    v: Global[vec2],
    C: Global[mat2],
    J: Global[f32],
    grid_v: GlobalMut[vec2, 2],
    grid_m: GlobalMut[f32, 2],
) -> None:
    p = global_id()
    if p < len(x):
        Xp = x[p] / DX
        base = ivec2(Xp - 0.5)
        fx = Xp - base
        w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
        stress = -DT * 4 * E * P_VOL * (J[p] - 1) / DX**2
        affine = mat2([[stress, 0], [0, stress]]) + P_MASS * C[p]
        for i, j in unroll(grid(3, 3)):
            offset = ivec2(i, j)
            dpos = (offset - fx) * DX
            weight = w[i].x * w[j].y
            atomic_add(grid_v[base + offset], weight * (P_MASS * v[p] + affine @ dpos))
            atomic_add(grid_m[base + offset], weight * P_MASS)


@kernel(threads=(8, 8))
def move_grid(grid_v: GlobalMut[vec2, 2], grid_m: Global[f32, 2]) -> None:
    j, i = global_id(0), global_id(1)
    if i < N_GRID and j < N_GRID:
        if grid_m[i, j] > 0:
            grid_v[i, j] /= grid_m[i, j]
        grid_v[i, j].y -= DT * GRAVITY
        if i < BOUND and grid_v[i, j].x < 0:
            grid_v[i, j].x = 0
        if i > N_GRID - BOUND and grid_v[i, j].x > 0:
            grid_v[i, j].x = 0
        if j < BOUND and grid_v[i, j].y < 0:
            grid_v[i, j].y = 0
        if j > N_GRID - BOUND and grid_v[i, j].y > 0:
            grid_v[i, j].y = 0


@kernel
def grid_to_particles(
    x: GlobalMut[vec2], v: GlobalMut[vec2], C: GlobalMut[mat2], J: GlobalMut[f32], grid_v: Global[vec2, 2]
) -> None:
    p = global_id()
    if p < len(x):
        Xp = x[p] / DX
        base = ivec2(Xp - 0.5)
        fx = Xp - base
        w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
        new_v = vec2()
        new_C = mat2()
        for i, j in unroll(grid(3, 3)):
            offset = ivec2(i, j)
            dpos = (offset - fx) * DX
            weight = w[i].x * w[j].y
            g_v = grid_v[base + offset]
            new_v += weight * g_v
            new_C += 4 * weight * outer(g_v, dpos) / DX**2
        v[p] = new_v
        x[p] += DT * v[p]
        J[p] *= 1 + DT * trace(new_C)
        C[p] = new_C


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` particles, which fall for some steps."""
    start = np.random.default_rng(0).random((size, 2), np.float32) * np.float32(0.4) + np.float32(0.2)
    x = Buffer.from_numpy(start, device)
    v = Buffer.from_numpy(np.tile(np.array([0, -1], np.float32), (size, 1)), device)
    C = Buffer.zeros((size, 2, 2), f32, device)
    J = Buffer.ones(size, f32, device)
    grid_v = Buffer.zeros((N_GRID, N_GRID, 2), f32, device)
    grid_m = Buffer.zeros((N_GRID, N_GRID), f32, device)

    def launch() -> None:
        for _ in range(STEPS):
            clear(grid_v, grid_m)
            particles_to_grid.with_global_threads(size)(x, v, C, J, grid_v, grid_m)
            move_grid.with_global_threads(N_GRID, N_GRID)(grid_v, grid_m)
            grid_to_particles.with_global_threads(size)(x, v, C, J, grid_v)

    def check() -> None:
        # Mass goes to the grid and momentum to the grid and back without loss; far from walls only gravity changes it.
        # Each of the roundings of 9 sums a particle is of 2**-24 of the summands, which are at most the largest sum.
        np.testing.assert_allclose(grid_m.numpy().sum(dtype=np.float64), size * P_MASS, rtol=1e-5)
        speed = -1 - GRAVITY * DT * STEPS
        np.testing.assert_allclose(v.numpy().mean(0, dtype=np.float64), [0, speed], atol=2e-4)
        fallen = sum((-1 - GRAVITY * DT * (step + 1)) * DT for step in range(STEPS))
        moved = (x.numpy().astype(np.float64) - start).mean(0)
        np.testing.assert_allclose(moved, [0, fallen], atol=1e-5)

    yield Work("MPM88", launch, check, size * STEPS / 1e6, "Mparticles")


if __name__ == "__main__":
    main(example, size=8192)
