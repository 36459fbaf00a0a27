"""A fluid by the lattice Boltzmann method (D2Q9): an array of vortices decays as its viscosity says.

A port of the stepper, equilibrium and collision of Autodesk's XLB, which are for NVIDIA's Warp (Apache License 2.0):
https://github.com/Autodesk/XLB/tree/main/xlb/operator
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, func, i32, kernel
from krnlpy.dsl import Vector, dot, global_id, vec2

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main

Q = 9
D = 2
C = np.array([(x, y) for x in (0, 1, -1) for y in (0, 1, -1)], np.int32).T.copy()
W = np.array([(4 / 9, 1 / 9, 1 / 36)[abs(x) + abs(y)] for x, y in C.T], np.float32)
OMEGA = 1.2
STEPS = 20

Lattice = Vector[f32, Q]


@func
def stream(f: Global[f32, 3], i: i32, j: i32) -> Lattice:
    """What comes to a place from its neighbours; edges meet."""
    result = Lattice()
    for l in range(Q):
        result[l] = f[l, (i - C[0, l]) % f.shape[1], (j - C[1, l]) % f.shape[2]]
    return result


@func
def macroscopic(f: Lattice) -> tuple[float, vec2]:
    rho = 0.0
    u = vec2()
    for l in range(Q):
        rho += f[l]
        for d in range(D):
            if C[d, l] == 1:
                u[d] += f[l]
            elif C[d, l] == -1:
                u[d] -= f[l]
    u /= rho
    return rho, u


@func
def equilibrium(rho: f32, u: vec2) -> Lattice:
    feq = Lattice()  # empty lattice vector
    for l in range(Q):
        cu = 0.0
        for d in range(D):
            if C[d, l] == 1:
                cu += u[d]
            elif C[d, l] == -1:
                cu -= u[d]
        cu *= 3.0

        usqr = 1.5 * dot(u, u)

        feq[l] = rho * W[l] * (1.0 + cu * (1.0 + 0.5 * cu) - usqr)
    return feq


@func
def bgk(f: Lattice, feq: Lattice) -> Lattice:
    fneq = f - feq
    return f - OMEGA * fneq


@kernel(threads=(8, 8))
def step(f_0: Global[f32, 3], f_1: GlobalMut[f32, 3]) -> None:
    i, j = global_id(1), global_id(0)
    if i < f_0.shape[1] and j < f_0.shape[2]:
        f_post_stream = stream(f_0, i, j)
        rho, u = macroscopic(f_post_stream)
        feq = equilibrium(rho, u)
        f_post_collision = bgk(f_post_stream, feq)
        for l in range(Q):
            f_1[l, i, j] = f_post_collision[l]


@kernel(threads=(8, 8))
def start_at(u: Global[vec2, 2], f: GlobalMut[f32, 3]) -> None:
    i, j = global_id(1), global_id(0)
    if i < f.shape[1] and j < f.shape[2]:
        feq = equilibrium(1.0, u[i, j])
        for l in range(Q):
            f[l, i, j] = feq[l]


def velocities(f: Array) -> Array:
    """Of all places, in f64."""
    f = f.astype(np.float64)
    return np.einsum("dl,lij->ijd", C, f) / f.sum(0)[..., None]


def example(device: Device, size: int) -> Iterator[Work]:
    """A square of ``size`` by ``size`` places."""
    k = 2 * np.pi / size
    x, y = k * np.arange(size)[:, None], k * np.arange(size)
    vortices = 0.02 * np.stack([-np.cos(x) * np.sin(y), np.sin(x) * np.cos(y)], -1)
    f_0, f_1 = (Buffer.zeros((Q, size, size), f32, device) for _ in range(2))
    start_at.with_global_threads(size, size)(Buffer.from_numpy(vortices.astype(np.float32), device), f_0)
    before = f_0.numpy()

    def launch() -> None:
        for _ in range(STEPS // 2):
            step.with_global_threads(size, size)(f_0, f_1)
            step.with_global_threads(size, size)(f_1, f_0)

    def check() -> None:
        after = f_0.numpy()
        # A step rounds each of nine numbers a few times by 2**-24 of at most 4/9.
        mass = after.sum(dtype=np.float64) / size**2
        np.testing.assert_allclose(mass, 1, rtol=STEPS * 2**-22)
        viscosity = (1 / OMEGA - 0.5) / 3
        slower = np.exp(-2 * viscosity * k**2 * STEPS)
        # The method is of second order in the size of a cell, relative to the vortices.
        np.testing.assert_allclose(velocities(after), slower * velocities(before), rtol=0, atol=0.02 * k**2)

    yield Work("lattice Boltzmann", launch, check, STEPS * size**2 / 1e6, "Mplaces")


if __name__ == "__main__":
    main(example, size=256)
