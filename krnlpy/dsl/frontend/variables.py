"""What does not fit a variable: with which type it should have begun."""

from __future__ import annotations

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import typed, widens
from krnlpy.dsl.frontend.targets import LocalName
from krnlpy.dsl.frontend.values import Compound, Static, Value, Weak, is_number
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean, f32, f64, i32, i64


def check_fits(variable: LocalName, value: Value, where: ir.Location) -> None:
    """Checks a number that is assigned to a variable.

    A variable has the type of its first value. So the message says how to begin it, and not how to cut off what is
    assigned later.

    Raises:
        KernelTypeError: the variable can't hold it.
    """
    holds = variable.storage.compute
    if isinstance(value, Compound) or holds is boolean:
        return
    if isinstance(value, Static) and is_number(value.value):
        if isinstance(value.value, bool) or not (isinstance(value.value, float) and holds.is_integer):
            return
        wanted, what = f32, f"the number {value.value!r}"
    elif isinstance(value, Static) and not isinstance(value.value, Weak | np.generic):
        return  # no number at all
    else:
        wanted = typed(value).type
        what = f"a value of type {wanted}"
        if wanted is boolean or widens(wanted, holds):
            return
    name, begun = variable.variable.name, variable.begun
    is_taken = begun is not None and not (isinstance(begun, float) and wanted.is_integer)  # a literal takes any type
    type = wanted if is_taken else _common(holds, wanted)
    if isinstance(begun, int) and type is f32:
        beginning = f"{name} = {float(begun)!r}"
    else:
        beginning = f"{name} = {type}({'...' if begun is None else repr(begun)})"
    truncates = f"; {holds}(...) truncates it" if holds.is_integer and wanted.is_float else ""
    raise KernelTypeError(
        f"{what} does not fit {name}, which is {variable.storage} since line {variable.line}; begin it there with a"
        f" type that holds both: {beginning}{truncates}",
        *where,
    )


def _common(a: ScalarType, b: ScalarType) -> ScalarType:
    """A type that holds the values of both, as far as there is one."""
    if widens(a, b):
        return b
    return f64 if a.is_float or b.is_float else (i64 if max(a.bits, b.bits) >= 32 else i32)
