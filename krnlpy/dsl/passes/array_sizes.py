"""The sizes of the arrays of a program, once its specialization constants have values."""

from __future__ import annotations

import math
from collections.abc import Mapping

from krnlpy.dsl import ir
from krnlpy.errors import LaunchError


def check_array_sizes(program: ir.Program, specs: Mapping[str, int | float | bool]) -> None:
    """Raises LaunchError unless each array of the kernel and its functions has elements: targets would treat sizes
    below 1 and quotients of negative numbers differently."""
    for array in (*program.group_arrays, *local_arrays(program)):
        used = {e.parameter.name for extent in array.shape for e in ir.walk(extent) if isinstance(e, ir.SpecValue)}
        given = ", ".join(f"{name} = {specs[name]}" for name in specs if name in used)
        try:
            shape = tuple(_length(extent, specs) for extent in array.shape)
        except _Quotient as quotient:
            raise LaunchError(
                f"{program.name}: the size of {array.name} divides {quotient} with {given}; a size may only"
                " divide numbers of at least 0 by numbers of at least 1"
            ) from None
        if min(shape) < 1:
            raise LaunchError(
                f"{program.name}: {array.name} has the shape {shape} with {given}; arrays have at least one element"
                " along each axis"
            )


class _Quotient(Exception):
    """Of a negative number, or by one that is not positive."""


def local_arrays(program: ir.Program) -> tuple[ir.LocalArray, ...]:
    """Those of the kernel and of all functions that it calls."""
    return (*program.local_arrays, *(array for function in program.functions for array in function.local_arrays))


def array_bytes(array: ir.LocalArray, specs: Mapping[str, int | float | bool]) -> int:
    """What an array takes in a shader: elements are held in their type of computation, of at least 32 bits."""
    length = math.prod(_length(extent, specs) for extent in array.shape)
    element = array.type.compute
    return max(length, 1) * max(4, element.size)


def _length(expression: ir.Expr, specs: Mapping[str, int | float | bool]) -> int:
    match expression:
        case ir.Const():
            return int(expression.value)
        case ir.SpecValue():
            return int(specs[expression.parameter.name])
        case ir.Cast():
            return _length(expression.operand, specs)
        case ir.Binary():
            left, right = _length(expression.left, specs), _length(expression.right, specs)
            match expression.op:
                case "add":
                    return left + right
                case "sub":
                    return left - right
                case "mul":
                    return left * right
                case "floordiv":
                    if left < 0 or right < 1:
                        raise _Quotient(f"{left} by {right}")
                    return left // right
    raise TypeError(f"the length of an array cannot be {type(expression).__name__}")
