"""Writes LLVM IR as text: one function at a time, instruction by instruction.

Values are the names or literals of LLVM's text form. LLVM drops what is never used, so emitters may compute more than
they need and leave it to the optimiser.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from krnlpy.scalar import ScalarType, boolean, f32

ACCESS_GROUP = ", !llvm.access.group !0, !noalias !5"
"""Of loads and stores of what other threads see: independent between threads, never in a local array."""
LOCAL_ARRAY = ", !alias.scope !5"
"""Of loads and stores of a local array."""
UNLIKELY = ", !prof !11"
"""Of a branch that is hardly ever taken."""


def literal(value: int | float | bool, type: ScalarType) -> str:
    """A constant of a type of computation in LLVM's text form."""
    if type is boolean:
        return "true" if value else "false"
    if type.is_float:
        number = float(value)
        if type is f32:  # LLVM wants floats that f32 can hold, spelled as doubles
            try:
                number = struct.unpack("<f", struct.pack("<f", number))[0]
            except OverflowError:
                number = float("inf") if number > 0 else float("-inf")
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    number = int(value) & ((1 << type.bits) - 1)
    return str(number - (1 << type.bits) if number >> (type.bits - 1) else number)


@dataclass(frozen=True)
class Instructions:
    """What the machine does by instructions of its own; other code does it elsewhere.

    Attributes:
        half: conversions between f16 and f32.
        scaling: products with powers of two, of whole vectors, rounded once.
    """

    half: bool
    scaling: bool


class Module:
    """The functions and metadata of one kernel."""

    def __init__(self, instructions: Instructions) -> None:
        self.instructions = instructions
        self._functions: dict[str, str] = {}
        # !0 marks the accesses that are independent between the iterations of a parallel loop.
        self._metadata = [
            "distinct !{}",
            '!{!"llvm.loop.parallel_accesses", !0}',
            '!{!"llvm.loop.unroll.disable"}',
            # !5 is the scope of local arrays, in a domain of its own.
            "distinct !{!3}",
            "distinct !{!4, !3}",
            "!{!4}",
            '!{!"llvm.loop.unroll.full"}',
            '!{!"llvm.loop.vectorize.enable", i1 true}',
            '!{!"llvm.loop.interleave.count", i32 1}',
            '!{!"llvm.loop.isvectorized", i32 1}',
            '!{!"llvm.loop.vectorize.followup_vectorized", !6, !9}',
            '!{!"branch_weights", i32 1, i32 1048575}',
        ]

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def define(self, name: str, text: str) -> None:
        """Adds the text of a function or declaration, once for each name."""
        self._functions.setdefault(name, text)

    def parallel_loop(self) -> str:
        """Metadata of the branch that closes a loop whose iterations are independent of one another."""
        self._metadata.append(f"distinct !{{!{len(self._metadata)}, !1, !2}}")
        return f", !llvm.loop !{len(self._metadata) - 1}"

    def hinted_loop(self, width: int) -> str:
        """Metadata of the branch that closes a loop which becomes vectors of a width, or is written out (0).

        LLVM writes to stderr if it cannot do so: mark only loops that can become vectors.
        """
        parts = "!6"
        if width:
            self._metadata.append(f'!{{!"llvm.loop.vectorize.width", i32 {width}}}')
            parts = f"!2, !7, !8, !10, !{len(self._metadata) - 1}"
        self._metadata.append(f"distinct !{{!{len(self._metadata)}, {parts}}}")
        return f", !llvm.loop !{len(self._metadata) - 1}"

    def __str__(self) -> str:
        metadata = [f"!{i} = {node}" for i, node in enumerate(self._metadata)]
        return "\n".join([*self._functions.values(), *metadata, ""])


def define_table(module: Module, symbol: str, type: ScalarType, values: Sequence[int | float | bool]) -> None:
    """Adds a constant array, as the bytes that its elements are in memory."""
    data = np.asarray(values, type.dtype).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    module.define(symbol, f'{symbol} = internal unnamed_addr constant [{len(data)} x i8] c"{text}", align 64')


class Builder:
    """The body of one function."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._allocas: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._block = "entry"
        self._open = True

    def fresh(self, hint: str = "v") -> str:
        self._count += 1
        return f"{hint}{self._count}"

    # -- blocks

    @property
    def block(self) -> str:
        """The label of the block that is being written, for phis."""
        return self._block

    def place(self, label: str) -> None:
        """Starts a block; control falls into it from an open one."""
        if self._open:
            self._lines.append(f"  br label %{label}")
        self._lines.append(f"{label}:")
        self._block, self._open = label, True

    def branch(self, label: str, metadata: str = "") -> None:
        self._end(f"br label %{label}{metadata}")

    def branch_if(self, condition: str, then: str, otherwise: str, metadata: str = "") -> None:
        self._end(f"br i1 {condition}, label %{then}, label %{otherwise}{metadata}")

    def ret(self, type: str = "void", value: str = "") -> None:
        self._end(f"ret {type} {value}".rstrip())

    def _end(self, text: str) -> None:
        self.do(text)
        self._open = False

    # -- instructions

    def do(self, text: str) -> None:
        if not self._open:  # what follows a break or return is never reached, but must stand in a block
            self.place(self.fresh("dead"))
        self._lines.append("  " + text)

    def op(self, text: str) -> str:
        name = "%" + self.fresh()
        self.do(f"{name} = {text}")
        return name

    def alloca(self, type: str, hint: str = "var", name: str = "") -> str:
        """Room in the frame of the function, whatever block is being written."""
        name = name or "%" + self.fresh(hint)
        self._allocas.append(f"  {name} = alloca {type}")
        return name

    def load(self, type: str, pointer: str, suffix: str = "") -> str:
        return self.op(f"load {type}, ptr {pointer}{suffix}")

    def store(self, type: str, value: str, pointer: str, suffix: str = "") -> None:
        self.do(f"store {type} {value}, ptr {pointer}{suffix}")

    def call(self, type: str, name: str, arguments: Iterable[tuple[str, str]], nobuiltin: bool = False) -> str:
        listed = ", ".join(f"{t} {v}" for t, v in arguments)
        return self.op(f"call {type} @{name}({listed}){' nobuiltin' if nobuiltin else ''}")

    def intrinsic(self, name: str, type: str, *operands: tuple[str, str]) -> str:
        """Calls an intrinsic, declaring it where needed."""
        listed = ", ".join(t for t, _ in operands)
        self.module.define(name, f"declare {type} @{name}({listed})")
        return self.call(type, name, operands)

    def select(self, condition: str, type: str, then: str, otherwise: str) -> str:
        return self.op(f"select i1 {condition}, {type} {then}, {type} {otherwise}")

    def element(self, pointer: str, index: str, size: int) -> str:
        """The address of an element, ``index`` being an i64."""
        return self.op(f"getelementptr inbounds [{size} x i8], ptr {pointer}, i64 {index}")

    def finish(self, header: str) -> str:
        """The text of the function."""
        return "\n".join([header + " {", "entry:", *self._allocas, *self._lines, "}"])
