"""Operations on vectors, matrices, structs and tuples, written out as operations on their scalars.

``+ - * / // % **``, bit operations and comparisons go element by element, as NumPy's do, and a scalar goes with every
element; ``@`` is the product of linear algebra.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.frontend import lists
from krnlpy.dsl.frontend.callables import Argument, Call
from krnlpy.dsl.frontend.conversions import cast, coerce, concretized, typed, unify
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.sequences import is_sequence
from krnlpy.dsl.frontend.values import (
    Compound,
    Static,
    Value,
    assemble,
    describe,
    is_number,
    is_weak,
    matrix,
    scalars,
    vector,
)
from krnlpy.dsl.types.composites import (
    COMPONENTS,
    AnyType,
    ArrayType,
    CompositeType,
    MatrixType,
    StructType,
    TupleType,
    VectorType,
)
from krnlpy.errors import DtypeError, KernelNameError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean

_SWIZZLES = (COMPONENTS, "rgba")


# ---------------------------------------------------------------------------------------------------------- parts


def swizzle(type: VectorType, name: str) -> list[int] | None:
    """The components that a name like ``x``, ``xyz`` or ``rgb`` means, or None."""
    for letters in _SWIZZLES:
        places = [letters.find(letter) for letter in name]
        few = type.length <= len(COMPONENTS)
        if few and 1 <= len(name) <= len(COMPONENTS) and all(0 <= place < type.length for place in places):
            return places
    return None


def attribute(owner: Compound, name: str, where: ir.Location) -> Value:
    """``owner.name``: a field, components, the transpose, the shape."""
    type = owner.type
    if isinstance(type, VectorType):
        components = swizzle(type, name)
        if components is not None:
            parts = [_scalar(owner.parts[i]) for i in components]
            return parts[0] if len(parts) == 1 else vector(parts, where)
        named = f"has the components {', '.join(COMPONENTS[: type.length])} and their combinations"
        if type.length > len(COMPONENTS):
            named = "has components by number, v[0]"
        raise KernelNameError(f"{type} {named}, not {name}", *where)
    if isinstance(type, MatrixType):
        if name == "T":
            return transpose(owner, where)
        if name == "shape":
            return Static((type.rows, type.columns), where)
        raise KernelNameError(f"{type} has T, shape and elements [row, column], not {name}", *where)
    part = owner.part(name) if isinstance(type, StructType) else None
    if part is None:
        known = ", ".join(part for part, _ in type.parts)
        raise KernelNameError(f"{type} has no {name}; it has {known}", *where)
    return part


def type_subscript(lowering: Lowering, family: Any, node: ast.Subscript) -> Static:
    """``Vector[T, 3]`` in a kernel."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    values = lowering.values(parts)
    where = lowering.at(node)
    if not all(isinstance(v, Static) for v in values):
        raise KernelTypeError(f"{family}[...] takes a type and constants", *where)
    try:
        return Static(family[tuple(v.value for v in values if isinstance(v, Static))], where)
    except DtypeError as error:
        raise KernelTypeError(str(error), *where) from None


def subscript(lowering: Lowering, owner: Compound, node: ast.Subscript) -> Value:
    """``v[i]``, ``m[i, j]``, ``m[i]`` (a row), ``t[0]``."""
    where = lowering.at(node)
    type = owner.type
    if isinstance(node.slice, ast.Slice):
        sliced, places = slice_of(lowering, type, node)
        return Compound(sliced, tuple(owner.parts[i] for i in places), where)
    entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    index = [index_entry(lowering, value, node) for value in lowering.values(entries)]
    if isinstance(type, MatrixType):
        rows = [owner.parts[row * type.columns : (row + 1) * type.columns] for row in range(type.rows)]
        if len(index) == 1:
            columns = [choose(lowering, [row[c] for row in rows], index[0], where) for c in range(type.columns)]
            return vector([_scalar(c) for c in columns], where)
        if len(index) == 2:
            return choose(lowering, [choose(lowering, row, index[1], where) for row in rows], index[0], where)
        raise KernelTypeError(f"{type} is indexed by row and column: m[i, j]", *where)
    if isinstance(type, ArrayType) and len(index) > 1:
        chosen: ir.Expr | Compound = owner
        for entry in index:
            if not isinstance(chosen, Compound) or not isinstance(chosen.type, ArrayType):
                raise KernelTypeError(f"{type} has fewer axes than {len(index)}", *where)
            chosen = choose(lowering, chosen.parts, entry, where)
        return chosen
    if len(index) != 1 or isinstance(type, StructType):
        raise KernelTypeError(f"{type} cannot be indexed like this", *where)
    if isinstance(type, TupleType) and not isinstance(index[0], int):
        raise KernelTypeError("a tuple is indexed by a constant", *where)
    return choose(lowering, owner.parts, index[0], where)


