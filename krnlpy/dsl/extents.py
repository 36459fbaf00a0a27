"""The sizes of local and group arrays, once the specialization constants are known."""

from __future__ import annotations

from collections.abc import Mapping

from krnlpy.errors import CompileError

from . import ir


def array_shape(array: ir.LocalArray, specs: Mapping[str, int | float | bool]) -> tuple[int, ...]:
    """The lengths of an array along its axes."""
    return tuple(evaluate(extent, specs) for extent in array.shape)


def evaluate(extent: ir.Expr, specs: Mapping[str, int | float | bool]) -> int:
    """The value of an extent: constants and spec values with + - * //."""
    match extent:
        case ir.Const(value=value):
            return int(value)
        case ir.SpecValue(parameter=parameter):
            return int(specs[parameter.name])
        case ir.Cast(operand=operand):
            return evaluate(operand, specs)
        case ir.Binary(op=op, left=left, right=right):
            a, b = evaluate(left, specs), evaluate(right, specs)
            match op:
                case "add":
                    return a + b
                case "sub":
                    return a - b
                case "mul":
                    return a * b
                case "floordiv":
                    return a // b if b else 0
    raise CompileError(f"{type(extent).__name__} is no extent of an array")


def group_array_bytes(program: ir.Program, specs: Mapping[str, int | float | bool]) -> int:
    """Bytes of group memory that a program takes on a device, where elements narrower than 32 bits take 32."""
    total = 0
    for array in program.group_arrays:
        count = 1
        for extent in array_shape(array, specs):
            count *= max(extent, 1)
        total += count * max(array.type.size, 4)
    return total
