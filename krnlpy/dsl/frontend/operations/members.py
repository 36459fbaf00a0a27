"""Attributes of objects: of ``self`` in a method of an ordinary class, and functions of structs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Call, Func, Method
from krnlpy.dsl.frontend.conversions import typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.parameters import add_parameter
from krnlpy.dsl.frontend.receiver import Array, Bound, Constant, Instance, Member, Number, Typed
from krnlpy.dsl.frontend.signature import declare
from krnlpy.dsl.frontend.values import Compound, Static, Value, Weak, is_place, is_weak
from krnlpy.dsl.types.annotations import Annotation
from krnlpy.dsl.types.composites import StructType
from krnlpy.errors import DtypeError, KernelNameError, KernelTypeError
from krnlpy.scalar import ScalarType, f32, i32


def method_of(owner: Compound, name: str) -> Func | Method:
    """A function of a struct's class, bound to the struct unless it is a static one."""
    assert isinstance(owner.type, StructType)
    function: Func = getattr(owner.type.cls, name)
    is_static = isinstance(inspect.getattr_static(owner.type.cls, name), staticmethod)
    return function if is_static else Method(function, owner)


def captured(lowering: Lowering, value: Any, name: str, where: ir.Location) -> Static:
    """An object from outside; an array is a table."""
    return Static(lowering.state.table(value, name, where) if isinstance(value, np.ndarray) else value, where)


def attribute(lowering: Lowering, instance: Instance, name: str, where: ir.Location) -> Value:
    """What an attribute of an object means.

    Raises:
        KernelNameError: there is none. KernelTypeError: it is nothing that kernels have.
    """
    receiver = lowering.state.receiver
    assert receiver is not None
    name = _mangled(lowering, name)
    path = f"{instance.path}.{name}"
    if path not in receiver.members:
        try:
            receiver.members[path] = receiver.look(instance, name)
        except AttributeError as error:
            raise KernelNameError(str(error), *where) from None
        except DtypeError as error:
            raise KernelTypeError(f"{path}: {error}", *where) from None
    member = receiver.members[path]
    match member:
        case Constant(value):
            return captured(lowering, value, name, where)
        case Bound(function, owner):
            return Static(Method(function, Static(owner, where)), where)
        case Instance():
            return Static(member, where)
        case Number(is_float):
            return Static(Weak(is_float, _number(lowering, path, is_float, where)), where)
        case Typed(type):
            value = _parameter(lowering, path, Annotation("scalar", type), where)
            if isinstance(value, ir.Parameter):
                assert isinstance(value, ir.ScalarParameter)
                return ir.Argument(value, type=value.type.compute, location=where)
            return value  # type: ignore[no-any-return]
        case Array(type, ndim, mutable):
            # Whether it is written is only known at the end; unless the class says that it is not, it may be.
            annotation = Annotation("global", type, ndim, mutable is not False)
            lowering.reaches_object = True
            return Static(_parameter(lowering, path, annotation, where), where)


def _parameter(lowering: Lowering, name: str, annotation: Annotation, where: ir.Location) -> Any:
    """What the parameter of a name means, which is made if it is not there."""
    state = lowering.state
    if name not in state.parameters:
        assert state.receiver is not None
        declared = declare(name, annotation, where)
        state.receiver.declared.append(declared)
        return add_parameter(state, declared)
    return state.parameters[name]


def _number(lowering: Lowering, path: str, is_float: bool, where: ir.Location) -> Callable[[ScalarType], ir.Expr]:
    """Makes a number of the call an argument of a type: a parameter for each type that it is wanted in."""
    default = f32 if is_float else i32

    def make(type: ScalarType) -> ir.Expr:
        type = type.compute
        if type.is_integer and is_float:
            raise KernelTypeError(f"{path} is a float; write {type}({path}) to truncate it", *where)
        if not (type.is_integer or type.is_float):
            raise KernelTypeError(f"{path} is a number; compare it with 0 for a truth value", *where)
        name = path if type is default else f"{path}:{type}"
        parameter = _parameter(lowering, name, Annotation("scalar", type), where)
        return ir.Argument(parameter, type=type, location=where)

    return make


_KEPT = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd)


def arithmetic(
    lowering: Lowering, operator: ast.operator | ast.unaryop, operands: tuple[Value, ...], where: ir.Location
) -> Value | None:
    """Arithmetic of numbers of the call, and of these with literals: it takes the type it meets, too. None if it is
    none of this."""
    if not isinstance(operator, _KEPT) or not all(map(is_weak, operands)):
        return None
    values = [operand.value for operand in operands if isinstance(operand, Static)]
    is_float = any(v.is_float if isinstance(v, Weak) else isinstance(v, float) for v in values)
    if any(isinstance(v, bool) for v in values) or (isinstance(operator, ast.Div) and not is_float):
        return None

    def make(type: ScalarType) -> ir.Expr:
        numbers = [typed(operand, type) for operand in operands]
        if isinstance(operator, ast.unaryop):
            return typed(lowering.unary(operator, numbers[0], where))
        return typed(lowering.binary(operator, numbers[0], numbers[1], where))

    return Static(Weak(is_float, make), where)


def _mangled(lowering: Lowering, name: str) -> str:
    """A private name as Python stores it: ``__x`` in the class ``Grid`` is ``_Grid__x``."""
    scope = lowering.source.function.__qualname__.rpartition(".")[0]
    if not name.startswith("__") or name.endswith("__") or not scope or scope.endswith("<locals>"):
        return name
    return f"_{scope.rpartition('.')[2].lstrip('_')}{name}"


def is_attribute(lowering: Lowering, node: ast.expr) -> bool:
    """Whether an expression is an attribute of an object, at whatever depth: ``self.grid.n``."""
    if not isinstance(node, ast.Attribute):
        return False
    while isinstance(node, ast.Attribute):
        node = node.value
    known = lowering.statics.get(node.id) if isinstance(node, ast.Name) else None
    return isinstance(known, Static) and isinstance(known.value, Instance)


def why_not_assigned(value: Value, name: str) -> str:
    """Why an attribute can't be assigned."""
    if isinstance(value, Static) and is_place(value.value):
        return f"the buffer {name} cannot be assigned; index it: {name}[i] = ..."
    return f"{name} is a value of the object, which a kernel cannot change; write to a buffer"


def super_of(lowering: Lowering, call: Call) -> Value:
    """``super()`` in a method: the same object, whose functions are looked for in the bases of the method's class."""
    parameters = lowering.source.tree.args.args
    known = lowering.statics.get(parameters[0].arg) if parameters else None
    instance = known.value if isinstance(known, Static) else None
    try:
        cls = lowering.source.captured("__class__")
    except KeyError:
        cls = None
    if call.positional or call.named or not isinstance(instance, Instance) or not isinstance(cls, type):
        raise KernelTypeError("super() takes no arguments here, and stands in a method of an object", *call.location)
    return Static(_super(lowering, instance, cls), call.location)


def _super(lowering: Lowering, instance: Instance, after: type) -> Member:
    assert lowering.state.receiver is not None
    path = f"super({after.__qualname__}, {instance.path})"
    return lowering.state.receiver.members.setdefault(path, Instance(path, instance.cls, (after, instance)))
