"""Types made of scalars: vectors, matrices, structs, fixed arrays and tuples.

The language takes them apart: a variable of such a type is one variable for each scalar in it, an array one array, a
buffer one strided view. So targets do not need to support them, and a struct costs no more than its fields. Where an
element has many scalars (``spread``), an array or buffer has further axes for them instead: devices grant a kernel few
buffers, and an index that is known only while the kernel runs is an index of that buffer.
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
from krnlpy.scalar import ScalarType, boolean, f32, i32, numpys_type, scalar_type, u32

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What kernels name; the compiler imports the rest by name.
__all__ = [
    "FixedArray", "Matrix", "Vector", "ivec2", "ivec3", "ivec4", "mat2", "mat3", "mat4", "uvec2", "uvec3", "uvec4",
    "vec2", "vec3", "vec4",
]  # fmt: skip

MAX_LENGTH = 16
MAX_ARRAY = 1024
COMPONENTS = "xyzw"


@contextmanager
def _made(type: Any) -> Iterator[None]:
    """Turns NumPy's errors for wrong values of a vector or matrix into ours."""
    try:
        yield
    except Exception as error:
        raise DtypeError(f"{type!r} does not take these values: {error}") from error


@dataclass(frozen=True)
class Maybe:
    """``kind | None`` as an annotation: what may be None."""

    kind: Any


class Annotating:
    """Base of what stands in annotations without being a class: ``vec3 | None``."""

    def __or__(self, other: object) -> Any:
        return Maybe(self) if other is None else NotImplemented


@dataclass(frozen=True)
class VectorType(Annotating):
    """The type of vectors of 2 to 16 scalars: ``vec3`` is ``Vector[f32, 3]``, ``ivec3`` of i32, ``uvec3`` of u32.

    In kernels, calling it makes a vector: ``vec3(x, y, z)``, ``vec3(x)``, ``vec4(v, 1)``; outside, a NumPy array. The
    components of one of up to 4 have names, ``v.x``, ``v.zyx``; of a longer one they have numbers, ``v[7]``.

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
        names = COMPONENTS if self.length <= len(COMPONENTS) else [f"e{i}" for i in range(self.length)]
        return tuple((names[i], self.element) for i in range(self.length))

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that a NumPy array of one has."""
        return (self.length,)


@dataclass(frozen=True)
class MatrixType(Annotating):
    """The type of matrices of 2 to 16 rows and columns: ``mat3`` is ``Matrix[f32, 3, 3]``.

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
        between = "" if max(self.rows, self.columns) <= 10 else "_"
        return tuple(
            (f"m{row}{between}{column}", self.element) for row in range(self.rows) for column in range(self.columns)
        )

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that a NumPy array of one has."""
        return (self.rows, self.columns)


@dataclass(frozen=True)
class ArrayType:
    """The type of so many values of one type, as fields of structs have it: ``FixedArray[f32, 8]``.

    In kernels, calling it makes an array of its elements, or of one for all; outside, a NumPy array.

    Raises:
        DtypeError: called outside of kernels with values that do not fit.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import FixedArray
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     a = FixedArray[f32, 3](x, 2, 3)
    ...     a[1] += 0.5
    ...     print(a, len(a))
    >>> show(Buffer.ones(1, f32))
    (1.0, 2.5, 3.0) 3
    """

    element: Any
    length: int

    def __repr__(self) -> str:
        return f"FixedArray[{_name(self.element)}, {self.length}]"

    def __call__(self, *values: Any) -> NDArray[Any]:
        if isinstance(self.element, CompositeType):
            raise DtypeError(f"{self!r} is made of numbers only inside a kernel")
        with _made(self):
            if len(values) not in (1, self.length):
                raise ValueError(f"{len(values)} values")
            return np.asarray(values if len(values) > 1 else values * self.length, _dtype(self.element))

    @property
    def parts(self) -> tuple[tuple[str, Any], ...]:
        return tuple((str(i), self.element) for i in range(self.length))

    @property
    def axes(self) -> tuple[int, ...]:
        return (self.length,)


@dataclass(frozen=True)
class StructType:
    """A dataclass, its fields annotated by scalar types, vectors, matrices, arrays and other such dataclasses."""

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


