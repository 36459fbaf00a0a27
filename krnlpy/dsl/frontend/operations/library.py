"""Calls of functions of :mod:`krnlpy.dsl.library`, made by the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Argument, Call, Func
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Static, Value
from krnlpy.scalar import ScalarType

_MODULES = {
    "decompositions": "symmetric_eigen_2 symmetric_eigen_3 svd_2 svd_3 polar_2 polar_3",
    "elimination": "determinant_in_place inverse_in_place",
    "error_function": "erf erfc",
    "exponentials": "expm1 sinh cosh",
    "gamma": "gamma lgamma",
    "integers": "popcount_64 reverse_bits_64 clz_64 mul_hi_64 mul_hi_signed add_sat_signed add_sat_unsigned gcd lcm"
    " sub_sat_signed sub_sat_unsigned byte_swap_32 byte_swap_64 rotate power",
    "inverse_trigonometric": "asin acos atan atan2",
    "logarithms": "log10 log1p asinh acosh atanh",
    "logistic": "sigmoid softplus logaddexp logaddexp2",
    "quaternions": "quat_multiply quat_conjugate quat_inverse quat_rotate quat_rotate_inverse quat_from_axis_angle"
    " quat_to_axis_angle quat_to_matrix quat_from_matrix quat_slerp",
    "parts": "copysign signbit isfinite sign nextafter ldexp fmin fmax minimum maximum lerp step smoothstep",
    "remainders": "fmod remainder",
    "roots": "rsqrt cbrt hypot",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def _find(name: str, type: ScalarType) -> Func:
    """The function of a name for operands of a type."""
    module = import_module(f"krnlpy.dsl.library.{_MODULE_OF[name]}")
    function: Func = getattr(module, f"{name}_{type}", None) or getattr(module, name)
    return function


def call_library(lowering: Lowering, name: str, operands: tuple[ir.Expr, ...], where: ir.Location) -> ir.Expr:
    """A call of a library function with operands of the types that it takes. The type of the first one selects it."""
    function = lowering.library_function(_find(name, operands[0].type), operands)
    return ir.Call(function, operands, type=function.results[0], location=where)


def call_whole(lowering: Lowering, name: str, arguments: Sequence[Value], where: ir.Location) -> Value:
    """A call of a library function of vectors, matrices or arrays; None's value where it returns nothing."""
    module = import_module(f"krnlpy.dsl.library.{_MODULE_OF[name]}")
    function: Func = getattr(module, name)
    call = Call(name, where, tuple(Argument(value, where) for value in arguments))
    result = lowering.call_function(function, call)
    return Static(None, where) if result is None else result


def horner(lowering: Lowering, x: ir.Expr, coefficients: tuple[ir.Const, ...], where: ir.Location) -> ir.Expr:
    """The polynomial of x with the coefficients, lowest power first, by Horner's rule."""
    x = lowering.evaluate_once(x) if len(coefficients) > 2 else x
    result: ir.Expr = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        product = ir.Binary("mul", result, x, type=x.type, location=where)
        result = ir.Binary("add", product, coefficient, type=x.type, location=where)
    return result
