"""Atomics as LLVM IR.

Groups run on several threads at once, so buffers are changed by atomic instructions. The threads of one group run one
after another, so group arrays need none: there an atomic is a load, an operation and a store.

None of these accesses carries the metadata of independent accesses: LLVM then takes no loop around them for one of
independent iterations, and neither vectorises nor reorders what touches the same elements.
"""

from __future__ import annotations

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean

from .builder import literal
from .context import memory_type
from .expressions import Expressions

_INTEGER = {"add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor"}
_FLOAT = {"add": "fadd", "sub": "fsub"}


class Atomics(Expressions):
    """Writes the atomics of one function."""

    def atomic(self, statement: ir.Atomic) -> None:
        b, place, type = self.b, statement.place, statement.place.type
        array = self.arrays[place]
        index, within = self._index(statement.index)
        value = "" if statement.value is None else self.value(statement.value)
        expected = "" if statement.expected is None else self.value(statement.expected)
        inside = self._inside(statement, array, index, within)

        def change() -> str:
            pointer = self._address(type, array, index)
            if isinstance(place, ir.GroupArray):
                return self._alone(statement.op, type, pointer, value, expected)
            return self._among_others(statement.op, type, pointer, value, expected)

        zero = literal(0, type.compute)
        old = change() if inside is None else self._guarded(inside, type.compute, zero, change)
        for target in statement.targets:
            b.store(target.type.llvm, old, self.variables[target])

    def fence(self, statement: ir.Fence) -> None:
        """Threads of one group run one after another: among them only the compiler must keep the order."""
        scope = ' syncscope("singlethread")' if statement.scope == "group" else ""
        self.b.do(f"fence{scope} acq_rel")

    def _alone(self, op: ir.AtomicOp, type: ScalarType, pointer: str, value: str, expected: str) -> str:
        """Changes an element that no other thread changes at this time."""
        b, memory = self.b, memory_type(type)
        if op == "store":
            b.store(memory, self._to_memory(type, value), pointer, f", align {type.size}")
            return literal(0, type.compute)
        bits = b.load(memory, pointer, f", align {type.size}")
        old = self._from_memory(type, bits)
        if op == "load":
            return old
        if op == "compare_exchange" and type is not boolean:
            same = self._same_bits(type, bits, expected)
            changed = b.select(same, memory, self._to_memory(type, value), bits)
        else:
            changed = self._to_memory(type, self._changed(op, type, old, value, expected))
        b.store(memory, changed, pointer, f", align {type.size}")
        return old

    def _among_others(self, op: ir.AtomicOp, type: ScalarType, pointer: str, value: str, expected: str) -> str:
        b, bits_type = self.b, f"i{type.bits}"
        if op == "load":
            return self._from_bits(type, b.op(f"load atomic {bits_type}, ptr {pointer} monotonic, align {type.size}"))
        if op == "store":
            b.do(f"store atomic {bits_type} {self._to_bits(type, value)}, ptr {pointer} monotonic, align {type.size}")
            return literal(0, type.compute)
        if op == "compare_exchange" and type is not boolean:
            old, new = self._to_bits(type, expected), self._to_bits(type, value)
            return self._from_bits(type, self._exchanged(type, pointer, old, new)[0])
        if op == "exchange":
            old = self._read_modify_write("xchg", bits_type, pointer, self._to_bits(type, value))
            return self._from_bits(type, old)
        if type.is_integer:
            name = _INTEGER.get(op) or ("" if type.is_signed else "u") + op
            return self._read_modify_write(name, type.llvm, pointer, value)
        if op in _FLOAT and type.compute is type:
            return self._read_modify_write(_FLOAT[op], type.llvm, pointer, value)
        # What the machine has no instruction for is tried until no other thread came in between.
        seen = b.alloca(bits_type, "seen")
        b.store(bits_type, b.op(f"load atomic {bits_type}, ptr {pointer} monotonic, align {type.size}"), seen)
        attempt, done = b.fresh("attempt"), b.fresh("done")
        b.place(attempt)
        bits = b.load(bits_type, seen)
        value_now = self._from_bits(type, bits)
        new = self._to_bits(type, self._changed(op, type, value_now, value, expected))
        found, success = self._exchanged(type, pointer, bits, new)
        b.store(bits_type, found, seen)
        b.branch_if(success, done, attempt)
        b.place(done)
        return value_now

    def _changed(self, op: ir.AtomicOp, type: ScalarType, old: str, value: str, expected: str) -> str:
        """What an element becomes, in its type of computation."""
        if op == "exchange":
            return value
        if op == "compare_exchange":  # of truth values: several bytes are true
            return self.b.select(self.b.op(f"icmp eq i1 {old}, {expected}"), type.llvm, value, old)
        assert op != "load" and op != "store"
        return self._binary(op, type.compute, old, value)

    def _read_modify_write(self, name: str, type: str, pointer: str, value: str) -> str:
        return self.b.op(f"atomicrmw {name} ptr {pointer}, {type} {value} monotonic")

    def _exchanged(self, type: ScalarType, pointer: str, expected: str, value: str) -> tuple[str, str]:
        """The bits found by a compare-and-exchange, and whether they are those expected."""
        b, bits = self.b, f"i{type.bits}"
        pair = b.op(f"cmpxchg ptr {pointer}, {bits} {expected}, {bits} {value} monotonic monotonic")
        result = f"{{ {bits}, i1 }} {pair}"
        return b.op(f"extractvalue {result}, 0"), b.op(f"extractvalue {result}, 1")

    # -- values, and what lies in memory

    def _from_bits(self, type: ScalarType, bits: str) -> str:
        if type.is_float and type.compute is type:
            return self.b.op(f"bitcast i{type.bits} {bits} to {type.llvm}")
        return self._from_memory(type, bits)

    def _to_bits(self, type: ScalarType, value: str) -> str:
        if type.is_float and type.compute is type:
            return self.b.op(f"bitcast {type.llvm} {value} to i{type.bits}")
        return self._to_memory(type, value)

    def _same_bits(self, type: ScalarType, found: str, expected: str) -> str:
        """Whether an element as it lies in memory has the bits of a value."""
        b = self.b
        if type.is_float and type.compute is type:
            found = b.op(f"bitcast {type.llvm} {found} to i{type.bits}")
        return b.op(f"icmp eq i{type.bits} {found}, {self._to_bits(type, expected)}")
