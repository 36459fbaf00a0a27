"""Types made of scalars: vectors, matrices, structs and tuples.

The language takes them apart: a variable of such a type is one variable for each scalar in it, an array one array, a
buffer one strided view. So targets do not need to support them, and a struct costs no more than its fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from krnlpy.errors import DtypeError
from krnlpy.scalar import ScalarType, boolean, f32, i32, scalar_type, u32

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What kernels name; the compiler imports the rest by name.
__all__ = [
    "Matrix", "Vector", "ivec2", "ivec3", "ivec4", "mat2", "mat3", "mat4", "uvec2", "uvec3", "uvec4", "vec2", "vec3",
    "vec4",
]  # fmt: skip

MAX_LENGTH = 4
COMPONENTS = "xyzw"


@contextmanager
def _made(type: Any) -> Iterator[None]:
    """Turns NumPy's errors for wrong values of a vector or matrix into ours."""
    try:
        yield
    except Exception as error:
        raise DtypeError(f"{type!r} does not take these values: {error}") from error


@dataclass(frozen=True)
class VectorType:
    """The type of vectors of 2 to 4 scalars: ``vec3`` is ``Vector[f32, 3]``, ``ivec3`` of i32, ``uvec3`` of u32.

    In kernels, calling it makes a vector: ``vec3(x, y, z)``, ``vec3(x)``, ``vec4(v, 1)``; outside, a NumPy array.

    Raises:
        DtypeError: called outside of kernels with values that do not fit.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import vec3, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     v = vec4(vec3(x), 2)
    ...     print(v.w, v.xy, 10.0 * v)
    >>> show(Buffer.ones(1, f32))
    2.0 (1.0, 1.0) (10.0, 10.0, 10.0, 20.0)
    >>> vec3(1, 2, 3).tolist()
    [1.0, 2.0, 3.0]
    """

    element: Any
    length: int

    def __repr__(self) -> str:
        return f"Vector[{_name(self.element)}, {self.length}]"

    def __call__(self, *values: Any) -> NDArray[Any]:
        with _made(self):
            if len(values) not in (1, self.length):
                raise ValueError(f"{len(values)} values")
            return np.asarray(values if len(values) > 1 else values * self.length, _dtype(self.element))

    @property
    def parts(self) -> tuple[tuple[str, Any], ...]:
        """Name and type of each part."""
        return tuple((COMPONENTS[i], self.element) for i in range(self.length))


@dataclass(frozen=True)
class MatrixType:
    """The type of matrices of 2 to 4 rows and columns: ``mat3`` is ``Matrix[f32, 3, 3]``.

    In kernels, calling it makes a matrix of its elements, row by row, or of one number on its diagonal; outside, a
    NumPy array.

    Raises:
        DtypeError: called outside of kernels with values that do not fit.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, vec2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     m = mat2(1, 2, 3, 4)
    ...     print(m @ vec2(x, 10), m[1, 0], mat2(x))
    >>> show(Buffer.ones(1, f32))
    (21.0, 43.0) 3.0 ((1.0, 0.0), (0.0, 1.0))
    """

    element: Any
    rows: int
    columns: int

    def __repr__(self) -> str:
        return f"Matrix[{_name(self.element)}, {self.rows}, {self.columns}]"

    def __call__(self, *values: Any) -> NDArray[Any]:
        dtype = _dtype(self.element)
        with _made(self):
            if len(values) != 1:
                return np.asarray(values, dtype).reshape(self.rows, self.columns)
            matrix = np.zeros((self.rows, self.columns), dtype)
            np.fill_diagonal(matrix, values[0])
            return matrix

    @property
    def parts(self) -> tuple[tuple[str, Any], ...]:
        return tuple((f"m{row}{column}", self.element) for row in range(self.rows) for column in range(self.columns))


@dataclass(frozen=True)
class StructType:
    """A dataclass, its fields annotated by scalar types, vectors, matrices and other such dataclasses."""

    cls: type
    parts: tuple[tuple[str, Any], ...] = dataclasses.field(compare=False)

    def __repr__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True)
class TupleType:
    """Several values, each of its own type."""

    types: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"tuple[{', '.join(map(str, self.types))}]"

    @property
    def parts(self) -> tuple[tuple[str, Any], ...]:
        return tuple((str(i), type) for i, type in enumerate(self.types))


CompositeType = VectorType | MatrixType | StructType | TupleType
AnyType = ScalarType | CompositeType


def plain_number(value: Any) -> Any:
    """The number in ``Literal[2]``, which is how type checkers want numbers in annotations; else the value."""
    return get_args(value)[0] if get_origin(value) is Literal and len(get_args(value)) == 1 else value


def plain_numbers(arguments: Any) -> Any:
    """A tuple with the numbers that its literals hold."""
    return tuple(map(plain_number, arguments)) if isinstance(arguments, tuple) else arguments


