"""Calls of the library's quaternions and decompositions, with what they take looked at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy.dsl import builtins
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Compound, Value, describe
from krnlpy.dsl.types.composites import MatrixType, VectorType
from krnlpy.errors import KernelTypeError

from .library import call_whole
from .operands import arguments

Handler = Callable[[Lowering, Call], Value]

_QUATERNIONS = {
    "quat_multiply": "qq",
    "quat_conjugate": "q",
    "quat_inverse": "q",
    "quat_rotate": "qv",
    "quat_rotate_inverse": "qv",
    "quat_from_axis_angle": "vn",
    "quat_to_axis_angle": "q",
    "quat_to_matrix": "q",
    "quat_from_matrix": "m",
    "quat_slerp": "qqn",
}
"""What each takes: a quaternion, a vector of three, a matrix of 3 x 3, a number."""
_SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "q": ("a vector of four floats", (4,)),
    "v": ("a vector of three floats", (3,)),
    "m": ("a matrix of 3 x 3 floats", (3, 3)),
}


def _axes(value: Value) -> tuple[int, ...]:
    """The axes of a vector or matrix of floats; none of anything else."""
    if not isinstance(value, Compound) or not isinstance(value.type, VectorType | MatrixType):
        return ()
    return value.type.axes if value.type.element.is_float else ()


def _quaternion(name: str, kinds: str) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        values = arguments(call, len(kinds), name)
        for value, kind in zip(values, kinds, strict=True):
            wanted, axes = _SHAPES.get(kind, ("", ()))
            if _axes(value) != axes:
                raise KernelTypeError(
                    f"{name} takes {wanted or 'a number'} there, not {describe(value)}", *value.location
                )
        return call_whole(lowering, name, values, call.location)

    return handler


def _decomposition(name: str) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        (value,) = arguments(call, 1, name)
        axes = _axes(value)
        if axes not in ((2, 2), (3, 3)):
            raise KernelTypeError(
                f"{name} takes a matrix of 2 x 2 or 3 x 3 floats, not {describe(value)}", *call.location
            )
        return call_whole(lowering, f"{name}_{axes[0]}", [value], call.location)

    return handler


GEOMETRY_FUNCTIONS: dict[Any, Handler] = {
    **{getattr(builtins, name): _quaternion(name, kinds) for name, kinds in _QUATERNIONS.items()},
    **{getattr(builtins, name): _decomposition(name) for name in ("symmetric_eigen", "svd", "polar")},
    np.linalg.eigh: _decomposition("symmetric_eigen"),
}
"""What takes vectors and matrices whole."""
