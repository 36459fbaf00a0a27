"""Captured arrays, and lists and tuples of numbers, indexed while the kernel runs."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Out, func, kernel
from krnlpy.dsl import derivative, global_id
from krnlpy.dsl.ir import ConstantArray, Load, walk
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelIndexError
from krnlpy.features import Feature
from krnlpy.scalar import SCALAR_TYPES, boolean, f32, i32, scalar_type
from tests.support.devices import requires
from tests.support.launching import Launcher, lower

WEIGHTS = np.array([0.25, 0.5, 0.125], np.float32)
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
SPECIAL = np.array([np.inf, -np.inf, np.nan, -0.0, 1e-45, 3e38, 0.1], np.float32)
CUBE = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
modules = SimpleNamespace()


def test_arrays_lists_and_tuples(launch: Launcher) -> None:
    primes, mixed, flags = [2, 3, 5, 7], (1, 2.5, True, -4), (False, True, True, False)
    typed = (np.float32(1.5), 2, np.float32(0.1), 4)

    @func
    def twice(table: Global[i32], i):
        return 2 * table[i] + len(table)

    def run(out: GlobalMut[f32, 2], whole: GlobalMut[i32, 2]) -> None:
        i = global_id()
        if i < 4:
            out[i, 0] = WEIGHTS[i % 3] * 2 + WEIGHTS[-1] + WEIGHTS[i % 2] + len(WEIGHTS)
            out[i, 1] = mixed[i]
            out[i, 2] = typed[i] + typed[1]
            out[i, 3] = SPECIAL[i]
            out[i, 4] = SPECIAL[i + 3]
            whole[i, 0] = primes[i] + primes[0] + len(primes)
            whole[i, 1] = CUBE[i % 2, i % 3, i] + CUBE[1, 2, -1] + CUBE.size + CUBE.ndim + CUBE.shape[1]
            whole[i, 2] = twice(row, i)
            whole[i, 3] = 1 if flags[i] else 0

    row = CUBE[1, 1]
    out, whole = launch(run, np.zeros((4, 5), np.float32), np.zeros((4, 4), np.int32), groups=(1, 1, 1))
    for i in range(4):
        w = WEIGHTS[i % 3] * 2 + WEIGHTS[-1] + WEIGHTS[i % 2] + 3
        want = [w, np.float32(mixed[i]), np.float32(typed[i]) + np.float32(2), SPECIAL[i], SPECIAL[i + 3]]
        np.testing.assert_array_equal(out[i], np.array(want, np.float32))
        cube = CUBE[i % 2, i % 3, i] + 23 + 24 + 3 + 3
        np.testing.assert_array_equal(whole[i], [primes[i] + 2 + 4, cube, 2 * CUBE[1, 1, i] + 4, flags[i]])
    assert np.signbit(out[0, 4])  # -0.0 is kept


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_elements_of_every_type(launch: Launcher, device: Device, type: Any) -> None:
    requires(device, *{"f64": [Feature.FLOAT64], "i64": [Feature.INT64], "u64": [Feature.INT64]}.get(type.name, []))
    if type is boolean:
        values = np.array([True, False, True])
    elif type.is_integer:
        values = np.array([type.min, 7, type.max], type.dtype)
    else:
        values = np.array([-1.5, 0.1, 300.0], type.dtype)

    def run(same: GlobalMut[i32], which: Item[i32], y: ItemMut[i32]) -> None:
        y = 1 if values[which] == values[0] else 0
        if values[which] == values[2]:
            y += 2

    y = launch(run, np.zeros(1, np.int32), np.arange(3, dtype=np.int32), np.zeros(3, np.int32))[-1]
    equal = [int(v == values[0]) + 2 * int(v == values[2]) for v in values]
    np.testing.assert_array_equal(y, equal)


def test_out_of_range_reads_zero_or_is_reported(device: Device) -> None:
    @kernel
    def run(i: Item[i32], y: ItemMut[f32]) -> None:
        y = WEIGHTS[i]

    i, y = Buffer.from_numpy(np.array([0, 3, -1, 2], np.int32), device), Buffer.ones(4, f32, device)
    if device.info.kind == "interpreter":
        with pytest.raises(KernelIndexError, match="index 3 is out of range: WEIGHTS has length 3"):
            run(i, y)
            y.numpy()
    else:
        run(i, y)
        assert y.numpy().tolist() == [0.25, 0.0, 0.0, 0.125]


def test_contents_are_those_of_the_first_compilation(device: Device) -> None:
    table, listed = np.array([1.0, 2.0], np.float32), [10, 20]

    @kernel
    def run(i: Item[i32], y: ItemMut[f32]) -> None:
        y = table[i] + listed[i]

    i, y = Buffer.from_numpy(np.array([0, 1], np.int32), device), Buffer.zeros(2, f32, device)
    run(i, y)
    table[:] = 7
    listed[0] = 1000
    run(i, y)
    assert y.numpy().tolist() == [11.0, 22.0]


def test_kernels_that_differ_in_contents_only(device: Device) -> None:
    """What was compiled before, in this process or on disk, does not lend its table."""

    def made(table: Any) -> Any:
        @kernel
        def run(i: Item[i32], y: ItemMut[f32]) -> None:
            y = table[i]

        return run

    i = Buffer.from_numpy(np.array([1, 0], np.int32), device)
    for values in itertools.permutations((1.0, 2.0)):
        y = Buffer.zeros(2, f32, device)
        made(np.array(values, np.float32))(i, y)
        assert y.numpy().tolist() == [*values[::-1]]


def test_large_tables_and_graphs(device: Device) -> None:
    many = np.random.default_rng(1).integers(-(2**31), 2**31, 20_000).astype(np.int32)

    @kernel
    def run(i: Item[i32], y: ItemMut[i32]) -> None:
        y += many[i]

    places = np.array([0, 19_999, 12_345, 777], np.int32)
    i, y = Buffer.from_numpy(places, device), Buffer.zeros(4, i32, device)
    with device.capture() as graph:
        run(i, y)
    for _ in range(2):
        graph.replay()
    run(i, y)
    np.testing.assert_array_equal(y.numpy(), 3 * many[places])


def test_functions_with_tables_are_pure_and_have_derivatives(launch: Launcher) -> None:
    coefficients = np.array([3.0, 2.0, 1.0], np.float32)

    @func
    def polynomial(x, table):
        total = 0.0
        for i in range(len(table)):
            total = total * x + table[i]
        return total

    def run(x: Item[f32], y: ItemMut[f32], dy: ItemMut[f32]) -> None:
        y = polynomial(x, coefficients)
        dy = derivative(polynomial, "x")(x, coefficients)

    x = np.array([-1, 0, 2], np.float32)
    _, y, dy = launch(run, x, np.zeros_like(x), np.zeros_like(x))
    np.testing.assert_array_equal(y, 3 * x * x + 2 * x + 1)
    np.testing.assert_array_equal(dy, 6 * x + 2)
    assert all(function.pure for function in lower(run).functions)


def test_constant_indices_are_constants() -> None:
    def run(y: ItemMut[f32]) -> None:
        y = WEIGHTS[0] + WEIGHTS[-1] + CUBE[0, 1, 2]

    assert not [n for n in walk(lower(run).body) if isinstance(n, Load) and isinstance(n.place, ConstantArray)]


def test_equal_tables_are_one() -> None:
    same = WEIGHTS.copy()

    def run(i: Item[i32], y: ItemMut[f32]) -> None:
        y = WEIGHTS[i] + same[i]

    assert len(lower(run).constant_arrays) == 1


def test_inspect_shows_tables(device: Device) -> None:
    many = np.zeros(100, np.int32)

    @kernel
    def run(i: Item[i32], y: Out[f32]) -> None:
        y[i] = WEIGHTS[i] + many[i]

    text = run.inspect("ir")
    assert "WEIGHTS = constant_array(f32, (3,), [0.25, 0.5, 0.125])" in text
    assert "many = constant_array(i32, (100,), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...])" in text
    assert "tables" in run.inspect("features") and scalar_type("f32") is f32
