"""``in`` and ``not in``: tuples, lists, sets, ranges, vectors."""

from __future__ import annotations

import numpy as np

from krnlpy import Item, ItemMut, bf16, f32, i32, u8
from krnlpy.dsl import local_array, vec3
from tests.support.launching import Launcher, lower

PRIMES = {2, 3, 5, 7}
DIRECTIONS = ((1, 0), (0, 1), (-1, 0))
EMPTY: tuple[int, ...] = ()
FLOATS = (f32, bf16)


def test_membership(launch: Launcher) -> None:
    def run(n: Item[i32], x: Item[f32], k: Item[u8], y: ItemMut[i32]) -> None:
        counts = local_array(i32, 1)
        y = 1 if n in (1, 2, n - n) else 0
        y += 2 * (n not in {1, 4})
        y += 4 * (n in PRIMES)
        y += 8 * (x in [1.5, 2, -3.0])
        y += 16 * (k in (3, 200))
        y += 32 * ((n, 1) in ((1, 1), (n + 1, 1), (4, 1)))
        y += 64 * ((n, 0) in DIRECTIONS)
        y += 128 * (x in vec3(1, 2, 3))
        y += 256 * (n in EMPTY)
        while n + counts[0] in (1, 2, 3):  # evaluated in each pass
            counts[0] += 1
        y += 512 * counts[0]
        y += 4096 * (0 < n in (2, 5))

    n = np.array([0, 1, 2, 3, 4, 5, -1], np.int32)
    x, k = np.array([1.5, 2, -3, 3, 0, 1, 2.5], np.float32), np.array([3, 200, 4, 0, 255, 3, 201], np.uint8)
    *_, y = launch(run, n, x, k, np.zeros(7, np.int32))
    for i, (a, b, c) in enumerate(zip(n.tolist(), x.tolist(), k.tolist(), strict=True)):
        want = (a in (1, 2, 0)) + 2 * (a not in {1, 4}) + 4 * (a in PRIMES) + 8 * (b in [1.5, 2, -3.0])
        want += 16 * (c in (3, 200)) + 32 * ((a, 1) in ((1, 1), (a + 1, 1), (4, 1))) + 64 * ((a, 0) in DIRECTIONS)
        want += 128 * (b in (1, 2, 3)) + 512 * (4 - a if 1 <= a <= 3 else 0) + 4096 * (0 < a in (2, 5))
        assert y[i] == want, (a, b, c)


def test_ranges(launch: Launcher) -> None:
    def run(n: Item[i32], y: ItemMut[i32]) -> None:
        y = 1 if n in range(4) else 0
        y += 2 * (n in range(-2, n + 1))
        y += 4 * (n in range(1, 9, 3))
        y += 8 * (n in range(8, -8, -3))
        y += 16 * (n not in range(n + 1, 100))
        y += 32 * (n in range(3, 3))

    n = np.arange(-9, 12, dtype=np.int32)
    _, y = launch(run, n, np.zeros_like(n))
    want = [
        (a in range(4)) + 2 * (a >= -2) + 4 * (a in range(1, 9, 3)) + 8 * (a in range(8, -8, -3)) + 16
        for a in n.tolist()
    ]
    np.testing.assert_array_equal(y, want)


def test_known_while_compiling() -> None:
    def run(y: ItemMut[f32]) -> None:
        if f32 in FLOATS and i32 not in FLOATS and 3 in range(2, 9) and 4 not in [1, 2] and 5 in PRIMES:
            y = 1.0
        else:
            y = 1  # never compiled
            y = unknown  # noqa: F821

    lower(run)
