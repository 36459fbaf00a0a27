"""Elementary functions as LLVM IR that LLVM can vectorise, and the storage conversions of f16 and bf16.

Functions of f32 are written out here, as calls of libm would stop the vectoriser; each is within 2 ulp over its whole
domain and exact about infinities, NaN, denormals and signed zeros. Functions of f64 and ``pow`` are libm's.

Sources: exp, exp2, log and log2 are built as those of Cephes (S. L. Moshier, single precision), with polynomials by
Lawson's iteration, made for this file, as is tanh; sin, cos and tan compute in f64 with the polynomials of musl (from
FreeBSD's msun) after Cody-Waite reduction, or for large arguments after the fixed-point reduction by 2/pi of Arm's
optimized routines; the f16 conversions are F. Giesen's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, f32, f64

from .builder import Builder, literal

# exp(r) for r in -ln(2)/2..ln(2)/2, to 0.06 ulp.
_EXP = (1.38200796e-3, 8.36868398e-3, 4.16682735e-2, 1.66665211e-1, 0.49999994, 1.0, 1.0)
# 2**r for r in -0.5..0.5, to 0.06 ulp.
_EXP2 = (1.53278423e-4, 1.33909984e-3, 9.61850304e-3, 5.55035956e-2, 2.40226477e-1, 6.93147182e-1, 1.0)
# (tanh(r) - r) / r**3 for r in -0.625..0.625, in r**2, to 0.08 ulp of tanh(r).
_TANH = (-5.69229666e-3, 2.06281673e-2, -5.37365153e-2, 1.333140582e-1, -3.333328068e-1)
# (log(1 + f) - f) / f**2 for 1 + f in sqrt(1/2)..sqrt(2), to 0.1 ulp of log(1 + f).
_LOG = (
    -7.63643906e-2, 1.27622172e-1, -1.31596103e-1, 1.42015800e-1,
    -1.66234091e-1, 2.00012416e-1, -2.50008196e-1, 3.33333313e-1, -0.5,
)  # fmt: skip


@dataclass(frozen=True)
class _Value:
    """A value of i32, i64, float or double with Python's operators, so that formulas read as formulas."""

    b: Builder
    name: str
    type: str

    def _other(self, other: _Value | float) -> str:
        if isinstance(other, _Value):
            return other.name
        if self.type[0] == "i":
            return str(int(other))
        return literal(other, f32 if self.type == "float" else f64)

    def constant(self, value: float) -> _Value:
        """A number of the same type."""
        return _Value(self.b, self._other(value), self.type)

    def _binary(self, op: str, other: _Value | float) -> _Value:
        prefix = "" if self.type[0] == "i" else "f"
        return _Value(self.b, self.b.op(f"{prefix}{op} {self.type} {self.name}, {self._other(other)}"), self.type)

    def __add__(self, other: _Value | float) -> _Value:
        return self._binary("add", other)

    def __sub__(self, other: _Value | float) -> _Value:
        return self._binary("sub", other)

    def __mul__(self, other: _Value | float) -> _Value:
        return self._binary("mul", other)

    def __truediv__(self, other: _Value) -> _Value:
        return self._binary("div", other)

    def __rtruediv__(self, other: float) -> _Value:
        return _Value(self.b, self._other(other), self.type) / self

    def __and__(self, other: _Value | int) -> _Value:
        return self._binary("and", other)

    def __or__(self, other: _Value | int) -> _Value:
        return self._binary("or", other)

    def __xor__(self, other: _Value | int) -> _Value:
        return self._binary("xor", other)

    def __lshift__(self, other: _Value | int) -> _Value:
        return self._binary("shl", other)

    def __rshift__(self, other: int) -> _Value:
        return self._binary("ashr", other)

    def __neg__(self) -> _Value:
        if self.type[0] == "i":
            return _Value(self.b, "0", self.type) - self
        return _Value(self.b, self.b.op(f"fneg {self.type} {self.name}"), self.type)

    def logical_shift_right(self, count: _Value | int) -> _Value:
        return self._binary("lshr", count)

    def fma(self, factor: _Value | float, addend: _Value | float) -> _Value:
        """self * factor + addend, fused where the machine fuses."""
        t = self.type
        operands = ((t, self.name), (t, self._other(factor)), (t, self._other(addend)))
        suffix = "f32" if t == "float" else "f64"
        return _Value(self.b, self.b.intrinsic(f"llvm.fmuladd.{suffix}", t, *operands), t)

    def unary(self, name: str) -> _Value:
        """An intrinsic: fabs, rint."""
        suffix = {"float": "f32", "double": "f64"}[self.type]
        return _Value(self.b, self.b.intrinsic(f"llvm.{name}.{suffix}", self.type, (self.type, self.name)), self.type)

    def convert(self, op: str, type: str) -> _Value:
        return _Value(self.b, self.b.op(f"{op} {self.type} {self.name} to {type}"), type)

    def test(self, predicate: str, other: _Value | float) -> str:
        kind = "icmp" if self.type[0] == "i" else "fcmp"
        return self.b.op(f"{kind} {predicate} {self.type} {self.name}, {self._other(other)}")

    def where(self, condition: str, otherwise: _Value | float) -> _Value:
        """self if condition else otherwise."""
        chosen = self.b.select(condition, self.type, self.name, self._other(otherwise))
        return _Value(self.b, chosen, self.type)

    def polynomial(self, coefficients: Sequence[float]) -> _Value:
        """Highest power first. By Horner's rule for pairs of terms: half as many operations wait for one another."""
        lowest_first = coefficients[::-1]
        pairs = [self.fma(high, low) for low, high in zip(lowest_first[::2], lowest_first[1::2], strict=False)]
        result: _Value | float = coefficients[0] if len(coefficients) % 2 else pairs.pop()
        square = self * self
        for pair in reversed(pairs):
            result = square.fma(result, pair)
        assert isinstance(result, _Value)
        return result


