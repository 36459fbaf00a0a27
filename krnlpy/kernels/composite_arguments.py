"""Arguments for parameters of composite types, taken apart into the scalars and views that kernels are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.dsl.types.composites import (
    AnyType,
    ArrayType,
    CompositeType,
    MatrixType,
    StructType,
    TupleType,
    VectorType,
    is_spread,
)
from krnlpy.errors import DtypeError, LaunchError, ShapeError
from krnlpy.views.struct_view import StructView, struct_dtype
from krnlpy.views.view import View

from .arguments import buffer_hint

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import Declared, Signature


def taken_apart(signature: Signature, arguments: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments of a kernel, one for each of its scalars, items and globals.

    Args:
        arguments: in the order of the declared parameters that are no specs.

    Raises:
        LaunchError: an argument does not have the form of its parameter's type.
        ShapeError, DtypeError: a buffer has other axes or fields than its elements' type.
    """
    result: list[Any] = []
    declared = [d for d in signature.declared if d.kind != "spec"]
    for parameter, argument in zip(declared, arguments, strict=True):
        if not isinstance(parameter.type, CompositeType):
            result.append(argument)
        elif parameter.kind == "scalar":
            result += _values(f"{signature.name}: {parameter.name}", parameter.type, argument)
        else:
            result += _views(f"{signature.name}: {parameter.name}", parameter, argument)
    return tuple(result)


def _values(what: str, type: AnyType, value: Any) -> Iterator[Any]:
    """The numbers in a value of a type."""
    if not isinstance(type, CompositeType):
        yield value
        return
    if isinstance(type, StructType):
        for name, part in type.parts:
            if isinstance(value, type.cls):
                inner = getattr(value, name)
            elif isinstance(value, np.void) and value.dtype.names and name in value.dtype.names:
                inner = value[name]
            else:
                raise LaunchError(f"{what} is {type}; got {value!r}")
            yield from _values(f"{what}.{name}", part, inner)
        return
    if isinstance(type, ArrayType) and isinstance(type.element, CompositeType):
        if not isinstance(value, list | tuple | np.ndarray) or len(value) != type.length:
            raise LaunchError(f"{what} is {type}; got {value!r}")
        for i, entry in enumerate(value):
            yield from _values(f"{what}[{i}]", type.element, entry)
        return
    if isinstance(type, TupleType):  # an attribute of an object, whose type is that of its value
        for i, (part, entry) in enumerate(zip(type.types, value, strict=True)):
            yield from _values(f"{what}[{i}]", part, entry)
        return
    shape = type.axes
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        array = np.empty(0)
    if array.shape != shape:
        raise LaunchError(f"{what} is {type}: {' x '.join(map(str, shape))} numbers; got {value!r}")
    yield from (value if isinstance(value, list | tuple) and array.ndim == 1 else array.ravel())


def _views(what: str, parameter: Declared, argument: Any) -> Iterator[View]:
    type = parameter.type
    if isinstance(type, StructType):
        if not isinstance(argument, StructView):
            raise LaunchError(f"{what} holds {type}: expected a StructBuffer, got {_kind(argument)}")
        expected = struct_dtype(type.cls)
        if argument.dtype != expected:
            raise DtypeError(f"{what} holds {type}, of fields {expected}; the buffer has {argument.dtype}")
        if parameter.kind == "global" and len(argument.shape) != parameter.ndim:
            raise ShapeError(f"{what} has {parameter.ndim} dimensions; the buffer has {len(argument.shape)}")
        yield from _parts(type, argument, parameter.kind == "global", len(argument.shape))
        return
    if not isinstance(argument, View):
        raise LaunchError(f"{what} holds {type}: expected a Buffer, got {_kind(argument)}")
    axes, is_global = _axes(type), parameter.kind == "global"
    if argument.shape[-len(axes) :] != axes or (is_global and argument.ndim != parameter.ndim + len(axes)):
        dims = f"{parameter.ndim} dimensions and " if is_global else ""
        shape = argument.shape
        raise ShapeError(f"{what} holds {type}: expected {dims}last axes {axes}; the buffer's shape is {shape}")
    yield from _parts(type, argument, is_global, argument.ndim - len(axes))


def _axes(type: Any) -> tuple[int, ...]:
    """The last axes of a buffer of a type without structs."""
    if isinstance(type, ArrayType):
        return (*type.axes, *_axes(type.element))
    return type.axes if isinstance(type, VectorType | MatrixType) else ()


def _parts(type: Any, buffer: Any, spread: bool, ndim: int, index: tuple[int, ...] = ()) -> Iterator[View]:
    """The views of a buffer or field of a type, as the parameter's leaves are.

    Args:
        spread: what has many scalars is one view, with axes more.
        ndim: axes of the buffer itself.
        index: in the arrays around, along the axes after these.
    """
    if isinstance(type, ArrayType):
        for inner in [()] if spread else [(i,) for i in range(type.length)]:
            yield from _parts(type.element, buffer, spread, ndim, (*index, *inner))
    elif isinstance(type, StructType):
        for name, part in type.parts:
            yield from _parts(part, buffer[name], spread, ndim, index)
    else:
        view = buffer[(*(slice(None),) * ndim, *index)] if index else buffer
        if not isinstance(type, VectorType | MatrixType) or (spread and is_spread(type)):
            yield view
            return
        for at in np.ndindex(type.axes):
            yield view[(..., *at)]


def _kind(argument: Any) -> str:
    return f"a {type(argument).__name__}{buffer_hint(argument)}"
