"""Keys: whole numbers from 0 on that are in the order of elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from autograph.functions.type_variables import T
from krnlpy import Buffer, Item, ItemMut, bf16, f16, f32, f64, i8, i16, i32, i64, kernel, u16, u32, u64
from krnlpy.dsl import bitcast

if TYPE_CHECKING:
    K: Any
else:
    from typing import TypeVar

    K = TypeVar("K", u32, u64)
    """The types of keys."""


@kernel
def _keys(x: Item[T], keys: ItemMut[K], flip: K) -> None:
    """``flip`` is 0, or has all bits set, which turns the order around. NaN is the last one either way, and -0.0 is
    0.0; both are seen by their bits: some devices take subnormal numbers for 0."""
    if T is f64:
        long = bitcast(x, u64)
        top = u64(1) << u64(63)
        long = u64(0) if long == top else long
        keys = (~long if long >= top else long | top) ^ flip
        if (long & ~top) > (u64(0x7FF) << u64(52)):
            keys = ~u64(0)
    elif T is f16 or T is bf16:
        half = u32(bitcast(x, u16))
        half = u32(0) if half == u32(0x8000) else half
        keys = ((half ^ u32(0xFFFF)) if half >= u32(0x8000) else half | u32(0x8000)) ^ flip
        if (half & u32(0x7FFF)) > (u32(0x7C00) if T is f16 else u32(0x7F80)):
            keys = ~u32(0)
    elif T is f32:
        bits = bitcast(x, u32)
        bits = u32(0) if bits == u32(0x80000000) else bits
        keys = (~bits if bits >= u32(0x80000000) else bits | u32(0x80000000)) ^ flip
        if (bits & u32(0x7FFFFFFF)) > u32(0x7F800000):
            keys = ~u32(0)
    elif T is i64:
        keys = bitcast(x, u64) ^ (u64(1) << u64(63)) ^ flip
    elif T is i32:
        keys = bitcast(x, u32) ^ u32(0x80000000) ^ flip
    elif T is i16:
        keys = u32(i32(x) + 32768) ^ flip
    elif T is i8:
        keys = u32(i32(x) + 128) ^ flip
    else:
        keys = K(x) ^ flip


class Keys(NamedTuple):
    """The keys of elements.

    Attributes:
        buffer: u32, or u64 for types of 64 bits.
        bits: those in which they may differ, from the lowest on.
    """

    buffer: Buffer
    bits: int


def keys_of(x: Buffer, *, descending: bool = False) -> Keys:
    """The keys of elements, without gaps: ascending, or with the greatest element first.

    The order is that of ``<``, with NaN behind all others, also where it descends; of -0.0 and 0.0 neither is first.
    """
    wide = x.dtype.size == 8
    keys = Buffer.empty(x.shape, u64 if wide else u32, x.device)
    if keys.size:
        _keys(x, keys, keys.dtype.max if descending else 0)
    return Keys(keys, 8 * x.dtype.size)
