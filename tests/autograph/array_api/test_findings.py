"""What data-apis' array-api-tests found."""

from __future__ import annotations

import numpy as np
import pytest

from autograph import (
    Parameter,
    Tensor,
    empty,
    expand_dims,
    eye,
    floor_divide,
    linspace,
    logical_or,
    ones,
    prod,
    remainder,
    zeros,
)
from autograph.errors import AxisError
from krnlpy import Device, f32, i8
from tests.support.tiers import one_vulkan_device

INF, NAN = float("inf"), float("nan")


def test_truth_values_beside_tensors_of_truth_values(device: Device) -> None:
    x = Tensor.from_numpy([True, False], device)
    assert (x & x).numpy().tolist() == [True, False]  # compiled first: bool the class is no dtype
    assert (x & True).numpy().tolist() == [True, False]
    assert (True ^ x).numpy().tolist() == [False, True]
    assert (x == False).numpy().tolist() == [False, True]  # noqa: E712
    assert logical_or(x, False).numpy().tolist() == [True, False]


def test_remainders_and_quotients_are_pythons(device: Device) -> None:
    x = np.array([1, -1, 5.5, -5.5, 0, -0.0, 7, 1e20, INF, 1, -1, NAN, 3, -3, 0, 6], np.float32)
    y = np.array([0.1, 0.1, -2, 2, -3, 3, INF, 3, 2, -INF, INF, 1, 0, 0, 0, 3], np.float32)
    a, b = Tensor.from_numpy(x, device), Tensor.from_numpy(y, device)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest, quotient = np.remainder(x, y), np.floor_divide(x, y)
        # The standard's: the quotients of infinities, and 0 for those by infinities.
        quotient = np.where(np.isinf(x) | np.isinf(y), np.floor(x / y), quotient)
    found = remainder(a, b).numpy(), floor_divide(a, b).numpy()
    np.testing.assert_array_equal(found, [rest, quotient])
    assert [np.signbit(f[f == 0]).tolist() for f in found] == [np.signbit(e[e == 0]).tolist() for e in (rest, quotient)]


def test_gradients_of_remainders(device: Device) -> None:
    x, y = (Parameter(Tensor.from_numpy(np.array(v, np.float32), device)) for v in ([5.5, -5.5, 6], [2, 2, -4]))
    for parameter in (x, y):
        parameter.init_grad()
    (x % y + x // y).sum().backward()
    assert x.grad is not None and y.grad is not None
    assert x.grad.numpy().tolist() == [1, 1, 1]
    assert y.grad.numpy().tolist() == [-2, 3, 2]  # minus the quotients


@one_vulkan_device
def test_sums_and_products_of_a_dtype(device: Device) -> None:
    x = Tensor.from_numpy(np.array([[100, 27], [2, 3]], np.int8), device)
    assert x.sum(dtype=i8).dtype is i8
    assert x.sum(dtype=i8).item() == -124  # wrapped
    assert x.sum(dtype=f32, axis=1).numpy().tolist() == [127.0, 5.0]
    assert prod(x, dtype=f32).item() == 16200.0
    assert prod(x, axis=1, dtype=i8).numpy().tolist() == [-116, 6]


@one_vulkan_device
def test_axes_and_places_that_are_not_there_are_pythons_index_errors(device: Device) -> None:
    x = zeros((2, 3), device=device)
    mask = zeros((3, 3), bool, device=device)
    for wrong in (
        lambda: x[2],
        lambda: x[0, 0, 0],
        lambda: x[[2]],
        lambda: x[mask],
        lambda: expand_dims(x, axis=3),
        lambda: x.sum(axis=2),
    ):
        with pytest.raises(IndexError):
            wrong()
    with pytest.raises(AxisError):
        x[0, 3] = 1


@one_vulkan_device
def test_masks_of_no_elements_fit_each_axis(device: Device) -> None:
    x = zeros((2, 3), device=device)
    assert x[zeros((0, 3), bool, device=device)].shape == x[np.zeros((2, 0), bool)].shape == (0,)
    assert x[zeros(0, bool, device=device)].shape == (0, 3)
    x[zeros((0, 0), bool, device=device)] = 1
    assert x.sum().item() == 0


@one_vulkan_device
def test_numbers_at_equal_distances_without_their_end_are_those_with_it(device: Device) -> None:
    for n in (1, 2, 3, 6, 7):
        without = linspace(0, 1, n, endpoint=False, device=device)
        assert without.numpy().tolist() == linspace(0, 1, n + 1, device=device).numpy().tolist()[:-1]
    assert linspace(5, 6, 1).item() == 5
    assert eye(2, k=-(10**30), device=device).sum().item() == 0


@one_vulkan_device
def test_no_dtype_is_f32(device: Device) -> None:
    assert all(make(2, dtype=None, device=device).dtype is f32 for make in (empty, ones, zeros))
