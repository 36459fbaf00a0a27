"""Kernels that are methods: what they need of their object becomes parameters, whose values are read at each call.

A method is compiled once for what its object is: the class, the types of the numbers and buffers that it uses, and the
constants among its attributes. Objects that agree in these share what is compiled.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from krnlpy.backend.recorder import StandIn, recorders
from krnlpy.errors import LaunchError
from krnlpy.scalar import ScalarType, boolean

from .arguments import resolve_types
from .configuration import DEFAULT_THREADS, Configuration
from .defects import compiling
from .definition import Definition

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.receiver import Receiver
    from krnlpy.dsl.frontend.signature import Declared, Signature


class MethodDefinition(Definition):
    """What all launchers of a kernel share that is a method; its parameters are those beside the object."""

    is_method = True

    def __init__(self, signature: Signature, unchecked: bool, subgroup_threads: int) -> None:
        super().__init__(signature, unchecked, subgroup_threads)
        self.variants: list[MethodVariant] = []

    def of(
        self, instance: Any, arguments: tuple[Any, ...], configuration: Configuration, specs: Mapping[str, Any]
    ) -> tuple[Definition, tuple[Any, ...]]:
        # The hot path: every line here costs each launch.
        types = {}
        if self.signature.type_variables:
            given = {p.name: a for p, a in zip(self.parameters, self.taken_apart(arguments), strict=True)}
            types = resolve_types(self.signature, given, {**configuration.specs, **specs})
        cls = instance.__class__
        for variant in self.variants:
            if variant.cls() is cls and variant.types == types:
                try:
                    values = variant.read(instance)
                except AttributeError:
                    continue
                if values is not None:
                    return variant.definition, values
        if recorders:  # numbers may be parameters of a graph
            variant = self._find(Firsts(instance), instance, types)
            return variant.definition, variant.values(instance)
        variant = self._find(instance, instance, types)
        return variant.definition, _read(variant, instance)

    def variant(self, instance: Any, types: dict[TypeVar, ScalarType]) -> Definition:
        return self._find(instance, instance, types).definition

    def _find(self, values: Any, instance: Any, types: dict[TypeVar, ScalarType]) -> MethodVariant:
        """What is compiled for an object, if need be now. ``values``: has its attributes."""
        for variant in self.variants:
            if variant.cls() is type(instance) and variant.types == types and _read(variant, values) is not None:
                return variant
        variant = self._compiled(instance, types)
        if _read(variant, values) is None:
            raise LaunchError(f"{self.signature.name}: the attributes of the object change while they are read")
        return variant

    def _compiled(self, instance: Any, types: dict[TypeVar, ScalarType]) -> MethodVariant:
        from krnlpy.dsl.frontend.receiver import Receiver
        from krnlpy.dsl.frontend.syntax import functions as frontend

        from .objects import Objects

        signature, function = self.signature, self.signature.function
        objects = Objects(instance, signature.receiver)
        receiver = Receiver(objects.root, objects.look)
        given = self.unchecked, self.subgroup_threads
        with self.lock:
            with compiling(function):
                program = frontend.lower(signature, types, DEFAULT_THREADS, *given, receiver)
                bound = _with_access(receiver, program)
            definition = Definition(replace(signature, declared=(*signature.declared, *bound)), *given, receiver)
            definition.program(types)
            receiver.look = _all_is_known  # and what is compiled does not keep the object
            read, values = readers(receiver, bound)
            variant = MethodVariant(weakref.ref(type(instance)), types, definition, read, values)
            self.variants[:] = [variant, *(v for v in self.variants if v.cls() is not None)]
        return variant


@dataclass(frozen=True, eq=False)
class MethodVariant:
    """A method compiled for what an object is.

    Attributes:
        cls: the object's class.
        types: what the type variables stand for.
        definition: has the attributes that are bound as its last parameters.
        read: the values of these; None for an object that is not what it was compiled for.
        values: the same, whatever the object is.
    """

    cls: weakref.ref[type]
    types: Mapping[TypeVar, ScalarType]
    definition: Definition
    read: Callable[[Any], tuple[Any, ...] | None]
    values: Callable[[Any], tuple[Any, ...]]


class Firsts:
    """An object as it was when a graph's parameters took the places of numbers in it."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._instance, name)
        return value.first if isinstance(value, StandIn) else value


