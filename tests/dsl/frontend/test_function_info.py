"""What a function is for arguments of certain types."""

from __future__ import annotations

from typing import Any

import pytest

from krnlpy import DtypeError, KernelTypeError, LaunchError, bf16, f32, f64, func, function_info, i32, u8
from krnlpy.dsl import barrier, derivative, sqrt, value_and_partials, vec2
from tests.support.typed import untyped


@func
def ratio(x: Any, y: Any) -> Any:
    return x / y


@func
def mixed(x: Any, y: Any) -> Any:
    return x < y, x - y, 3.0


def test_results() -> None:
    assert function_info(ratio, f32, f32).results == (f32,)
    assert function_info(ratio, bf16, "f32").results == (f32,)  # bf16 is computed in f32
    assert function_info(mixed, i32, i32).results == (bool, i32, f32)
    assert function_info(mixed, i32, f32).results == (bool, f32, f32)
    assert function_info(value_and_partials(ratio), f64, f64).results == (f64, f64, f64)


def test_what_is_used_and_what_is_constant() -> None:
    assert function_info(ratio, f32, f32).used == {"x", "y"}
    assert function_info(derivative(ratio, "x"), f32, f32).used == {"y"}
    slopes = function_info(derivative(mixed_numbers, "y"), f32, f32)
    assert slopes.used == set() and slopes.constants == (-1.0, 0.0)
    assert function_info(mixed, u8, u8).constants == (None, None, 3.0)


@func
def mixed_numbers(x: Any, y: Any) -> Any:
    return x - y, x


@func
def pair(x: Any) -> Any:
    return vec2(x, x)


@func
def waits(x: Any) -> Any:
    barrier()
    return x


@func
def root(x: Any) -> Any:
    return sqrt(x)


def test_what_it_refuses() -> None:
    for function in (pair, waits):
        with pytest.raises(KernelTypeError, match=f"{function.__name__} must give numbers, and touch nothing else"):
            function_info(function, f32)
    with pytest.raises(LaunchError, match="root has 1 parameters; 2 types given"):
        function_info(root, f32, f32)
    with pytest.raises(LaunchError, match="expected a function decorated by @func"):
        function_info(untyped(len), f32)
    with pytest.raises(DtypeError, match="is not a scalar type"):
        function_info(root, "f31")
