"""What the functions of a kernel share while they are written, and how elements of arrays are found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from krnlpy.dsl import ir
from krnlpy.dsl.ir.reports import Sites
from krnlpy.dsl.passes.inlining import inlined_functions
from krnlpy.dsl.passes.loop_work import Work
from krnlpy.dsl.passes.proven_indices import proven_indices
from krnlpy.errors import CompileError
from krnlpy.scalar import ScalarType, boolean, convert, i32

from .builder import ACCESS_GROUP, Module, define_table
from .tiles import loop_hints

IdKey = tuple[ir.IdName, int]
Capture = IdKey | ir.ScalarParameter
"""What a function reads of the kernel that calls it."""


@dataclass
class Context:
    """What all functions of a kernel share while they are written.

    Attributes:
        polling_levels: how many levels of loops poll; see ``loop_work.py``.
        sites: what the kernel reports to its caller.
    """

    module: Module
    program: ir.Program
    specs: Mapping[str, int | float | bool]
    debug: bool
    polling_levels: int = 0
    sites: Sites = field(default_factory=Sites)
    threads: tuple[int, int, int] | None = None
    _hints: dict[ir.For, int] | None = None
    _captures: dict[ir.Function, tuple[Capture, ...]] = field(default_factory=dict)

    @cached_property
    def _proven(self) -> Mapping[ir.Stmt | ir.Expr, tuple[bool, ...]]:
        return proven_indices(self.program, self.threads, self.static)

    def checked_axes(self, access: ir.Load | ir.Store | ir.Atomic) -> tuple[bool, ...]:
        """For each axis, whether an access looks whether its index is in range."""
        if self.debug:
            return (True,) * len(access.index)
        if self.is_promised(access):
            return (False,) * len(access.index)
        return tuple(not proven for proven in self._proven.get(access, (False,) * len(access.index)))

    def is_promised(self, access: ir.Load | ir.Store | ir.Atomic) -> bool:
        """Whether the kernel promises that an index is in range, and nothing looks whether it is."""
        return not self.debug and (self.program.unchecked or not access.checked)

    @cached_property
    def work(self) -> Work:
        """How much work the loops are."""
        return Work(self.program, self.static, self.polling_levels)

    @cached_property
    def inlined(self) -> frozenset[ir.Function]:
        """The functions of which each call is to have its own copy."""
        return inlined_functions(self.program)

    @cached_property
    def updated(self) -> frozenset[ir.Place]:
        """The places that are both read and written, by any function."""
        bodies = (self.program.body, *(function.body for function in self.program.functions))
        nodes = [node for body in bodies for node in ir.walk(body)]
        read = {node.place for node in nodes if isinstance(node, ir.Load)}
        return frozenset(node.place for node in nodes if isinstance(node, ir.Store) and node.place in read)

    def hint(self, loop: ir.For) -> int | None:
        """How a loop over a small array is written; see ``tiles.py``."""
        if self._hints is None:
            blocks = (self.program.body, *(function.body for function in self.program.functions))
            self._hints = {k: v for b in blocks for k, v in loop_hints(b, self.static, not self.debug).items()}
        return self._hints.get(loop)

    def spec(self, parameter: ir.SpecParameter) -> int | float | bool:
        value = self.specs[parameter.name]
        if parameter.type is boolean:
            return bool(value)
        converted: int | float = convert(value, parameter.type).item()
        return converted

    def static(self, expr: ir.Expr) -> int | None:
        """The value of an integer expression that is known here, or None."""
        if isinstance(expr, ir.Const):
            return int(expr.value)
        if isinstance(expr, ir.SpecValue):
            return int(self.spec(expr.parameter))
        if isinstance(expr, ir.Cast) and expr.type is i32:
            return self.static(expr.operand)
        if isinstance(expr, ir.Binary) and expr.op in ("add", "sub", "mul", "floordiv"):
            left, right = self.static(expr.left), self.static(expr.right)
            if left is None or right is None:
                return None
            if expr.op == "floordiv":
                return left // right if right else 0
            return {"add": left + right, "sub": left - right, "mul": left * right}[expr.op]
        return None

    def shape(self, array: ir.LocalArray) -> tuple[int, ...]:
        lengths = []
        for expr in array.shape:
            length = self.static(expr)
            if length is None:
                raise CompileError(f"the length of array {array.name} is not known when the kernel is built")
            lengths.append(length)
        return tuple(lengths)

    def table(self, place: ir.ConstantArray) -> Array:
        """A table, which lies among the module's constants."""
        symbol, shape = f"@table_{self.program.constant_arrays.index(place)}", self.shape(place)
        define_table(self.module, symbol, place.type, place.values)
        strides = tuple(str(math.prod(shape[axis + 1 :])) for axis in range(len(shape)))
        return Array(symbol, tuple(map(str, shape)), strides, ACCESS_GROUP)

    @property
    def thread_ids(self) -> list[IdKey]:
        """What identifies a thread: its id along the axes, or its item."""
        return [("item_id", 0)] if self.program.items else [("global_id", axis) for axis in range(3)]

    def captures(self, function: ir.Function) -> tuple[Capture, ...]:
        """What a function and the functions that it calls read of the kernel, in a fixed order."""
        if function not in self._captures:
            self._captures[function] = self._captured(function)
        return self._captures[function]

    def _captured(self, function: ir.Function) -> tuple[Capture, ...]:
        found: dict[Capture, None] = {}
        if self.debug:
            found.update(dict.fromkeys(self.thread_ids))
        for node in ir.walk(function.body):
            if isinstance(node, ir.Id):
                found[(node.name, node.axis)] = None
            elif isinstance(node, ir.Argument):
                found[node.parameter] = None
            elif isinstance(node, ir.Call | ir.Invoke):
                found.update(dict.fromkeys(self.captures(node.function)))
        return tuple(found)


@dataclass(frozen=True)
class Array:
    """How the elements of a global, a group array or a local array are found.

    Attributes:
        lengths: along each axis, u32 values.
        strides: along each axis in elements, i64 values.
        metadata: of its loads and stores.
    """

    base: str
    lengths: tuple[str, ...]
    strides: tuple[str, ...]
    metadata: str = ""


@dataclass(frozen=True)
class Item:
    """Where a thread's element is. For a broadcast item, ``repeated`` (an i1) says to take ``value`` instead."""

    pointer: str
    metadata: str = ""
    repeated: str | None = None
    value: str = ""


def memory_type(type: ScalarType) -> str:
    """The LLVM type in which an element lies in memory: an integer where that is not what it is computed in."""
    return type.llvm if type.compute is type and type is not boolean else f"i{type.bits}"