def _within(x: _Value, low: float, high: float) -> _Value:
    """x, or the nearer end; NaN stays NaN."""
    x = x.where(x.test("uge", low), low)
    return x.where(x.test("ule", high), high)


def _nearest(x: _Value) -> tuple[_Value, _Value]:
    """The whole number next to x, which is within those of i32, as a float and as an i32. Of NaN it is any."""
    n = _Value(x.b, x.b.intrinsic("llvm.lrint.i32.f32", "i32", ("float", x.name)), "i32")
    return n.convert("sitofp", "float"), n


def _power_of_two(exponent: _Value) -> _Value:
    """2**exponent for exponents in -126..127."""
    return ((exponent + 127) << 23).convert("bitcast", "float")


def _scale(value: _Value, exponent: _Value) -> _Value:
    """value * 2**exponent for exponents in -252..254, rounded once."""
    if value.b.module.instructions.scaling:
        operands = (("float", value.name), ("i32", exponent.name))
        return _Value(value.b, value.b.intrinsic("llvm.ldexp.f32.i32", "float", *operands), "float")
    half = exponent >> 1
    return value * _power_of_two(half) * _power_of_two(exponent - half)  # the first product is exact


def _exp(x: _Value) -> _Value:
    # Beyond these ends the result is 0 or inf all the same; instructions for scaling find the infinities.
    scaling = x.b.module.instructions.scaling
    y = x if scaling else _within(x, -104.0, 89.0)
    n, exponent = _nearest(y * (1 / math.log(2)))
    r = n.fma(2.12194440e-4, n.fma(-0.693359375, y))
    result = _scale(r.polynomial(_EXP), exponent)
    return result.where(x.test("uge", -104.0), 0.0) if scaling else result


def _exp2(x: _Value) -> _Value:
    x = _within(x, -151.0, 129.0)
    n, exponent = _nearest(x)
    return _scale((x - n).polynomial(_EXP2), exponent)


def _split(x: _Value) -> tuple[_Value, _Value]:
    """(f, e) with x = (1 + f) * 2**e and 1 + f in sqrt(1/2)..sqrt(2), for positive finite x."""
    least = 0x3F3504F3  # sqrt(1/2)
    tiny = x.test("olt", 2.0**-126)
    bits = (x * 2.0**23).where(tiny, x).convert("bitcast", "i32") - least
    exponent = bits >> 23
    exponent = (exponent - 23).where(tiny, exponent)
    fraction = ((bits & 0x007FFFFF) + least).convert("bitcast", "float") - 1.0
    return fraction, exponent.convert("sitofp", "float")


