"""The 13 scalar types, and what each one is in NumPy, in GLSL and in LLVM.

A scalar type is a class, so that it serves as an annotation (``alpha: f32``), as a subscript (``Item[f32]``),
as a dtype (``Buffer.zeros(10, f32)``) and as a conversion (``f32(x)``), in kernels and outside. The truth type is
written ``bool``, as Python's own is: :data:`boolean` is equal to it, and stands for it wherever a type is given.
"""

from __future__ import annotations

import builtins
import reprlib
from typing import Any, ClassVar, Literal

import ml_dtypes
import numpy as np

from .errors import DtypeError

Kind = Literal["uint", "int", "float", "bool"]


class ScalarType(type):
    """The class of the scalar types.

    Attributes:
        name: short name, such as ``"f32"``.
        size: bytes an element takes in a buffer.
        kind: ``"uint"``, ``"int"``, ``"float"`` or ``"bool"``.
        dtype: the NumPy dtype (bf16's comes from ml_dtypes).
        glsl: the GLSL type in which a kernel computes with it.
        llvm: the LLVM type in which the host computes with it; of f16 and bf16, what lies in memory.

    >>> from krnlpy import ScalarType, bf16, f32, i8
    >>> isinstance(i8, ScalarType), i8.name, i8.size, i8.kind, (i8.min, i8.max)
    (True, 'i8', 1, 'int', (-128, 127))
    >>> bf16.is_float, bf16.compute is f32
    (True, True)
    """

    name: str
    size: int
    kind: Kind
    dtype: np.dtype[Any]
    glsl: str
    llvm: str

    def __repr__(cls) -> str:
        return cls.name

    def __call__(cls, value: Any) -> Any:
        """The value converted as a kernel converts it: integers wrap, floats saturate, NaN becomes 0; to bool, all but
        0 is True."""
        try:
            return convert(value, cls)
        except Exception as error:  # whatever NumPy says, or the object that it asks
            raise DtypeError(
                f"{cls.name} of a {type(value).__name__}: expected a number or an array: {error}"
            ) from error

    @property
    def bits(cls) -> int:
        """Bits that an element takes."""
        return 8 * cls.size

    @property
    def is_float(cls) -> bool:
        """Whether it is a float type, of storage (f16, bf16) or of computation (f32, f64)."""
        return cls.kind == "float"

    @property
    def is_integer(cls) -> bool:
        """Whether it is an integer type; bool is not."""
        return cls.kind in ("uint", "int")

    @property
    def is_signed(cls) -> bool:
        """Whether it has negative numbers."""
        return cls.kind in ("int", "float")

    @property
    def compute(cls) -> ScalarType:
        """The type in which a kernel computes with it: f32 for f16 and bf16, which are storage types, else itself."""
        return f32 if cls.name in ("f16", "bf16") else cls

    @property
    def min(cls) -> int:
        """The least value of an integer type."""
        return -(1 << (cls.bits - 1)) if cls.kind == "int" else 0

    @property
    def max(cls) -> int:
        """The greatest value of an integer type."""
        return (1 << (cls.bits - 1)) - 1 if cls.kind == "int" else (1 << cls.bits) - 1


class _TruthType(ScalarType):
    """The class of :data:`boolean`, which is equal to Python's ``bool``: ``buffer.dtype == bool``."""

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is bool

    def __hash__(cls) -> int:
        return hash(bool)


class Scalar(metaclass=ScalarType):
    """Base of the scalar types; never instantiated."""

    name: ClassVar[str] = "scalar"
    size: ClassVar[int] = 0


def _define(name: str, kind: Kind, dtype: Any, glsl: str, llvm: str) -> ScalarType:
    dtype = np.dtype(dtype)
    fields = {"name": name, "size": dtype.itemsize, "kind": kind, "dtype": dtype, "glsl": glsl, "llvm": llvm}
    own = {"__module__": __name__, "__slots__": (), "__qualname__": "boolean" if kind == "bool" else name}
    return (_TruthType if kind == "bool" else ScalarType)(name, (Scalar,), {**fields, **own})


