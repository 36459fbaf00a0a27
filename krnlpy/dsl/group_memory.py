"""How much memory the group arrays of a program take in a shader."""

from __future__ import annotations

import math
from collections.abc import Mapping

from krnlpy.scalar import boolean

from . import ir


def group_array_bytes(array: ir.GroupArray, specs: Mapping[str, int | float | bool]) -> int:
    """What a group array takes: elements are held in their type of computation, of at least 32 bits."""
    length = math.prod(_length(extent, specs) for extent in array.shape)
    element = array.type.compute
    return max(length, 1) * (4 if element is boolean else max(4, element.size))


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
                    return left // right if right else 0
    raise TypeError(f"the length of an array cannot be {type(expression).__name__}")
