"""What attributes of a user's objects are to kernels that are methods: numbers, buffers, constants, functions."""

from __future__ import annotations

import inspect
import sys
import types
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar, get_args, get_origin

import numpy as np

from krnlpy.backend.recorder import StandIn
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.receiver import Array, Bound, Constant, Instance, Member, Number, Typed
from krnlpy.dsl.frontend.tables import frozen
from krnlpy.dsl.types.annotations import Annotation, any_type
from krnlpy.dsl.types.composites import MAX_LENGTH, MatrixType, TupleType, VectorType, composite_type
from krnlpy.errors import DtypeError
from krnlpy.scalar import ScalarType, boolean, f32, i32, scalar_type
from krnlpy.views.struct_view import StructView
from krnlpy.views.view import View

from .arguments import buffer_hint

_NOTHING: Any = object()
_CONSTANTS = (
    *(Func, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, np.ufunc),
    *(type, ScalarType, str, Enum),
)
_READ_AT_CALL = (property, cached_property, types.MemberDescriptorType, types.GetSetDescriptorType)


@dataclass(frozen=True)
class Unreadable:
    """An annotation that can't be evaluated."""

    text: str
    error: str


class Objects:
    """The objects that a method reaches from its own, while it is compiled.

    Args:
        root: the method's object.
        name: what the method calls it.
    """

    def __init__(self, root: Any, name: str) -> None:
        self.root = Instance(name, type(root))
        self._objects: dict[Instance, Any] = {self.root: root}

    def look(self, instance: Instance, name: str) -> Member:
        """What an attribute is.

        Raises:
            AttributeError: there is none. DtypeError: it is nothing that kernels have; the message says why.
        """
        if instance.after is not None:
            return _inherited(instance, name, *instance.after)
        owner = self._objects[instance]
        found = _of_class(type(owner).__mro__, name)
        if found is _NOTHING or name in getattr(owner, "__dict__", ()) or isinstance(found, _READ_AT_CALL):
            found, is_constant = _value(owner, name, found), False
        elif isinstance(found, staticmethod):
            return Constant(found.__func__)
        elif isinstance(found, classmethod):
            return Bound(found.__func__, type(owner))
        elif isinstance(found, Func):
            return Bound(found, instance)
        else:
            found, is_constant = _value(owner, name, found), True
        member = described(found, f"{instance.path}.{name}", *_declared(type(owner), name, is_constant))
        if isinstance(member, Instance):
            self._objects[member] = found
        return member


def _of_class(classes: tuple[type, ...], name: str) -> Any:
    for cls in classes:
        if name in vars(cls):
            return vars(cls)[name]
    return _NOTHING


def _inherited(instance: Instance, name: str, after: type, plain: Instance) -> Member:
    """What ``super()`` finds."""
    classes = plain.cls.__mro__
    found = _of_class(classes[classes.index(after) + 1 :], name)
    if found is _NOTHING:
        raise AttributeError(f"the bases of {after.__name__} have no {name}")
    if isinstance(found, staticmethod):
        return Constant(found.__func__)
    if isinstance(found, _READ_AT_CALL):
        raise DtypeError("a property of a base is not read in kernels; give it a name of its own")
    return Bound(found, plain) if isinstance(found, Func) else Constant(found)


def _value(owner: Any, name: str, found: Any) -> Any:
    """An attribute's value now."""
    try:
        return getattr(owner, name)
    except AttributeError:
        if found is not _NOTHING:
            raise AttributeError(f"{type(owner).__name__}.{name} has no value yet, or its property fails") from None
        known = [key for key in (*getattr(owner, "__dict__", ()), *vars(type(owner))) if not key.startswith("_")]
        has = f"; it has {', '.join(dict.fromkeys(known))}" if known else ""
        raise AttributeError(f"{type(owner).__name__} has no attribute {name}{has}") from None
    except Exception as error:  # whatever the user's own property raises
        raise DtypeError(f"its property raised {type(error).__name__}: {error}") from error


