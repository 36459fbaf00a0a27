"""From a kernel to a Program: the entry points of the compiler's front, and the functions that kernels call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType

from . import ir
from .calls import Func
from .conversions import (
    Static,
    Value,
    assignable,
    typed,
)
from .expressions import LocalName, ProgramState
from .signature import ParameterSpec, Signature, annotation_of, positional_arguments, read_signature, resolve
from .source import Source, read_source
from .statements import StatementLowering

__all__ = ["Signature", "func", "lower", "read_signature"]


def func(function: Callable[..., Any]) -> Func:
    """Makes a function callable from kernels. Parameters without annotation take the type of the argument.

    >>> from krnlpy import func, f32
    >>> @func
    ... def lerp(a: f32, b: f32, t: f32):
    ...     return a + t * (b - a)
    """
    return Func(function)


def lower(
    signature: Signature,
    types: Mapping[TypeVar, ScalarType],
    threads: tuple[int, int, int],
    unchecked: bool = False,
) -> ir.Program:
    """Compiles a kernel for one choice of its type variables.

    Raises:
        KernelError: the kernel is not valid; the error shows the line.
    """
    chosen = {variable: types[variable] for variable in signature.type_variables}
    parameters = {p.name: _parameter(p, chosen) for p in signature.parameters}
    name = "_".join([signature.name, *(t.name for t in chosen.values())])
    state = ProgramState(chosen, parameters)
    state.names.add(name)
    lowering = FunctionLowering(signature.source, state, is_kernel=True)
    body, _ = lowering.block(lowering.without_docstring())
    return ir.Program(
        name,
        signature.source.location(signature.source.tree),
        tuple(parameters.values()),
        body,
        tuple(state.functions.values()),
        tuple(state.group_arrays),
        tuple(lowering.local_arrays),
        threads,
        unchecked,
    )


def _parameter(spec: ParameterSpec, types: dict[TypeVar, ScalarType]) -> ir.Parameter:
    type = resolve(spec.type, types)
    if spec.kind == "scalar":
        return ir.ScalarParameter(spec.name, type, spec.location)
    if spec.kind == "spec":
        return ir.SpecParameter(spec.name, type, spec.location, spec.default)
    if spec.kind == "item":
        return ir.ItemParameter(spec.name, type, spec.location, spec.mutable)
    return ir.GlobalParameter(spec.name, type, spec.location, spec.ndim, spec.mutable, spec.once)


class FunctionLowering(StatementLowering):
    """Lowers the body of a kernel or of a function, and the functions that it calls."""

    def call_function(self, callee: Func, node: ast.Call) -> Value:
        where = self.at(node)
        source = read_source(callee.function)
        if callee in self.state.calling:
            raise KernelSyntaxError(f"{callee.__name__} calls itself; kernels have no recursion", *where)
        declared = positional_arguments(source)
        arguments = self._bind(callee, source, declared, node)
        annotated = []
        for argument, value in zip(declared, arguments, strict=True):
            annotation = annotation_of(source, argument)
            if annotation is None:
                annotated.append(typed(value))
                continue
            if annotation.kind != "scalar":
                raise KernelTypeError("functions take numbers; annotate by a scalar type", *source.location(argument))
            kind = self._function_type(annotation.type, value, source.location(argument))
            what = f"the parameter {argument.arg} of {callee.__name__}, which is {kind}"
            expr = assignable(value, kind, what, value.location)
            annotated.append(expr if kind.compute is kind else ir.Round(expr, kind, type=expr.type, location=where))
        key = (callee, tuple(a.type for a in annotated))
        function = self.state.functions.get(key)
        if function is None:
            function = self._lower_function(callee, source, declared, [a.type for a in annotated])
            self.state.functions[key] = function
        return ir.Call(function, tuple(annotated), type=function.result, location=where)

    def _function_type(self, type: ScalarType | TypeVar, value: Value, where: ir.Location) -> ScalarType:
        if not isinstance(type, TypeVar):
            return type
        if type in self.state.types:
            return self.state.types[type]
        found = typed(value).type
        if type.__constraints__ and found not in type.__constraints__:
            raise KernelTypeError(f"{found} is none of the types of {type.__name__}", *where)
        return found

    def _bind(self, callee: Func, source: Source, declared: list[ast.arg], node: ast.Call) -> list[Value]:
        """The arguments of a call in order of the parameters; defaults are captured numbers."""
        names = [a.arg for a in declared]
        given: dict[str, Value] = {}
        if len(node.args) > len(names):
            raise KernelTypeError(
                f"{callee.__name__} takes {len(names)} arguments, {len(node.args)} given", *self.at(node)
            )
        for name, argument in zip(names, node.args, strict=False):
            given[name] = self.value(argument)
        for keyword in node.keywords:
            if keyword.arg not in names or keyword.arg in given:
                raise KernelTypeError(f"{callee.__name__} has no free parameter {keyword.arg}", *self.at(keyword))
            given[keyword.arg] = self.value(keyword.value)
        defaults = callee.function.__defaults__ or ()
        for name, default in zip(names[::-1], defaults[::-1], strict=False):
            given.setdefault(name, Static(default, self.at(node)))
        missing = [name for name in names if name not in given]
        if missing:
            raise KernelTypeError(f"{callee.__name__} misses {', '.join(missing)}", *self.at(node))
        return [given[name] for name in names]

    def library_function(self, callee: Func, types: tuple[ScalarType, ...]) -> ir.Function:
        """A function that the compiler itself calls, for arguments of these types."""
        source = read_source(callee.function)
        return self._lower_function(callee, source, positional_arguments(source), list(types))

    def _lower_function(
        self, callee: Func, source: Source, declared: list[ast.arg], types: list[ScalarType]
    ) -> ir.Function:
        lowering = FunctionLowering(source, self.state, is_kernel=False)
        variables = tuple(ir.Variable(a.arg, t) for a, t in zip(declared, types, strict=True))
        for variable, argument in zip(variables, declared, strict=True):
            lowering.locals[variable.name] = LocalName(variable, variable.type, argument.lineno)
            lowering.assigned.add(variable.name)
        self.state.calling.append(callee)
        try:
            body, reaches = lowering.block(lowering.without_docstring())
        finally:
            self.state.calling.pop()
        if reaches or lowering.result is None:
            raise KernelTypeError(
                f"{callee.__name__} may end without a value; return one on every path",
                *source.location(source.tree),
            )
        suffix = "_".join(t.name for t in types)
        name = self.state.unique(f"{callee.__name__}_{suffix}" if suffix else callee.__name__)
        return ir.Function(
            name, variables, lowering.result, body, tuple(lowering.local_arrays), source.location(source.tree)
        )
