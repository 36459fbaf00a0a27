"""Rays through many triangles, by a hierarchy of boxes that is built in parallel.

A port of ``LBVH`` of Genesis, which is for Quadrants, a successor of Taichi (Apache License 2.0); the rays go down the
hierarchy as its queries do, and meet a box as in NVIDIA's Warp (Apache License 2.0):
https://github.com/Genesis-Embodied-AI/Genesis/blob/main/genesis/engine/bvh.py
https://github.com/NVIDIA/warp/blob/main/warp/native/intersect.h
A box is made when those of both children are there; the original makes it anew with each of them, while others read it.
The hierarchy is that of T. Karras, "Maximizing Parallelism in the Construction of BVHs, Octrees, and k-d Trees", 2012.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
from krnlpy.dsl import atomic_max, atomic_min, cast, cross, dot, global_id, local_array, uvec2, vec3

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main
from examples.kernels.ports.radix_sort import sort

STACK_SIZE = 64
FAR = 1e10


@dataclass
class AABB:
    min: vec3
    max: vec3

    @func
    def distance(self, start: vec3, rcp_dir: vec3, t: f32) -> f32:
        """Where a ray enters the box, or ``FAR`` if it does not before t."""
        l1 = (self.min - start) * rcp_dir
        l2 = (self.max - start) * rcp_dir
        near, far = min(l1, l2), max(l1, l2)
        enter = max(near.x, near.y, near.z, 0.0)
        leave = min(far.x, far.y, far.z, t)
        return enter if enter <= leave else FAR


@dataclass
class Node:
    left: i32
    right: i32
    parent: i32
    bound: AABB


@kernel
def compute_aabbs(triangles: Global[vec3, 2], aabbs: GlobalMut[AABB], bound: GlobalMut[AABB]) -> None:
    i_a = global_id()
    if i_a < len(aabbs):
        a, b, c = triangles[i_a, 0], triangles[i_a, 1], triangles[i_a, 2]
        aabbs[i_a] = AABB(min(a, b, c), max(a, b, c))
        atomic_min(bound[0].min, aabbs[i_a].min)
        atomic_max(bound[0].max, aabbs[i_a].max)


@func
def expand_bits(v: u32) -> u32:
    """Expands a 10-bit integer into 30 bits by inserting 2 zeros before each bit."""
    v = (v * 0x00010001) & 0xFF0000FF
    v = (v * 0x00000101) & 0x0F00F00F
    v = (v * 0x00000011) & 0xC30C30C3
    return (v * 0x00000005) & 0x49249249


@kernel
def compute_morton_codes(aabbs: Global[AABB], bound: Global[AABB], morton_codes: GlobalMut[uvec2]) -> None:
    i_a = global_id()
    if i_a < len(aabbs):
        extent = bound[0].max - bound[0].min
        scale = 1.0 / max(extent, 1e-6)
        center = (aabbs[i_a].min + aabbs[i_a].max) / 2 - bound[0].min
        x, y, z = cast(center * scale * 1023.0, u32)
        morton_codes[i_a] = uvec2((expand_bits(x) << 2) | (expand_bits(y) << 1) | expand_bits(z), u32(i_a))


@func
def delta(morton_codes: Global[uvec2], i: i32, j: i32) -> i32:
    """How many bits two codes have in common."""
    result = -1
    if j >= 0 and j < len(morton_codes):
        result = 64
        for i_bit in range(2):
            x = morton_codes[i][i_bit] ^ morton_codes[j][i_bit]
            for b in range(32):
                if x & (u32(1) << (31 - b)):
                    result = b + 32 * i_bit
                    break
            if result != 64:
                break
    return result


@kernel
def build_radix_tree(morton_codes: Global[uvec2], nodes: GlobalMut[Node]) -> None:
    n_aabbs = len(morton_codes)
    i = global_id()
    if i >= n_aabbs:
        return
    if i == 0:
        nodes[0].parent = -1
    nodes[i + n_aabbs - 1].left = -1
    nodes[i + n_aabbs - 1].right = -1
    if i >= n_aabbs - 1:
        return

    d = 1 if delta(morton_codes, i, i + 1) > delta(morton_codes, i, i - 1) else -1

    delta_min = delta(morton_codes, i, i - d)
    l_max = 2
    while delta(morton_codes, i, i + l_max * d) > delta_min:
        l_max *= 2

    l = 0
    t = l_max // 2
    while t > 0:
        if delta(morton_codes, i, i + (l + t) * d) > delta_min:
            l += t
        t //= 2

    j = i + l * d
    delta_node = delta(morton_codes, i, j)
    s = 0
    t = (l + 1) // 2
    while t > 0:
        if delta(morton_codes, i, i + (s + t) * d) > delta_node:
            s += t
        t = (t + 1) // 2 if t > 1 else 0

    gamma = i + s * d + min(d, 0)
    left = gamma + n_aabbs - 1 if min(i, j) == gamma else gamma
    right = gamma + n_aabbs if max(i, j) == gamma + 1 else gamma + 1
    nodes[i].left = left
    nodes[i].right = right
    nodes[left].parent = i
    nodes[right].parent = i


@kernel
def compute_bounds_init(
    morton_codes: Global[uvec2], aabbs: Global[AABB], nodes: GlobalMut[Node], done: GlobalMut[bool]
) -> None:
    n_aabbs = len(aabbs)
    i = global_id()
    if i < n_aabbs:
        leaf = i + n_aabbs - 1
        nodes[leaf].bound = aabbs[morton_codes[i].y]
        done[leaf] = True


@kernel
def compute_bounds_one_layer(nodes: GlobalMut[Node], done: Global[bool], ready: GlobalMut[bool]) -> None:
    i = global_id()
    if i < len(ready) and not done[i]:
        left, right = nodes[i].left, nodes[i].right
        if done[left] and done[right]:
            left_bound = nodes[left].bound
            right_bound = nodes[right].bound
            nodes[i].bound.min = min(left_bound.min, right_bound.min)
            nodes[i].bound.max = max(left_bound.max, right_bound.max)
            ready[i] = True


@kernel
def next_layer(ready: Item[bool], done: ItemMut[bool]) -> None:
    done = ready


@func
def hit(start: vec3, dir: vec3, a: vec3, b: vec3, c: vec3) -> f32:
    """Where a ray meets a triangle, or ``FAR`` (T. Möller and B. Trumbore, 1997)."""
    edge1, edge2 = b - a, c - a
    p = cross(dir, edge2)
    det = dot(edge1, p)
    if abs(det) < 1e-12:
        return FAR
    to_start = start - a
    u = dot(to_start, p) / det
    q = cross(to_start, edge1)
    v = dot(dir, q) / det
    t = dot(edge2, q) / det
    return t if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and t > 0.0 else FAR


@kernel
def cast_rays(
    triangles: Global[vec3, 2],
    morton_codes: Global[uvec2],
    nodes: Global[Node],
    starts: Global[vec3],
    directions: Global[vec3],
    distances: GlobalMut[f32],
    tests: GlobalMut[i32],
) -> None:
    i_q = global_id()
    if i_q >= len(starts):
        return
    n_aabbs = len(morton_codes)
    start, dir = starts[i_q], directions[i_q]
    rcp_dir = 1.0 / dir
    nearest = FAR
    count = 0

    stack = local_array(i32, STACK_SIZE)
    stack_depth = 1
    while stack_depth > 0:
        stack_depth -= 1
        node_idx = stack[stack_depth]
        node = nodes[node_idx]
        # what is behind the nearest triangle so far is of no interest
        if node.bound.distance(start, rcp_dir, nearest) < FAR:
            if node.left == -1 and node.right == -1:
                i_a = morton_codes[node_idx - (n_aabbs - 1)].y
                nearest = min(nearest, hit(start, dir, triangles[i_a, 0], triangles[i_a, 1], triangles[i_a, 2]))
                count += 1
            else:
                if node.right != -1:
                    stack[stack_depth] = node.right
                    stack_depth += 1
                if node.left != -1:
                    stack[stack_depth] = node.left
                    stack_depth += 1
    distances[i_q] = nearest
    tests[i_q] = count


class LBVH:
    """A hierarchy of the boxes of triangles (n, 3, 3), two or more."""

    def __init__(self, triangles: Buffer) -> None:
        self.triangles, device = triangles, triangles.device
        n_aabbs = len(triangles)
        aabbs = StructBuffer.zeros(n_aabbs, AABB, device)
        nothing = np.array([((FAR, FAR, FAR), (-FAR, -FAR, -FAR))], struct_dtype(AABB))
        bound = StructBuffer.from_numpy(nothing, device)
        compute_aabbs.with_global_threads(n_aabbs)(triangles, aabbs, bound)
        morton_codes = Buffer.zeros((n_aabbs, 2), u32, device)
        compute_morton_codes.with_global_threads(n_aabbs)(aabbs, bound, morton_codes)
        self.morton_codes = sort(morton_codes)
        # the first n_aabbs - 1 are internal nodes, the others leaves
        self.nodes = StructBuffer.zeros(2 * n_aabbs - 1, Node, device)
        build_radix_tree.with_global_threads(n_aabbs)(self.morton_codes, self.nodes)
        done, ready = Buffer.zeros(2 * n_aabbs - 1, bool, device), Buffer.zeros(n_aabbs - 1, bool, device)
        compute_bounds_init.with_global_threads(n_aabbs)(self.morton_codes, aabbs, self.nodes, done)
        while not done.numpy()[0]:
            compute_bounds_one_layer.with_global_threads(n_aabbs - 1)(self.nodes, done, ready)
            next_layer(ready, done[: n_aabbs - 1])

    def cast(self, starts: Buffer, directions: Buffer, distances: Buffer, tests: Buffer) -> None:
        """How far each ray goes to the first triangle, and how many triangles were tried."""
        run = cast_rays.with_global_threads(len(starts))
        run(self.triangles, self.morton_codes, self.nodes, starts, directions, distances, tests)


def nearest_hits(triangles: Array, start: Array, dir: Array) -> Array:
    """How far a ray is from all triangles, in f64; ``FAR`` where it misses."""
    a, edge1, edge2 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(dir, edge2)
    det = (edge1 * p).sum(1)
    u = ((start - a) * p).sum(1) / det
    q = np.cross(start - a, edge1)
    v, t = (dir * q).sum(1) / det, (edge2 * q).sum(1) / det
    return np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0), t, FAR)


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` triangles, and as many rays."""
    rng = np.random.default_rng(0)
    corners = (rng.random((size, 1, 3)) + 0.3 * rng.random((size, 3, 3))).astype(np.float32)
    starts = rng.normal(size=(size, 3)).astype(np.float32) + 0.5
    ways = (rng.random((size, 3)) + 0.15 - starts).astype(np.float32)
    hierarchy = LBVH(Buffer.from_numpy(corners, device))
    rays = Buffer.from_numpy(starts, device), Buffer.from_numpy(ways, device)
    distances, tests = Buffer.zeros(size, f32, device), Buffer.zeros(size, i32, device)

    def check() -> None:
        some = slice(None, None, max(1, size // 200))
        exact = corners.astype(np.float64)
        expected = [nearest_hits(exact, a, b).min() for a, b in zip(starts[some], ways[some], strict=True)]
        # A dozen roundings; a ray along a triangle's edge may hit it or not.
        close = np.isclose(distances.numpy()[some], expected, rtol=1e-4)
        assert close.mean() > 0.98
        assert tests.numpy().mean() < 1 + size / 2, "most triangles are not tried"

    yield Work("rays", lambda: hierarchy.cast(*rays, distances, tests), check, size / 1e6, "Mrays")


if __name__ == "__main__":
    main(example, size=10_000)
