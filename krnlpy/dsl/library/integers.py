"""Functions of integers that devices have for 32 bits only, or not at all."""

from __future__ import annotations

from krnlpy.dsl.builtins import clz, mul_hi, popcount, reverse_bits
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import i32, i64, u32, u64


@func
def popcount_64(x):
    return u64(popcount(u32(x >> 32)) + popcount(u32(x)))


@func
def clz_64(x):
    high = u32(x >> 32)
    return u64(clz(high) if high != 0 else 32 + clz(u32(x)))


@func
def reverse_bits_64(x):
    return u64(reverse_bits(u32(x))) << 32 | u64(reverse_bits(u32(x >> 32)))


@func
def byte_swap_32(x):
    return x << 24 | (x & 0xFF00) << 8 | x >> 8 & 0xFF00 | x >> 24


@func
def byte_swap_64(x):
    return u64(byte_swap_32(u32(x))) << 32 | u64(byte_swap_32(u32(x >> 32)))


@func
def rotate(x, count, bits):
    """To the left, by a count in 0..bits-1. A shift by all the bits gives 0."""
    return x << count | x >> (bits - count)


@func
def mul_hi_64(a, b):
    """Of u64, from the products of their halves."""
    a_low = a & 0xFFFFFFFF
    a_high = a >> 32
    b_low = b & 0xFFFFFFFF
    b_high = b >> 32
    middle = a_high * b_low + (a_low * b_low >> 32)
    other = a_low * b_high + (middle & 0xFFFFFFFF)
    return a_high * b_high + (middle >> 32) + (other >> 32)


@func
def mul_hi_signed_i32(a, b):
    # A negative number is its unsigned one less 2**32.
    high = mul_hi(u32(a), u32(b))
    if a < 0:
        high -= u32(b)
    if b < 0:
        high -= u32(a)
    return i32(high)


@func
def mul_hi_signed_i64(a, b):
    high = mul_hi(u64(a), u64(b))
    if a < 0:
        high -= u64(b)
    if b < 0:
        high -= u64(a)
    return i64(high)


@func
def add_sat_unsigned(a, b):
    sum = a + b
    return sum if sum >= a else ~(a ^ a)


@func
def sub_sat_unsigned(a, b):
    return a - min(a, b)


@func
def add_sat_signed(a, b, least, greatest):
    sum = a + b
    # It overflowed if its sign is neither operand's.
    if ((a ^ sum) & (b ^ sum)) < 0:
        return least if a < 0 else greatest
    return sum


@func
def sub_sat_signed(a, b, least, greatest):
    difference = a - b
    if ((a ^ b) & (a ^ difference)) < 0:
        return least if a < 0 else greatest
    return difference


@func
def power(base, exponent, one):
    """base ** exponent by squaring. A negative power is the exact one truncated: 0, except for 1 and -1."""
    zero = one - one
    if exponent < 0:
        if base == one:
            return one
        if base < zero and base + one == zero:
            return base if exponent & 1 == 1 else one
        return zero
    result = one
    square = base
    rest = exponent
    while rest > 0:
        if rest & 1 == 1:
            result *= square
        square *= square
        rest >>= 1
    return result


@func
def gcd(a, b):
    while b != 0:
        a, b = b, a % b
    return abs(a)


@func
def lcm(a, b):
    divisor = gcd(a, b)
    return abs(a // divisor * b)  # of 0 and 0 it is 0
