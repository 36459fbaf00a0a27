"""What derivatives refuse: the line, what was given, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from krnlpy import func
from krnlpy.dsl import define_partials, derivative, exp, value_and_partials
from krnlpy.errors import KernelError, KernelSyntaxError, KernelTypeError, LaunchError
from krnlpy.scalar import f32, i32

from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
from krnlpy.dsl import atomic_add, bitcast, define_partials, derivative, exp, sin, value_and_partials, vec2

@func
def prints(x):
    print(x)
    return x * x

@func
def nothing(x):
    pass

@func
def whole(x):
    return i32(x)

@func
def bits(x):
    return x * bitcast(bitcast(x, u32) & 0xFFFFFF00, f32)

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

@func
def recursive(x):
    return derivative(recursive)(x)

@func
def size(v: vec2):
    return v.x * v.y

@func
def by_part(v: vec2):
    return v.x

define_partials(size, by_part)

@func
def rounded(x):
    return x

@func
def gives_whole(x):
    return 1

define_partials(rounded, gives_whole)

@func
def paired(x):
    return x

@func
def gives_two(x):
    return x, x

define_partials(paired, gives_two)
"""

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("y = derivative(prints)(x)"), KernelTypeError, "has effects: it has no derivative", "print(x)"),
    (body("y = derivative(adds)(x, a)"), KernelTypeError, "has effects", "atomic_add(total[0], x)"),
    (body("y = derivative(writes)(x, a)"), KernelTypeError, "has effects", "out[0]"),
    (body("y = derivative(nothing)(x)"), KernelTypeError, "nothing returns nothing", ""),
    (body("y = derivative(whole)(x)"), KernelTypeError, "whole returns i32, which has no derivative", ""),
    (body("y = derivative(bits)(x)"), KernelTypeError, "no derivative through a bitcast", "bitcast(x, u32)"),
    (body("y = derivative(recursive)(x)"), KernelSyntaxError, "recursive calls its own derivative", ""),
    (body("y = derivative(counted, 'n')(x, 3)"), KernelTypeError, "by n, which is i32: it is not a float", "n"),
    (body("y = derivative(spread)(vec2(x, x)).x"), KernelTypeError, "derive each part by itself", "v: vec2"),
    (body("y = value_and_partials(counted)(3, n)[0]"), KernelTypeError, "no parameter of counted is a float here", ""),
    (body("y = derivative(size)(vec2(x, x)).x"), KernelTypeError, "define_partials is for functions of numbers", ""),
    (body("y = derivative(rounded)(x)"), KernelTypeError, "gives_whole is a partial derivative: it gives a float", ""),
    (body("y = derivative(paired)(x)"), KernelTypeError, "gives_two must give one number", ""),
    (body("y = derivative(exp)(x)"), KernelTypeError, "derivative of 'exp': expected a function decorated by", "exp"),
    (body("y = derivative(x)(x)"), KernelTypeError, "derivative of f32: expected a function decorated by @func", "x"),
    (body("y = derivative()(x)"), KernelTypeError, "derivative takes a function, decorated by @func", "derivative()"),
    (body("y = derivative(counted, 'z')(x, 3)"), KernelTypeError, "no parameter 'z'; its parameters are x, n", ""),
    (body("y = derivative(counted, n)(x, 3)"), KernelTypeError, "as its name or place, as a constant", "n"),
    (body("y = value_and_partials(counted, 'x', 0)(x, 3)[0]"), KernelTypeError, "name each parameter once", ""),
]


@pytest.mark.parametrize(("source", "kind", "message", "marked"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_call(source: str, kind: type[KernelError], message: str, marked: str, tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        compile_kernel(load(tmp_path, HELPERS + source))
    text = str(caught.value)
    assert message in text
    assert "^" in text
    if marked:
        line, carets = text.splitlines()[-2:]
        assert line[carets.index("^") : carets.rindex("^") + 1] == marked


@func
def counted(x: Any, n: Any) -> Any:
    return f32(n) * f32(x)


@func
def whole(x: Any) -> Any:
    return i32(x)


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
