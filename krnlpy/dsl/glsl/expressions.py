"""Expressions of the IR as GLSL, with no more parentheses than needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from krnlpy.dsl import ir
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, bf16, boolean, f16, f32, f64, i32, u32

from .context import GROUP_SIZE, Context
from .math import built_in, plain

if TYPE_CHECKING:
    from .places import Places

# How tightly the operators of GLSL bind (section 5.1), greatest first.
_PRIMARY, _UNARY, _MULTIPLY, _ADD, _SHIFT, _RELATION, _EQUALITY, _AND, _XOR, _OR = range(16, 6, -1)
_LOGICAL_AND, _LOGICAL_XOR, _LOGICAL_OR, _SELECT = 6, 5, 4, 3

_OPERATORS = {
    "add": ("+", _ADD),
    "sub": ("-", _ADD),
    "mul": ("*", _MULTIPLY),
    "div": ("/", _MULTIPLY),
    "and": ("&", _AND),
    "or": ("|", _OR),
    "xor": ("^", _XOR),
}
_BOOLEAN_OPERATORS = {"and": ("&&", _LOGICAL_AND), "or": ("||", _LOGICAL_OR), "xor": ("^^", _LOGICAL_XOR)}
_COMPARISONS = {
    "lt": ("<", _RELATION),
    "le": ("<=", _RELATION),
    "gt": (">", _RELATION),
    "ge": (">=", _RELATION),
    "eq": ("==", _EQUALITY),
    "ne": ("!=", _EQUALITY),
}
_SUBGROUP_IDS = {
    "subgroup_id": "gl_SubgroupID",
    "subgroup_thread_id": "gl_SubgroupInvocationID",
    "subgroup_threads": "gl_SubgroupSize",
}
_OWN_MATH = {"exp", "exp2", "log", "log2", "sin", "cos", "tan", "tanh"}
GROUP_THREADS = "gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z"


def _is_of_slice(index: ir.Expr) -> TypeGuard[ir.Select]:
    """Whether an index is one within a slice, or else -1, which is beyond every array."""
    return isinstance(index, ir.Select) and isinstance(index.otherwise, ir.Const) and index.otherwise.value == -1


class _Bits(ir.Const):
    """An f32 written so that glslang does not compute with it."""


def _may_be_known_zero(divisor: ir.Expr) -> bool:
    """Whether a driver may find out, when it compiles, that a divisor is zero."""
    if isinstance(divisor, ir.Const):
        return divisor.value == 0
    known = ir.Const | ir.SpecValue | ir.Unary | ir.Binary | ir.Cast
    return all(isinstance(node, known) for node in ir.walk(divisor))


def _opaque(e: ir.Expr) -> ir.Expr:
    """The expression, its first operand opaque if all are constants of f32: glslang would compute it in f64, and
    round neither the constants as they are written nor what it then goes on to compute with the result."""
    match e:
        case ir.Binary(left=ir.Const() as constant, right=ir.Const()) if constant.type is f32:
            return replace(e, left=_bits(constant))
        case ir.Unary(operand=ir.Const() as constant) | ir.Cast(operand=ir.Const() as constant) if constant.type is f32:
            return replace(e, operand=_bits(constant))
        case ir.Math(operands=(ir.Const() as constant, *rest)) if constant.type is f32:
            return replace(e, operands=(_bits(constant), *rest))
    return e


def _bits(constant: ir.Const) -> ir.Const:
    return _Bits(constant.value, type=f32, location=constant.location)


class Expressions:
    """Writes the expressions of one function (or of the kernel's body).

    Args:
        variables: what each variable is called; filled by whoever declares them.
    """

    def __init__(self, context: Context, places: Places, variables: Mapping[ir.Variable, str]) -> None:
        self._context = context
        self._places = places
        self._variables = variables

    def text(self, e: ir.Expr, level: int = _SELECT) -> str:
        """An expression, in parentheses where it binds less tightly than ``level``."""
        text, own = self._write(e)
        return text if own >= level else f"({text})"

    def operand(self, e: ir.Expr) -> str:
        """An expression that may be followed by any operator."""
        return self.text(e, _UNARY)

    def index(self, e: ir.Expr) -> str:
        """An index as a uint: a negative one becomes greater than any length."""
        if isinstance(e, ir.Id):
            text, _ = self._id(e)
            return text
        if isinstance(e, ir.Const) and e.value >= 0:
            return f"{e.value}u" if e.value <= u32.max else "0xFFFFFFFFu"
        if e.type.size == 8:
            self._context.need("index64", e.type)
            return f"index_of({self.text(e)})"
        return self.text(e) if e.type.kind == "uint" else f"uint({self.text(e)})"

    def indices(self, access: ir.Load | ir.Store | ir.Atomic) -> list[str]:
        """The index of an access along each axis."""
        index = access.index
        if self._context.is_promised(access):
            index = tuple(i.then if _is_of_slice(i) else i for i in index)
        return [self.index(i) for i in index]

    def _write(self, e: ir.Expr) -> tuple[str, int]:
        self._context.type(e.type)
        e = _opaque(e)
        match e:
            case _Bits():
                return f"uintBitsToFloat({np.float32(e.value).view(np.uint32):#010x}u)", _PRIMARY
            case ir.Const():
                text = self._context.literal(e.value, e.type)
                return text, _UNARY if text.startswith("-") else _PRIMARY
            case ir.Local():
                return self._variables[e.variable], _PRIMARY
            case ir.Argument():
                return self._flag(self._context.scalar_field(e.parameter), e.type)
            case ir.SpecValue():
                return self._flag(self._context.spec_names[e.parameter], e.type)
            case ir.Extent():
                return self._extent(e), _PRIMARY
            case ir.Id():
                return f"int({self._id(e)[0]})", _PRIMARY
            case ir.Load():
                return self._places.load(e, self.indices(e)), _PRIMARY
            case ir.Unary():
                return self._unary(e)
            case ir.Binary():
                return self._binary(e)
            case ir.Compare():
                return self._compare(e)
            case ir.Logical():
                symbol, level = _BOOLEAN_OPERATORS[e.op]
                return f"{self.text(e.left, level)} {symbol} {self.text(e.right, level + 1)}", level
            case ir.Select():
                condition = self.text(e.condition, _SELECT + 1)
                then, otherwise = self.text(e.then, _SELECT + 1), self.text(e.otherwise)
                return f"{condition} ? {then} : {otherwise}", _SELECT
            case ir.Cast():
                return self._cast(e)
            case ir.Bitcast():
                return self._bitcast(e), _PRIMARY
            case ir.Round():
                return self.rounded(self.text(e.operand), e.to), _PRIMARY
            case ir.Math():
                return self._math(e)
            case ir.Call():
                arguments = ", ".join(self.text(a) for a in e.arguments)
                return f"{self._context.function_names[e.function]}({arguments})", _PRIMARY
        raise TypeError(f"no GLSL for {type(e).__name__}")

    def rounded(self, text: str, to: ScalarType) -> str:
        """An f32 rounded to a storage type."""
        assert to in (f16, bf16)
        self._context.need(to.name)
        return f"round_{to.name}({text})"

    @staticmethod
    def _flag(text: str, type: ScalarType) -> tuple[str, int]:
        return (f"{text} != 0u", _EQUALITY) if type is boolean else (text, _PRIMARY)

    def _extent(self, e: ir.Extent) -> str:
        if isinstance(e.place, ir.GlobalParameter):
            return f"int({self._context.buffer_field(e.place, 'shape')}[{e.axis}])"
        length = e.place.shape[e.axis]
        return self.constant(length) if isinstance(length, ir.Const) else f"({self.constant(length)})"

    def constant(self, e: ir.Expr) -> str:
        """A length of an array, as an expression that is constant once specialization constants are known."""
        return self._constant(e, _SELECT)

    def _constant(self, e: ir.Expr, level: int) -> str:
        match e:
            case ir.Binary(op="floordiv"):  # lengths are not negative
                symbol, own = "/", _MULTIPLY
            case ir.Binary():
                symbol, own = _OPERATORS[e.op]
            case ir.Cast():
                return f"int({self._constant(e.operand, _SELECT)})"
            case ir.SpecValue():
                return self._context.spec_constants[e.parameter]
            case _:
                return self.text(e, level)
        text = f"{self._constant(e.left, own)} {symbol} {self._constant(e.right, own + 1)}"
        return text if own >= level else f"({text})"

    def _id(self, e: ir.Id) -> tuple[str, int]:
        """A coordinate or size as a uint."""
        axis = "xyz"[e.axis]
        ids = self._context.ids
        if vector := ids.get(e.name):
            self._context.reads_group_size |= e.name == "threads"
            return f"{vector}.{axis}", _PRIMARY
        if e.name == "global_threads":
            size = GROUP_SIZE if self._context.options.flat else "gl_WorkGroupSize"
            return f"{ids['groups']}.{axis} * {size}.{axis}", _MULTIPLY
        if e.name == "item_id":
            return "item", _PRIMARY
        if e.name == "items":
            return self._context.items_field("items"), _PRIMARY
        self._context.features.add(Feature.SUBGROUP_BASIC)
        self._context.extensions.add("GL_KHR_shader_subgroup_basic")
        if e.name == "subgroups":
            # gl_NumSubgroups is rounded down by some drivers.
            return f"({GROUP_THREADS} + gl_SubgroupSize - 1u) / gl_SubgroupSize", _MULTIPLY
        return _SUBGROUP_IDS[e.name], _PRIMARY

    def _wrap(self, text: str, level: int, type: ScalarType) -> tuple[str, int]:
        """A result in 32 bits brought back to the width of a narrow type."""
        if not type.is_integer or type.size >= 4:
            return text, level
        if type.kind == "uint":
            mask = "0xFFu" if type.size == 1 else "0xFFFFu"
            return f"{text if level >= _AND else f'({text})'} & {mask}", _AND
        return f"bitfieldExtract({text}, 0, {type.bits})", _PRIMARY

    def collective(self, s: ir.Collective) -> str:
        """An operation of a subgroup, as an expression of its target's type."""
        text = self._context.subgroups.call(s, [self.text(operand) for operand in s.operands])
        leaves_width = s.op.endswith(("add", "mul")) or s.op.startswith("exclusive")
        return self._wrap(text, _SELECT, s.targets[0].type)[0] if leaves_width else text

    def _unary(self, e: ir.Unary) -> tuple[str, int]:
        operand = self.text(e.operand, _UNARY)
        if e.op == "not":
            return f"!{operand}", _UNARY
        symbol = "-" if e.op == "neg" else "~"
        if operand.startswith(symbol):  # -- is another operator
            operand = f"({operand})"
        return self._wrap(f"{symbol}{operand}", _UNARY, e.type)

    def _binary(self, e: ir.Binary) -> tuple[str, int]:
        if e.type is boolean:
            symbol, level = _BOOLEAN_OPERATORS[e.op]
            return f"{self.text(e.left, level)} {symbol} {self.text(e.right, level + 1)}", level
        match e.op:
            case "floordiv" | "mod":
                return self._division(e)
            case "pow":
                self._context.need("pow", e.type)
                return f"power({self.text(e.left)}, {self.text(e.right)})", _PRIMARY
            case "min" | "max":
                if e.type.is_integer:
                    self._context.need("least", e.type)
                    name = {"min": "least", "max": "greatest"}[e.op]
                    return f"{name}({self.text(e.left)}, {self.text(e.right)})", _PRIMARY
                self._context.need("minimum", e.type)
                return f"{e.op}imum({self.text(e.left)}, {self.text(e.right)})", _PRIMARY
            case "shl" | "shr":
                return self._shift(e)
            case "div" if _may_be_known_zero(e.right):
                self._context.need("divide", e.type)
                return f"divide({self.text(e.left)}, {self.text(e.right)})", _PRIMARY
        symbol, level = _OPERATORS[e.op]
        text = f"{self.text(e.left, level)} {symbol} {self.text(e.right, level + 1)}"
        return self._wrap(text, level, e.type) if e.op in ("add", "sub", "mul") else (text, level)

    def _division(self, e: ir.Binary) -> tuple[str, int]:
        is_unsigned = e.type.kind == "uint"
        if is_unsigned and isinstance(e.right, ir.Const) and e.right.value:
            symbol = "/" if e.op == "floordiv" else "%"
            return f"{self.text(e.left, _MULTIPLY)} {symbol} {self.text(e.right, _UNARY)}", _MULTIPLY
        kind = "float" if e.type.is_float else "unsigned" if is_unsigned else "signed"
        self._context.need(f"floor_{kind}", e.type)
        name = "floor_div" if e.op == "floordiv" else "floor_mod"
        text = f"{name}({self.text(e.left)}, {self.text(e.right)})"
        return self._wrap(text, _PRIMARY, e.type) if e.op == "floordiv" and not is_unsigned else (text, _PRIMARY)

    def _shift(self, e: ir.Binary) -> tuple[str, int]:
        bits = max(32, e.type.bits)
        if isinstance(e.right, ir.Const) and 0 <= e.right.value < bits:
            symbol = "<<" if e.op == "shl" else ">>"
            text, level = f"{self.text(e.left, _SHIFT)} {symbol} {e.right.value}", _SHIFT
        else:
            self._context.need("shift", e.type)
            name = "shift_left" if e.op == "shl" else "shift_right"
            text, level = f"{name}({self.text(e.left)}, {self.text(e.right)})", _PRIMARY
        return self._wrap(text, level, e.type) if e.op == "shl" else (text, level)

    def _compare(self, e: ir.Compare) -> tuple[str, int]:
        symbol, level = _COMPARISONS[e.op]
        if e.left.type is boolean and level == _RELATION:
            return f"int({self.text(e.left)}) {symbol} int({self.text(e.right)})", level
        return f"{self.text(e.left, level + 1)} {symbol} {self.text(e.right, level + 1)}", level

    def _cast(self, e: ir.Cast) -> tuple[str, int]:
        source, to, operand = e.operand.type, e.type, e.operand
        if source is to:
            return self._write(operand)
        if to is boolean:
            return f"{self.text(operand, _EQUALITY + 1)} != {self._context.zero(source)}", _EQUALITY
        if isinstance(operand, ir.Id) and to.kind == "uint" and to.size == 4:
            return self._id(operand)
        text = self.text(operand)
        if source.is_float and to.is_integer:
            wide = to if to.size >= 4 else (i32 if to.kind == "int" else u32)
            self._context.need("to_integer" if wide.size == 4 else "to_integer64", source)
            text = f"to_{self._context.type(wide).removesuffix('_t')}({text})"
            if to.size >= 4:
                return text, _PRIMARY
            if to.kind == "uint":
                return f"min({text}, {to.max}u)", _PRIMARY
            return f"clamp({text}, {to.min}, {to.max})", _PRIMARY
        glsl = self._context.type(to)
        if source is f64 and to.is_float:
            self._context.need("f64_to_f32")
            return f"f64_to_f32({text})", _PRIMARY
        if source.is_float and to is f64:
            self._context.need("f32_to_f64")
            return f"f32_to_f64({text})", _PRIMARY
        if source is u32 and to is f32:
            self._context.need("u32_to_f32")
            return f"u32_to_f32({text})", _PRIMARY
        if source.kind == "int" and source.size < 8 and to.is_integer and to.size == 8:
            self._context.need("i32_to_i64")
            text = f"i32_to_i64({text})"
            return (text if to.kind == "int" else f"{glsl}({text})"), _PRIMARY
        if self._context.type(source) != glsl:
            text, level = f"{glsl}({text})", _PRIMARY
        else:
            text, level = self._write(operand)
        # A type that holds all values of the operand's needs no wrapping.
        holds = source is boolean or (to.min <= source.min and source.max <= to.max)
        return (text, level) if not to.is_integer or holds else self._wrap(text, level, to)

    def _bitcast(self, e: ir.Bitcast) -> str:
        text, source, to = self.text(e.operand), e.source, e.to
        storage = source if source.is_float else to
        if storage.size == 2:
            self._context.need(storage.name)
            if source.is_float:
                bits = f"f32_to_{source.name}({text})"
                return bits if to.kind == "uint" else f"bitfieldExtract(int({bits}), 0, 16)"
            return f"{to.name}_to_f32({text if source.kind == 'uint' else f'uint({text}) & 0xFFFFu'})"
        if storage is f64:
            if source.is_float:
                words = f"unpackDouble2x32({text})"
                return f"packUint2x32({words})" if to.kind == "uint" else f"packInt2x32(ivec2({words}))"
            words = f"unpackUint2x32({text})" if source.kind == "uint" else f"uvec2(unpackInt2x32({text}))"
            return f"packDouble2x32({words})"
        kind = (to if source.is_float else source).glsl
        return f"floatBitsTo{kind.title()}({text})" if source.is_float else f"{kind}BitsToFloat({text})"

    def _math(self, e: ir.Math) -> tuple[str, int]:
        exact = plain(e)
        if exact is not e:
            return self._write(exact)
        texts = [self.text(o) for o in e.operands]
        text = built_in(e, texts, self._context)
        if text is not None:
            return text, _PRIMARY
        operands = ", ".join(texts)
        kind = e.operands[0].type
        if e.name in ("isnan", "isinf"):
            self._context.need(f"bits_{self._context.type(kind)}")
            return f"is_{e.name[2:]}({operands})", _PRIMARY
        if e.name in _OWN_MATH:
            family = {"exp2": "exp", "log2": "log", "cos": "sin", "tan": "sin"}.get(e.name, e.name)
            self._context.need(family, kind)
            return f"own_{e.name}({operands})", _PRIMARY
        if e.name == "abs" and kind.is_integer:
            if kind.kind == "uint":
                return self._write(e.operands[0])
            return self._wrap(f"abs({operands})", _PRIMARY, kind)
        return f"{e.name}({operands})", _PRIMARY
