"""Functions of the bits of a u32 as LLVM IR."""

from __future__ import annotations

from .builder import Builder

_INTRINSICS = {"popcount": "ctpop", "clz": "ctlz", "reverse_bits": "bitreverse"}
BIT_FUNCTIONS = frozenset([*_INTRINSICS, "mul_hi"])


def bit_function(b: Builder, name: str, operands: list[str]) -> str:
    """popcount, clz or reverse_bits of one, or mul_hi of two."""
    if name == "mul_hi":
        left, right = (b.op(f"zext i32 {o} to i64") for o in operands)
        product = b.op(f"mul i64 {left}, {right}")
        high = b.op(f"lshr i64 {product}, 32")
        return b.op(f"trunc i64 {high} to i32")
    zero_is_defined = [("i1", "false")] if name == "clz" else []
    return b.intrinsic(f"llvm.{_INTRINSICS[name]}.i32", "i32", ("i32", operands[0]), *zero_is_defined)