class _VectorFamily:
    """``Vector[f32, 3]`` is the type of vectors of three f32; the scalar type may be a TypeVar.

    >>> from krnlpy import f64
    >>> from krnlpy.dsl import Vector
    >>> Vector[f64, 2]
    Vector[f64, 2]
    """

    def __repr__(self) -> str:
        return "Vector"

    def __getitem__(self, arguments: Any) -> VectorType:
        """``Vector[type, length]``.

        Raises:
            DtypeError: the type is not a scalar type, or the length is not 2 to 4.
        """
        match plain_numbers(arguments):
            case (type, int() as length) if not isinstance(length, bool) and 2 <= length <= MAX_LENGTH:
                return VectorType(_element(type), length)
        raise DtypeError(f"Vector[{arguments}]: write Vector[type, length] with a length of 2 to 4: Vector[f32, 3]")


class _MatrixFamily:
    """``Matrix[f32, 2, 3]`` is the type of matrices of two rows and three columns; the scalar type may be a TypeVar.

    >>> from krnlpy import f64
    >>> from krnlpy.dsl import Matrix
    >>> Matrix[f64, 2, 3](1, 2, 3, 4, 5, 6).tolist()
    [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    """

    def __repr__(self) -> str:
        return "Matrix"

    def __getitem__(self, arguments: Any) -> MatrixType:
        """``Matrix[type, rows, columns]``.

        Raises:
            DtypeError: the type is not a scalar type, or rows or columns are not 2 to 4.
        """
        match plain_numbers(arguments):
            case (type, int() as rows, int() as columns) if (
                not isinstance(rows, bool)
                and not isinstance(columns, bool)
                and 2 <= rows <= MAX_LENGTH
                and 2 <= columns <= MAX_LENGTH
            ):
                return MatrixType(_element(type), rows, columns)
        raise DtypeError(
            f"Matrix[{arguments}]: write Matrix[type, rows, columns] with 2 to 4 of each: Matrix[f32, 3, 3]"
        )


Vector: Any = _VectorFamily()
Matrix: Any = _MatrixFamily()

vec2, vec3, vec4 = (VectorType(f32, n) for n in (2, 3, 4))
ivec2, ivec3, ivec4 = (VectorType(i32, n) for n in (2, 3, 4))
uvec2, uvec3, uvec4 = (VectorType(u32, n) for n in (2, 3, 4))
mat2, mat3, mat4 = (MatrixType(f32, n, n) for n in (2, 3, 4))


def _element(type: object) -> Any:
    if type is bool:
        return boolean
    if isinstance(type, ScalarType | TypeVar):
        return type
    raise DtypeError(f"{type!r} is not a scalar type; vectors and matrices are of scalars")


def _name(element: Any) -> str:
    return getattr(element, "__name__", str(element))


def _dtype(element: Any) -> Any:
    if isinstance(element, TypeVar):
        raise DtypeError(f"{element} stands for a type only inside a kernel")
    return element.dtype


@cache
def struct_type(cls: type) -> StructType:
    """The struct that a dataclass describes.

    Raises:
        DtypeError: it has no fields, or a field of a type that kernels do not have.
    """
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise DtypeError(f"{cls.__name__}: {error}; a struct's annotations must be names of its module") from None
    parts = []
    for field in dataclasses.fields(cls):
        type: AnyType | None = composite_type(hints[field.name])
        if type is None:
            try:
                type = scalar_type(hints[field.name])
            except DtypeError:
                raise DtypeError(
                    f"{cls.__name__}.{field.name}: {hints[field.name]!r} is not a type that a struct can hold; use"
                    " scalar types (f32), Vector, Matrix or other dataclasses"
                ) from None
        if any(isinstance(leaf, TypeVar) for _, leaf in leaves(type)):
            raise DtypeError(f"{cls.__name__}.{field.name}: a struct's types are fixed, it has no type variables")
        parts.append((field.name, type))
    if not parts:
        raise DtypeError(f"{cls.__name__} has no fields")
    return StructType(cls, tuple(parts))


def composite_type(value: object) -> CompositeType | None:
    """The composite type that an object means: a vector or matrix type, or a dataclass; None for anything else."""
    if isinstance(value, VectorType | MatrixType | StructType | TupleType):
        return value
    if isinstance(value, type) and dataclasses.is_dataclass(value):
        return struct_type(value)
    return None


def leaves(type: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The scalars in a type, in order, each with its path: ``position_x``. A scalar type is its own leaf."""
    if not isinstance(type, CompositeType):
        yield path, type
        return
    for name, part in type.parts:
        yield from leaves(part, f"{path}_{name}" if path else name)


def resolved(type: Any, types: dict[TypeVar, ScalarType]) -> Any:
    """A type with its type variables replaced by what they stand for."""
    if isinstance(type, TypeVar):
        return types[type]
    if isinstance(type, VectorType | MatrixType) and isinstance(type.element, TypeVar):
        return dataclasses.replace(type, element=types[type.element])
    return type
