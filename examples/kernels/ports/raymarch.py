"""A box with a ball cut out of it, drawn by marching rays through a distance function.

A port of ``example_raymarch.py`` from NVIDIA's Warp (Apache License 2.0), whose distance functions are Inigo Quilez':
https://github.com/NVIDIA/warp/blob/main/warp/examples/core/example_raymarch.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, GlobalMut, f32, func, i32, kernel
from krnlpy.dsl import clamp, dot, global_id, length, normalize, quat_rotate, vec3, vec4

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main

CAM_POS = (-1.25, 1.0, 2.0)
CAM_ROT = (-0.2398904, -0.2398904, -0.0611986, 0.9387913)  # rolled and pitched by half a radian; x, y, z, w
BACKGROUND = (0.6, 0.675, 0.75)


@func
def sdf_sphere(p: vec3, r: f32) -> f32:
    return length(p) - r


@func
def sdf_box(upper: vec3, p: vec3) -> f32:
    qx = abs(p[0]) - upper[0]
    qy = abs(p[1]) - upper[1]
    qz = abs(p[2]) - upper[2]

    e = vec3(max(qx, 0.0), max(qy, 0.0), max(qz, 0.0))

    return length(e) + min(max(qx, max(qy, qz)), 0.0)


@func
def sdf_plane(p: vec3, plane: vec4) -> f32:
    return plane[0] * p[0] + plane[1] * p[1] + plane[2] * p[2] + plane[3]


@func
def op_union(d1: f32, d2: f32) -> f32:
    return min(d1, d2)


@func
def op_subtract(d1: f32, d2: f32) -> f32:
    return max(-d1, d2)


@func
def sdf(p: vec3) -> f32:
    sphere_1 = vec3(0.0, 0.75, 0.0)

    d = op_subtract(sdf_sphere(p - sphere_1, 0.75), sdf_box(vec3(1.0, 0.5, 0.5), p))

    # the ground
    return op_union(d, sdf_plane(p, vec4(0.0, 1.0, 0.0, 1.0)))


@func
def normal(p: vec3) -> vec3:
    eps = 1.0e-3  # 1.0e-5, as the original has it, is lost in the roundings of f32

    # the gradient of the distance, by differences
    dx = sdf(p + vec3(eps, 0.0, 0.0)) - sdf(p - vec3(eps, 0.0, 0.0))
    dy = sdf(p + vec3(0.0, eps, 0.0)) - sdf(p - vec3(0.0, eps, 0.0))
    dz = sdf(p + vec3(0.0, 0.0, eps)) - sdf(p - vec3(0.0, 0.0, eps))

    return normalize(vec3(dx, dy, dz))


@func
def shadow(ro: vec3, rd: vec3) -> f32:
    t = 0.0
    s = 1.0

    for _ in range(64):
        d = sdf(ro + t * rd)
        t = t + clamp(d, 0.0001, 2.0)

        h = clamp(4.0 * d / t, 0.0, 1.0)
        s = min(s, h * h * (3.0 - 2.0 * h))

        if t > 8.0:
            return 1.0

    return s


@kernel
def draw(cam_pos: vec3, cam_rot: vec4, width: i32, height: i32, pixels: GlobalMut[vec3]) -> None:
    tid = global_id()
    if tid >= len(pixels):
        return

    x = tid % width
    y = tid // width

    # the pixel's place
    sx = (2.0 * x - width) / height
    sy = (2.0 * y - height) / height

    # the ray that is seen there
    ro = cam_pos
    rd = quat_rotate(cam_rot, normalize(vec3(sx, sy, -2.0)))

    t = d = 0.0

    for _ in range(128):
        d = sdf(ro + rd * t)
        t = t + d

    if d < 0.01:
        p = ro + rd * t
        n = normal(p)
        l = normalize(vec3(0.6, 0.4, 0.5))

        # half-vector
        h = normalize(l - rd)

        diffuse = dot(n, l)
        specular = clamp(dot(n, h), 0.0, 1.0) ** 80.0
        fresnel = 0.04 + 0.96 * clamp(1.0 - dot(h, l), 0.0, 1.0) ** 5.0

        intensity = 2.0
        result = (
            vec3(0.85, 0.9, 0.95) * (diffuse * (1.0 - fresnel) + specular * fresnel * 10.0) * shadow(p, l) * intensity
        )

        # gamma
        pixels[tid] = vec3(
            clamp(result[0] ** 2.2, 0.0, 1.0),
            clamp(result[1] ** 2.2, 0.0, 1.0),
            clamp(result[2] ** 2.2, 0.0, 1.0),
        )

    else:
        pixels[tid] = vec3(0.4, 0.45, 0.5) * 1.5


def distance(p: Array) -> Array:
    """The scene's distance function of many points, in f64."""
    ball = np.linalg.norm(p - (0, 0.75, 0), axis=-1) - 0.75
    q = np.abs(p) - (1, 0.5, 0.5)
    box = np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)
    return np.minimum(np.maximum(-ball, box), p[..., 1] + 1)


def example(device: Device, size: int) -> Iterator[Work]:
    """A picture of ``size`` rows, twice as wide."""
    width, height = 2 * size, size
    pixels = Buffer.zeros((width * height, 3), f32, device)

    def check() -> None:
        sx = (2 * np.arange(width) - width) / height
        sy = (2 * np.arange(height)[:, None] - height) / height
        rays = np.stack(np.broadcast_arrays(sx, sy, -2.0), -1)
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        axis, w = np.array(CAM_ROT[:3]), CAM_ROT[3]
        rays = (2 * w * w - 1) * rays + 2 * w * np.cross(axis, rays) + 2 * axis * (rays @ axis)[..., None]
        t, d = np.zeros((height, width)), np.zeros((height, width))
        for _ in range(128):
            d = distance(np.array(CAM_POS) + rays * t[..., None])
            t += d
        picture = pixels.numpy().reshape(height, width, 3)
        sky = (np.abs(picture - BACKGROUND) < 1e-6).all(-1)
        # Rays that graze an edge may pass it or not, by a rounding.
        assert (sky != (d >= 0.01)).mean() < 0.01
        assert picture.min() >= 0 and picture.max() <= 1 and picture[~sky].std() > 0.02

    draw_all = draw.with_global_threads(width * height)
    yield Work(
        "ray marching", lambda: draw_all(CAM_POS, CAM_ROT, width, height, pixels), check, width * height / 1e6, "Mrays"
    )


if __name__ == "__main__":
    main(example, size=128)