def slice_of(lowering: Lowering, type: AnyType, node: ast.Subscript) -> tuple[VectorType | ArrayType, range]:
    """The type of ``v[1:4]``, and which parts these are: of vectors and arrays, by constants."""
    where, bounds = lowering.at(node.slice), node.slice
    assert isinstance(bounds, ast.Slice)
    if not isinstance(type, VectorType | ArrayType):
        raise KernelTypeError(f"{type} has no slices", *where)
    numbers = []
    for bound in (bounds.lower, bounds.upper, bounds.step):
        value = None if bound is None else lowering.value(bound)
        number = value.value if isinstance(value, Static) else value
        if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise KernelTypeError("a slice of a vector is by whole numbers known while compiling", *where)
        numbers.append(number)
    if numbers[2] == 0:
        raise KernelTypeError("the step of a slice must not be 0", *where)
    chosen = range(type.length)[slice(*numbers)]
    if len(chosen) < 2:
        raise KernelTypeError(f"a slice has two elements or more, this has {len(chosen)} of {type}", *where)
    return dataclasses.replace(type, length=len(chosen)), chosen


def index_entry(lowering: Lowering, value: Value, node: ast.Subscript) -> int | ir.Expr:
    where = lowering.at(node.slice)
    if isinstance(value, Static) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value.value
    if not isinstance(value, ir.Expr) or not value.type.is_integer:
        raise KernelTypeError(f"an index must be an integer, this is {describe(value)}; write i32(...)", *where)
    return lowering.evaluate_once(value, "index")


def choose(
    lowering: Lowering, parts: Sequence[ir.Expr | Compound], index: int | ir.Expr, where: ir.Location
) -> ir.Expr | Compound:
    """One of several values. An index that is out of range at run time gives the first."""
    if isinstance(index, int):
        if not -len(parts) <= index < len(parts):
            raise KernelTypeError(f"index {index} is out of range: there are {len(parts)} elements", *where)
        return parts[index]
    at = indexed(parts, index)
    if at is not None:
        return at
    result = parts[0]
    for place, part in enumerate(parts[1:], 1):
        result = _select(is_equal(index, place, where), part, result, where)
    return result


def indexed(parts: Sequence[ir.Expr | Compound], index: ir.Expr) -> ir.Expr | Compound | None:
    """One of several values that are neighbours in an array or buffer, by its index there; None if they are not."""
    first = parts[0]
    if isinstance(first, Compound):
        rows = [part.parts for part in parts if isinstance(part, Compound)]
        inner = [indexed(column, index) for column in zip(*rows, strict=True)]
        found = tuple(part for part in inner if part is not None)
        return Compound(first.type, found, first.location) if len(found) == len(first.parts) else None
    loads = [part for part in parts if isinstance(part, ir.Load)]
    if len(loads) < len(parts) or any(load.place is not loads[0].place for load in loads):
        return None
    at = index_of_neighbours([load.index for load in loads], index)
    return None if at is None else replace(loads[0], index=at)


def index_of_neighbours(indices: Sequence[tuple[ir.Expr, ...]], index: ir.Expr) -> tuple[ir.Expr, ...] | None:
    """The index of one of several elements that have 0, 1, 2, ... along one axis, and are alike along the others."""
    varying = [axis for axis, entries in enumerate(zip(*indices, strict=True)) if not _are_alike(entries)]
    if len(varying) != 1:
        return None
    (axis,) = varying
    counted = [at[axis] for at in indices]
    if not all(isinstance(entry, ir.Const) and entry.value == i for i, entry in enumerate(counted)):
        return None
    return (*indices[0][:axis], index, *indices[0][axis + 1 :])


def _are_alike(entries: Sequence[ir.Expr]) -> bool:
    first = entries[0]
    return all(
        entry is first or (isinstance(first, ir.Const) and isinstance(entry, ir.Const) and entry.value == first.value)
        for entry in entries
    )


def is_equal(index: ir.Expr, value: int, where: ir.Location) -> ir.Expr:
    return ir.Compare("eq", index, ir.const(value, index.type, where), type=boolean, location=where)


def _select(condition: ir.Expr, a: ir.Expr | Compound, b: ir.Expr | Compound, where: ir.Location) -> ir.Expr | Compound:
    pairs = zip(scalars(a), scalars(b), strict=True)
    return assemble(a.type, iter([ir.Select(condition, x, y, type=x.type, location=where) for x, y in pairs]), where)


