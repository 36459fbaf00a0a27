"""What derivatives refuse: the line, what was given, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Kernel, func, kernel
from krnlpy.dsl import atomic_add, bitcast, define_partials, derivative, exp, value_and_partials, vec2
from krnlpy.errors import KernelError, KernelSyntaxError, KernelTypeError, LaunchError
from krnlpy.scalar import f32, i32, u32


def refused(kernel: Kernel, kind: type[KernelError], match: str) -> None:
    device = Device.host()
    x, y = (Buffer.zeros(4, f32, device=device) for _ in range(2))
    with pytest.raises(kind, match=match) as caught:
        kernel(x, y)
    assert "^" in str(caught.value)
    assert __file__ in str(caught.value)


def slope_of(f: Any, *arguments: Any) -> Kernel:
    d = derivative(f, *arguments)

    @kernel
    def slope(x: Item[f32], y: ItemMut[f32]) -> None:
        y = d(x)

    return slope


@func
def prints(x):
    print(x)
    return x * x


@func
def nothing(x) -> None:
    pass


@func
def whole(x):
    return i32(x)


@func
def bits(x):
    return x * bitcast(bitcast(x, u32) & 0xFFFFFF00, f32)


@func
def recursive(x):
    return derivative(recursive)(x)


@pytest.mark.parametrize(
    ("f", "kind", "match"),
    [
        (prints, KernelTypeError, "has effects"),
        (nothing, KernelTypeError, "returns nothing"),
        (whole, KernelTypeError, "returns i32, which has no derivative"),
        (bits, KernelTypeError, "no derivative through a bitcast"),
        (recursive, KernelSyntaxError, "recursive calls its own derivative"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_functions_without_derivatives(f: Any, kind: type[KernelError], match: str) -> None:
    refused(slope_of(f), kind, match)


@func
def counted(x, n):
    return f32(n) * f32(x)


@func
def spread(v: vec2):
    return v * v.x


@func
def adds(x, total: GlobalMut[f32]):
    atomic_add(total[0], x)
    return x


@func
def writes(x, out: GlobalMut[f32]):
    out[0] = x
    return x


def test_arguments_without_derivatives() -> None:
    @kernel
    def by_whole(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(counted, "n")(x, 3)

    @kernel
    def by_part(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(spread)(vec2(x, x)).x

    @kernel
    def of_whole(x: Item[f32], y: ItemMut[f32]) -> None:
        y = value_and_partials(counted)(3, 4)[0]

    refused(by_whole, KernelTypeError, "by n, which is i32")
    refused(by_part, KernelTypeError, "derive each part by itself")
    refused(of_whole, KernelTypeError, "no parameter of counted is a float here")


def test_functions_with_effects() -> None:
    @kernel
    def atomics(x: Global[f32], y: GlobalMut[f32]) -> None:
        y[1] = derivative(adds)(x[0], y)

    @kernel
    def stores(x: Global[f32], y: GlobalMut[f32]) -> None:
        y[1] = derivative(writes)(x[0], y)

    refused(atomics, KernelTypeError, "has effects")
    refused(stores, KernelTypeError, "has effects")


def test_within_kernels() -> None:
    @kernel
    def of_builtin(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(exp)(x)

    @kernel
    def of_number(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(x)(x)

    @kernel
    def of_nothing(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative()(x)  # type: ignore[call-arg]

    @kernel
    def by_unknown(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(counted, "z")(x, 3)

    @kernel
    def by_variable(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(counted, x)(x, 3)

    @kernel
    def twice(x: Item[f32], y: ItemMut[f32]) -> None:
        y = value_and_partials(counted, "x", 0)(x, 3)[0]

    refused(of_builtin, KernelTypeError, "expected a function decorated by @func")
    refused(of_number, KernelTypeError, "derivative of f32: expected a function decorated by @func")
    refused(of_nothing, KernelTypeError, "derivative takes a function")
    refused(by_unknown, KernelTypeError, "counted has no parameter 'z'; its parameters are x, n")
    refused(by_variable, KernelTypeError, "as its name or place, as a constant")
    refused(twice, KernelTypeError, "name each parameter once")


@pytest.mark.parametrize(
    "call",
    [
        lambda: derivative(lambda x: x),
        lambda: derivative(exp),
        lambda: derivative(3),
        lambda: derivative(counted, "z"),
        lambda: derivative(counted, 2),
        lambda: derivative(counted, -1),
        lambda: derivative(counted, True),
        lambda: value_and_partials(counted, "x", "x"),
        lambda: derivative(counted)(1.0, 2),
        lambda: define_partials(counted, counted),
        lambda: define_partials(counted, whole, None),
        lambda: define_partials(counted, exp, None),
        lambda: define_partials(exp, None),
    ],
)
def test_outside_of_kernels(call: Callable[[], Any]) -> None:
    with pytest.raises(LaunchError):
        call()


def test_partials_of_composites() -> None:
    @func
    def size(v: vec2):
        return v.x * v.y

    @func
    def by_hand(v: vec2):
        return v.x

    define_partials(size, by_hand)

    @kernel
    def slope(x: Item[f32], y: ItemMut[f32]) -> None:
        y = derivative(size)(vec2(x, x)).x

    refused(slope, KernelTypeError, "define_partials is for functions of numbers")