# Narrow integers are computed in 32 bits and wrapped to their width, so that no device needs 8- or 16-bit
# arithmetic; f16 and bf16 are computed in f32 and rounded at each store.
u8 = _define("u8", "uint", np.uint8, "uint", "i8")
i8 = _define("i8", "int", np.int8, "int", "i8")
u16 = _define("u16", "uint", np.uint16, "uint", "i16")
i16 = _define("i16", "int", np.int16, "int", "i16")
f16 = _define("f16", "float", np.float16, "float", "half")
bf16 = _define("bf16", "float", ml_dtypes.bfloat16, "float", "i16")
u32 = _define("u32", "uint", np.uint32, "uint", "i32")
i32 = _define("i32", "int", np.int32, "int", "i32")
f32 = _define("f32", "float", np.float32, "float", "float")
u64 = _define("u64", "uint", np.uint64, "uint64_t", "i64")
i64 = _define("i64", "int", np.int64, "int64_t", "i64")
f64 = _define("f64", "float", np.float64, "double", "double")
boolean = _define("bool", "bool", np.bool_, "bool", "i1")

u8.__doc__ = """Whole numbers from 0 to 255.

>>> from krnlpy import u8
>>> int(u8(257)), int(u8(-3.5)), u8.max
(1, 0, 255)
"""
i8.__doc__ = """Whole numbers from -128 to 127.

>>> from krnlpy import i8
>>> int(i8(200)), int(i8(200.5)), i8.min
(-56, 127, -128)
"""
u16.__doc__ = """Whole numbers from 0 to 65,535.

>>> from krnlpy import u16
>>> int(u16(-1)), u16.size
(65535, 2)
"""
i16.__doc__ = """Whole numbers from -32,768 to 32,767.

>>> from krnlpy import i16
>>> int(i16(40000)), i16.max
(-25536, 32767)
"""
f16.__doc__ = """IEEE's 16-bit floats: 11 significant bits, up to 65,504.

Kernels compute in f32 and round where they store.

>>> from krnlpy import f16
>>> float(f16(0.1)), float(f16(70000)), f16.compute
(0.0999755859375, inf, f32)
"""
bf16.__doc__ = """16-bit floats of f32's range: 8 significant bits.

Kernels compute in f32 and round where they store.

>>> from krnlpy import bf16
>>> float(bf16(0.1)), float(bf16(70000)), bf16.compute
(0.10009765625, 70144.0, f32)
"""
u32.__doc__ = """Whole numbers from 0 to 4,294,967,295.

>>> from krnlpy import u32
>>> int(u32(-1)), int(u32(float("nan")))
(4294967295, 0)
"""
i32.__doc__ = """Whole numbers from -2,147,483,648 to 2,147,483,647.

What ``int`` means in kernels, and the type of whole numbers that are written there.

>>> from krnlpy import i32
>>> int(i32(2**31)), int(i32(1e10)), int(i32(-2.9))
(-2147483648, 2147483647, -2)
"""
f32.__doc__ = """IEEE's 32-bit floats: 24 significant bits, up to 3.4e38.

What ``float`` means in kernels, and the type of numbers with a point that are written there.

>>> from krnlpy import f32
>>> float(f32(0.1)), float(f32(16777217)), f32.bits
(0.10000000149011612, 16777216.0, 32)
"""
u64.__doc__ = """Whole numbers from 0 to 2**64 - 1.

>>> from krnlpy import u64
>>> int(u64(-1)), u64.is_signed
(18446744073709551615, False)
"""
i64.__doc__ = """Whole numbers from -2**63 to 2**63 - 1.

>>> from krnlpy import i64
>>> int(i64(2**63)), int(i64(1e30))
(-9223372036854775808, 9223372036854775807)
"""
f64.__doc__ = """IEEE's 64-bit floats, Python's own: 53 significant bits.

>>> from krnlpy import f64
>>> float(f64(0.1)), f64.dtype, f64.is_float
(0.1, dtype('float64'), True)
"""
boolean.__doc__ = """Truth values, a byte each: 0 or 1. Written ``bool``: ``Item[bool]``, ``Buffer.zeros(3, bool)``.

>>> from krnlpy import Buffer
>>> x = Buffer.zeros(2, bool)
>>> x.dtype, x.dtype == bool, x.nbytes
(bool, True, 2)
>>> Buffer.full(2, 0.5).cast(bool).numpy()
array([ True,  True])
"""

SCALAR_TYPES: tuple[ScalarType, ...] = (u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64, boolean)
"""The types that a buffer can hold."""