def _log_ends(x: _Value, inside: _Value) -> _Value:
    """The logarithm of 0, of infinity and outside of the domain."""
    result = inside.where(x.test("olt", math.inf), x)  # NaN, too
    below = x.constant(math.nan).where(x.test("une", 0.0), -math.inf)
    return result.where(x.test("ugt", 0.0), below)


def _log(x: _Value) -> _Value:
    f, e = _split(x)
    y = (f * f).fma(f.polynomial(_LOG), e * -2.12194440e-4)
    return _log_ends(x, e.fma(0.693359375, f + y))


def _log2(x: _Value) -> _Value:
    f, e = _split(x)
    y = f * f * f.polynomial(_LOG)
    fraction_of_log2e = 0.44269504088896340735992  # log2(e) - 1
    result = f.fma(fraction_of_log2e, y * fraction_of_log2e)
    return _log_ends(x, result + y + f + e)


def _tanh(x: _Value) -> _Value:
    a = _within(x.unary("fabs"), 0.0, 10.0)  # beyond, the result is 1 all the same
    great = a.test("oge", 0.625)
    n, exponent = _nearest((a * (2 / math.log(2))).where(great, 0.0))
    r = n.fma(-math.log(2) / 2, a)
    square = r * r
    t = (square * r).fma(square.polynomial(_TANH), r)
    # For small a this is it. For great ones, whose n is not 0, the formula for tanh(n ln(2) / 2 + r) says how far the
    # result is from 1, for tanh(n ln(2) / 2) is (2**n - 1) / (2**n + 1).
    away = -t + 1.0
    away = away / _power_of_two(exponent).fma(t + 1.0, away)
    result = away.fma(-2.0, 1.0).where(great, t)
    operands = (("float", result.name), ("float", x.name))
    return _Value(x.b, x.b.intrinsic("llvm.copysign.f32", "float", *operands), "float")


_TWO_OVER_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041


def _reduce_large(bits: _Value) -> tuple[_Value, _Value]:
    """(n, r) with |x| = n * pi/2 + r for |x| of at least 2**24, from x's bits, by 24 x 96 bits of product."""
    table = "krnlpy_two_over_pi"
    # Entry i ends at byte i of 2/pi's binary fraction.
    words = [(_TWO_OVER_PI >> (184 - 8 * i)) & 0xFFFFFFFF for i in range(24)]
    listed = ", ".join(f"i32 {word}" for word in words)
    b = bits.b
    b.module.define(table, f"@{table} = internal constant [24 x i32] [{listed}]")
    start = bits.logical_shift_right(26) & 15
    significand = ((bits & 0x7FFFFF) | 0x800000) << (bits.logical_shift_right(23) & 7)
    wide = significand.convert("zext", "i64")

    def product(word: int) -> _Value:
        index = (start + word).convert("zext", "i64")
        address = b.element(f"@{table}", index.name, 4)
        return wide * _Value(b, b.load("i32", address), "i32").convert("zext", "i64")

    fixed = (product(0) << 32 | product(8).logical_shift_right(32)) + product(4)
    n = (fixed + (1 << 61)).logical_shift_right(62)
    r = (fixed - (n << 62)).convert("sitofp", "double") * (math.pi * 2.0**-63)
    return n.convert("trunc", "i32"), r


def _reduce(x: _Value) -> tuple[_Value, _Value]:
    """(n, r) with x = n * pi/2 + r, n an i32 modulo 4 and r a double in -pi/4..pi/4."""
    bits = x.convert("bitcast", "i32")
    moderate = x.unary("fabs").test("olt", 2.0**28)
    wide = x.where(moderate, 0.0).convert("fpext", "double")
    n = (wide * (2 / math.pi)).unary("rint")
    r = n.fma(-1.58932547735281966916e-8, n.fma(-1.57079631090164184570, wide))
    negative = bits.test("slt", 0)
    large_n, large_r = _reduce_large(bits)
    n_int = n.convert("fptosi", "i32").where(moderate, (-large_n).where(negative, large_n))
    return n_int, r.where(moderate, (-large_r).where(negative, large_r))


