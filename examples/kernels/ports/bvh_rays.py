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

from krnlpy import Buffer, Device, Global, GlobalMut, StructBuffer, f32, func, i32, kernel, struct_dtype, u32
from krnlpy.dsl import atomic_max, atomic_min, cross, dot, global_id, local_array, uvec2, uvec3, vec3, where

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main
from examples.kernels.ports.radix_sort import RadixSort

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
        return where(enter <= leave, enter, FAR)


@dataclass
class Node:
    left: i32
    right: i32
    parent: i32
    bound: AABB


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
    return where(u >= 0.0 and v >= 0.0 and u + v <= 1.0 and t > 0.0, t, FAR)


class LBVH:
    """A hierarchy of the boxes of triangles (n, 3, 3), two or more."""

    triangles: Global[vec3, 2]
    aabbs: GlobalMut[AABB]
    bound: GlobalMut[AABB]
    morton_codes: GlobalMut[uvec2]
    nodes: GlobalMut[Node]

    def __init__(self, triangles: Buffer) -> None:
        self.triangles, device = triangles, triangles.device
        self.n_aabbs = n_aabbs = len(triangles)
        self.aabbs = StructBuffer.zeros(n_aabbs, AABB, device)
        nothing = np.array([((FAR, FAR, FAR), (-FAR, -FAR, -FAR))], struct_dtype(AABB))
        self.bound = StructBuffer.from_numpy(nothing, device)
        self.morton_codes = Buffer.zeros((n_aabbs, 2), u32, device)
        # the first n_aabbs - 1 are internal nodes, the others leaves
        self.nodes = StructBuffer.zeros(2 * n_aabbs - 1, Node, device)
        self.done, self.ready = Buffer.zeros(2 * n_aabbs - 1, bool, device), Buffer.zeros(n_aabbs - 1, bool, device)

    def build(self) -> None:
        self.compute_aabbs.with_global_threads(self.n_aabbs)()
        self.compute_morton_codes.with_global_threads(self.n_aabbs)()
        self.morton_codes = RadixSort(self.morton_codes).sort()
        self.build_radix_tree.with_global_threads(self.n_aabbs)()
        self.compute_bounds_init.with_global_threads(self.n_aabbs)()
        while not self.done.numpy()[0]:
            self.compute_bounds_one_layer.with_global_threads(self.n_aabbs - 1)()
            self.next_layer.with_global_threads(self.n_aabbs - 1)()

    @kernel
    def compute_aabbs(self) -> None:
        i_a = global_id()
        if i_a < self.n_aabbs:
            corners = self.triangles[i_a]
            a, b, c = corners[0], corners[1], corners[2]
            self.aabbs[i_a] = AABB(min(a, b, c), max(a, b, c))
            atomic_min(self.bound[0].min, self.aabbs[i_a].min)
            atomic_max(self.bound[0].max, self.aabbs[i_a].max)

    @kernel
    def compute_morton_codes(self) -> None:
        i_a = global_id()
        if i_a < self.n_aabbs:
            extent = self.bound[0].max - self.bound[0].min
            scale = where(extent > 1e-6, 1.0 / extent, 1.0)
            center = (self.aabbs[i_a].min + self.aabbs[i_a].max) / 2 - self.bound[0].min
            x, y, z = uvec3(center * scale * 1023.0)
            code = (self.expand_bits(x) << 2) | (self.expand_bits(y) << 1) | self.expand_bits(z)
            self.morton_codes[i_a] = [code, u32(i_a)]

    @staticmethod
    @func
    def expand_bits(v: u32) -> u32:
        """Expands a 10-bit integer into 30 bits by inserting 2 zeros before each bit."""
        v = (v * 0x00010001) & 0xFF0000FF
        v = (v * 0x00000101) & 0x0F00F00F
        v = (v * 0x00000011) & 0xC30C30C3
        return (v * 0x00000005) & 0x49249249

    @func
    def delta(self, i: i32, j: i32) -> i32:
        """How many bits two codes have in common."""
        result = -1
        if j >= 0 and j < self.n_aabbs:
            result = 64
            for i_bit in range(2):
                x = self.morton_codes[i][i_bit] ^ self.morton_codes[j][i_bit]
                for b in range(32):
                    if x & (u32(1) << (31 - b)):
                        result = b + 32 * i_bit
                        break
                if result != 64:
                    break
        return result

    @kernel
    def build_radix_tree(self) -> None:
        i = global_id()
        if i >= self.n_aabbs:
            return
        if i == 0:
            self.nodes[0].parent = -1
        self.nodes[i + self.n_aabbs - 1].left = -1
        self.nodes[i + self.n_aabbs - 1].right = -1
        if i >= self.n_aabbs - 1:
            return

        d = where(self.delta(i, i + 1) > self.delta(i, i - 1), 1, -1)

        delta_min = self.delta(i, i - d)
        l_max = 2
        while self.delta(i, i + l_max * d) > delta_min:
            l_max *= 2

        l = 0
        t = l_max // 2
        while t > 0:
            if self.delta(i, i + (l + t) * d) > delta_min:
                l += t
            t //= 2

        j = i + l * d
        delta_node = self.delta(i, j)
        s = 0
        t = (l + 1) // 2
        while t > 0:
            if self.delta(i, i + (s + t) * d) > delta_node:
                s += t
            t = where(t > 1, (t + 1) // 2, 0)

        gamma = i + s * d + min(d, 0)
        left = where(min(i, j) == gamma, gamma + self.n_aabbs - 1, gamma)
        right = where(max(i, j) == gamma + 1, gamma + self.n_aabbs, gamma + 1)
        self.nodes[i].left = left
        self.nodes[i].right = right
        self.nodes[left].parent = i
        self.nodes[right].parent = i

    @kernel
    def compute_bounds_init(self) -> None:
        i = global_id()
        if i < self.n_aabbs:
            leaf = i + self.n_aabbs - 1
            self.nodes[leaf].bound = self.aabbs[self.morton_codes[i].y]
            self.done[leaf] = True

    @kernel
    def compute_bounds_one_layer(self) -> None:
        i = global_id()
        if i < self.n_aabbs - 1 and not self.done[i]:
            left, right = self.nodes[i].left, self.nodes[i].right
            if self.done[left] and self.done[right]:
                left_bound = self.nodes[left].bound
                right_bound = self.nodes[right].bound
                self.nodes[i].bound.min = min(left_bound.min, right_bound.min)
                self.nodes[i].bound.max = max(left_bound.max, right_bound.max)
                self.ready[i] = True

    @kernel
    def next_layer(self) -> None:
        i = global_id()
        if i < self.n_aabbs - 1:
            self.done[i] = self.ready[i]

    @kernel
    def cast_rays(
        self, starts: Global[vec3], directions: Global[vec3], distances: GlobalMut[f32], tests: GlobalMut[i32]
    ) -> None:
        i_q = global_id()
        if i_q >= len(starts):
            return
        start, dir = starts[i_q], directions[i_q]
        rcp_dir = 1.0 / dir
        nearest = FAR
        count = 0

        stack = local_array(i32, STACK_SIZE)
        stack_depth = 1
        while stack_depth > 0:
            stack_depth -= 1
            node_idx = stack[stack_depth]
            node = self.nodes[node_idx]
            # what is behind the nearest triangle so far is of no interest
            if node.bound.distance(start, rcp_dir, nearest) < FAR:
                if node.left == -1 and node.right == -1:
                    corners = self.triangles[self.morton_codes[node_idx - (self.n_aabbs - 1)].y]
                    nearest = min(nearest, hit(start, dir, corners[0], corners[1], corners[2]))
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
    hierarchy.build()
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

    cast = hierarchy.cast_rays.with_global_threads(size)
    yield Work("rays", lambda: cast(*rays, distances, tests), check, size / 1e6, "Mrays")


if __name__ == "__main__":
    main(example, size=10_000)
