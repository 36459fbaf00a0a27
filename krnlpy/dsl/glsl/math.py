"""Functions of the IR that GLSL has too: those of bits, and the ``fast_*`` ones that the device has."""

from __future__ import annotations

from krnlpy.dsl import ir
from krnlpy.dsl.semantics.fast import exact
from krnlpy.scalar import f32, f64

from .context import Context

_FORMS = {
    "rint": "roundEven({})",
    "popcount": "uint(bitCount({}))",
    "clz": "uint(31 - findMSB({}))",
    "reverse_bits": "bitfieldReverse({})",
    "mul_hi": "mul_hi({})",
}
_FAST = {
    "fast_rsqrt": "inversesqrt", "fast_exp": "exp", "fast_exp2": "exp2", "fast_log": "log", "fast_log2": "log2",
    "fast_sin": "sin", "fast_cos": "cos", "fast_tan": "tan", "fast_tanh": "tanh", "fast_pow": "pow",
    "fast_min": "min", "fast_max": "max",
}  # fmt: skip
_ROUNDING = ("floor", "ceil", "trunc", "rint")


def plain(e: ir.Math) -> ir.Expr:
    """The exact function in place of a ``fast_*`` one that GLSL lacks for the type; any other as it is."""
    in_f64 = ("fast_rsqrt", "fast_min", "fast_max")
    return exact(e) if e.name in _FAST and e.type is not f32 and e.name not in in_f64 else e


def built_in(e: ir.Math, operands: list[str], context: Context) -> str | None:
    """A call of a GLSL function; None where GLSL has none with the IR's meaning."""
    listed = ", ".join(operands)
    if e.name == "mul_hi":
        context.need("mul_hi")
    if e.name in _ROUNDING and e.type is f64:
        context.need("round_double")
        return f"own_{e.name}({listed})"
    if e.name in _FAST:
        return f"{_FAST[e.name]}({listed})"
    return _FORMS[e.name].format(listed) if e.name in _FORMS else None
