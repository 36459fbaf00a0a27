"""The derivative of a function that is called: which numbers it is derived by, and what its result is."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.derivatives import Derivative, parameters_of
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.signature import FunctionParameters
from krnlpy.dsl.frontend.source import Source
from krnlpy.dsl.frontend.values import Static, Value, scalars
from krnlpy.dsl.frontend.views import numbers_of
from krnlpy.dsl.passes.derivative.derivations import Derivations
from krnlpy.dsl.passes.derivative.rules import Applied, Partials
from krnlpy.dsl.types.composites import AnyType, CompositeType, TupleType, leaves
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType


class LanguageRules:
    """The derivatives that functions of the language, of its library and of users' have by hand."""

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        # The library is written in the language, and stands above this.
        self._of_operations = import_module("krnlpy.dsl.library.partials").OPERATIONS

    def partials(self, node: Applied) -> Partials | None:
        if isinstance(node, ir.Call | ir.Invoke):
            given: Partials | None = getattr(node.function.origin, "partials", None)
            return given
        found: Partials | None = self._of_operations.get(node.op if isinstance(node, ir.Binary) else node.name)
        return found

    def partial_function(self, partial: Func, operands: tuple[ir.Expr, ...], value: ir.Expr) -> ir.Expr:
        takes_value = len(parameters_of(partial)) > len(operands)
        result = self._lowering.apply(partial, (*operands, value) if takes_value else operands, value.location)
        if not (isinstance(result, ir.Expr) and result.type.is_float):
            raise KernelTypeError(f"{partial.__name__} is a partial derivative: it gives a float", *value.location)
        return result

    def unique(self, name: str) -> str:
        return self._lowering.state.unique(name)

    def add(self, function: ir.Function) -> None:
        self._lowering.state.functions["derived", function] = function


def derived_function(
    lowering: Lowering,
    callee: Derivative,
    base: ir.Function,
    result: AnyType | tuple[()],
    source: Source,
    names: Sequence[str],
    bound: Sequence[Value],
) -> tuple[ir.Function, AnyType]:
    """A derivative for certain arguments, and the type of its result.

    Args:
        lowering: of the function that calls it.
        callee: the derivative.
        base: the function that is derived, for these arguments.
        result: the type of its result.
        source: its text.
        names: its parameters.
        bound: the arguments.

    Raises:
        KernelTypeError: there is no derivative; the error shows the line.
    """
    state = lowering.state
    if state.derivations is None:
        state.derivations = Derivations(LanguageRules(lowering))
    where = source.location(source.tree)
    name = callee.base.__name__
    if isinstance(result, tuple) or not _is_float(result):
        what = "nothing" if result == () else str(result)
        raise KernelTypeError(f"{name} returns {what}, which has no derivative; floats have one", *where)
    places = _places(names, bound)
    types: list[AnyType] = [result] if callee.with_value else []
    directions: list[int] = []
    casts: list[ScalarType | None] = []
    for argument in _arguments(callee, places):
        type, indices = places[argument]
        here = source.location(dict(FunctionParameters.of(source).listed(len(names)))[argument])
        if type is None or not _is_float(type):
            what = "known while compiling" if type is None else str(type)
            raise KernelTypeError(f"no derivative of {name} by {argument}, which is {what}: it is not a float", *here)
        if isinstance(type, CompositeType) and isinstance(result, CompositeType):
            raise KernelTypeError(
                f"no derivative of {name} by {argument}: it gives {result}, and {argument} is {type}; derive each part"
                " by itself, or by each part",
                *here,
            )
        directions += indices
        casts += [leaf.compute for _, leaf in leaves(type)] if isinstance(type, CompositeType) else [None]
        types.append(type if isinstance(type, CompositeType) else _computed(result))
    if not directions:
        raise KernelTypeError(f"no parameter of {name} is a float here: it has no derivative", *where)
    if callee.base.partials is not None:
        base = _calling(base, len(names), where)
    derived = state.derivations.derivative(
        base, tuple(directions), callee.with_value, tuple(casts), state.unique(callee.__name__), callee
    )
    return derived, TupleType(tuple(types)) if callee.with_value else types[0]


def _places(names: Sequence[str], bound: Sequence[Value]) -> dict[str, tuple[AnyType | None, range]]:
    """The type of each parameter (None: known while compiling), and which of the function's parameters it is."""
    places: dict[str, tuple[AnyType | None, range]] = {}
    count = 0
    for name, value in zip(names, bound, strict=True):
        if isinstance(value, Static):
            count += len(numbers_of(value))
            places[name] = None, range(0)
            continue
        size = sum(1 for _ in scalars(value))
        places[name] = value.type, range(count, count + size)
        count += size
    return places


def _arguments(callee: Derivative, places: dict[str, tuple[AnyType | None, range]]) -> Sequence[str]:
    if callee.arguments is not None:
        return callee.arguments
    return [name for name, (type, _) in places.items() if type is not None and _is_float(type)]


def _is_float(type: AnyType) -> bool:
    return all(leaf.is_float for _, leaf in leaves(type))


def _computed(type: AnyType) -> AnyType:
    """The type of a derivative by a number: f16 and bf16 are computed in f32."""
    return type.compute if isinstance(type, ScalarType) else type


def _calling(base: ir.Function, count: int, where: ir.Location) -> ir.Function:
    """A function that only calls a function: what has derivatives by hand is a call."""
    if len(base.parameters) != count or len(base.results) != 1 or not base.pure:
        raise KernelTypeError(
            f"define_partials is for functions of numbers that give one number; {base.name} is not one", *where
        )
    parameters = tuple(ir.Variable(v.name, v.type) for v in base.parameters)
    arguments = tuple(ir.Local(v, type=v.type, location=where) for v in parameters)
    call = ir.Call(base, arguments, type=base.results[0], location=where)
    return ir.Function(base.name, parameters, base.results, (ir.Return((call,), location=where),), (), where)
