"""A Cornell box of distance functions, lit by paths that bounce up to three times.

A port of ``cornell_box.py`` from Taichi's examples (Apache License 2.0):
https://github.com/taichi-dev/taichi/blob/master/python/taichi/examples/rendering/cornell_box.py
Random numbers here have no state: a path's are numbered by its pixel, sample and bounce.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    StructBuffer,
    f32,
    func,
    i32,
    kernel,
    struct_dtype,
    u32,
)
from krnlpy.dsl import (
    clamp,
    cos,
    cross,
    dot,
    global_id,
    length,
    mat3,
    normalize,
    radians,
    random_uniform4,
    sin,
    sqrt,
    tan,
    vec2,
    vec3,
    vec4,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main

SAMPLES = 4


@dataclass
class Ray:
    origin: vec3
    direction: vec3
    color: vec3


@dataclass
class Material:
    albedo: vec3
    emission: vec3


@dataclass
class Transform:
    position: vec3
    scale: vec3
    matrix: mat3


@dataclass
class SDFObject:
    transform: Transform
    material: Material


@func
def rotate(a: vec3) -> mat3:
    s, c = sin(a), cos(a)
    return (
        mat3(c.z, s.z, 0, -s.z, c.z, 0, 0, 0, 1)
        @ mat3(c.y, 0, -s.y, 0, 1, 0, s.y, 0, c.y)
        @ mat3(1, 0, 0, 0, c.x, s.x, 0, -s.x, c.x)
    )


@func
def signed_distance(obj: SDFObject, pos: vec3) -> f32:
    p = obj.transform.matrix @ (pos - obj.transform.position)
    q = abs(p) - obj.transform.scale
    return length(max(q, 0)) + min(max(q.x, max(q.y, q.z)), 0)


@func
def nearest_object(objects: Global[SDFObject], p: vec3) -> tuple[int, float]:
    index, min_dis = 0, 1e32
    for i in range(8):
        dis = signed_distance(objects[i], p)
        if dis < min_dis:
            min_dis, index = dis, i
    return index, min_dis


@func
def calc_normal(obj: SDFObject, p: vec3) -> vec3:
    e = vec2(1, -1) * 0.5773 * 0.005
    return normalize(
        e.xyy * signed_distance(obj, p + e.xyy)
        + e.yyx * signed_distance(obj, p + e.yyx)
        + e.yxy * signed_distance(obj, p + e.yxy)
        + e.xxx * signed_distance(obj, p + e.xxx)
    )


@func
def raycast(objects: Global[SDFObject], ray: Ray) -> tuple[SDFObject, vec3, bool]:
    w, s, d, cerr = 1.6, 0.0, 0.0, 1e32
    index, t, position, hit = 0, 0.005, vec3(0), False
    for _ in range(64):
        position = ray.origin + ray.direction * t
        index, distance = nearest_object(objects, position)

        ld, d = d, distance
        if ld + d < s:
            s -= w * s
            t += s
            w *= 0.5
            w += 0.5
            continue
        err = d / t
        if err < cerr:
            cerr = err

        s = w * d
        t += s
        hit = err < 0.001
        if t > 5.0 or hit:
            break
    return objects[index], position, hit


@func
def hemispheric_sampling(normal: vec3, random: vec4) -> vec3:
    z = 2.0 * random.x - 1.0
    a = random.y * 2.0 * pi
    xy = sqrt(1.0 - z * z) * vec2(sin(a), cos(a))
    return normalize(normal + vec3(xy, z))


@func
def raytrace(objects: Global[SDFObject], ray: Ray, sample: u32, pixel: i32) -> Ray:
    for bounce in range(3):
        object, position, hit = raycast(objects, ray)
        if not hit:
            ray.color = vec3(0)
            break

        normal = calc_normal(object, position)
        ray.direction = hemispheric_sampling(normal, random_uniform4(sample, pixel, bounce))
        ray.color *= object.material.albedo
        ray.origin = position

        intensity = dot(ray.color, vec3(0.299, 0.587, 0.114))
        ray.color *= object.material.emission
        visible = dot(ray.color, vec3(0.299, 0.587, 0.114))
        if intensity < visible or visible < 0.000001:
            break
    return ray


@kernel
def build_scene(object: ItemMut[SDFObject], rotation: Item[vec3]) -> None:
    object.transform.matrix = rotate(radians(rotation))


@kernel(threads=(8, 8))
def render(
    objects: Global[SDFObject],
    image_buffer: GlobalMut[vec4, 2],
    image_pixels: GlobalMut[vec3, 2],
    camera_position: vec3,
    camera_lookat: vec3,
    camera_up: vec3,
    sample: u32,
) -> None:
    i, j = global_id(0), global_id(1)
    if i >= image_pixels.shape[0] or j >= image_pixels.shape[1]:
        return
    z = normalize(camera_position - camera_lookat)
    x = normalize(cross(camera_up, z))
    y = cross(z, x)

    half_width = half_height = tan(radians(35) * 0.5)
    lower_left_corner = camera_position - half_width * x - half_height * y - z
    horizontal = 2.0 * half_width * x
    vertical = 2.0 * half_height * y

    pixel = i * image_pixels.shape[1] + j
    jitter = random_uniform4(sample, pixel, 3)
    uv = (vec2(i, j) + jitter.xy) / vec2(image_pixels.shape)
    po = lower_left_corner + uv.x * horizontal + uv.y * vertical
    rd = normalize(po - camera_position)

    ray = raytrace(objects, Ray(camera_position, rd, vec3(1)), sample, pixel)
    buffer = image_buffer[i, j]
    buffer += vec4(ray.color, 1.0)
    image_buffer[i, j] = buffer

    color = buffer.rgb / buffer.a
    color = pow(color, vec3(1.0 / 2.2))
    color = mat3(0.597190, 0.35458, 0.04823, 0.07600, 0.90834, 0.01566, 0.02840, 0.13383, 0.83777) @ color
    color = (color * (color + 0.024578) - 0.0000905) / (color * (0.983729 * color + 0.4329510) + 0.238081)
    color = mat3(1.60475, -0.531, -0.0736, -0.102, 1.10813, -0.00605, -0.00327, -0.07276, 1.07602) @ color
    image_pixels[i, j] = clamp(color, 0, 1)


def scene() -> tuple[Array, Array]:
    """The box's walls, two boxes in it and a lamp; each: position, rotation, half its size, albedo, emission."""
    white = (0.4, 0.4, 0.4)
    rows = [
        ((0, 0, -1), (0, 0, 0), (1, 1, 0.2), white, 1),
        ((0, 1, 0), (90, 0, 0), (1, 1, 0.2), white, 1),
        ((0, -1, 0), (90, 0, 0), (1, 1, 0.2), white, 1),
        ((-1, 0, 0), (0, 90, 0), (1, 1, 0.2), (0.5, 0, 0), 1),
        ((1, 0, 0), (0, 90, 0), (1, 1, 0.2), (0, 0.5, 0), 1),
        ((-0.275, -0.3, -0.2), (0, 112, 0), (0.25, 0.5, 0.25), white, 1),
        ((0.275, -0.55, 0.2), (0, -197, 0), (0.25, 0.25, 0.25), white, 1),
        ((0, 0.809, 0), (90, 0, 0), (0.2, 0.2, 0.01), (1, 1, 1), 100),
    ]
    objects, rotations = np.zeros(8, struct_dtype(SDFObject)), np.zeros((8, 3), np.float32)
    for i, (position, rotation, scale, albedo, emission) in enumerate(rows):
        at, rotations[i] = objects[i], rotation
        at["transform"]["position"], at["transform"]["scale"] = position, scale
        at["material"]["albedo"], at["material"]["emission"] = albedo, emission
    return objects, rotations


