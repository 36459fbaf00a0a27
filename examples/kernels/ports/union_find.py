"""Connected components of an array of any number of dimensions, by union and find with compare-and-exchange.

A port of ``label`` of CuPy's ndimage, whose kernels are CUDA C (MIT License):
https://github.com/cupy/cupy/blob/main/cupyx/scipy/ndimage/_measurements.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Out, i32, kernel
from krnlpy.dsl import atomic_add, atomic_compare_exchange, atomic_load, atomic_store, global_id, item_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main


@kernel
def init(x: Item[bool], y: ItemMut[i32]) -> None:
    if not x:
        y = -1
    else:
        y = item_id()


@kernel
def connect(shape: Global[i32], dirs: Global[i32, 2], y: GlobalMut[i32]) -> None:
    i = global_id()
    if i >= len(y) or atomic_load(y[i]) < 0:
        return
    ndirs, ndim = dirs.shape
    for dr in range(ndirs):
        j = i
        rest = j
        stride = 1
        k = 0
        for dm in range(ndim - 1, -1, -1):
            pos = rest % shape[dm] + dirs[dr, dm]
            if pos < 0 or pos >= shape[dm]:
                k = -1
                break
            k += pos * stride
            rest //= shape[dm]
            stride *= shape[dm]
        if k < 0:
            continue
        if atomic_load(y[k]) < 0:
            continue
        while True:
            while j != atomic_load(y[j]):
                j = atomic_load(y[j])
            while k != atomic_load(y[k]):
                k = atomic_load(y[k])
            if j == k:
                break
            if j < k:
                old = atomic_compare_exchange(y[k], k, j)
                if old == k:
                    break
                k = old
            else:
                old = atomic_compare_exchange(y[j], j, k)
                if old == j:
                    break
                j = old


@kernel
def count(y: GlobalMut[i32], counts: GlobalMut[i32]) -> None:
    i = global_id()
    if i >= len(y) or atomic_load(y[i]) < 0:
        return
    j = i
    while j != atomic_load(y[j]):
        j = atomic_load(y[j])
    if j != i:
        atomic_store(y[i], j)
    else:
        atomic_add(counts[0], 1)


@kernel
def labels_of(y: Global[i32], counts: GlobalMut[i32], labels: Out[i32]) -> None:
    i = global_id()
    if i >= len(y) or y[i] != i:
        return
    j = atomic_add(counts[1], 1)
    labels[j] = i


@kernel
def finalize(labels: Global[i32], y: ItemMut[i32]) -> None:
    if y < 0:
        y = 0
    else:
        yi = y
        j_min = 0
        j_max = len(labels) - 1
        j = (j_min + j_max) // 2
        while j_min < j_max:
            if yi == labels[j]:
                break
            if yi < labels[j]:
                j_max = j - 1
            else:
                j_min = j + 1
            j = (j_min + j_max) // 2
        y = j + 1


def label(x: Array, device: Device) -> tuple[Buffer, int]:
    """Numbers the components of true elements that have a side in common, from 1; also says how many there are."""
    dirs = -np.eye(x.ndim, dtype=np.int32)
    y, counts = Buffer.empty(x.shape, i32, device), Buffer.zeros(2, i32, device)
    flat = y.reshape((x.size,))
    init(Buffer.from_numpy(x, device), y)
    shape = Buffer.from_numpy(np.array(x.shape, np.int32), device)
    connect.with_global_threads(x.size)(shape, Buffer.from_numpy(dirs, device), flat)
    count.with_global_threads(x.size)(flat, counts)
    most = int(counts.numpy()[0])
    labels = Buffer.empty(most, i32, device)
    labels_of.with_global_threads(x.size)(flat, counts, labels)
    finalize(Buffer.from_numpy(np.sort(labels.numpy()), device), y)
    return y, most


def flooded(x: Array) -> Array:
    """The same numbers, by filling one component after the other."""
    found = np.zeros(x.shape, np.int32)
    for start in zip(*np.nonzero(x), strict=True):
        if not found[start]:
            number, front = found.max() + 1, [start]
            found[start] = number
            while front:
                i, j = front.pop()
                for k in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                    if 0 <= k[0] < x.shape[0] and 0 <= k[1] < x.shape[1] and x[k] and not found[k]:
                        found[k] = number
                        front.append(k)
    return found


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` rows of random pixels."""
    x = np.random.default_rng(0).random((size, size + 3)) < 0.6
    done: list[tuple[Buffer, int]] = []

    def check() -> None:
        y, most = done[0]
        expected = flooded(x)
        np.testing.assert_array_equal(y.numpy(), expected)
        assert most == expected.max()

    yield Work("connected components", lambda: done.append(label(x, device)), check, x.size / 1e6, "Mpixels")


if __name__ == "__main__":
    main(example, size=256)
