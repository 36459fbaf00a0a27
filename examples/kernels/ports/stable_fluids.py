"""Smoke that rises where it is pushed: Jos Stam's stable fluids, with advection along a path of third order.

A port of ``stable_fluid.py`` from Taichi's examples (Apache License 2.0):
https://github.com/taichi-dev/taichi/blob/master/python/taichi/examples/simulation/stable_fluid.py
Impulses come from numbers, not from a mouse.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, func, kernel
from krnlpy.dsl import exp, floor, global_id, ivec2, length, vec2, vec3

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

DT = 0.03
P_JACOBI_ITERS = 40
F_STRENGTH = 10000.0
DYE_DECAY = 1 - 1 / 120
STEPS = 2


@func
def sample(qf: Any, u: Any, v: Any) -> Any:
    I = ivec2(int(u), int(v))
    I = max(0, min(ivec2(qf.shape) - 1, I))
    return qf[I]


@func
def lerp(vl: Any, vr: Any, frac: f32) -> Any:
    # frac: [0.0, 1.0]
    return vl + frac * (vr - vl)


@func
def bilerp(vf: Any, p: vec2) -> Any:
    u, v = p
    s, t = u - 0.5, v - 0.5
    # floor
    iu, iv = floor(s), floor(t)
    # fract
    fu, fv = s - iu, t - iv
    a = sample(vf, iu, iv)
    b = sample(vf, iu + 1, iv)
    c = sample(vf, iu, iv + 1)
    d = sample(vf, iu + 1, iv + 1)
    return lerp(lerp(a, b, fu), lerp(c, d, fu), fv)


# 3rd order Runge-Kutta
@func
def backtrace(vf: Global[vec2, 2], p: vec2, dt: f32) -> vec2:
    v1 = bilerp(vf, p)
    p1 = p - 0.5 * dt * v1
    v2 = bilerp(vf, p1)
    p2 = p - 0.75 * dt * v2
    v3 = bilerp(vf, p2)
    p -= dt * ((2 / 9) * v1 + (1 / 3) * v2 + (4 / 9) * v3)
    return p


@func
def advect(vf: Global[vec2, 2], qf: Any, new_qf: Any) -> None:
    i, j = global_id(1), global_id(0)
    if i < vf.shape[0] and j < vf.shape[1]:
        p = vec2(i, j) + 0.5
        p = backtrace(vf, p, DT)
        new_qf[i, j] = bilerp(qf, p) * DYE_DECAY


@kernel(threads=(8, 8))
def advect_velocity(vf: Global[vec2, 2], new_vf: GlobalMut[vec2, 2]) -> None:
    advect(vf, vf, new_vf)


@kernel(threads=(8, 8))
def advect_dye(vf: Global[vec2, 2], qf: Global[vec3, 2], new_qf: GlobalMut[vec3, 2]) -> None:
    advect(vf, qf, new_qf)


@kernel(threads=(8, 8))
def apply_impulse(vf: GlobalMut[vec2, 2], dyef: GlobalMut[vec3, 2], imp_data: Global[f32]) -> None:
    i, j = global_id(1), global_id(0)
    res = vf.shape[0]
    if i < res and j < res:
        g_dir = -vec2(0, 9.8) * 300
        omx, omy = imp_data[2], imp_data[3]
        mdir = vec2(imp_data[0], imp_data[1])
        dx, dy = (i + 0.5 - omx), (j + 0.5 - omy)
        d2 = dx * dx + dy * dy
        # dv = F * dt
        factor = exp(-d2 / (res / 2.0))

        dc = dyef[i, j]
        a = length(dc)

        momentum = (mdir * F_STRENGTH * factor + g_dir * a / (1 + a)) * DT

        v = vf[i, j]
        vf[i, j] = v + momentum
        # add dye
        if length(mdir) > 0.5:
            dc += exp(-d2 * (4 / (res / 15.0) ** 2)) * vec3(imp_data[4], imp_data[5], imp_data[6])

        dyef[i, j] = dc


@kernel(threads=(8, 8))
def divergence(vf: Global[vec2, 2], velocity_divs: GlobalMut[f32, 2]) -> None:
    i, j = global_id(1), global_id(0)
    res = vf.shape[0]
    if i < res and j < res:
        vl = sample(vf, i - 1, j)
        vr = sample(vf, i + 1, j)
        vb = sample(vf, i, j - 1)
        vt = sample(vf, i, j + 1)
        vc = sample(vf, i, j)
        if i == 0:
            vl.x = -vc.x
        if i == res - 1:
            vr.x = -vc.x
        if j == 0:
            vb.y = -vc.y
        if j == res - 1:
            vt.y = -vc.y
        velocity_divs[i, j] = (vr.x - vl.x + vt.y - vb.y) * 0.5


@kernel(threads=(8, 8))
def pressure_jacobi(pf: Global[f32, 2], new_pf: GlobalMut[f32, 2], velocity_divs: Global[f32, 2]) -> None:
    i, j = global_id(1), global_id(0)
    if i < pf.shape[0] and j < pf.shape[1]:
        pl = sample(pf, i - 1, j)
        pr = sample(pf, i + 1, j)
        pb = sample(pf, i, j - 1)
        pt = sample(pf, i, j + 1)
        div = velocity_divs[i, j]
        new_pf[i, j] = (pl + pr + pb + pt - div) * 0.25


@kernel(threads=(8, 8))
def subtract_gradient(vf: GlobalMut[vec2, 2], pf: Global[f32, 2]) -> None:
    i, j = global_id(1), global_id(0)
    if i < pf.shape[0] and j < pf.shape[1]:
        pl = sample(pf, i - 1, j)
        pr = sample(pf, i + 1, j)
        pb = sample(pf, i, j - 1)
        pt = sample(pf, i, j + 1)
        vf[i, j] -= 0.5 * vec2([pr - pl, pt - pb])


class TexPair:
    """Two buffers: what is, and what is made from it."""

    def __init__(self, shape: tuple[int, ...], device: Device) -> None:
        self.cur, self.nxt = (Buffer.zeros(shape, f32, device) for _ in range(2))

    def swap(self) -> None:
        self.cur, self.nxt = self.nxt, self.cur


def example(device: Device, size: int) -> Iterator[Work]:
    """A square of ``size`` by ``size`` cells."""
    velocities, dyes = (TexPair((size, size, axes), device) for axes in (2, 3))
    pressures = TexPair((size, size), device)
    velocity_divs, left = (Buffer.zeros((size, size), f32, device) for _ in range(2))
    push = Buffer.from_numpy(np.array([0.6, 0.8, size / 2, size / 2, 0.9, 0.5, 0.3, 0], np.float32), device)

    def launch() -> None:
        for _ in range(STEPS):
            advect_velocity.with_global_threads(size, size)(velocities.cur, velocities.nxt)
            advect_dye.with_global_threads(size, size)(velocities.cur, dyes.cur, dyes.nxt)
            velocities.swap()
            dyes.swap()
            apply_impulse.with_global_threads(size, size)(velocities.cur, dyes.cur, push)
            divergence.with_global_threads(size, size)(velocities.cur, velocity_divs)
            for _ in range(P_JACOBI_ITERS):
                pressure_jacobi.with_global_threads(size, size)(pressures.cur, pressures.nxt, velocity_divs)
                pressures.swap()
            subtract_gradient.with_global_threads(size, size)(velocities.cur, pressures.cur)
        divergence.with_global_threads(size, size)(velocities.cur, left)

    def check() -> None:
        # The last of Jacobi's iterations.
        before = np.pad(pressures.nxt.numpy().astype(np.float64), 1, mode="edge")
        due = before[:-2, 1:-1] + before[2:, 1:-1] + before[1:-1, :-2] + before[1:-1, 2:]
        divs = velocity_divs.numpy().astype(np.float64)
        # Three additions of f32.
        np.testing.assert_allclose(
            pressures.cur.numpy(), (due - divs) / 4, rtol=0, atol=4 * 2**-24 * np.abs(before).max()
        )
        assert np.abs(left.numpy()).mean() < np.abs(divs).mean(), "less divergence than before"
        dye = dyes.cur.numpy()
        assert dye.min() >= 0
        np.testing.assert_allclose(dye[..., 1], dye[..., 0] * (0.5 / 0.9), rtol=1e-5, atol=1e-9)

    yield Work("stable fluids", launch, check, STEPS * size**2 / 1e6, "Mcells")


if __name__ == "__main__":
    main(example, size=128)
