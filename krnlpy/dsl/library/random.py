"""Random numbers in kernels, the same on every target to the last bit: functions of a seed and a counter.

There is no state. ``random_uniform(seed, counter)`` is always the same number; another counter, such as the thread's
id, gives one that is independent of it, and so does another stream, such as the number of the step. Seed, stream and
counter are integers of any type; their lower 32 bits count.

The generator is Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as
1, 2, 3", SC '11. What is made of its bits uses additions, subtractions and multiplications only, which all devices
round the same way: no division, square root or library function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krnlpy.dsl.builtins import mul_hi, unroll
from krnlpy.dsl.frontend.syntax.functions import func

if TYPE_CHECKING:
    from krnlpy.dsl.types.checked import f32, i32, u32, uvec2, uvec4, vec2, vec4
else:
    from krnlpy.dsl.types.composites import uvec2, uvec4, vec2, vec4
    from krnlpy.scalar import f32, i32, u32

_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1),
    *(2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
"""The polynomial of logf in S. L. Moshier's Cephes library, highest power first."""


@func
def philox4x32(counter: uvec4, key: uvec2) -> uvec4:
    """The four u32 of Philox4x32-10 for a counter and a key.

    Raises:
        KernelTypeError: the counter is not a ``uvec4``, or the key not a ``uvec2``.

    >>> from krnlpy import Device, GlobalMut, Buffer, kernel, u32
    >>> from krnlpy.dsl import uvec2, uvec4
    >>> @kernel
    ... def known(out: GlobalMut[u32]):
    ...     out[0] = philox4x32(uvec4(0, 0, 0, 0), uvec2(0, 0)).x
    >>> out = Buffer.zeros(1, u32, Device.host())
    >>> known.with_groups(1).with_threads(1)(out)
    >>> hex(out.numpy()[0])
    '0x6627e8d5'
    """
    a, b, c, d = counter.x, counter.y, counter.z, counter.w
    low, high = key.x, key.y
    for _ in unroll(range(10)):
        a, b, c, d = mul_hi(c, 0xCD9E8D57) ^ b ^ low, c * 0xCD9E8D57, mul_hi(a, 0xD2511F53) ^ d ^ high, a * 0xD2511F53
        low += 0x9E3779B9
        high += 0xBB67AE85
    return uvec4(a, b, c, d)


@func
def philox(seed: Any, counter: Any, stream: Any = 0) -> uvec4:
    """Four u32, each of all values equally likely: Philox4x32-10 of the counter ``(counter, 0, 0, 0)`` and the key
    ``(seed, stream)``.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer.

    >>> from krnlpy import Buffer, Item, i32, kernel
    >>> from krnlpy.dsl import philox
    >>> @kernel
    ... def show(seed: Item[i32]):
    ...     print(philox(seed, 0).x, philox(seed, 1).x, philox(seed, 0, 1).x)
    >>> show(Buffer.full(1, 42, i32))
    2632642643 4242219303 2512880270
    """
    return philox4x32(uvec4(u32(counter), 0, 0, 0), uvec2(u32(seed), u32(stream)))


@func
def random_uniform4(seed: Any, counter: Any, stream: Any = 0) -> vec4:
    """Four independent f32 in [0, 1), multiples of 2**-24, all equally likely.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer.

    >>> from krnlpy import Buffer, Item, i32, kernel
    >>> from krnlpy.dsl import random_uniform4
    >>> @kernel
    ... def show(seed: Item[i32]):
    ...     print(random_uniform4(seed, 0))
    >>> show(Buffer.full(1, 42, i32))
    (0.61295986, 0.4685865, 0.0732317, 0.3408615)
    """
    bits = philox(seed, counter, stream)
    return vec4(_fraction(bits.x), _fraction(bits.y), _fraction(bits.z), _fraction(bits.w))


@func
def _fraction(bits: u32) -> f32:
    return f32(bits >> 8) * 2.0**-24


@func
def random_uniform(seed: Any, counter: Any, stream: Any = 0) -> f32:
    """An f32 in [0, 1), a multiple of 2**-24, all equally likely; the first of ``random_uniform4``.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer.

    >>> from krnlpy import Device, ItemMut, Buffer, kernel, f32, u32
    >>> from krnlpy.dsl import item_id
    >>> @kernel
    ... def shake(x: ItemMut[f32], step: u32):
    ...     x += random_uniform(42, item_id(), step) - 0.5
    >>> x = Buffer.zeros(3, f32, Device.host())
    >>> shake(x, 1)
    >>> bool(abs(x.numpy()).max() <= 0.5)
    True
    """
    return _fraction(philox(seed, counter, stream).x)


@func
def random_integers(seed: Any, counter: Any, low: i32, high: i32, stream: Any = 0) -> i32:
    """An i32 from ``low`` to ``high - 1``; ``low`` where ``high`` is not above it.

    By a multiplication instead of a remainder (D. Lemire, "Fast Random Integer Generation in an Interval", 2019),
    without rejection: the probabilities of two values differ by at most 2**-32.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer, or ``low`` or ``high`` not an i32.

    >>> from krnlpy import Buffer, ItemMut, i32, kernel
    >>> from krnlpy.dsl import item_id, random_integers
    >>> @kernel
    ... def roll(x: ItemMut[i32]):
    ...     x = random_integers(42, item_id(), 1, 7)
    >>> x = Buffer.zeros(8, i32)
    >>> roll(x)
    >>> x.numpy().tolist()
    [4, 6, 5, 5, 2, 2, 2, 3]
    """
    count = u32(high) - u32(low) if high > low else u32(0)
    return i32(u32(low) + mul_hi(philox(seed, counter, stream).x, count))


