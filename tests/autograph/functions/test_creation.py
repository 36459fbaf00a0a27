"""Tensors made of numbers, arrays and shapes, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Tensor
from autograph.errors import DtypeError, ShapeError
from krnlpy import SCALAR_TYPES, Device, ScalarType, SharingError, bf16, f32, f64, i32, i64, scalar_type, u64
from tests.support.tiers import sampled

NUMBERS = [dtype for dtype in SCALAR_TYPES if dtype.kind != "bool"]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_arange_of_all_dtypes(dtype: ScalarType, device: Device) -> None:
    for arguments in ((5,), (2, 40, 3), (40, 2, -7), (3, 3), (5, 1)):
        x = ag.arange(*arguments, dtype=dtype, device=device)  # 64 bits too, where the device has none
        assert x.dtype is dtype and x.device == device
        np.testing.assert_array_equal(x.numpy(), np.arange(*arguments).astype(dtype.dtype))


def test_arange_at_the_ends_of_64_bits(device: Device) -> None:
    x = ag.arange(2**63 - 10, 2**63 - 1, 4, dtype=i64, device=device)
    assert x.numpy().tolist() == [2**63 - 10, 2**63 - 6, 2**63 - 2]
    x = ag.arange(2**64 - 10, 2**64 - 1, 4, dtype=u64, device=device)
    assert x.numpy().tolist() == [2**64 - 10, 2**64 - 6, 2**64 - 2]
    x = ag.arange(2**53, 2**53 + 6, 2, dtype=f64, device=device)
    assert x.numpy().tolist() == [2**53, 2**53 + 2, 2**53 + 4]


def test_arange_rounds_each_number_once(device: Device) -> None:
    """0.1 in f32 is off by 1.5e-9, so that a sum of 300 steps in f32 would be off by several ulp."""
    x = ag.arange(0, 30, 0.1, device=device)
    assert x.dtype is f32
    np.testing.assert_array_equal(x.numpy(), (np.arange(300) * 0.1).astype(np.float32))


def test_default_dtypes() -> None:
    assert ag.arange(3).dtype is i32 and ag.arange(3.0).dtype is f32 and ag.linspace(0, 1, 3).dtype is f32
    assert ag.full(2, 3).dtype is i32 and ag.full(2, 3.0).dtype is f32 and ag.full(2, True).dtype == bool
    assert ag.zeros(2, None).dtype is ag.empty(2, dtype=None).dtype is f32
    assert ag.zeros(2).dtype is ag.ones(2).dtype is ag.empty(2).dtype is ag.eye(2).dtype is f32
    assert ag.asarray([1, 2]).dtype is i32 and ag.asarray(1.5).dtype is f32 and ag.asarray([]).dtype is f32
    assert ag.asarray([[True]]).dtype == bool and ag.asarray(np.arange(3)).dtype is i64


@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace(endpoint: bool, device: Device) -> None:
    for count in (0, 1, 2, 5, 50):
        x = ag.linspace(-3.3, 1e3, count, dtype=f64, device=device, endpoint=endpoint).numpy()
        expected = np.linspace(-3.3, 1e3, count, endpoint=endpoint)
        np.testing.assert_allclose(x, expected, rtol=0, atol=2.3e-13)  # 2 ulp of 1e3
        if count > 1:
            assert x[0] == -3.3 and (x[-1] == 1e3) == endpoint
        rounded = ag.linspace(-3.3, 1e3, count, device=device, endpoint=endpoint).numpy()
        np.testing.assert_allclose(rounded, expected, rtol=6.0e-8)  # half an ulp of f32
    for count in (1, 2, 3, 8):  # the same numbers, whether the last is one of them or not
        whole = ag.linspace(0.1, 0.7, count + 1, dtype=f64, device=device).numpy()
        np.testing.assert_array_equal(
            ag.linspace(0.1, 0.7, count, dtype=f64, device=device, endpoint=False).numpy(), whole[:-1]
        )
    wide = ag.linspace(-1.7e308, 1.7e308, 3, dtype=f64, device=device)
    assert wide.numpy().tolist() == [-1.7e308, 0, 1.7e308]


def test_eye(device: Device) -> None:
    for rows, columns in ((3, 4), (4, 3), (1, 1), (0, 2), (2, 0)):
        for k in (*range(-5, 6), 2**70, -(2**70)):
            x = ag.eye(rows, columns, k=k, dtype="u8", device=device)
            np.testing.assert_array_equal(x.numpy(), np.eye(rows, columns, max(-9, min(k, 9)), dtype=np.uint8))


def test_like(device: Device) -> None:
    x = Tensor.zeros((2, 3), "f16", device).transpose()
    for made in (ag.zeros_like(x), ag.ones_like(x), ag.empty_like(x), ag.full_like(x, 2)):
        assert made.shape == (3, 2) and made.dtype is x.dtype and made.device == device and made.is_contiguous()
    assert ag.ones_like(x).numpy().tolist() == [[1, 1]] * 3 and ag.zeros_like(x).numpy().tolist() == [[0, 0]] * 3
    other = ag.full_like(x, 2.5, dtype="i8", device=Device.host())
    assert other.device == Device.host() and other.numpy().tolist() == [[2, 2]] * 3


def test_asarray_of_numbers(device: Device) -> None:
    for dtype in SCALAR_TYPES:
        x = ag.asarray([[0, 1], [1, 2]], dtype=dtype, device=device)
        assert x.dtype is dtype and x.device == device
        np.testing.assert_array_equal(x.numpy(), np.array([[0, 1], [1, 2]]).astype(dtype.dtype))
    assert ag.asarray([2**63, 1], dtype=u64).numpy().tolist() == [2**63, 1]
    assert ag.asarray([1.5, -2.5, 1e20], dtype=i32).numpy().tolist() == [1, -2, 2**31 - 1]
    assert ag.asarray(np.array([1.5, 2.5], np.float32), dtype=bf16).dtype is bf16
    assert ag.asarray(memoryview(b"ab")).numpy().tolist() == [97, 98]


def test_asarray_of_tensors(device: Device) -> None:
    x = Tensor.ones(2, f32, device)
    assert ag.asarray(x) is x
    copied = ag.asarray(x, copy=True)
    assert copied.buffer.memory is not x.buffer.memory
    assert ag.asarray(x, dtype=i32).dtype is i32 and ag.asarray(x, device=Device.host()).device == Device.host()
    with pytest.raises(SharingError, match="a conversion is a copy"):
        ag.asarray(x, dtype=i32, copy=False)


def test_memory_is_shared_where_that_is_asked_for() -> None:
    array = np.zeros(3, np.float32)
    for shared in (ag.asarray(array, copy=False), ag.from_dlpack(array), ag.from_dlpack(array, copy=False)):
        assert np.shares_memory(shared.buffer.numpy(copy=False), array)
        shared.fill(1)  # copies first
        assert array.tolist() == [0, 0, 0]
    for copied in (ag.asarray(array), ag.from_dlpack(array, copy=True)):
        assert not np.shares_memory(copied.numpy(), array)
    array.flags.writeable = False
    assert ag.from_dlpack(array).numpy().tolist() == [0, 0, 0]
    with pytest.raises(SharingError):
        ag.from_dlpack(array, copy=False)


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a step of 0": (lambda: ag.arange(0, 3, 0), ShapeError, "never ends"),
    "text": (lambda: ag.arange("3"), DtypeError, "finite numbers"),  # type: ignore[arg-type]
    "an infinity": (lambda: ag.arange(0, float("inf")), DtypeError, "finite numbers"),
    "more than the dtype holds": (lambda: ag.arange(300, dtype="u8"), DtypeError, "from 0 to 255"),
    "more than 32 bits": (lambda: ag.arange(2**40, 2**40 + 2), DtypeError, "expected a whole number"),
    "fractions of integers": (lambda: ag.arange(0, 1, 0.5, dtype=i32), DtypeError, "expected whole numbers"),
    "truth values": (lambda: ag.arange(2, dtype=bool), DtypeError, "not numbers"),
    "linspace of integers": (lambda: ag.linspace(0, 1, 3, dtype=i32), DtypeError, "cast the result"),
    "a length below 0": (lambda: ag.linspace(0, 1, -1), ShapeError, "at least 0"),
    "half a row": (lambda: ag.eye(1.5), ShapeError, "whole number"),  # type: ignore[arg-type]
    "a number too large": (lambda: ag.full(2, 2**40), DtypeError, "expected a whole number"),
    "an int too large": (lambda: ag.asarray([2**31]), DtypeError, "expected a whole number"),
    "ragged lists": (lambda: ag.asarray([[1], [2, 3]]), ShapeError, "inhomogeneous"),
    "a list of text": (lambda: ag.asarray(["a"]), DtypeError, "not numbers"),
    "objects": (lambda: ag.asarray([None, 1]), DtypeError, "not numbers"),
    "like a number": (lambda: ag.zeros_like(3), DtypeError, "takes a tensor"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str) -> None:
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        call()


def test_limits_and_kinds_of_dtypes() -> None:
    for dtype in SCALAR_TYPES:
        kinds = {
            kind
            for kind in ("bool", "signed integer", "unsigned integer", "real floating", "complex floating")
            if ag.isdtype(dtype, kind)
        }
        assert len(kinds) == 1 and ag.isdtype(dtype, dtype) and ag.isdtype(dtype, (i32, *kinds))
        assert ag.isdtype(dtype, "integral") == dtype.is_integer and ag.isdtype(dtype, "numeric") == (
            dtype.kind != "bool"
        )
        if dtype.is_integer:
            limits = np.iinfo(dtype.dtype)
            assert (ag.iinfo(dtype).min, ag.iinfo(dtype).max) == (limits.min, limits.max)
    for name in ("f16", "f32", "f64"):
        info = np.finfo(scalar_type(name).dtype)
        found = ag.finfo(Tensor.zeros(1, name))
        assert (found.eps, found.max, found.min, found.smallest_normal, found.bits) == (
            *map(float, (info.eps, info.max, info.min, info.smallest_normal)),
            info.bits,
        )
    with pytest.raises(DtypeError, match="finfo of i32"):
        ag.finfo(i32)
    with pytest.raises(DtypeError, match="iinfo of f32"):
        ag.iinfo(f32)
    with pytest.raises(DtypeError, match="kind='complex'"):
        ag.isdtype(f32, "complex")


@pytest.mark.parametrize(("dtype",), sampled([(dtype,) for dtype in NUMBERS], 3), ids=str)
def test_result_type_is_that_of_operations(dtype: ScalarType) -> None:
    x = Tensor.ones(2, dtype)
    numbers: tuple[Any, ...] = (2, 0.5)
    for other in (*(Tensor.ones(2, of) for of in SCALAR_TYPES), *numbers):
        try:
            expected = (x + other).dtype
        except DtypeError:
            with pytest.raises(DtypeError):
                ag.result_type(x, other)
            continue
        assert ag.result_type(dtype, other) is ag.result_type(other, x) is expected
        assert not isinstance(other, Tensor) or ag.can_cast(x, other.dtype) == (expected is other.dtype)


def test_result_types_of_numbers() -> None:
    assert ag.result_type(scalar_type(bool), 1) is i32 and ag.result_type(1, 0.5) is f32
    assert not ag.can_cast(i64, u64) and not ag.can_cast(i64, f32)
    with pytest.raises(DtypeError, match="none was given"):
        ag.result_type()


def test_filled_with_the_number_of_a_tensor(device: Device) -> None:
    number = ag.asarray(7, device=device)
    assert ag.full(2, number, device=device).numpy().tolist() == [7, 7]
    assert ag.full_like(ag.asarray([0.5], device=device), number).numpy().tolist() == [7.0]