def _declared(cls: type, name: str, is_constant: bool) -> tuple[Any, bool]:
    """What the class says of an attribute: the annotation that counts for kernels or None; whether it is a constant."""
    owner = next((c for c in cls.__mro__ if name in vars(c).get("__annotations__", ())), None)
    if owner is None:
        return None, is_constant
    found: Any = inspect.get_annotations(owner)[name]
    if isinstance(found, str):
        names = {**vars(sys.modules.get(owner.__module__, types.SimpleNamespace())), **vars(owner)}
        try:
            found = eval(found, names)
        except NameError as error:  # it is only there for type checkers, or is a name of a function
            return Unreadable(found, str(error)), is_constant
    if found is Final or get_origin(found) is Final:
        is_constant, found = True, next(iter(get_args(found)), None)
    if get_origin(found) is ClassVar:
        found = next(iter(get_args(found)), None)
    if isinstance(found, Annotation) or found is bool or found in (None, int, float):
        return (found if isinstance(found, Annotation) else None), is_constant
    try:
        return any_type(found), is_constant
    except DtypeError:
        return None, is_constant


def described(value: Any, path: str, declared: Any = None, is_constant: bool = False) -> Member:
    """What a value is to kernels.

    Raises:
        DtypeError: nothing, or not what its class declares.
    """
    if isinstance(value, StandIn):
        value = value.first
    if isinstance(declared, Unreadable):
        if isinstance(value, StructView | bool | int | float | np.generic | np.ndarray | tuple):
            raise DtypeError(
                f"the class's annotation {declared.text} has no meaning when the program runs: {declared.error}; where"
                " it names what an enclosing function defines, leave out `from __future__ import annotations`"
            )
        declared = None
    if isinstance(declared, Annotation):
        return _declared_buffer(value, declared)
    if isinstance(value, View):
        return Array(value.dtype, value.ndim)
    if isinstance(value, StructView):
        raise DtypeError(
            f"it is a StructBuffer; say in the class of what: {path.rpartition('.')[2]}: GlobalMut[Struct]"
        )
    if value is None or isinstance(value, _CONSTANTS) or composite_type(value):
        return Constant(value)
    if is_constant and isinstance(value, bool | int | float | np.generic | tuple | list | np.ndarray):
        return Constant(frozen(value))
    if declared is not None:
        return Typed(declared, is_declared=True)
    return _number(value) or _composite(value) or _other(value, path)


def _declared_buffer(value: Any, declared: Annotation) -> Array:
    if declared.kind != "global":
        raise DtypeError("an attribute is a buffer as a whole; declare it Global or GlobalMut in the class")
    if not isinstance(value, View | StructView):
        raise DtypeError(f"the class declares a buffer; it is a {type(value).__name__}")
    type_ = declared.type
    if isinstance(type_, ScalarType) and isinstance(value, View) and value.dtype is not type_:
        raise DtypeError(f"the class declares a buffer of {type_}; it is one of {value.dtype}: .cast({type_}) converts")
    if isinstance(type_, TypeVar):
        raise DtypeError(
            f"the class declares a buffer of {type_}; declare a type, or nothing: it has that of the buffer"
        )
    return Array(type_, declared.ndim, declared.mutable)


def _number(value: Any) -> Number | Typed | None:
    if isinstance(value, bool | np.bool_):
        return Typed(boolean)
    if isinstance(value, int | float):  # np.float64 too, which is what NumPy's functions make of Python's floats
        return Number(isinstance(value, float))
    return Typed(scalar_type(value.dtype)) if isinstance(value, np.generic) and value.dtype.kind in "iufV" else None


def _composite(value: Any) -> Typed | None:
    if isinstance(value, np.ndarray) and value.shape and all(2 <= n <= MAX_LENGTH for n in value.shape):
        element = boolean if value.dtype == bool else scalar_type(value.dtype)
        if value.ndim <= 2:
            return Typed(VectorType(element, *value.shape) if value.ndim == 1 else MatrixType(element, *value.shape))
    if isinstance(value, tuple) and value:
        parts = [_number(part) or _composite(part) for part in value]
        types_ = [(f32 if p.is_float else i32) if isinstance(p, Number) else p.type for p in parts if p is not None]
        return Typed(TupleType(tuple(types_))) if len(types_) == len(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        try:
            return Typed(composite_type(type(value)))
        except DtypeError:  # an ordinary object, whose attributes are looked at one by one
            return None
    return None


def _other(value: Any, path: str) -> Instance:
    hint = buffer_hint(value)
    if isinstance(value, np.ndarray):
        raise DtypeError(f"it is a NumPy array of shape {value.shape}; kernels take buffers{hint}")
    if isinstance(value, list):
        raise DtypeError("it is a list; kernels take tuples of numbers, and buffers")
    if isinstance(value, tuple | dict | set | complex | bytes | np.generic):
        raise DtypeError(f"it is a {type(value).__name__}; kernels take numbers, tuples of numbers, and buffers")
    return Instance(path, type(value), hint=hint)