CompositeType = VectorType | MatrixType | ArrayType | StructType | TupleType
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
            DtypeError: the type is not a scalar type, or the length is not 2 to 16.
        """
        match plain_numbers(arguments):
            case (type, int() as length) if not isinstance(length, bool) and 2 <= length <= MAX_LENGTH:
                return VectorType(_element(type), length)
        raise DtypeError(f"Vector[{arguments}]: write Vector[type, length] with a length of 2 to 16: Vector[f32, 3]")


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
            DtypeError: the type is not a scalar type, or rows or columns are not 2 to 16.
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
            f"Matrix[{arguments}]: write Matrix[type, rows, columns] with 2 to 16 of each: Matrix[f32, 3, 3]"
        )


class _ArrayFamily:
    """``FixedArray[f32, 8]`` is the type of arrays of eight f32, as fields of structs have it.

    The elements are of any type: scalars, vectors, dataclasses. ``FixedArray[f32, 2, 3]`` has two rows of three.

    >>> from dataclasses import dataclass
    >>> from krnlpy import Buffer, GlobalMut, StructBuffer, f32, kernel
    >>> from krnlpy.dsl import FixedArray, global_id
    >>> @dataclass
    ... class Neuron:
    ...     weights: FixedArray[f32, 4]
    ...     bias: f32
    >>> @kernel
    ... def train(neurons: GlobalMut[Neuron]):
    ...     i = global_id()
    ...     for k in range(4):
    ...         neurons[i].weights[k] += neurons[i].bias * k
    >>> neurons = StructBuffer.zeros(2, Neuron)
    >>> neurons["bias"].fill(1.0)
    >>> train.with_groups(1).with_threads(2)(neurons)
    >>> neurons.numpy()["weights"][1].tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def __repr__(self) -> str:
        return "FixedArray"

    def __getitem__(self, arguments: Any) -> ArrayType:
        """``FixedArray[type, length]``, or several lengths.

        Raises:
            DtypeError: the type is not one of the language, or a length is not 1 to 1024.
        """
        type, *lengths = plain_numbers(arguments) if isinstance(arguments, tuple) else (arguments,)
        if not lengths or not all(isinstance(n, int) and 1 <= n <= MAX_ARRAY for n in lengths):
            raise DtypeError(
                f"FixedArray[{arguments}]: write FixedArray[type, length] with a length of 1 to {MAX_ARRAY}:"
                " FixedArray[f32, 8]"
            )
        made = composite_type(type)
        result: Any = _element(type) if made is None else made
        for length in reversed(lengths):
            result = ArrayType(result, length)
        array: ArrayType = result
        return array


Vector: Any = _VectorFamily()
Matrix: Any = _MatrixFamily()
FixedArray: Any = _ArrayFamily()

vec2, vec3, vec4 = (VectorType(f32, n) for n in (2, 3, 4))
ivec2, ivec3, ivec4 = (VectorType(i32, n) for n in (2, 3, 4))
uvec2, uvec3, uvec4 = (VectorType(u32, n) for n in (2, 3, 4))
mat2, mat3, mat4 = (MatrixType(f32, n, n) for n in (2, 3, 4))


def _element(type: object) -> Any:
    if type is bool:
        return boolean
    type = numpys_type(type) or type
    if isinstance(type, ScalarType | TypeVar):
        return type
    raise DtypeError(f"{type!r} is not a scalar type, which this is made of")


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
                    " scalar types (f32), Vector, Matrix, FixedArray or other dataclasses"
                ) from None
        if any(isinstance(leaf, TypeVar) for _, leaf in leaves(type)):
            raise DtypeError(f"{cls.__name__}.{field.name}: a struct's types are fixed, it has no type variables")
        parts.append((field.name, type))
    if not parts:
        raise DtypeError(f"{cls.__name__} has no fields")
    return StructType(cls, tuple(parts))


def composite_type(value: object) -> CompositeType | None:
    """The composite type that an object means: a vector, matrix or array type, a dataclass; None for anything else."""
    if isinstance(value, CompositeType):
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


def elements(type: ArrayType) -> Iterator[Any]:
    """What an array is made of, and if those are arrays, what they are made of."""
    yield type.element
    if isinstance(type.element, ArrayType):
        yield from elements(type.element)


def is_spread(type: Any) -> bool:
    """Whether the scalars of a type lie along axes of one array or buffer, rather than in one for each: those of
    arrays, of vectors of more than 4 and of matrices of more than 16."""
    if isinstance(type, VectorType | MatrixType):
        return bool(len(type.parts) > 4 ** len(type.axes))
    return isinstance(type, ArrayType)


def buffer_leaves(type: Any, path: str = "", axes: tuple[int, ...] = ()) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """What a buffer of a type consists of: path and scalar type, as of ``leaves``, and the axes of each element."""
    if is_spread(type):
        yield from buffer_leaves(type.element, path, (*axes, *type.axes))
    elif isinstance(type, CompositeType):
        for name, part in type.parts:
            yield from buffer_leaves(part, f"{path}_{name}" if path else name, axes)
    else:
        yield path, type, axes


def resolved(type: Any, types: dict[TypeVar, ScalarType]) -> Any:
    """A type with its type variables replaced by what they stand for."""
    if isinstance(type, TypeVar):
        return types[type]
    if isinstance(type, VectorType | MatrixType | ArrayType):
        return dataclasses.replace(type, element=resolved(type.element, types))
    return type
