"""From a kernel to a Program: the entry points of the compiler's front, and the functions that kernels call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Call, Func
from krnlpy.dsl.frontend.conversions import coerce, composite, concretized
from krnlpy.dsl.frontend.derivatives import Derivative
from krnlpy.dsl.frontend.lowering import ProgramState
from krnlpy.dsl.frontend.parameters import add_parameter
from krnlpy.dsl.frontend.receiver import Instance, Receiver
from krnlpy.dsl.frontend.signature import FunctionParameters, Signature, annotation_of, read_signature
from krnlpy.dsl.frontend.source import Source, read_source
from krnlpy.dsl.frontend.tables import frozen
from krnlpy.dsl.frontend.targets import AnyName, LocalName, ViewName
from krnlpy.dsl.frontend.values import (
    Static,
    Value,
    assemble,
    describe,
    is_mutable,
    is_number,
    is_place,
    scalars,
)
from krnlpy.dsl.frontend.views import Array, View, base_of, first_of, is_array, numbers_of, rank_of
from krnlpy.dsl.passes.uniformity import check_barriers
from krnlpy.dsl.types.annotations import Annotation
from krnlpy.dsl.types.composites import AnyType, leaves, resolved
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType

from .arrays import cleared
from .derivatives import derived_function
from .statements import StatementLowering

__all__ = ["Signature", "func", "lower", "read_signature"]


F = TypeVar("F", bound=Callable[..., Any])


def func(function: F) -> F:
    """Makes a function callable from kernels.

    Parameters without annotation, or with Any, take the type of the argument. Outside of kernels it remains the Python
    function that it was.

    Returns:
        A :class:`Func`; to type checkers, what the function was, so that they check its calls.

    Raises:
        LaunchError: it is not a function made by ``def``.

    >>> from krnlpy import Buffer, ItemMut, f32, func, kernel
    >>> @func
    ... def mix(a: f32, b: f32, t: f32) -> f32:
    ...     return a + t * (b - a)
    >>> @kernel
    ... def fade(x: ItemMut[f32]):
    ...     x = mix(x, 10.0, 0.25)
    >>> x = Buffer.full(2, 2.0, f32)
    >>> fade(x)
    >>> x.numpy().tolist(), mix(0, 1, 0.5)
    ([4.0, 4.0], 0.5)
    """
    return Func(function)  # type: ignore[return-value]


def lower(
    signature: Signature,
    types: Mapping[TypeVar, ScalarType],
    threads: tuple[int, int, int],
    unchecked: bool = False,
    subgroup_threads: int = 0,
    receiver: Receiver | None = None,
) -> ir.Program:
    """Compiles a kernel for one choice of its type variables.

    Args:
        receiver: of a method, its object. What it needs of the object that is no parameter yet becomes one, and is
            added to ``receiver.declared``.

    Raises:
        KernelError: the kernel is not valid; the error shows the line.
    """
    chosen = {variable: types[variable] for variable in signature.type_variables}
    name = "_".join([signature.name, *(t.name for t in chosen.values())])
    has_items = any(p.kind == "item" for p in signature.parameters)
    state = ProgramState(chosen, has_items, signature.captured, receiver)
    for declared in signature.declared:
        add_parameter(state, declared)
    state.names.add(name)
    lowering = FunctionLowering(signature.source, state, is_kernel=True)
    if receiver is not None:
        lowering.statics[signature.receiver] = Static(receiver.root, signature.source.location(signature.source.tree))
    lowering.statements(lowering.without_docstring())
    where = signature.source.location(signature.source.tree)
    body = (*(state.votes.start(where) if state.votes is not None else ()), *lowering.out)
    check_barriers(body)
    functions = [f.function if isinstance(f, Lowered) else f for f in state.functions.values()]
    return ir.Program(
        name,
        where,
        tuple(state.ir_parameters),
        body,
        _called(body, functions),
        tuple(state.group_arrays),
        tuple(lowering.local_arrays),
        threads,
        unchecked,
        subgroup_threads,
    )


def _called(body: ir.Block, functions: list[ir.Function]) -> tuple[ir.Function, ...]:
    """The functions that a kernel calls, directly or not, callees first."""
    called: set[ir.Function] = set()
    blocks = [body]
    while blocks:
        for node in ir.walk(blocks.pop()):
            if isinstance(node, ir.Call | ir.Invoke) and node.function not in called:
                called.add(node.function)
                blocks.append(node.function.body)
    return tuple(f for f in functions if f in called)


class FunctionLowering(StatementLowering):
    """Lowers the body of a kernel or of a function, and the functions that it calls.

    Attributes:
        inlined_results: the results of an inlined function, once it has returned.
    """

    inlined_results: list[tuple[ir.Expr, ...]] | None = None

    def add_return(self, values: tuple[ir.Expr, ...], where: ir.Location) -> None:
        if self.inlined_results is None:
            super().add_return(values, where)
        elif self.depth:
            raise KernelSyntaxError(
                f"{self.source.function.__name__} has barriers or subgroup operations, which all threads must reach;"
                " return at its end only, not under a condition",
                *where,
            )
        else:
            self.inlined_results.append(values)

    def call_function(self, callee: Func, call: Call) -> Value | None:
        where = call.location
        source = read_source(callee.function)
        if (callee.root if isinstance(callee, Derivative) else callee) in self.state.calling:
            what = "its own derivative" if isinstance(callee, Derivative) else "itself"
            name = callee.root.__name__ if isinstance(callee, Derivative) else callee.__name__
            raise KernelSyntaxError(f"{name} calls {what}; kernels have no recursion", *where)
        parameters = FunctionParameters.of(source)
        given = self._bind(callee, parameters, call)
        declared = parameters.listed(len(given))
        bound = [self._argument(callee, source, a, v, where) for (_, a), v in zip(declared, given, strict=True)]
        names = [name for name, _ in declared]
        lowered = self._lowered(callee, source, names, bound)
        if lowered.is_convergent:
            results = self._inline(callee, source, names, bound)
        else:
            results = self._invoke(lowered, bound, where)
        return None if lowered.result == () else assemble(lowered.result, iter(results), where)  # type: ignore[arg-type]

    # --------------------------------------------------------------------------------------------------- arguments

    @staticmethod
    def _bind(callee: Func, parameters: FunctionParameters, call: Call) -> list[Value]:
        """The arguments of a call in order of the parameters; defaults are captured."""
        names = [a.arg for a in (*parameters.positional, *parameters.named)]
        most = len(parameters.positional)
        if len(call.positional) > most and parameters.rest is None:
            raise KernelTypeError(
                f"{callee.__name__} takes {most} arguments, {len(call.positional)} given", *call.location
            )
        given = dict(zip(names[:most], call.values, strict=False))
        for name, (value, where) in call.named:
            if name not in names or name in given:
                raise KernelTypeError(f"{callee.__name__} has no parameter {name}, or it is given twice", *where)
            given[name] = value
        for name, default in _defaults(callee, names[:most]).items():
            given.setdefault(name, Static(frozen(default), call.location))
        missing = [name for name in names if name not in given]
        if missing:
            raise KernelTypeError(f"{callee.__name__} lacks an argument for {', '.join(missing)}", *call.location)
        in_order = [given[name] for name in names]
        return [*in_order[:most], *call.values[most:], *in_order[most:]]

    def library_function(self, callee: Func, operands: tuple[ir.Expr, ...]) -> ir.Function:
        source = read_source(callee.function)
        names = [name for name, _ in FunctionParameters.of(source).listed(len(operands))]
        return self._lowered(callee, source, names, operands).function

    def lowered(self, callee: Func, operands: Sequence[Value], where: ir.Location) -> tuple[Lowered, list[Value]]:
        """A function for an argument for each parameter, and these arguments as it takes them."""
        source = read_source(callee.function)
        declared = FunctionParameters.of(source).listed(len(operands))
        bound = [self._argument(callee, source, a, v, where) for (_, a), v in zip(declared, operands, strict=True)]
        return self._lowered(callee, source, [name for name, _ in declared], bound), bound

    def apply(self, callee: Func, operands: Sequence[Value], where: ir.Location) -> Value:
        lowered, bound = self.lowered(callee, operands, where)
        if lowered.result == () or not lowered.function.pure:
            raise KernelTypeError(f"{callee.__name__} must give one number, and touch nothing else", *where)
        (result,) = self._invoke(lowered, bound, where)
        return result

    def _argument(self, callee: Func, source: Source, argument: ast.arg, value: Value, where: ir.Location) -> Value:
        """An argument as the function takes it: a typed value, or what is known while compiling."""
        if isinstance(value, Static) and isinstance(value.value, Instance):
            return value
        annotation = annotation_of(source, argument)
        if isinstance(value, Static) and value.value is None:
            return value  # what it means is decided while compiling, by `is None`
        name = f"the parameter {argument.arg} of {callee.__name__}"
        if annotation is None and isinstance(value, Static) and isinstance(value.value, list):
            made = composite(value, where)
            return Static(self.new_list(argument.arg, value, where), where) if made is None else made
        if annotation is None:
            static = isinstance(value, Static) and not is_number(value.value) and not isinstance(value.value, tuple)
            return value if static and not isinstance(value.value, np.generic) else concretized(value)  # type: ignore[union-attr]
        here = source.location(argument)
        if annotation.kind == "global":
            return self._array_argument(annotation, value, name, here)
        if annotation.kind != "scalar":
            raise KernelTypeError(
                "functions take values, annotated by their type, and arrays, annotated by Global or GlobalMut", *here
            )
        kind = self._function_type(annotation.type, value, here)
        return assemble(kind, iter(coerce(value, kind, f"{name}, which is {kind}", value.location)), where)

    def _array_argument(self, annotation: Annotation, value: Value, name: str, here: ir.Location) -> Value:
        place = value.value if isinstance(value, Static) else None
        if not isinstance(place, Array):
            raise KernelTypeError(f"{name} is an array; this is {describe(value)}", *value.location)
        type = annotation.type
        if isinstance(type, TypeVar):
            type = self.state.types.get(type, place.type)
        first = first_of(place)
        mutable = is_mutable(first)
        if place.type != type or rank_of(place) != annotation.ndim or (annotation.mutable and not mutable):
            raise KernelTypeError(
                f"{name} is {'GlobalMut' if annotation.mutable else 'Global'}[{type}, {annotation.ndim}];"
                f" {describe(value)} is {'GlobalMut' if mutable else 'Global'}[{place.type}, {rank_of(place)}]",
                *value.location,
            )
        if annotation.mutable and self.state.receiver is not None and isinstance(first, ir.GlobalParameter):
            self.state.receiver.handed.add(first.name)
        return value

    def _function_type(self, type: Any, value: Value, where: ir.Location) -> AnyType:
        if not isinstance(type, TypeVar):
            known: AnyType = resolved(type, self.state.types)
            return known
        if type in self.state.types:
            return self.state.types[type]
        found = concretized(value).type
        if type.__constraints__ and found not in type.__constraints__:
            raise KernelTypeError(f"{found} is not one of the types of {type.__name__}", *where)
        return found

    # ------------------------------------------------------------------------------------------------------- calls

    def _invoke(self, function: Lowered, bound: list[Value], where: ir.Location) -> list[ir.Expr]:
        """Calls a function; returns its results."""
        target = function.function
        self.reaches_object |= function.reaches_object
        arguments = tuple(number for value in bound for number in numbers_of(value))
        if target.pure:
            return [ir.Call(target, arguments, type=target.results[0], location=where)]
        variables = tuple(self.temporary(type, target.name) for type in target.results)
        statement = ir.Invoke(variables, target, arguments, location=where)
        if function.effects:
            self.emit_effect(statement)
        else:
            self.emit(statement)
        return [ir.Local(v, type=v.type, location=where) for v in variables]

    def _open(
        self, source: Source, names: list[str], bound: list[Value]
    ) -> tuple[FunctionLowering, list[tuple[ir.Variable, ir.Expr]]]:
        """A lowering of a function, and its parameters with the values that they take."""
        lowering = FunctionLowering(source, self.state, is_kernel=False)
        parameters: list[tuple[ir.Variable, ir.Expr]] = []
        for name, value in zip(names, bound, strict=True):
            if not isinstance(value, Static):
                known = lowering.locals[name] = lowering.new_name(name, value.type, source.tree.lineno)
                lowering.assigned.add(name)
                parameters += zip(variables_of(known), scalars(value), strict=True)
            elif is_place(value.value):
                lowering.arrays[name] = value.value
                lowering.assigned.add(name)
            elif isinstance(value.value, View):
                view = value.value
                variables = tuple(ir.Variable(f"{name}_{n}", e.type) for n, e in enumerate(view.numbers))
                lowering.views[name] = ViewName(view, variables, source.tree.lineno)
                lowering.assigned.add(lowering.views[name])
                parameters += zip(variables, view.numbers, strict=True)
            else:
                lowering.statics[name] = value
        rest = source.tree.args.vararg
        if rest is not None:
            where = source.location(rest)
            given = [name for name, a in FunctionParameters.of(source).listed(len(names)) if a is rest]
            lowering.statics[rest.arg] = Static(tuple(lowering.parameter(name, where) for name in given), where)
        return lowering, parameters

    def parameter(self, name: str, where: ir.Location) -> Value:
        """What a parameter's name means where the function begins."""
        if name in self.locals:
            return self.read(self.locals[name], where)
        if name in self.views:
            return Static(self.views[name].view(where), where)
        return Static(self.arrays[name], where) if name in self.arrays else self.statics[name]

    def _lowered(self, callee: Func, source: Source, names: list[str], bound: Sequence[Value]) -> Lowered:
        """A function for such arguments, lowered when it is first called."""
        key = (callee, *map(_key, bound))
        if key not in self.state.functions:
            lower = partial(self._lower_function, callee, source, names, list(bound))
            is_deep = len(self.state.calling) % _CALLS_IN_A_STACK == _CALLS_IN_A_STACK - 1
            self.state.functions[key] = _in_a_stack_of_its_own(lower) if is_deep else lower()
        lowered: Lowered = self.state.functions[key]
        return lowered

    def _lower_function(self, callee: Func, source: Source, names: list[str], bound: list[Value]) -> Lowered:
        if isinstance(callee, Derivative):
            base = self._lowered(callee.base, source, names, bound)
            derived = derived_function(self, callee, base.function, base.result, source, names, bound)
            return Lowered(*derived, effects=False, is_convergent=False, reaches_object=False)
        lowering, parameters = self._open(source, names, bound)
        self._lower_body(callee, lowering)
        result = lowering.result
        suffix = "_".join(str(v.type) for v, _ in parameters)
        name = self.state.unique(f"{callee.__name__}_{suffix}" if suffix else callee.__name__)
        results = tuple(leaf.compute for _, leaf in leaves(result)) if result != () else ()
        reaches_arrays = lowering.reaches_object or any(map(_is_callers, bound))
        pure = len(results) == 1 and not lowering.effects and not reaches_arrays
        function = ir.Function(
            name,
            tuple(variable for variable, _ in parameters),
            results,
            tuple(lowering.out),
            tuple(lowering.local_arrays),
            source.location(source.tree),
            pure,
            callee,
        )
        assert result is not None
        return Lowered(function, result, lowering.effects, lowering.is_convergent, lowering.reaches_object)

    def _lower_body(self, callee: Func, lowering: FunctionLowering) -> None:
        self.state.calling.append(callee)
        try:
            reaches = lowering.statements(lowering.without_docstring())
        finally:
            self.state.calling.pop()
        if lowering.result is None:
            lowering.result = ()
        if reaches and lowering.result != ():
            raise KernelTypeError(
                f"{callee.__name__} may end without a value; return one on every path",
                *lowering.at(lowering.source.tree),
            )

    def _inline(self, callee: Func, source: Source, names: list[str], bound: list[Value]) -> list[ir.Expr]:
        """Inlines a function: convergent operations can only be in the kernel itself."""
        lowering, parameters = self._open(source, names, bound)
        lowering.out, lowering.inlined_results, lowering.loops = self.out, [], []
        for variable, value in parameters:
            self.emit(ir.Assign(variable, value, location=value.location))
        start = len(self.out)
        self._lower_body(callee, lowering)
        self.out[start:start] = [cleared(array, source.location(source.tree)) for array in lowering.local_arrays]
        self.local_arrays += lowering.local_arrays
        self.is_convergent = self.effects = True
        values = lowering.inlined_results[0] if lowering.inlined_results else ()
        return [self.assign_temporary(value) for value in values]


