"""The scalar types: names, dtypes, and the conversions that kernels share."""

import pickle

import ml_dtypes
import numpy as np
import pytest

from krnlpy import Buffer
from krnlpy.errors import DtypeError
from krnlpy.scalar import (
    SCALAR_TYPES,
    ScalarType,
    bf16,
    boolean,
    convert,
    f16,
    f32,
    f64,
    i8,
    i32,
    i64,
    scalar_type,
    u8,
    u32,
    u64,
)


def test_thirteen_types() -> None:
    assert " ".join(t.name for t in SCALAR_TYPES) == "u8 i8 u16 i16 f16 bf16 u32 i32 f32 u64 i64 f64 bool"
    assert [t.size for t in SCALAR_TYPES] == [1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8, 1]


def test_the_truth_type_is_pythons_bool() -> None:
    assert [scalar_type(t) for t in (bool, "bool", np.bool_, "?", np.dtype("?"))] == [boolean] * 5
    buffers = [Buffer.zeros(1, t) for t in SCALAR_TYPES]
    assert [b for b in buffers if b.dtype == bool] == [b for b in buffers if b.dtype is boolean] == buffers[-1:]
    by_type: dict[type, int] = {bool: 1}
    assert by_type[buffers[-1].dtype] == 1
    assert not (boolean.is_integer or boolean.is_float or boolean.is_signed) and boolean.compute is boolean
    assert all(pickle.loads(pickle.dumps(t)) is t for t in SCALAR_TYPES)


@pytest.mark.parametrize("kind", SCALAR_TYPES, ids=str)
def test_found_by_name_dtype_and_itself(kind: ScalarType) -> None:
    assert scalar_type(kind.name) is kind
    assert scalar_type(kind.dtype) is kind
    assert scalar_type(kind.dtype.newbyteorder(">") if kind is not bf16 else kind.dtype) is kind
    assert scalar_type(kind) is kind


@pytest.mark.parametrize("wrong", [complex, "float8", object, None, 7, "boolean", np.dtype("U3")])
def test_not_a_scalar_type(wrong: object) -> None:
    with pytest.raises(DtypeError, match="expected one of u8, i8"):
        scalar_type(wrong)


def test_f16_and_bf16_are_computed_in_f32() -> None:
    assert [t.compute for t in (f16, bf16, f32, f64, u8)] == [f32, f32, f32, f64, u8]


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (300, u8, 44),
        (-1, u8, 255),
        (200, i8, -56),
        (-1, u64, 2**64 - 1),
        (2**63, i64, -(2**63)),
        (2**64 - 1, f32, 2.0**64),
        (1e20, i32, 2**31 - 1),
        (-1e20, i32, -(2**31)),
        (-1e20, u32, 0),
        (float("nan"), i32, 0),
        (float("inf"), u64, 2**64 - 1),
        (float("-inf"), i64, -(2**63)),
        (-2.7, i32, -2),
        (-0.9, u8, 0),
        (255.99, u8, 255),
        (1e39, f32, float("inf")),
        (65520.0, f16, float("inf")),
        (65519.0, f16, 65504.0),
        (1 + 2**-8, bf16, 1.0),  # halfway: to even
        (1 + 3 * 2**-8, bf16, 1 + 2**-6),
        (0, boolean, False),
        (-0.0, boolean, False),
        (0.5, boolean, True),
        (256, boolean, True),
        (2**70, boolean, True),
        (float("nan"), boolean, True),
        (5e-324, boolean, True),
        (True, f16, 1.0),
    ],
)
def test_conversions(value: float, to: ScalarType, expected: float) -> None:
    result = to(value)
    assert result == expected
    assert result.dtype == to.dtype


def test_arrays_convert_as_numbers_do() -> None:
    values = np.array([-3.5, 0.0, 254.9, 255.0, 256.0, np.nan, np.inf, -np.inf], np.float32)
    assert convert(values, u8).tolist() == [0, 0, 254, 255, 255, 0, 255, 0]
    assert convert(values.astype(ml_dtypes.bfloat16), i8).tolist() == [-3, 0, 127, 127, 127, 0, 127, -128]
    for type in (f16, bf16, f32, f64):
        assert convert(values.astype(type.dtype), boolean).tolist() == [True, False, *[True] * 6]


def test_f64_reaches_narrow_floats_through_f32() -> None:
    # 1 + 2**-8 + 2**-40 lies above halfway, but f32 rounds it to halfway, which bf16 then rounds to even.
    assert float(bf16(1 + 2**-8 + 2**-40)) == 1.0
    assert float(f16(1 + 2**-11 + 2**-40)) == 1.0


@pytest.mark.parametrize("kind", SCALAR_TYPES, ids=str)
def test_numbers_that_know_their_type(kind: type) -> None:
    """A converted number is one of NumPy's, with its dtype and its bits."""
    for value in (0, 1):
        number = kind(value)
        assert number == value and scalar_type(number.dtype) is kind
        assert len(number.tobytes()) == kind.size
        bits = number.view(f"u{kind.size}")
        assert (int(bits) == 0) == (value == 0) and bits.view(kind.dtype) == number


def test_limits() -> None:
    assert (u8.min, u8.max, i8.min, i8.max) == (0, 255, -128, 127)
    assert (i64.min, u64.max) == (-(2**63), 2**64 - 1)
