"""The arguments of a kernel call: their order, the numbers among them, and the types that they give type variables."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from krnlpy.dsl.types.annotations import type_choices
from krnlpy.errors import DtypeError, LaunchError
from krnlpy.scalar import ScalarType, boolean, convert, f32, f64, scalar_type
from krnlpy.views.view import View

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec, Signature

Number = int | float | bool

_F32_MAX = float(np.finfo(np.float32).max)
_NUMPYS_FLOATS: frozenset[Any] = frozenset((np.float32, np.float64))


def in_order(
    signature: Signature, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments in order of the parameters that are no specs, with defaults filled in; and the specs given.

    Raises:
        LaunchError: an argument is missing, given twice, or one too many.
    """
    name = signature.name
    parameters = [p for p in signature.declared if p.kind != "spec"]
    specs = {p.name for p in signature.declared if p.kind == "spec"}
    names = [p.name for p in parameters]
    if len(arguments) > len(names):
        hint = f"; give {', '.join(sorted(specs))} by name or by .specialize()" if specs else ""
        raise LaunchError(
            f"{name} takes {len(names)} arguments ({', '.join(names)}), {len(arguments)} were given{hint}"
        )
    given = dict(zip(names, arguments, strict=False))
    for key, value in keywords.items():
        if key in given:
            raise LaunchError(f"{name}: {key} was given twice, by place and by name")
        if key not in names and key not in specs:
            every = ", ".join(p.name for p in signature.declared)
            raise LaunchError(f"{name} has no parameter {key}; it has {every}")
        given[key] = value
    for parameter in parameters:
        if parameter.default is not None:
            given.setdefault(parameter.name, parameter.default)
    missing = [n for n in names if n not in given]
    if missing:
        raise LaunchError(f"{name} takes {len(names)} arguments ({', '.join(names)}); missing: {', '.join(missing)}")
    return tuple(given[n] for n in names), {n: given[n] for n in given if n in specs}


def converter(what: str, type: ScalarType) -> Callable[[Any], Number]:
    """A function from a number that a user gives to the number that a parameter of ``type`` takes.

    It raises LaunchError, which begins by ``what``, for what is not a number, for a float where an integer is
    expected, and for a value out of the type's range.
    """
    if type is boolean:
        return lambda value: _boolean(what, value)
    if type.is_integer:
        low, high = type.min, type.max

        def integer(value: Any) -> int:
            if value.__class__ is int and low <= value <= high:
                return value
            return _integer(what, value, type)

        return integer
    if type is f32 or type is f64:
        limit = _F32_MAX if type is f32 else sys.float_info.max

        def real(value: Any) -> float:
            number = float(value) if value.__class__ in _NUMPYS_FLOATS else value
            if (number.__class__ is float or number.__class__ is int) and -limit <= number <= limit:
                return float(number)  # which the parameter block rounds as `convert` does
            return _float(what, value, type)

        return real
    return lambda value: _float(what, value, type)


def _boolean(what: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise LaunchError(f"{what} is bool; got {_described(value)}")


def _integer(what: str, value: Any, type: ScalarType) -> int:
    try:
        number = int(value) if isinstance(value, np.bool_) else operator.index(value)
    except TypeError:
        hint = f"; {type}(...) converts" if isinstance(value, float | np.floating) else ""
        raise LaunchError(f"{what} is {type}; got {_described(value)}{hint}") from None
    if not type.min <= number <= type.max:
        raise LaunchError(f"{what} is {type}, from {type.min} to {type.max}; got {number}")
    return number


def _float(what: str, value: Any, type: ScalarType) -> float:
    is_number = isinstance(value, int | float) or (isinstance(value, np.generic) and _type_of(value) is not None)
    if not is_number:
        raise LaunchError(f"{what} is {type}; got {_described(value)}")
    try:
        wide = float(value)
        result = float(convert(wide, type))
        fits = math.isinf(wide) or not math.isinf(result)
    except OverflowError:  # an int that no float holds
        fits = False
    if not fits:
        raise LaunchError(f"{what} is {type}; {_described(value)} is beyond its range")
    return result


def _described(value: Any) -> str:
    if isinstance(value, View):
        return "a Buffer"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if hasattr(value, "shape") and not isinstance(value, np.generic):  # another's array: its values say little
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"


def check_buffer(kernel: str, parameter: ParameterSpec, value: Any) -> None:
    """Raises LaunchError unless the value is a Buffer."""
    if isinstance(value, View):
        return
    raise LaunchError(f"{kernel}: {parameter.name} is a buffer; got {_described(value)}{buffer_hint(value)}")


def buffer_hint(value: Any) -> str:
    """How what was given for a buffer becomes one, to end a message with."""
    if isinstance(value, np.ndarray):
        return "; Buffer.from_numpy makes one"
    if isinstance(getattr(type(value), "buffer", None), property):  # a tensor of autograph's, or of one's own
        return "; its .buffer is one"
    return "; Buffer.from_dlpack makes one" if hasattr(value, "__dlpack__") else ""


def resolve_types(
    signature: Signature, values: Mapping[str, Any], specs: Mapping[str, Any]
) -> dict[TypeVar, ScalarType]:
    """What each type variable stands for in a call: the dtype of the buffers that it annotates, or, where it annotates
    none, that of a NumPy scalar.

    Raises:
        DtypeError: buffers disagree, or the type is not one that the variable allows.
        LaunchError: the type is not known.
    """
    given = {**values, **specs}
    chosen: dict[TypeVar, tuple[ScalarType, str]] = {}
    # Buffers decide; a number takes the type they have, as a Python number does everywhere.
    for kinds in (("item", "global"), ("scalar", "spec")):
        found = dict(chosen)
        for parameter in signature.parameters:
            variable = parameter.type
            if parameter.kind not in kinds or not isinstance(variable, TypeVar) or variable in chosen:
                continue
            type = _type_of(given.get(parameter.name))
            if type is None:
                continue
            first, by = found.setdefault(variable, (type, parameter.name))
            if first is not type:
                raise DtypeError(
                    f"{signature.name}: {by} and {parameter.name} share the type {variable.__name__}, but {by} is"
                    f" {first} and {parameter.name} is {type}"
                )
        chosen = found
    for variable in signature.type_variables:
        users = [p.name for p in signature.parameters if p.type is variable]
        if variable not in chosen:
            raise LaunchError(
                f"{signature.name}: the type of {variable.__name__} is not known; give {users[0]} as a NumPy scalar,"
                " such as numpy.float32(1)"
            )
        type, by = chosen[variable]
        if type not in type_choices(variable):
            names = ", ".join(t.name for t in type_choices(variable))
            raise DtypeError(f"{signature.name}: {by} is {type}; {variable.__name__} is one of {names}")
    return {variable: type for variable, (type, _) in chosen.items()}


def _type_of(value: Any) -> ScalarType | None:
    if isinstance(value, View):
        return value.dtype
    if isinstance(value, np.generic):
        try:
            return scalar_type(value.dtype)
        except DtypeError:
            return None
    return None
