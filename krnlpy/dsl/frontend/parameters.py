"""Parameters as declared become those of the IR, and what their names mean in a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from krnlpy.dsl import ir
from krnlpy.dsl.types.composites import CompositeType, is_spread, resolved
from krnlpy.scalar import ScalarType

from .lowering import ProgramState
from .signature import Declared, ParameterSpec, resolve
from .values import Compound, CompoundPlace


def add_parameter(state: ProgramState, declared: Declared) -> Any:
    """Makes a parameter one of the program's; returns what its name means."""
    parts = []
    for spec in declared.leaves:
        name = re.sub(r"\W", "_", spec.name)  # that of an attribute is a path
        while any(name == known.name for known in state.ir_parameters):
            name += "_"
        part_of = declared.name if isinstance(declared.type, CompositeType) else ""
        parts.append(_parameter(spec, name, state.types, part_of))
        state.ir_parameters.append(parts[-1])
    state.parameters[declared.name] = meaning = _meaning(declared, declared.type, iter(parts), state.types)
    return meaning


def _meaning(declared: Declared, type: Any, parts: Iterator[ir.Parameter], types: Mapping[TypeVar, ScalarType]) -> Any:
    if not isinstance(type, CompositeType):
        return next(parts)
    if declared.kind == "global" and is_spread(type):
        element = _meaning(declared, type.element, parts, types)  # type: ignore[union-attr]
        return CompoundPlace(declared.name, resolved(type, dict(types)), (element,), type.axes)  # type: ignore[union-attr]
    inner = tuple(_meaning(declared, part, parts, types) for _, part in type.parts)
    type = resolved(type, dict(types))
    if declared.kind != "scalar":
        return CompoundPlace(declared.name, type, inner)
    return Compound(type, tuple(_argument_value(part) for part in inner), declared.location)


def _argument_value(part: ir.Parameter | Compound) -> ir.Expr | Compound:
    if isinstance(part, Compound):
        return part
    assert isinstance(part, ir.ScalarParameter)
    return ir.Argument(part, type=part.type.compute, location=part.location)


def _parameter(spec: ParameterSpec, name: str, types: dict[TypeVar, ScalarType], part_of: str) -> ir.Parameter:
    type = resolve(spec.type, types)
    if spec.kind == "scalar":
        return ir.ScalarParameter(name, type, spec.location)
    if spec.kind == "spec":
        return ir.SpecParameter(name, type, spec.location, spec.default)
    if spec.kind == "item":
        return ir.ItemParameter(name, type, spec.location, spec.mutable, part_of)
    return ir.GlobalParameter(name, type, spec.location, spec.ndim, spec.mutable, spec.once, part_of)