def _sine(r: _Value) -> _Value:
    z = r * r
    low = z.fma(0.0083333293858894631756, -0.166666666416265235595)
    high = z.fma(0.0000027183114939898219064, -0.000198393348360966317347)
    cube = z * r
    return cube.fma(low, r) + cube * (z * z) * high


def _cosine(r: _Value) -> _Value:
    z = r * r
    w = z * z
    high = z.fma(0.0000243904487962774090654, -0.00138867637746099294692)
    return (z.fma(-0.499999997251031003120, 1.0) + w * 0.0416666233237390631894) + w * z * high


def _finite_only(x: _Value, result: _Value) -> _Value:
    narrow = result.convert("fptrunc", "float")
    return narrow.where(x.unary("fabs").test("olt", math.inf), x - x)


def _signed_zero(x: _Value, result: _Value) -> _Value:
    """An odd function's result: -0 of -0, which the sums above lose."""
    return result.where(x.test("une", 0.0), x)


def _sin(x: _Value) -> _Value:
    return _signed_zero(x, _shifted_sine(x, 0))


def _cos(x: _Value) -> _Value:
    return _shifted_sine(x, 1)


def _shifted_sine(x: _Value, quarters: int) -> _Value:
    n, r = _reduce(x)
    n = n + quarters
    value = _cosine(r).where((n & 1).test("ne", 0), _sine(r))
    return _finite_only(x, (-value).where((n & 2).test("ne", 0), value))


def _tan(x: _Value) -> _Value:
    n, r = _reduce(x)
    odd = (n & 1).test("ne", 0)
    sine, cosine = _sine(r), _cosine(r)
    return _signed_zero(x, _finite_only(x, (-cosine).where(odd, sine) / sine.where(odd, cosine)))


def _half_from_float(x: _Value) -> _Value:
    """The bits of the nearest f16, ties to even."""
    bits = x.convert("bitcast", "i32")
    sign = bits & -0x80000000
    bits = bits ^ sign
    magic = ((127 - 15) + (23 - 10) + 1) << 23
    magic_float = _Value(x.b, str(magic), "i32").convert("bitcast", "float")
    # The float addition aligns and rounds a denormal.
    denormal = (bits.convert("bitcast", "float") + magic_float).convert("bitcast", "i32") - magic
    odd = bits.logical_shift_right(13) & 1
    normal = (bits + (((15 - 127) << 23) + 0xFFF) + odd).logical_shift_right(13)
    finite = denormal.where(bits.test("ult", 113 << 23), normal)
    special = _Value(x.b, str(0x7E00), "i32").where(bits.test("ugt", 255 << 23), 0x7C00)
    result = finite.where(bits.test("ult", (127 + 16) << 23), special) | sign.logical_shift_right(16)
    return result.convert("trunc", "i16")


def _float_from_half(h: _Value) -> _Value:
    wide = h.convert("zext", "i32")
    exponent_bits = 0x7C00 << 13
    bits = (wide & 0x7FFF) << 13
    exponent = bits & exponent_bits
    bits = bits + ((127 - 15) << 23)
    magic = _Value(h.b, str(113 << 23), "i32").convert("bitcast", "float")
    denormal = ((bits + (1 << 23)).convert("bitcast", "float") - magic).convert("bitcast", "i32")
    special = (bits + ((128 - 16) << 23)).where(exponent.test("eq", exponent_bits), bits)
    return (denormal.where(exponent.test("eq", 0), special) | (wide & 0x8000) << 16).convert("bitcast", "float")


def _bfloat_from_float(x: _Value) -> _Value:
    """The bits of the nearest bf16, ties to even; NaN stays NaN."""
    bits = x.convert("bitcast", "i32")
    rounded = (bits + 0x7FFF + (bits.logical_shift_right(16) & 1)).logical_shift_right(16)
    quiet = bits.logical_shift_right(16) | 0x40
    return quiet.where(x.test("uno", x), rounded).convert("trunc", "i16")