_CALLS_IN_A_STACK = 8
"""A call within a call takes some 25 levels of Python's stack, of which it has 1000 for each thread."""


def _in_a_stack_of_its_own(lower: Callable[[], Lowered]) -> Lowered:
    from concurrent.futures import ThreadPoolExecutor  # takes its time, and few need it

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lower).result()


@dataclass(frozen=True)
class Lowered:
    """A lowered function, and what its callers need to know."""

    function: ir.Function
    result: AnyType | tuple[()]
    effects: bool
    is_convergent: bool
    reaches_object: bool


def _defaults(callee: Func, positional: list[str]) -> dict[str, Any]:
    """The defaults of a function's parameters."""
    values = callee.function.__defaults__ or ()
    of_positional = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    return {**of_positional, **(callee.function.__kwdefaults__ or {})}


def _is_callers(value: Value) -> bool:
    """Whether an argument is a place of the caller's; a table is everybody's."""
    return (
        isinstance(value, Static) and is_array(value.value) and not isinstance(base_of(value.value), ir.ConstantArray)
    )


def _key(value: Value) -> Any:
    """The part of an argument that decides how a function is compiled."""
    if not isinstance(value, Static):
        return value.type
    if isinstance(value.value, View):
        return value.value.form
    if is_place(value.value):
        return value.value
    try:
        hash(value.value)
    except TypeError:
        raise KernelTypeError(f"{describe(value)} cannot be passed to a function", *value.location) from None
    return (type(value.value), value.value)


def variables_of(name: AnyName) -> list[ir.Variable]:
    """The variables of a name, in order."""
    if isinstance(name, LocalName):
        return [name.variable]
    return [variable for part in name.parts for variable in variables_of(part)]