@func
def random_normal4(seed: Any, counter: Any, stream: Any = 0) -> vec4:
    """Four independent normal f32, of mean 0 and variance 1, by the transform of Box and Muller (1958).

    They are within 1e-6 of the transform's exact values, and at most 6.66 in magnitude.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer.

    >>> from krnlpy import Buffer, Item, i32, kernel
    >>> from krnlpy.dsl import random_normal4
    >>> @kernel
    ... def show(seed: Item[i32]):
    ...     print(random_normal4(seed, 0))
    >>> show(Buffer.full(1, 42, i32))
    (-0.54883564, 0.82322, 0.48670584, 2.2341375)
    """
    bits = philox(seed, counter, stream)
    first, second = _normal_pair(bits.x, bits.y), _normal_pair(bits.z, bits.w)
    return vec4(first.x, first.y, second.x, second.y)


@func
def random_normal(seed: Any, counter: Any, stream: Any = 0) -> f32:
    """A normal f32, of mean 0 and variance 1; the first of ``random_normal4``.

    Raises:
        KernelTypeError: seed, counter or stream is not an integer.

    >>> from krnlpy import Buffer, ItemMut, f32, kernel
    >>> from krnlpy.dsl import item_id, random_normal
    >>> @kernel
    ... def draw(x: ItemMut[f32]):
    ...     x = random_normal(42, item_id())
    >>> x = Buffer.zeros(10000, f32)
    >>> draw(x)
    >>> print(f"{x.numpy().mean():.3f} {x.numpy().std():.3f}")
    0.002 0.998
    """
    bits = philox(seed, counter, stream)
    return _normal_pair(bits.x, bits.y).x


@func
def _normal_pair(a: u32, b: u32) -> vec2:
    radius = _sqrt(-2.0 * _log_fraction(a))
    return radius * _unit_vector(b)


@func
def _log_fraction(bits: u32) -> f32:
    """The natural logarithm of ``bits / 2**32``, 0 being taken for 1."""
    if bits >= 0xB504F334:  # square root of 1/2: the distance from 1 matters, in all of its bits
        x = f32(0 - bits) * -(2.0**-32)
        exponent = 0.0
    else:
        bits = bits if bits > 0 else u32(1)
        exponent = -1.0  # the leading bit is worth 2**exponent
        for k in unroll(range(5)):
            if bits >> (32 - (16 >> k)) == 0:
                bits = bits << (16 >> k)
                exponent -= 16 >> k
        x = f32(bits >> 8) * 2.0**-23  # 1 to 2
        if x > 1.41421356:
            x *= 0.5
            exponent += 1.0
        x -= 1.0
    y = f32(_LOG[0])
    for k in unroll(range(1, 9)):
        y = y * x + _LOG[k]
    square = x * x
    return (y * x * square - 0.5 * square + exponent * -2.12194440e-4 + x) + exponent * 0.693359375


@func
def _sqrt(x: f32) -> f32:
    """The square root of a number from 2**-32 up to 64, by two steps of Newton's iteration for its reciprocal."""
    scale = 1.0
    if x < 2.0**-16:
        x *= 2.0**16
        scale = 2.0**-8
    if x < 2.0**-8:
        x *= 2.0**8
        scale *= 2.0**-4
    if x >= 1.0:
        x *= 2.0**-6
        scale *= 2.0**3
    if x < 2.0**-4:
        x *= 2.0**4
        scale *= 2.0**-2
    if x < 2.0**-2:
        x *= 2.0**2
        scale *= 2.0**-1
    y = (1.63834 * x - 3.2848692) * x + 2.6706277
    for _ in unroll(range(2)):
        y *= 1.5 - 0.5 * x * y * y
    root = x * y
    root += 0.5 * y * (x - root * root)
    return scale * root


@func
def _unit_vector(bits: u32) -> vec2:
    """A vector of length 1 of any direction: the upper two bits choose the quarter, the next 24 the angle in it."""
    turn = f32((bits >> 6) & 0xFFFFFF) - 8388607.5
    angle = turn * (1.5707963267948966 * 2.0**-24)  # -pi/4 to pi/4
    square = angle * angle
    # The polynomials of sinf and cosf in Cephes.
    y = ((-1.9515295891e-4 * square + 8.3321608736e-3) * square - 1.6666654611e-1) * square * angle + angle
    x = ((2.443315711809948e-5 * square - 1.388731625493765e-3) * square + 4.166664568298827e-2) * square * square
    x += 1.0 - 0.5 * square
    quarter = bits >> 30
    if quarter & 1:
        x, y = -y, x
    return vec2(-x, -y) if quarter >= 2 else vec2(x, y)
