"""Arguments for parameters of composite types, taken apart into the scalars and views that kernels are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.dsl.types.composites import AnyType, CompositeType, MatrixType, StructType, VectorType
from krnlpy.errors import DtypeError, LaunchError, ShapeError
from krnlpy.views.struct_view import StructField, StructView, struct_dtype
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
    shape = (type.rows, type.columns) if isinstance(type, MatrixType) else (len(type.parts),)
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
        yield from _fields(type, argument)
        return
    if not isinstance(argument, View):
        raise LaunchError(f"{what} holds {type}: expected a Buffer, got {_kind(argument)}")
    yield from _elements(what, parameter, argument)


def _fields(type: StructType, buffer: StructView[View] | StructField[View]) -> Iterator[View]:
    for name, part in type.parts:
        view = buffer[name]
        if isinstance(view, StructField):
            yield from _fields(part, view)
        elif isinstance(part, VectorType | MatrixType):
            yield from _last_axes(part, view)
        else:
            yield view


def _elements(what: str, parameter: Declared, buffer: View) -> Iterator[View]:
    """A buffer of vectors or matrices: their elements lie along its last axes."""
    type = parameter.type
    shape = _shape(type)
    if buffer.shape[-len(shape) :] != shape or (
        parameter.kind == "global" and buffer.ndim != parameter.ndim + len(shape)
    ):
        dims = f"{parameter.ndim} dimensions and " if parameter.kind == "global" else ""
        raise ShapeError(f"{what} holds {type}: expected {dims}last axes {shape}; the buffer's shape is {buffer.shape}")
    yield from _last_axes(type, buffer)


def _shape(type: Any) -> tuple[int, ...]:
    return (type.rows, type.columns) if isinstance(type, MatrixType) else (type.length,)


def _last_axes(type: Any, buffer: View) -> Iterator[View]:
    for index in np.ndindex(_shape(type)):
        yield buffer[(..., *index)]


def _kind(argument: Any) -> str:
    return f"a {type(argument).__name__}{buffer_hint(argument)}"