DTypeLike = ScalarType | type[float] | type[int] | np.dtype[Any] | str
"""What :func:`scalar_type` takes. To type checkers f32 and its like are Python's numbers, not ScalarType."""

_BY_NAME = {t.name: t for t in SCALAR_TYPES}
_BY_DTYPE = {t.dtype: t for t in SCALAR_TYPES}


def scalar_type(dtype: Any) -> ScalarType:
    """The scalar type that a name, a NumPy dtype or a scalar type stands for.

    >>> scalar_type("bf16"), scalar_type(np.float32), scalar_type(bool)
    (bf16, f32, bool)

    Raises:
        DtypeError: none of the 13 types is meant.
    """
    if isinstance(dtype, ScalarType) and dtype in SCALAR_TYPES:
        return dtype
    if isinstance(dtype, str) and dtype.lower() in _BY_NAME:
        return _BY_NAME[dtype.lower()]
    try:
        if dtype is None:  # to NumPy, None means float64
            raise TypeError
        return _BY_DTYPE[np.dtype(dtype).newbyteorder("=")]
    except Exception:  # whatever NumPy says, or the object that it asks
        names = ", ".join(_BY_NAME)
        raise DtypeError(
            f"{reprlib.repr(dtype)} is not a scalar type; expected one of {names}, or its NumPy dtype"
        ) from None


def numpys_type(type: object) -> ScalarType | None:
    """The scalar type that one of NumPy's classes, such as ``np.float32``, means in kernels; None if it is none.

    >>> numpys_type(np.half), numpys_type(float)
    (f16, None)
    """
    if not (isinstance(type, builtins.type) and issubclass(type, np.generic)):
        return None
    try:
        return scalar_type(type)
    except DtypeError:
        return None


def convert(value: Any, to: ScalarType) -> Any:
    """A number or array converted as a kernel's cast converts it; returns NumPy scalars or arrays of ``to.dtype``.

    Integers wrap, floats saturate at the ends of an integer type, NaN becomes 0; f32 and wider round to the
    nearest f16 or bf16, ties to even. To bool, all but 0 is True, NaN too.
    """
    source = np.asarray(value)
    if source.dtype == object:  # an int beyond 64 bits
        if to is boolean:
            return np.bool_(int(value) != 0)
        return to.dtype.type(int(value) & ((1 << 64) - 1)) if not to.is_integer else _wrap(int(value), to)
    narrow = source.dtype.type in (ml_dtypes.bfloat16, np.float16)
    if to.is_integer and (source.dtype.kind == "f" or narrow):
        with np.errstate(invalid="ignore"):  # a signalling NaN
            wide = source.astype(np.float64)
        # float(max) may round up to max + 1, which a plain cast would overflow; the ends are set apart.
        low, high = float(to.min), float(to.max)
        inside = np.where(np.isnan(wide) | (wide <= low) | (wide >= high), 0.0, wide).astype(to.dtype)
        result = np.where(wide >= high, to.dtype.type(to.max), np.where(wide <= low, to.dtype.type(to.min), inside))
        return result.astype(to.dtype)[()]
    if to.dtype.itemsize < 4 and to.is_float and source.dtype.kind in "iuf" and source.dtype.itemsize > 4:
        # A kernel goes through f32, its type of computation; a direct cast would round once instead of twice.
        with np.errstate(over="ignore"):
            source = source.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return source.astype(to.dtype)[()]


def pattern_of(value: Any, dtype: ScalarType) -> bytes:
    """The bytes of a number converted to a scalar type.

    Raises:
        DtypeError: it is not a number.
    """
    if value.__class__ is int and not value:
        return bytes(dtype.size)
    number = isinstance(value, int | float) or (isinstance(value, np.generic) and _is_number(value))
    if not number:
        raise DtypeError(f"{value!r} is not a number; a buffer of {dtype} is filled with an int or a float")
    result: bytes = np.asarray(convert(value, dtype)).tobytes()
    return result


def _is_number(value: np.generic) -> bool:
    try:
        scalar_type(value.dtype)
    except DtypeError:
        return False
    return True


def _wrap(value: int, to: ScalarType) -> Any:
    value &= (1 << to.bits) - 1
    if to.kind == "int" and value > to.max:
        value -= 1 << to.bits
    return to.dtype.type(value)
