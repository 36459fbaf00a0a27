"""Expressions of the IR as LLVM IR: arithmetic, conversions, and guarded loads and stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from krnlpy.dsl import ir
from krnlpy.dsl.semantics.fast import exact
from krnlpy.errors import CompileError
from krnlpy.scalar import ScalarType, boolean, f32, i32, u32

from . import reports
from .bits import BIT_FUNCTIONS, bit_function
from .builder import Builder, literal
from .context import Array, Context, IdKey, Item, memory_type
from .math import elementary, narrow, power, widen

_INTEGER_OPS = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "fma": "fmuladd"}


class Expressions:
    """Writes the expressions of one function."""

    def __init__(self, context: Context, builder: Builder) -> None:
        self.context = context
        self.b = builder
        self.variables: dict[ir.Variable, str] = {}
        self.ids: dict[IdKey, str] = {}
        self.arguments: dict[ir.ScalarParameter, str] = {}
        self.arrays: dict[ir.Place, Array] = {}
        self.items: dict[ir.ItemParameter, Item] = {}
        self.call_function: Callable[[ir.Call], str]

    def value(self, expr: ir.Expr) -> str:
        """Writes an expression; its value is of ``expr.type.llvm``."""
        match expr:
            case ir.Const():
                return literal(expr.value, expr.type)
            case ir.SpecValue():
                return literal(self.context.spec(expr.parameter), expr.type)
            case ir.Local():
                return self.b.load(expr.type.llvm, self.variables[expr.variable])
            case ir.Argument():
                return self.arguments[expr.parameter]
            case ir.Extent():
                return self.arrays[expr.place].lengths[expr.axis]
            case ir.Id():
                return self.ids[(expr.name, expr.axis)]
            case ir.Load():
                return self._load(expr)
            case ir.Unary():
                return self._unary(expr)
            case ir.Binary():
                return self._binary(expr.op, expr.type, self.value(expr.left), self.value(expr.right))
            case ir.Compare():
                return self._compare(expr)
            case ir.Logical():
                # A branch only where the right side does more than compute.
                short = literal(expr.op == "or", boolean)
                then, otherwise = (expr.right, None) if expr.op == "and" else (None, expr.right)
                return self._choose(self.value(expr.left), boolean, then, otherwise, short)
            case ir.Select():
                return self._choose(self.value(expr.condition), expr.type, expr.then, expr.otherwise)
            case ir.Cast():
                return self._cast(self.value(expr.operand), expr.operand.type, expr.type)
            case ir.Bitcast():
                return self._bitcast(self.value(expr.operand), expr.source, expr.to)
            case ir.Round():
                bits = narrow(self.b, expr.to, self.value(expr.operand))
                return widen(self.b, expr.to, bits)
            case ir.Math():
                return self._math(expr)
            case ir.Call():
                return self.call_function(expr)
        raise CompileError(f"no LLVM IR for {type(expr).__name__}")

    # -- choice

    def _choose(
        self, condition: str, type: ScalarType, then: ir.Expr | None, otherwise: ir.Expr | None, absent: str = ""
    ) -> str:
        """The value of one of two expressions, None standing for ``absent``; evaluates only the chosen one."""
        b = self.b
        if _is_plain(then) and _is_plain(otherwise):
            first = absent if then is None else self.value(then)
            second = absent if otherwise is None else self.value(otherwise)
            return b.select(condition, type.llvm, first, second)
        yes, no, join = b.fresh("then"), b.fresh("else"), b.fresh("join")
        b.branch_if(condition, yes, no)
        incoming = []
        for label, expr in ((yes, then), (no, otherwise)):
            b.place(label)
            value = absent if expr is None else self.value(expr)
            incoming.append(f"[ {value}, %{b.block} ]")
            b.branch(join)
        b.place(join)
        return b.op(f"phi {type.llvm} {', '.join(incoming)}")

    # -- arithmetic

    def _unary(self, expr: ir.Unary) -> str:
        operand, type = self.value(expr.operand), expr.type
        if expr.op == "neg":
            return self.b.op(f"fneg {type.llvm} {operand}" if type.is_float else f"sub {type.llvm} 0, {operand}")
        return self.b.op(f"xor {type.llvm} {operand}, {'true' if type is boolean else '-1'}")

    def _binary(self, op: ir.BinaryOp, type: ScalarType, a: str, c: str) -> str:
        b, t = self.b, type.llvm
        if op in ("min", "max"):
            return b.select(self._test("lt" if op == "min" else "gt", type, c, a), t, c, a)
        if type.is_float:
            if op == "pow":
                return power(b, type, a, c)
            if op in ("floordiv", "mod"):
                quotient = self._intrinsic("floor", type, b.op(f"fdiv {t} {a}, {c}"))
                if op == "floordiv":
                    return quotient
                return b.op(f"fsub {t} {a}, {b.op(f'fmul {t} {c}, {quotient}')}")
            return b.op(f"{_FLOAT_OPS[op]} {t} {a}, {c}")
        if op in _INTEGER_OPS:
            return b.op(f"{_INTEGER_OPS[op]} {t} {a}, {c}")
        if op in ("shl", "shr"):
            return self._shift(op, type, a, c)
        if op in ("floordiv", "mod"):
            return self._integer_division(op, type, a, c)
        raise CompileError(f"{op} of {type} has no meaning")

    def _shift(self, op: str, type: ScalarType, a: str, count: str) -> str:
        b, t = self.b, type.llvm
        inside = b.op(f"icmp ult {t} {count}, {type.bits}")
        if op == "shr" and type.is_signed:
            # The greatest count leaves nothing but the sign, as any greater one does.
            return b.op(f"ashr {t} {a}, {b.select(inside, t, count, str(type.bits - 1))}")
        safe = b.select(inside, t, count, "0")
        shifted = b.op(f"{'shl' if op == 'shl' else 'lshr'} {t} {a}, {safe}")
        return b.select(inside, t, shifted, "0")

    def _integer_division(self, op: str, type: ScalarType, a: str, c: str) -> str:
        b, t = self.b, type.llvm
        zero = b.op(f"icmp eq {t} {c}, 0")
        if not type.is_signed:
            result = b.op(f"{'udiv' if op == 'floordiv' else 'urem'} {t} {a}, {b.select(zero, t, '1', c)}")
            return b.select(zero, t, "0", result)
        # The least integer by -1 would trap; by 1 it gives what wrapping gives: itself, remainder 0.
        least = b.op(f"icmp eq {t} {a}, {type.min}")
        overflow = b.op(f"and i1 {least}, {b.op(f'icmp eq {t} {c}, -1')}")
        safe = b.select(b.op(f"or i1 {zero}, {overflow}"), t, "1", c)
        remainder = b.op(f"srem {t} {a}, {safe}")
        opposite = b.op(f"icmp slt {t} {b.op(f'xor {t} {remainder}, {safe}')}, 0")
        adjust = b.op(f"and i1 {opposite}, {b.op(f'icmp ne {t} {remainder}, 0')}")
        if op == "mod":
            result = b.op(f"add {t} {remainder}, {b.select(adjust, t, safe, '0')}")
        else:
            result = b.op(f"add {t} {b.op(f'sdiv {t} {a}, {safe}')}, {b.select(adjust, t, '-1', '0')}")
        return b.select(zero, t, "0", result)

    def _compare(self, expr: ir.Compare) -> str:
        return self._test(expr.op, expr.left.type, self.value(expr.left), self.value(expr.right))

    def _test(self, op: str, type: ScalarType, a: str, c: str) -> str:
        if type.is_float:
            return self.b.op(f"fcmp {'une' if op == 'ne' else 'o' + op} {type.llvm} {a}, {c}")
        sign = "" if op in ("eq", "ne") else "s" if type.is_signed else "u"
        return self.b.op(f"icmp {sign}{op} {type.llvm} {a}, {c}")

    def _intrinsic(self, name: str, type: ScalarType, *operands: str) -> str:
        symbol = f"llvm.{_INTRINSICS.get(name, name)}.{type.name}"
        return self.b.intrinsic(symbol, type.llvm, *((type.llvm, o) for o in operands))

    def _bitcast(self, value: str, source: ScalarType, to: ScalarType) -> str:
        b = self.b
        if source.is_float and source.size == 2:
            return narrow(b, source, value)
        if to.is_float and to.size == 2:
            return widen(b, to, value)
        return b.op(f"bitcast {source.llvm} {value} to {to.llvm}")

    def _math(self, expr: ir.Math) -> str:
        if expr.name.startswith("fast_"):
            return self.value(exact(expr))
        b, type = self.b, expr.operands[0].type
        operands = [self.value(o) for o in expr.operands]
        if expr.name in BIT_FUNCTIONS:
            return bit_function(b, expr.name, operands)
        if expr.name == "isnan":
            return b.op(f"fcmp uno {type.llvm} {operands[0]}, {operands[0]}")
        if expr.name == "isinf":
            magnitude = self._intrinsic("fabs", type, operands[0])
            return b.op(f"fcmp oeq {type.llvm} {magnitude}, {literal(float('inf'), type)}")
        if expr.name == "abs":
            if type.is_float:
                return self._intrinsic("fabs", type, operands[0])
            if not type.is_signed:
                return operands[0]
            return b.intrinsic(f"llvm.abs.i{type.bits}", type.llvm, (type.llvm, operands[0]), ("i1", "false"))
        if expr.name in _INTRINSICS:
            return self._intrinsic(expr.name, type, *operands)
        return elementary(b, expr.name, type, operands[0])

    def _cast(self, value: str, source: ScalarType, to: ScalarType) -> str:
        b = self.b
        if source is to:
            return value
        if to is boolean:
            zero = literal(0, source)
            return b.op(f"{'fcmp une' if source.is_float else 'icmp ne'} {source.llvm} {value}, {zero}")
        if source.is_float and to.is_integer:
            sign = "s" if to.is_signed else "u"
            name = f"llvm.fpto{sign}i.sat.i{to.bits}.{source.name}"
            return b.intrinsic(name, to.llvm, (source.llvm, value))
        if source.is_float:
            return b.op(f"{'fpext' if source is f32 else 'fptrunc'} {source.llvm} {value} to {to.llvm}")
        signed = source.kind == "int"
        if to.is_float:
            return b.op(f"{'si' if signed else 'ui'}tofp {source.llvm} {value} to {to.llvm}")
        bits = 1 if source is boolean else source.bits
        if bits == to.bits:
            return value
        op = "trunc" if bits > to.bits else "sext" if signed else "zext"
        return b.op(f"{op} {source.llvm} {value} to {to.llvm}")

    # -- places

    def _load(self, expr: ir.Load) -> str:
        b, place = self.b, expr.place
        if isinstance(place, ir.ItemParameter):
            item = self.items[place]
            if item.repeated is None:
                return self.read(place.type, item.pointer, item.metadata)
            own = b.op(f"xor i1 {item.repeated}, true")
            return self._guarded(own, expr.type, item.value, lambda: self.read(place.type, item.pointer, item.metadata))
        if isinstance(place, ir.ConstantArray) and place not in self.arrays:
            self.arrays[place] = self.context.table(place)
        array = self.arrays[place]
        index, within = self._index(expr.index)
        inside = self._inside(expr, array, index, within)

        def read() -> str:
            return self.read(place.type, self._address(place.type, array, index), array.metadata)

        return read() if inside is None else self._guarded(inside, expr.type, literal(0, expr.type), read)

    def store(self, statement: ir.Store) -> None:
        """Evaluates in Python's order, the value first, and writes an element."""
        b, place, value = self.b, statement.place, statement.value
        if isinstance(value, ir.Round) and value.to is place.type:
            value = value.operand  # which is rounded where it is stored
        stored = self.value(value)
        if place in self.context.updated and place.type.compute is place.type:
            # Where an element or what was there before is chosen, LLVM 21 and later store by a mask, for which AMD's
            # CPUs before Zen 4 take dozens of cycles. Not of a value that is frozen.
            stored = b.op(f"freeze {place.type.llvm} {stored}")
        if isinstance(place, ir.ItemParameter):
            item = self.items[place]
            self._write(place.type, item.pointer, stored, item.metadata)
            return
        array = self.arrays[place]
        listed, within = self._index(statement.index)
        inside = self._inside(statement, array, listed, within)
        done = b.fresh("stored")
        if inside is not None:
            write = b.fresh("write")
            b.branch_if(inside, write, done)
            b.place(write)
        self._write(place.type, self._address(place.type, array, listed), stored, array.metadata)
        b.place(done)

    def _guarded(self, condition: str, type: ScalarType, otherwise: str, read: Callable[[], str]) -> str:
        b = self.b
        before, label, join = b.block, b.fresh("read"), b.fresh("join")
        b.branch_if(condition, label, join)
        b.place(label)
        value = read()
        end = b.block
        b.place(join)
        return b.op(f"phi {type.llvm} [ {value}, %{end} ], [ {otherwise}, %{before} ]")

    def read(self, type: ScalarType, pointer: str, metadata: str = "") -> str:
        """Loads an element as a value of its type of computation."""
        return self._from_memory(type, self.b.load(memory_type(type), pointer, f", align {type.size}{metadata}"))

    def _write(self, type: ScalarType, pointer: str, value: str, metadata: str) -> None:
        self.b.store(memory_type(type), self._to_memory(type, value), pointer, f", align {type.size}{metadata}")

    def _from_memory(self, type: ScalarType, value: str) -> str:
        """An element as it lies in memory as a value of its type of computation."""
        if type is boolean:  # whoever else writes the memory may take any byte but 0 for true
            return self.b.op(f"icmp ne i8 {value}, 0")
        return value if type.compute is type else widen(self.b, type, value)

    def _to_memory(self, type: ScalarType, value: str) -> str:
        if type is boolean:
            return self.b.op(f"zext i1 {value} to i8")
        return value if type.compute is type else narrow(self.b, type, value)

    def _address(self, type: ScalarType, array: Array, index: list[tuple[str, ScalarType]]) -> str:
        b = self.b
        position = "0"
        for (value, kind), stride in zip(index, array.strides, strict=True):
            wide = value if kind.bits == 64 else b.op(f"{'s' if kind.is_signed else 'z'}ext {kind.llvm} {value} to i64")
            term = wide if stride == "1" else b.op(f"mul i64 {wide}, {stride}")
            position = term if position == "0" else b.op(f"add i64 {position}, {term}")
        return b.element(array.base, position, type.size)

    def _index(self, index: tuple[ir.Expr, ...]) -> tuple[list[tuple[str, ScalarType]], str | None]:
        """The numbers of an index, and whether they lie within slices (an i1; None: there are none): a number that
        goes on counting and a condition beside it become vectors, a choice of -1 does not."""
        listed: list[tuple[str, ScalarType]] = []
        within: str | None = None
        for entry in index:
            number = entry
            if not self.context.debug and _is_of_slice(entry):
                number = entry.then
                own = self.value(entry.condition)
                within = own if within is None else self.b.op(f"and i1 {within}, {own}")
            listed.append((self.value(number), number.type))
        return listed, within

    def _inside(
        self,
        access: ir.Load | ir.Store | ir.Atomic,
        array: Array,
        index: list[tuple[str, ScalarType]],
        within: str | None,
    ) -> str | None:
        """Whether an index is in range along all axes (an i1), or None where that is promised or proved."""
        if self.context.is_promised(access):
            return None
        b = self.b
        inside = within
        name, axes = access.place.name, self.context.checked_axes(access)
        site = self.context.sites.access(name, len(index), access.location) if self.context.debug else 0
        for axis, ((value, kind), length) in enumerate(zip(index, array.lengths, strict=True)):
            if not axes[axis]:
                continue
            # Sign-extended and compared unsigned, a negative index is beyond every length.
            extend = "sext" if kind.is_signed else "zext"
            if kind.bits == 64:
                own = b.op(f"icmp ult i64 {value}, {b.op(f'zext i32 {length} to i64')}")
            else:
                wide = value if kind.bits == 32 else b.op(f"{extend} {kind.llvm} {value} to i32")
                if kind.is_signed:
                    length = b.intrinsic("llvm.umin.i32", "i32", ("i32", length), ("i32", str(-(1 << 31))))
                own = b.op(f"icmp ult i32 {wide}, {length}")
            if self.context.debug:
                self._report_unless(own, (value, kind), length, site + axis)
            inside = own if inside is None else b.op(f"and i1 {inside}, {own}")
        return inside

    def _report_unless(self, inside: str, index: tuple[str, ScalarType], length: str, site: int) -> None:
        b = self.b
        value, kind = index
        if kind.bits > 32:
            value = b.op(f"trunc {kind.llvm} {value} to i32")
        elif kind.bits < 32:
            value = b.op(f"{'s' if kind.is_signed else 'z'}ext {kind.llvm} {value} to i32")
        fail, passed = b.fresh("fail"), b.fresh("passed")
        b.branch_if(inside, passed, fail)
        b.place(fail)
        reports.fail(b, site, self.thread, [(value, i32), (length, u32)])
        b.place(passed)

    @property
    def thread(self) -> list[str]:
        """The thread's id along x, y and z; in a kernel with items, the item's and zeros."""
        return ([self.ids[id] for id in self.context.thread_ids] + ["0", "0"])[:3]


def _is_of_slice(index: ir.Expr) -> TypeGuard[ir.Select]:
    """Whether an index is one, or else -1, which is beyond every array."""
    if not isinstance(index, ir.Select) or not isinstance(index.otherwise, ir.Const) or index.otherwise.value != -1:
        return False
    return _is_plain(index.condition) and _is_plain(index.then)


def _is_plain(expr: ir.Expr | None) -> bool:
    """Whether an expression can be evaluated needlessly: it is cheap and has no effect."""
    return expr is None or not any(isinstance(node, ir.Load | ir.Call) for node in ir.walk(expr))
