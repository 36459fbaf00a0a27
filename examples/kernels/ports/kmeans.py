"""Lloyd's algorithm for k means; a group adds up its points in several copies of the means, against queues at one.

A port of ``kmeans_numba_dpex_k.py`` from Intel's dpbench, which is for numba-dpex (Apache License 2.0):
https://github.com/IntelPython/dpbench/blob/main/dpbench/benchmarks/default/kmeans/kmeans_numba_dpex_k.py
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, i32, kernel
from krnlpy.dsl import atomic_add, barrier, group_array, group_id, local_array, sqrt, thread_id, threads

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

LOCAL_SIZE = 64
WORK_PI = 8  # points of a thread
DIMS = 2
CENTROIDS = 10
ITERATIONS = 4


@lru_cache
def get_kernels(dims: int, num_centroids: int, local_copies: int) -> tuple[Any, Any]:
    """The kernels for so many numbers a point and so many means."""

    @kernel(threads=LOCAL_SIZE)
    def group_by_cluster(
        points: Global[f32, 2],
        clusters: GlobalMut[i32],
        centroids: Global[f32, 2],
        new_centroids: GlobalMut[f32, 2],
        new_count: GlobalMut[i32],
        last: bool,
    ) -> None:
        local_centroids = group_array(f32, (dims, num_centroids))
        local_new_centroids = group_array(f32, (local_copies, dims, num_centroids))
        local_new_count = group_array(i32, (local_copies, num_centroids))
        numpoints = points.shape[0]

        group = group_id()
        lid = thread_id()
        local_size = threads()

        for i in range(lid, num_centroids * dims, local_size):
            local_centroids[i % dims, i // dims] = centroids[i // dims, i % dims]
            for lc in range(local_copies):
                local_new_centroids[lc, i % dims, i // dims] = 0

        for c in range(lid, num_centroids, local_size):
            for lc in range(local_copies):
                local_new_count[lc, c] = 0

        barrier()

        for i in range(WORK_PI):
            point_id = group * WORK_PI * local_size + i * local_size + lid
            if point_id < numpoints:
                local_p = local_array(f32, dims)
                for d in range(dims):
                    local_p[d] = points[point_id, d]

                minimal_distance = math.inf
                nearest_centroid = 0
                for c in range(num_centroids):
                    sq_sum = 0.0
                    for d in range(dims):
                        sq_sum += (local_p[d] - local_centroids[d, c]) ** 2

                    if sq_sum < minimal_distance:
                        nearest_centroid = c
                        minimal_distance = sq_sum

                lc = lid % local_copies
                for d in range(dims):
                    atomic_add(local_new_centroids[lc, d, nearest_centroid], local_p[d])

                atomic_add(local_new_count[lc, nearest_centroid], 1)

                if last:
                    clusters[point_id] = nearest_centroid

        barrier()

        for i in range(lid, num_centroids * dims, local_size):
            local_centroid_d = 0.0
            for lc in range(local_copies):
                local_centroid_d += local_new_centroids[lc, i % dims, i // dims]

            atomic_add(new_centroids[i // dims, i % dims], local_centroid_d)

        for c in range(lid, num_centroids, local_size):
            local_centroid_npoints = 0
            for lc in range(local_copies):
                local_centroid_npoints += local_new_count[lc, c]

            atomic_add(new_count[c], local_centroid_npoints)

    @kernel(threads=num_centroids)
    def update_centroids(
        diff: GlobalMut[f32],
        centroids: GlobalMut[f32, 2],
        numpoints_of: GlobalMut[i32],
        new_centroids: GlobalMut[f32, 2],
        new_count: GlobalMut[i32],
    ) -> None:
        local_distance = group_array(f32, num_centroids)
        lid = thread_id()
        local_size = threads()

        max_distance = 0.0
        for c in range(lid, num_centroids, local_size):
            numpoints = new_count[c]
            numpoints_of[c] = numpoints
            new_count[c] = 0
            distance = 0.0

            for d in range(dims):
                d0 = centroids[c, d]
                d1 = new_centroids[c, d]
                new_centroids[c, d] = 0

                d1 = d1 / numpoints if numpoints > 0 else d0
                centroids[c, d] = d1

                distance += (d0 - d1) ** 2

            max_distance = max(max_distance, distance)
            local_distance[c] = max_distance

        barrier()

        if lid == 0:
            for c in range(local_size):
                max_distance = max(max_distance, local_distance[c])

            diff[0] = sqrt(max_distance)

    return group_by_cluster, update_centroids


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` points of the plane, ten or more."""
    rng = np.random.default_rng(0)
    data = rng.random((size, DIMS), np.float32)
    points = Buffer.from_numpy(data, device)
    centroids, new_centroids = (Buffer.zeros((CENTROIDS, DIMS), f32, device) for _ in range(2))
    counts, new_count = (Buffer.zeros(CENTROIDS, i32, device) for _ in range(2))
    clusters, diff = Buffer.zeros(size, i32, device), Buffer.zeros(1, f32, device)
    group_by_cluster, update_centroids = get_kernels(DIMS, CENTROIDS, min(4, -(-LOCAL_SIZE // CENTROIDS)))
    group = group_by_cluster.with_groups(-(-size // (WORK_PI * LOCAL_SIZE)))

    def launch() -> None:
        centroids.copy_from(points[:CENTROIDS])
        for i in range(ITERATIONS):
            group(points, clusters, centroids, new_centroids, new_count, i == ITERATIONS - 1)
            update_centroids.with_groups(1)(diff, centroids, counts, new_centroids, new_count)

    def check() -> None:
        means = data[:CENTROIDS].astype(np.float64)
        for _ in range(ITERATIONS):
            nearest = ((data[:, None] - means) ** 2).sum(2).argmin(1)
            before = means.copy()
            for c in np.unique(nearest):
                means[c] = data[nearest == c].mean(0, dtype=np.float64)
        # A point between two means may go to the other one by a rounding: few of them, as many as points are so close.
        assert (clusters.numpy() != nearest).mean() < 1e-3
        np.testing.assert_allclose(centroids.numpy(), means, rtol=0, atol=1e-3)
        np.testing.assert_allclose(counts.numpy().sum(), size)
        np.testing.assert_allclose(diff.numpy()[0], np.linalg.norm(means - before, axis=1).max(), atol=2e-3)

    yield Work("k means", launch, check, ITERATIONS * size / 1e6, "Mpoints")


if __name__ == "__main__":
    main(example, size=100_000)