def _read(variant: MethodVariant, instance: Any) -> Any:
    try:
        return variant.read(instance)
    except AttributeError:
        return None


def _all_is_known(*_: Any) -> Any:
    raise AssertionError("a method that is compiled again asks for nothing new")


def _with_access(receiver: Receiver, program: Any) -> list[Declared]:
    """The parameters made of attributes, buffers that the program does not write as those that are read only."""
    from krnlpy.dsl.passes.accesses import buffer_accesses

    accesses = zip(program.buffers, buffer_accesses(program), strict=True)
    written = {buffer.name for buffer, (_, is_written) in accesses if is_written} | receiver.handed
    names = [p.name for p in program.parameters][-sum(len(d.leaves) for d in receiver.declared) :]
    result = []
    for declared in receiver.declared:
        own, names = names[: len(declared.leaves)], names[len(declared.leaves) :]
        mutable = not written.isdisjoint(own)
        leaves = (replace(leaf, mutable=leaf.mutable and mutable) for leaf in declared.leaves)
        result.append(replace(declared, leaves=tuple(leaves)))
    return result


def readers(receiver: Receiver, bound: Sequence[Declared]) -> tuple[Any, Any]:
    """The functions ``read`` and ``values`` of a variant, for the attributes that the compiled method asks for.

    They are written as Python's text, since nothing else is as quick: each launch runs ``read``.
    """
    from krnlpy.dsl.frontend.captures import same
    from krnlpy.dsl.frontend.receiver import Array, Constant, Instance, Number, Typed, path_of

    known: dict[str, Any] = {"same": same, "same_kind": same_kind, "float64": np.float64, "bool_": np.bool_}
    values = {receiver.root.path: "object"}
    lines = ["def read(object):"]

    def check(condition: str) -> None:
        lines.append(f"    if not ({condition}): return None")

    for path, member in receiver.members.items():
        owner, _, name = path.rpartition(".")
        if owner not in values or not isinstance(member, Array | Constant | Instance | Number | Typed):
            continue  # functions are the class's
        value, fact = f"v{len(values)}", f"k{len(values)}"
        values[path], known[fact] = value, None
        lines.append(f"    {value} = {values[owner]}.{name}")
        match member:
            case Constant(constant):
                known[fact] = constant
                check(f"{value} is {fact} or same({value}, {fact})")
            case Instance():
                known[fact] = member.cls
                check(f"{value}.__class__ is {fact}")
            case Number(is_float):
                own = f"({value}.__class__ is float or {value}.__class__ is float64)"
                check(own if is_float else f"{value}.__class__ is int")
            case Typed(type, is_declared):
                known[fact] = member
                if type is boolean:
                    check(f"{value}.__class__ is bool or {value}.__class__ is bool_")
                elif not is_declared:
                    check(f"same_kind({value}, {fact})")
            case Array(ScalarType() as type, ndim):
                known[fact] = type
                check(f"{value}.dtype is {fact} and {value}.ndim == {ndim}")
    paths = [path_of(declared) for declared in bound]
    lines.append(f"    return ({''.join(values[path] + ', ' for path in paths)})")
    root = len(receiver.root.path)
    lines += ["def values(object):", f"    return ({''.join('object' + path[root:] + ', ' for path in paths)})"]
    exec(compile("\n".join(lines), "<attributes of a method>", "exec"), known)
    return known["read"], known["values"]


def same_kind(value: Any, member: Any) -> bool:
    """Whether an attribute is of the type that a method was compiled for."""
    from .objects import described

    return bool(described(value, "") == member)