def _float_from_bfloat(h: _Value) -> _Value:
    return (h.convert("zext", "i32") << 16).convert("bitcast", "float")


_FORMULAS: dict[str, tuple[Callable[[_Value], _Value], str, str]] = {
    "exp": (_exp, "float", "float"),
    "exp2": (_exp2, "float", "float"),
    "log": (_log, "float", "float"),
    "log2": (_log2, "float", "float"),
    "tanh": (_tanh, "float", "float"),
    "sin": (_sin, "float", "float"),
    "cos": (_cos, "float", "float"),
    "tan": (_tan, "float", "float"),
    "half_from_float": (_half_from_float, "float", "i16"),
    "float_from_half": (_float_from_half, "i16", "float"),
    "bfloat_from_float": (_bfloat_from_float, "float", "i16"),
    "float_from_bfloat": (_float_from_bfloat, "i16", "float"),
}


def _formula(b: Builder, name: str, operand: str) -> str:
    formula, source, result = _FORMULAS[name]
    symbol = f"krnlpy_{name}"
    if symbol not in b.module:
        inner = Builder(b.module)
        inner.ret(result, formula(_Value(inner, "%x", source)).name)
        text = inner.finish(f"define internal {result} @{symbol}({source} %x) alwaysinline nounwind")
        b.module.define(symbol, text)
    return b.call(result, symbol, [(source, operand)])


def elementary(b: Builder, name: str, type: ScalarType, operand: str) -> str:
    """exp, exp2, log, log2, sin, cos, tan or tanh of an f32 or f64."""
    return _formula(b, name, operand) if type is f32 else _libm(b, name, type, operand)


def power(b: Builder, type: ScalarType, base: str, exponent: str) -> str:
    """``base ** exponent`` of floats, as C's pow: 0 ** 0 is 1, a negative base needs a whole exponent or gives NaN."""
    return _libm(b, "powf" if type is f32 else "pow", type, base, exponent)


def calls_libm(node: ir.Stmt | ir.Expr) -> bool:
    """Whether code that calls a function of libm is generated for a node itself."""
    if isinstance(node, ir.Binary):
        return node.op == "pow"
    return isinstance(node, ir.Math) and node.name in _FORMULAS and node.operands[0].type is not f32


def _libm(b: Builder, symbol: str, type: ScalarType, *operands: str) -> str:
    # nobuiltin, or LLVM would rewrite calls into ones of symbols that the host did not promise.
    signature = ", ".join([type.llvm] * len(operands))
    b.module.define(symbol, f"declare {type.llvm} @{symbol}({signature}) nounwind memory(none) willreturn")
    return b.call(type.llvm, symbol, [(type.llvm, o) for o in operands], nobuiltin=True)


def widen(b: Builder, type: ScalarType, bits: str) -> str:
    """The f32 of an element of f16 or bf16, given as an i16."""
    if type.name == "bf16":
        return _formula(b, "float_from_bfloat", bits)
    if not b.module.instructions.half:
        return _formula(b, "float_from_half", bits)
    half = b.op(f"bitcast i16 {bits} to half")
    return b.op(f"fpext half {half} to float")


def narrow(b: Builder, type: ScalarType, value: str) -> str:
    """The i16 that stores an f32 as f16 or bf16, rounded to nearest even."""
    if type.name == "bf16":
        return _formula(b, "bfloat_from_float", value)
    if not b.module.instructions.half:
        return _formula(b, "half_from_float", value)
    half = b.op(f"fptrunc float {value} to half")
    return b.op(f"bitcast half {half} to i16")


LIBM_SYMBOLS = (
    *("exp", "exp2", "log", "log2", "sin", "cos", "tan", "tanh", "pow", "powf"),
    # What LLVM calls on machines without the instruction.
    *("floor", "floorf", "ceil", "ceilf", "trunc", "truncf", "rint", "rintf", "fma", "fmaf"),
)
"""The functions of libm that generated code may call."""