def _scalar(part: ir.Expr | Compound) -> ir.Expr:
    assert isinstance(part, ir.Expr)
    return part


# ------------------------------------------------------------------------------------------------------- operators


def binary(lowering: Lowering, operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Compound:
    """An operator on vectors or matrices of one shape, or on one and a scalar: element by element."""
    return _zip(lowering, left, right, lambda a, b: lowering.binary(operator, a, b, where), _symbol(operator), where)


def compare(lowering: Lowering, operator: ast.cmpop, left: Value, right: Value, where: ir.Location) -> Value:
    """A comparison element by element, for ``any`` and ``all``. Structs, arrays and tuples are compared as a whole, by
    ``==`` and ``!=`` only."""
    whole = (StructType, TupleType, ArrayType)
    if isinstance(left, Compound) and isinstance(left.type, whole):
        if not isinstance(operator, ast.Eq | ast.NotEq) or not isinstance(right, Compound) or right.type != left.type:
            raise KernelTypeError(
                f"{left.type} and {describe(right)} have no such comparison; structs and tuples of one type have == and"
                " !=",
                *where,
            )
        pairs = zip(scalars(left), scalars(right), strict=True)
        equal = [ir.Compare("eq", a, b, type=boolean, location=where) for a, b in pairs]
        result = _join("and", equal, where)
        return result if isinstance(operator, ast.Eq) else ir.Unary("not", result, type=boolean, location=where)
    return _zip(lowering, left, right, lambda a, b: lowering.compare(operator, a, b, where), "comparison", where)


def unary(lowering: Lowering, operator: ast.unaryop, value: Compound, where: ir.Location) -> Compound:
    """``-v``, ``+v``, ``~v``; ``not v`` of a vector of truth values."""
    if not isinstance(value.type, VectorType | MatrixType):
        raise KernelTypeError(f"{value.type} has no sign and no bits; take its parts", *where)
    if isinstance(operator, ast.Not) and value.type.element is not boolean:
        raise KernelTypeError(f"{value.type} is neither true nor false; write any(...) or all(...)", *where)
    parts = [typed(lowering.unary(operator, part, where)) for part in scalars(value)]
    return _of_shape(value, parts, where)


def _zip(lowering: Lowering, left: Value, right: Value, operation: Any, what: str, where: ir.Location) -> Compound:
    for side in (left, right):
        number = isinstance(side, ir.Expr) or is_weak(side)
        if not number and not (isinstance(side, Compound) and isinstance(side.type, VectorType | MatrixType)):
            raise KernelTypeError(f"{what} of {describe(left)} and {describe(right)}", *where)
    model = left if isinstance(left, Compound) else right
    assert isinstance(model, Compound)
    if isinstance(left, Compound) and isinstance(right, Compound) and _shape(left.type) != _shape(right.type):
        raise KernelTypeError(f"{what} of {left.type} and {right.type}: their shapes differ", *where)
    count = len(model.parts)
    a = _broadcast(lowering, left, count)
    b = _broadcast(lowering, right, count)
    return _of_shape(model, [typed(operation(x, y)) for x, y in zip(a, b, strict=True)], where)


def _broadcast(lowering: Lowering, value: Value, count: int) -> list[Value]:
    """The elements of a vector or matrix; a scalar as often as needed, evaluated once."""
    if isinstance(value, Compound):
        return list(value.parts)
    return [lowering.evaluate_once(value) if isinstance(value, ir.Expr) else value] * count


def _of_shape(model: Compound, parts: list[ir.Expr], where: ir.Location) -> Compound:
    return matrix(parts, model.type.rows, where) if isinstance(model.type, MatrixType) else vector(parts, where)


def _shape(type: CompositeType) -> tuple[int, ...]:
    return (type.rows, type.columns) if isinstance(type, MatrixType) else (len(type.parts),)


def _symbol(operator: ast.operator) -> str:
    return {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}.get(type(operator), type(operator).__name__)


def _join(op: Any, truths: Sequence[ir.Expr], where: ir.Location) -> ir.Expr:
    result = truths[0]
    for truth in truths[1:]:
        result = ir.Logical(op, result, truth, type=boolean, location=where)
    return result


def unify_types(
    left: Value, right: Value, where: ir.Location, what: str = "if-else"
) -> tuple[ir.Expr | Compound, ir.Expr | Compound]:
    """The two values of a choice, converted to one type."""
    if not isinstance(left, Compound) and not isinstance(right, Compound) and not any(map(is_sequence, (left, right))):
        return unify(left, right, what, where)
    a, b = concretized(left), concretized(right)
    if not isinstance(a, Compound) or not isinstance(b, Compound) or len(a.parts) != len(b.parts):
        raise KernelTypeError(f"{what} of {describe(left)} and {describe(right)}: they are of different types", *where)
    if isinstance(a.type, StructType):
        coerce(b, a.type, f"the other value, which is {a.type}", where)
        return a, b
    pairs = [unify_types(x, y, where, what) for x, y in zip(a.parts, b.parts, strict=True)]
    return _retyped(a, [x for x, _ in pairs], where), _retyped(b, [y for _, y in pairs], where)


def chosen(
    lowering: Lowering, condition: ir.Expr, then: Value, otherwise: Value, what: str, where: ir.Location
) -> ir.Expr | Compound:
    """One of two values, both of which are evaluated."""
    condition = lowering.evaluate_once(condition, "condition")
    a, b = unify_types(then, otherwise, where, what)
    return _select(condition, a, b, where)


def entries_of_one_type(entries: Sequence[Value], where: ir.Location) -> list[ir.Expr | Compound]:
    """Several values, converted to one type.

    Raises:
        KernelTypeError: there is no type for all.
    """
    first = entries[0]
    for entry in entries[1:]:
        first, _ = unify_types(first, entry, where)
    return [unify_types(entry, first, where)[0] for entry in entries]


def _retyped(model: Compound, parts: list[ir.Expr | Compound], where: ir.Location) -> Compound:
    type: CompositeType
    match model.type:
        case VectorType(length=length):
            type = VectorType(parts[0].type, length)
        case MatrixType(rows=rows, columns=columns):
            type = MatrixType(parts[0].type, rows, columns)
        case ArrayType(length=length):
            type = ArrayType(parts[0].type, length)
        case _:
            type = TupleType(tuple(part.type for part in parts))
    return Compound(type, tuple(parts), where)


# ---------------------------------------------------------------------------------------------- products, construction


def transpose(value: Compound, where: ir.Location) -> Compound:
    """The matrix with rows and columns exchanged."""
    type = value.type
    assert isinstance(type, MatrixType)
    parts = [_scalar(value.parts[row * type.columns + c]) for c in range(type.columns) for row in range(type.rows)]
    return matrix(parts, type.columns, where)


def matmul(lowering: Lowering, left: Value, right: Value, where: ir.Location) -> Value:
    """``left @ right``: of matrices and vectors as NumPy has it; of two vectors the inner product."""
    a, b = _as_rows(left), _as_rows(right)
    if a is None or b is None:
        raise KernelTypeError(f"@ of {describe(left)} and {describe(right)}: it takes vectors and matrices", *where)
    is_vector = isinstance(right, Compound) and isinstance(right.type, VectorType)
    columns = [b[0]] if is_vector else [list(column) for column in zip(*b, strict=True)]
    if len(a[0]) != len(columns[0]):
        raise KernelTypeError(f"@ of {describe(left)} and {describe(right)}: their shapes do not fit", *where)
    a = [[lowering.evaluate_once(entry) for entry in row] for row in a]
    columns = [[lowering.evaluate_once(entry) for entry in column] for column in columns]
    products = [[inner(lowering, row, column, where) for column in columns] for row in a]
    left_is_vector = isinstance(left, Compound) and isinstance(left.type, VectorType)
    if left_is_vector and is_vector:
        return products[0][0]
    if left_is_vector:
        return vector(products[0], where)
    if is_vector:
        return vector([row[0] for row in products], where)
    return matrix([entry for row in products for entry in row], len(products), where)


def _as_rows(value: Value) -> list[list[ir.Expr]] | None:
    if not isinstance(value, Compound) or not isinstance(value.type, VectorType | MatrixType):
        return None
    parts = [_scalar(p) for p in value.parts]
    columns = value.type.columns if isinstance(value.type, MatrixType) else len(parts)
    return [parts[start : start + columns] for start in range(0, len(parts), columns)]


def inner(lowering: Lowering, a: Sequence[Value], b: Sequence[Value], where: ir.Location) -> ir.Expr:
    """The sum of products, from left to right."""
    total: Value | None = None
    for x, y in zip(a, b, strict=True):
        product = lowering.binary(ast.Mult(), x, y, where)
        total = product if total is None else lowering.binary(ast.Add(), total, product, where)
    assert total is not None
    return typed(total)


def construct(lowering: Lowering, type: CompositeType, call: Call) -> Compound:
    """``vec3(x, y, z)``, ``vec3(x)``, ``vec4(v, w)``, ``vec3()``, which is 0, ``ivec3(v)``, which converts,
    ``mat2(a, b, c, d)``, ``mat2(x)``, which has x on its diagonal and is 0 elsewhere, as in GLSL,
    ``Particle(position=..., mass=...)``."""
    where = call.location
    if isinstance(type, StructType):
        return _construct_struct(type, call)
    if call.named:
        raise KernelTypeError(f"{type} takes its elements by position, not by name", *where)
    if isinstance(type, ArrayType):
        return _construct_array(lowering, type, call)
    given = [number for value in call.values for number in lists.numbers_in(value)]
    count = len(type.parts)
    if len(given) == 1:
        number = lowering.evaluate_once(given[0]) if isinstance(given[0], ir.Expr) else given[0]
        given = [number] * count
        if isinstance(type, MatrixType):
            given = [number if i // type.columns == i % type.columns else Static(0, where) for i in range(count)]
    if not call.values:
        given = [Static(0, where)] * count
    if len(given) != count:
        raise KernelTypeError(f"{type} has {count} elements, {len(given)} given", *where)
    element: ScalarType = type.parts[0][1]
    one = call.values[0] if len(call.values) == 1 else None
    if isinstance(one, Compound) and isinstance(one.type, VectorType | MatrixType) and _shape(one.type) == _shape(type):
        # Of the whole of another vector: a conversion, as that of a number by the name of its type.
        parts = [lowering.truth(p, where) if element is boolean else cast(p, element, where) for p in scalars(one)]
    else:
        parts = [coerce(value, element, f"an element of {type}", where)[0] for value in given]
    return matrix(parts, type.rows, where) if isinstance(type, MatrixType) else vector(parts, where)


def _construct_array(lowering: Lowering, type: ArrayType, call: Call) -> Compound:
    where, given = call.location, call.values
    if len(given) == 1 and type.length > 1:
        one = given[0]
        given = [lowering.evaluate_once(one) if isinstance(one, ir.Expr) else one] * type.length
    if len(given) != type.length:
        raise KernelTypeError(f"{type} has {type.length} elements, {len(given)} given", *where)
    what = f"an element of {type}"
    parts = [assemble(type.element, iter(coerce(value, type.element, what, where)), where) for value in given]
    return Compound(type, tuple(parts), where)


def _construct_struct(type: StructType, call: Call) -> Compound:
    where = call.location
    names = [name for name, _ in type.parts]
    if len(call.positional) > len(names):
        raise KernelTypeError(f"{type} has {len(names)} fields, {len(call.positional)} given", *where)
    given = dict(zip(names, call.values, strict=False))
    for name, argument in call.named:
        if name not in names or name in given:
            raise KernelTypeError(
                f"{type} has no field {name}, or it is given twice; it has {', '.join(names)}", *argument.location
            )
        given[name] = argument.value
    defaults = _defaults(type)
    parts: list[ir.Expr | Compound] = []
    for name, part in type.parts:
        if name not in given and name in defaults:
            given[name] = Static(defaults[name], where)
        if name not in given:
            raise KernelTypeError(f"{type} lacks a value for {', '.join(n for n in names if n not in given)}", *where)
        what = f"{type}.{name}, which is {part}"
        parts.append(assemble(part, iter(coerce(given[name], part, what, where)), where))
    return Compound(type, tuple(parts), where)


def _defaults(type: StructType) -> dict[str, Any]:
    fields = dataclasses.fields(type.cls)
    return {f.name: f.default for f in fields if is_number(f.default)}


def apply_elementwise(lowering: Lowering, handler: Any, call: Call) -> Compound:
    """A function of numbers applied to vectors or matrices of one shape, element by element."""
    where, values = call.location, call.values
    models = [v for v in values if isinstance(v, Compound)]
    for value in models:
        if not isinstance(value.type, VectorType | MatrixType) or _shape(value.type) != _shape(models[0].type):
            types = ", ".join(describe(v) for v in values)
            raise KernelTypeError(f"this function takes numbers, or vectors of one shape; here {types}", *where)
    count = len(models[0].parts)
    columns = [_broadcast(lowering, value, count) for value in values]
    parts = []
    for row in zip(*columns, strict=True):
        arguments = tuple(Argument(value, a.location) for value, a in zip(row, call.positional, strict=True))
        parts.append(typed(handler(lowering, replace(call, positional=arguments))))
    return _of_shape(models[0], parts, where)
