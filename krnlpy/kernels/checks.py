"""What is checked of the buffers of a launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from krnlpy.device_info import MAX_INDEX
from krnlpy.errors import DtypeError, LaunchError, LimitExceeded, ShapeError
from krnlpy.scalar import ScalarType
from krnlpy.views import strides as views
from krnlpy.views.view import View

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec


def check_buffers(kernel: str, parameters: Sequence[ParameterSpec], arguments: Sequence[Any]) -> None:
    """Checks device, dimensions and writability of the buffers of a call.

    Raises:
        LaunchError: buffers on several devices, or a broadcast one that is written to.
        ShapeError: a buffer of other dimensions than declared.
    """
    first = None
    for parameter, buffer in zip(parameters, arguments, strict=True):
        if not isinstance(buffer, View):
            continue
        what = f"{kernel}: {parameter.name}"
        first = first or (parameter.name, buffer.device)
        if buffer.device != first[1]:
            raise LaunchError(
                f"{what} is on {buffer.device!r}, {first[0]} on {first[1]!r}; all buffers of a launch are on one"
                " device: .to_device() moves them"
            )
        if parameter.kind == "global" and buffer.ndim != parameter.ndim:
            raise ShapeError(
                f"{what} has {parameter.ndim} dimensions; got a buffer of {buffer.ndim}, of shape {buffer.shape}"
            )
        if parameter.mutable and buffer.is_broadcast():
            raise LaunchError(
                f"{what} is written to; got a broadcast buffer (shape {buffer.shape}, strides {buffer.strides}), of"
                " which an element stands for several: .copy() first"
            )


def too_far(kernel: str, parameter: str, buffer: View, why: str) -> LimitExceeded:
    """What is raised for a buffer that kernels can't index, and that can't be taken in parts."""
    facts = views.facts(buffer.shape, buffer.strides)
    extent = (facts.high - facts.low) * buffer.dtype.size
    return LimitExceeded(
        f"{kernel}: {parameter} has {buffer.size} elements in {extent} bytes of memory; kernels count to {MAX_INDEX}"
        f" elements, and reach {buffer.device.info.max_binding_bytes} bytes of a buffer on {buffer.device!r}. {why}:"
        " launch on slices"
    )


def check_items(kernel: str, parameters: Sequence[ParameterSpec], arguments: Sequence[Any]) -> None:
    """Checks the items of a launch against each other.

    Raises:
        ShapeError: they have unequal shapes.
        LaunchError: one that is written to shares elements with another at other indices.
    """
    items = [(p, a) for p, a in zip(parameters, arguments, strict=True) if p.kind == "item"]
    if any(item.shape != items[0][1].shape for _, item in items):
        shapes = ", ".join(f"{parameter.name} {item.shape}" for parameter, item in items)
        raise ShapeError(f"{kernel}: items have unequal shapes: {shapes}; .broadcast_to() repeats one along an axis")
    for i, (first, a) in enumerate(items):
        for second, b in items[i + 1 :]:
            if first.mutable or second.mutable:
                written = first.mutable
                check_overlap(kernel, *((first, a, second, b) if written else (second, b, first, a)))


def check_overlap(kernel: str, written: ParameterSpec, a: View, other: ParameterSpec, b: View) -> None:
    """Raises LaunchError where an item that is written to shares elements with another at other indices."""
    if a.memory is None:
        return
    starts = [buffer.memory.address + buffer.offset * buffer.dtype.size for buffer in (a, b)]
    if starts[0] == starts[1] and a.strides == b.strides and a.dtype.size == b.dtype.size:
        return
    if a.shares_memory(b):
        raise LaunchError(
            f"{kernel}: {written.name} is written to and shares elements with {other.name} at other indices (offsets"
            f" {a.offset} and {b.offset}, strides {a.strides} and {b.strides}); threads run in no order: .copy() one"
            " of them"
        )


def check_types(
    kernel: str,
    parameters: Sequence[ParameterSpec],
    arguments: Sequence[Any],
    types: Mapping[TypeVar, ScalarType],
) -> None:
    """Raises DtypeError if a buffer is not of the type declared."""
    for parameter, buffer in zip(parameters, arguments, strict=True):
        declared = declared_type(parameter, types)
        if isinstance(buffer, View) and buffer.dtype is not declared:
            raise DtypeError(
                f"{kernel}: {parameter.name} is a buffer of {declared}; got one of {buffer.dtype}: .cast({declared})"
                " converts"
            )


def declared_type(parameter: ParameterSpec, types: Mapping[TypeVar, ScalarType]) -> ScalarType:
    return types[parameter.type] if isinstance(parameter.type, TypeVar) else parameter.type
