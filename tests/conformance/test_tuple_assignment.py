"""Tuple assignment: all values are taken before any target changes."""

from __future__ import annotations

import numpy as np

from krnlpy import Global, GlobalMut, i32, kernel
from krnlpy.dsl import ir
from tests.support.launching import Launcher


def kernel_of_tuples(x: Global[i32], y: GlobalMut[i32]) -> None:
    a, b = x[0], x[1]
    a, b = b, a
    y[0], y[1] = a, b
    c, (a, b) = 7, (b, a + b)
    y[2], y[3], y[4] = a, b, c
    c, (a, b) = a, (c, c + 1)
    y[5], y[6], y[7] = a, b, c
    y[8], d = 5, y[8]
    y[9] = d
    d, e = x[2], x[2] + 1
    y[10], f = d, e = e, d
    y[11], y[12] = d, e


def test_values_are_taken_first(launch: Launcher) -> None:
    x = np.array([3, 4, 10], np.int32)
    y = np.zeros(13, np.int32)
    y[8] = 99
    a, b = 4, 3
    expected = [a, b, *(3, 7, 7), *(7, 8, 3), 5, 99]
    expected += [11, 11, 10]
    _, out = launch(kernel_of_tuples, x, y, groups=(1, 1, 1), threads=(1, 1, 1))
    np.testing.assert_array_equal(out, expected)


def test_no_more_temporaries_than_needed() -> None:
    @kernel
    def names(x: Global[i32], y: GlobalMut[i32]) -> None:
        a, b = x[0], x[1]
        a, b = b, a
        y[0], c = a, b
        y[1] = c

    program = names.definition.program({})
    assert [s.variable.name for s in program.body if isinstance(s, ir.Assign)] == ["a", "b", "value", "a", "b", "c"]
