"""``derivative(f)`` and ``value_and_partials(f)`` within kernels: functions that are known while compiling."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.derivatives import derivative, value_and_partials
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Static, Value, describe
from krnlpy.errors import KernelTypeError, LaunchError


def _maker(make: Callable[..., Any]) -> Callable[[Lowering, ast.Call], Value]:
    name = make.__name__

    def handler(lowering: Lowering, node: ast.Call) -> Value:
        where = lowering.at(node)
        if not node.args:
            raise KernelTypeError(f"{name} takes a function, decorated by @func", *where)
        function = lowering.value(node.args[0])
        if not (isinstance(function, Static) and isinstance(function.value, Func)):
            raise KernelTypeError(
                f"{name} of {describe(function)}: expected a function decorated by @func", *lowering.at(node.args[0])
            )
        arguments = []
        for argument in (*node.args[1:], *(k.value for k in node.keywords if k.arg == "argument")):
            if not isinstance(argument, ast.Constant):
                raise KernelTypeError(
                    f"{name} takes the parameter of {function.value.__name__} as its name or place, as a constant",
                    *lowering.at(argument),
                )
            arguments.append(argument.value)
        try:
            return Static(make(function.value, *arguments), where)
        except (LaunchError, TypeError) as error:
            raise KernelTypeError(str(error), *where) from None

    return handler


HANDLERS: dict[Any, Callable[[Lowering, ast.Call], Value]] = {
    derivative: _maker(derivative),
    value_and_partials: _maker(value_and_partials),
}
