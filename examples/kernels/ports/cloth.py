"""A cloth of masses and springs falls on a ball.

A port of the cloth in Taichi's documentation (Apache License 2.0):
https://github.com/taichi-dev/taichi/blob/master/docs/lang/articles/get-started/cloth_simulation.md
Springs read the velocities of neighbours while these change; here what they read is a copy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, kernel
from krnlpy.dsl import dot, exp, global_id, ivec2, length, normalize, unroll, vec3

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

GRAVITY = (0, -9.8, 0)
SPRING_Y = 3e4
DASHPOT_DAMPING = 1e4
DRAG_DAMPING = 1
BALL_RADIUS = 0.3
BALL_CENTER = (0, 0, 0)
STEPS = 20
DT = 1e-4

SPRING_OFFSETS = [(i, j) for i in range(-1, 2) for j in range(-1, 2) if (i, j) != (0, 0)]


@kernel(threads=(8, 8))
def fall(v: GlobalMut[vec3, 2], v_seen: GlobalMut[vec3, 2], dt: f32) -> None:
    i = ivec2(global_id(1), global_id(0))
    if i[0] < v.shape[0] and i[1] < v.shape[1]:
        v[i] += vec3(GRAVITY) * dt
        v_seen[i] = v[i]


@kernel(threads=(8, 8))
def pull(x: Global[vec3, 2], v: GlobalMut[vec3, 2], v_seen: Global[vec3, 2], dt: f32) -> None:
    i = ivec2(global_id(1), global_id(0))
    n = x.shape[0]
    quad_size = 1.0 / n
    if i[0] < n and i[1] < n:
        force = vec3([0.0, 0.0, 0.0])
        for spring_offset in unroll(SPRING_OFFSETS):
            j = i + ivec2(spring_offset)
            if 0 <= j[0] < n and 0 <= j[1] < n:
                x_ij = x[i] - x[j]
                v_ij = v_seen[i] - v_seen[j]
                d = normalize(x_ij)
                current_dist = length(x_ij)
                original_dist = quad_size * length(1.0 * (i - j))
                # of the spring
                force += -SPRING_Y * d * (current_dist / original_dist - 1)
                # of its dashpot
                force += -dot(v_ij, d) * d * DASHPOT_DAMPING * quad_size
        v[i] += force * dt


@kernel(threads=(8, 8))
def move(x: GlobalMut[vec3, 2], v: GlobalMut[vec3, 2], dt: f32) -> None:
    i = ivec2(global_id(1), global_id(0))
    if i[0] < x.shape[0] and i[1] < x.shape[1]:
        v[i] *= exp(-DRAG_DAMPING * dt)
        offset_to_center = x[i] - vec3(BALL_CENTER)
        if length(offset_to_center) <= BALL_RADIUS:
            normal = normalize(offset_to_center)
            v[i] -= min(dot(v[i], normal), 0) * normal
        x[i] += dt * v[i]


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` by ``size`` masses, flat above the ball."""
    place = (np.arange(size) / size - 0.5).astype(np.float32)
    wide, deep = np.meshgrid(place, place, indexing="ij")
    start = np.stack([wide, np.full_like(wide, 0.3), deep], -1)
    x = Buffer.from_numpy(start, device)
    v, v_seen = (Buffer.zeros((size, size, 3), f32, device) for _ in range(2))

    def launch() -> None:
        for _ in range(STEPS):
            fall.with_global_threads(size, size)(v, v_seen, DT)
            pull.with_global_threads(size, size)(x, v, v_seen, DT)
            move.with_global_threads(size, size)(x, v, DT)

    def check() -> None:
        end, speed = x.numpy().astype(np.float64), v.numpy().astype(np.float64)
        distance = np.linalg.norm(end, axis=2)
        # Masses stop where they touch the ball: not deeper than one step of free fall.
        time = STEPS * DT
        assert distance.min() > BALL_RADIUS - 9.8 * time * DT
        # The corner, which the ball does not reach, falls as gravity and drag let it; springs barely stretch so soon.
        fallen = 9.8 * (time - (1 - np.exp(-time)))
        np.testing.assert_allclose(end[0, 0, 1], 0.3 - fallen, rtol=0, atol=0.05 * fallen + 9.8 * time * DT)
        np.testing.assert_allclose(speed[0, 0, 1], -9.8 * (1 - np.exp(-time)), rtol=0.05)

    yield Work("cloth", launch, check, STEPS * size**2 / 1e6, "Mmasses")


if __name__ == "__main__":
    main(example, size=128)
