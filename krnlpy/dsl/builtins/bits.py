"""Conversions, bits and the arithmetic of integers."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "add_sat", "bit_length", "bitcast", "byte_swap", "cast", "clz", "ctz", "mul_hi", "popcount", "reverse_bits",
    "rotl", "rotr", "saturate", "sub_sat",
]  # fmt: skip


@builtin
def cast(value: Any, type: Any) -> Any:
    """``type(value)``, where the type may be ``type(y)`` or ``array.dtype``.

    Integers wrap; a float that becomes an integer is truncated and stops at the ends of the type; NaN is 0.

    Raises:
        KernelTypeError: ``type`` is not a scalar type, or the value is not a number.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f32, i32, kernel, u8
    >>> from krnlpy.dsl import cast
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(cast(x, u8), cast(i32(x), u8))
    >>> show(Buffer.from_numpy(np.float32([300.7, -1, np.nan])))
    255 44
    0 255
    0 0
    """


@builtin
def saturate(value: Any, type: Any) -> Any:
    """The nearest value that a type has.

    What is beyond an end of the type becomes that end, which is the greatest finite value of a float type. NaN becomes
    0, and stays NaN in a float type.

    Raises:
        KernelTypeError: ``type`` is not a scalar type or is bool, or the value is not a number.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, i32, kernel, u8
    >>> from krnlpy.dsl import cast, saturate
    >>> @kernel
    ... def show(x: Item[i32]):
    ...     print(saturate(x, u8), cast(x, u8))
    >>> show(Buffer.from_numpy(np.int32([300, -5, 77])))
    255 44
    0 251
    77 77
    """


@builtin
def bitcast(value: Any, type: Any) -> Any:
    """The bits of a value read as a type of the same size. For f16 and bf16, write ``bitcast(f16(x), u16)``.

    Raises:
        KernelTypeError: ``type`` is not a scalar type or has another size, or either is bool.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, f16, f32, kernel, u16, u32
    >>> from krnlpy.dsl import bitcast
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(f"{bitcast(x, u32):#x} {bitcast(f16(x), u16):#x}")
    >>> show(Buffer.from_numpy(np.float32([1, -0.0])))
    0x3f800000 0x3c00
    0x80000000 0x8000
    """


@builtin
def popcount(x: Any) -> Any:
    """How many bits are 1, in x's type.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32
    >>> from krnlpy.dsl import popcount
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(popcount(x))
    >>> show(Buffer.from_numpy(np.uint32([0, 7, 0xffffffff])))
    0
    3
    32
    """


@builtin
def clz(x: Any) -> Any:
    """How many 0 bits are above the highest 1; of 0, all bits of the type.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32, u8
    >>> from krnlpy.dsl import clz
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(clz(x), clz(u8(x)))
    >>> show(Buffer.from_numpy(np.uint32([1, 0x80000000, 0])))
    31 7
    0 8
    32 8
    """


@builtin
def ctz(x: Any) -> Any:
    """How many 0 bits are below the lowest 1; of 0, all bits of the type.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32
    >>> from krnlpy.dsl import ctz
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(ctz(x))
    >>> show(Buffer.from_numpy(np.uint32([1, 40, 0])))
    0
    3
    32
    """


@builtin
def bit_length(x: Any) -> Any:
    """How many bits x takes: the bits of its type less ``clz(x)``; of a negative number, all of them.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, i32, kernel
    >>> from krnlpy.dsl import bit_length
    >>> @kernel
    ... def show(x: Item[i32]):
    ...     print(bit_length(x))
    >>> show(Buffer.from_numpy(np.int32([0, 1, 255, -1])))
    0
    1
    8
    32
    """


@builtin
def reverse_bits(x: Any) -> Any:
    """The bits of x in reverse order.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32, u8
    >>> from krnlpy.dsl import reverse_bits
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(f"{reverse_bits(x):#x} {reverse_bits(u8(x)):#x}")
    >>> show(Buffer.from_numpy(np.uint32([1, 6])))
    0x80000000 0x80
    0x60000000 0x60
    """


@builtin
def byte_swap(x: Any) -> Any:
    """The bytes of x in reverse order.

    Raises:
        KernelTypeError: x is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u16, u32
    >>> from krnlpy.dsl import byte_swap
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(f"{byte_swap(x):#x} {byte_swap(u16(x)):#x}")
    >>> show(Buffer.from_numpy(np.uint32([0x12345678])))
    0x78563412 0x7856
    """


@builtin
def rotl(x: Any, count: Any) -> Any:
    """The bits rotated to the left; the count is any integer and counts modulo the width.

    Raises:
        KernelTypeError: x or the count is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32, u8
    >>> from krnlpy.dsl import rotl
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(rotl(x, 1), rotl(x, 33), rotl(u8(x), 4))
    >>> show(Buffer.from_numpy(np.uint32([0x80000001])))
    3 3 16
    """


@builtin
def rotr(x: Any, count: Any) -> Any:
    """The bits rotated to the right; the count is any integer and counts modulo the width.

    Raises:
        KernelTypeError: x or the count is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32, u8
    >>> from krnlpy.dsl import rotr
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(rotr(x, 1), rotr(x, -1), rotr(u8(x), 2))
    >>> show(Buffer.from_numpy(np.uint32([6])))
    3 12 129
    """


@builtin
def mul_hi(x: Any, y: Any) -> Any:
    """The high half of the product of two integers, which has twice their width.

    Raises:
        KernelTypeError: x or y is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u32
    >>> from krnlpy.dsl import mul_hi
    >>> @kernel
    ... def show(x: Item[u32]):
    ...     print(mul_hi(x, x), x * x)
    >>> show(Buffer.from_numpy(np.uint32([0xffffffff, 0x10000])))
    4294967294 1
    1 0
    """


@builtin
def add_sat(x: Any, y: Any) -> Any:
    """``x + y``; where that does not fit, the end of the type.

    Raises:
        KernelTypeError: x or y is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, i8, kernel
    >>> from krnlpy.dsl import add_sat
    >>> @kernel
    ... def show(x: Item[i8]):
    ...     print(add_sat(x, x), x + x)
    >>> show(Buffer.from_numpy(np.int8([100, -100])))
    127 -56
    -128 56
    """


@builtin
def sub_sat(x: Any, y: Any) -> Any:
    """``x - y``; where that does not fit, the end of the type.

    Raises:
        KernelTypeError: x or y is not an integer.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, kernel, u8
    >>> from krnlpy.dsl import sub_sat
    >>> @kernel
    ... def show(x: Item[u8]):
    ...     print(sub_sat(x, u8(7)), x - u8(7))
    >>> show(Buffer.from_numpy(np.uint8([3, 250])))
    0 252
    243 243
    """