def example(device: Device, size: int) -> Iterator[Work]:
    """A picture of ``size`` by ``size`` pixels."""
    start, rotations = scene()
    objects = StructBuffer.from_numpy(start, device)
    image_buffer = Buffer.zeros((size, size, 4), f32, device)
    image_pixels = Buffer.zeros((size, size, 3), f32, device)
    build_scene(objects, Buffer.from_numpy(rotations, device))
    paths = render.with_global_threads(size, size)

    def launch() -> None:
        for sample in range(SAMPLES):
            paths(objects, image_buffer, image_pixels, (0, 0, 3.5), (0, 0, -1), (0, 1, 0), sample)

    def check() -> None:
        picture = image_pixels.numpy().transpose(1, 0, 2)[::-1]  # rows from the top
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1
        assert (image_buffer.numpy()[..., 3] == SAMPLES).all()
        third, edge = size // 3, max(1, size // 8)
        left, right = (rows.mean((0, 1)) for rows in (picture[third:-third, :edge], picture[third:-third, -edge:]))
        assert left[0] > 1.5 * left[1] and right[1] > 1.5 * right[0], "a red wall and a green one"
        assert picture[: size // 4 + 1, third:-third].max() > 0.9, "the lamp is white"

    yield Work("path tracer", launch, check, SAMPLES * size**2 / 1e6, "Mpaths")


if __name__ == "__main__":
    main(example, size=64)
