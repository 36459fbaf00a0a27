"""What a ``@func`` is for arguments of certain types, without a kernel that calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.derivatives import parameters_of
from krnlpy.dsl.frontend.lowering import ProgramState
from krnlpy.dsl.frontend.source import read_source
from krnlpy.dsl.types.composites import TupleType
from krnlpy.errors import KernelTypeError, LaunchError
from krnlpy.scalar import DTypeLike, ScalarType, scalar_type

from .functions import FunctionLowering

__all__ = ["FunctionInfo", "function_info"]


@dataclass(frozen=True)
class FunctionInfo:
    """What :func:`function_info` found.

    Attributes:
        results: the types of the numbers that the function gives: one, or those of a tuple.
        used: the parameters that any of them depends on.
        constants: for each number what it always is; None where it depends on something.

    >>> from krnlpy import f32, func, function_info
    >>> from krnlpy.dsl import derivative
    >>> @func
    ... def difference(x, y):
    ...     return x - y
    >>> function_info(derivative(difference, "y"), f32, f32)
    FunctionInfo(results=(f32,), used=frozenset(), constants=(-1.0,))
    """

    results: tuple[ScalarType, ...]
    used: frozenset[str]
    constants: tuple[float | None, ...]


def function_info(function: Any, *types: DTypeLike) -> FunctionInfo:
    """What a ``@func`` gives for numbers of certain types, and on which of them it depends.

    For those who make kernels of functions: the types of the results are those of the buffers that take them, and a
    parameter that nothing depends on needs no buffer.

    Args:
        function: a ``@func``, or what ``derivative`` or ``value_and_partials`` makes of one.
        types: of the arguments, one for each parameter.

    Raises:
        LaunchError: ``function`` is not a ``@func``, or has another number of parameters.
        DtypeError: one of ``types`` is not a scalar type.
        KernelError: the function cannot be compiled for these types, or gives something else than numbers, or has
            effects; the error shows the line.

    >>> from krnlpy import f32, func, function_info
    >>> from krnlpy.dsl import derivative
    >>> @func
    ... def scaled(x, factor):
    ...     return factor * x
    >>> function_info(scaled, f32, f32).results
    (f32,)
    >>> sorted(function_info(derivative(scaled, "x"), f32, f32).used)
    ['factor']
    """
    if not isinstance(function, Func):
        raise LaunchError(f"function_info of {function!r}: expected a function decorated by @func")
    names = parameters_of(function)
    if len(types) != len(names):
        raise LaunchError(f"{function.__name__} has {len(names)} parameters; {len(types)} types given")
    source = read_source(function.function)
    where = source.location(source.tree)
    operands = [
        ir.Argument(ir.ScalarParameter(name, type, where), type=type.compute, location=where)
        for name, type in zip(names, map(scalar_type, types), strict=True)
    ]
    lowering = FunctionLowering(source, ProgramState({}, has_items=False), is_kernel=False)
    lowered, _ = lowering.lowered(function, operands, where)
    result = lowered.result
    kinds = [kind for _, kind in result.parts] if isinstance(result, TupleType) else [result]
    if not all(isinstance(kind, ScalarType) for kind in kinds) or lowered.effects or lowered.is_convergent:
        raise KernelTypeError(f"{function.__name__} must give numbers, and touch nothing else", *where)
    parameters = set(lowered.function.parameters)
    used = {node.variable for node in ir.walk(lowered.function.body) if isinstance(node, ir.Local)} & parameters
    return FunctionInfo(
        tuple(lowered.function.results),
        frozenset(name for name, variable in zip(names, lowered.function.parameters, strict=True) if variable in used),
        _constants(lowered.function),
    )


def _constants(function: ir.Function) -> tuple[float | None, ...]:
    (*before, last) = function.body
    if before or not isinstance(last, ir.Return):
        return (None,) * len(function.results)
    return tuple(_constant(value) for value in last.values)


def _constant(value: ir.Expr) -> float | None:
    if isinstance(value, ir.Unary) and value.op == "neg" and value.type.is_float:
        of = _constant(value.operand)
        return None if of is None else -of
    return value.value if isinstance(value, ir.Const) else None
