"""IR to LLVM IR: a kernel becomes one function that runs a range of its items or groups.

The function ``kernel(parameters, buffers, begin, end, scratch, launch, control)`` is called by as many workers as there
are, each with a range of its own:

- ``parameters``: the block of :mod:`krnlpy.dsl.ir.layout`.
- ``buffers``: the addresses of the memory that the buffer parameters are bound to.
- ``begin``, ``end``: row-major indices of items, or linear ids of groups (x fastest).
- ``scratch``: ``scratch_bytes`` of the worker's own, aligned to 64 bytes.
- ``launch``: the address of the report (:mod:`krnlpy.dsl.ir.reports`) or 0, then the groups of the dispatch along
  x, y, z (``LAUNCH``).
- ``control``: how it is stopped (:mod:`krnlpy.dsl.llvm.polls`).

It is called without Python's lock. It returns 0. If it is stopped by what a signal's handler raised, Python's exception
is set and ``control`` has been changed. It returns 1, having done nothing, if it could not be stopped for too long: it
must be generated again with polls in one more level of loops (:mod:`krnlpy.dsl.passes.loop_work`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Field, Layout, Variant, layout_of
from krnlpy.dsl.ir.reports import Reports
from krnlpy.dsl.semantics.collectives import SUBGROUP_THREADS
from krnlpy.scalar import boolean

from .builder import ACCESS_GROUP, UNLIKELY, Builder, Instructions, Module
from .context import Array, Context, IdKey
from .polls import BudgetCharges, start_budget
from .statements import Statements, element_count
from .threads.groups import GroupLoop
from .threads.items import ItemBuffer, ItemLoop

ENTRY = "kernel"

_PARAMETERS = (
    *(("ptr noalias readonly", "%parameters"), ("ptr noalias readonly", "%buffers"), ("i64", "%begin")),
    *(("i64", "%end"), ("ptr noalias", "%scratch"), ("ptr noalias readonly", "%launch"), ("ptr noalias", "%control")),
)

LAUNCH = struct.Struct("<QIII4x")
"""What ``launch`` points to."""


@dataclass(frozen=True)
class LlvmOptions:
    """What code is generated for.

    Attributes:
        debug: check every index and assert, and report the first that fails.
        instructions: that the machine has.
        polling_levels: how many levels of loops poll though their length is known at the launch.
    """

    debug: bool
    instructions: Instructions
    polling_levels: int = 0


@dataclass(frozen=True)
class LlvmCode:
    """A kernel as LLVM IR.

    Attributes:
        text: the module; its function :data:`ENTRY` is the kernel.
        scratch_bytes: that each worker needs.
        group_bytes: of all group arrays.
        local_bytes: of a thread's local arrays, those of functions included.
        reports: how the kernel's report is made and read, or None.
    """

    text: str
    scratch_bytes: int
    group_bytes: int
    local_bytes: int
    reports: Reports | None


def emit(
    program: ir.Program,
    variant: Variant,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
    options: LlvmOptions,
) -> LlvmCode:
    """Generates the code of a program for a variant of buffers, with all specialization constants known.

    Raises:
        CompileError: the program has what the language does not.
    """
    module = Module(options.instructions)
    context = Context(module, program, specs, options.debug, options.polling_levels, threads=threads)
    b = Builder(module)
    block = _ParameterBlock(b, layout_of(program, variant))
    b.do("%report = load ptr, ptr %launch, align 8")
    arguments = {p: block.scalar(p) for p in program.scalars}
    globals_: dict[ir.Place, Array] = {}
    items: list[ItemBuffer] = []
    for number, (parameter, contiguous) in enumerate(zip(program.buffers, variant.contiguous, strict=True)):
        memory = b.load("ptr", b.element("%buffers", str(number), 8), ", align 8")
        offset = b.op(f"zext i32 {block.word(f'{parameter.name}_offset')} to i64")
        base = b.element(memory, offset, parameter.type.size)
        if isinstance(parameter, ir.ItemParameter):
            strides = block.strides(f"{parameter.name}_strides", variant.item_rank)
            items.append(ItemBuffer(parameter, base, strides))
        else:
            globals_[parameter] = block.array(parameter, base, contiguous)
    charges = BudgetCharges(context.work)
    sizes = _sizes(b, context, threads)
    if program.items:
        sizes["items", 0] = block.word("items")
    writer = Statements(context, b, charges)
    writer.arguments.update(arguments)
    writer.arrays.update(globals_)
    writer.ids.update(sizes)
    _refuse_if_long(writer, 1 if program.items else element_count(threads))
    start_budget(b)
    scratch_bytes = 0
    if program.items:
        shape = tuple(block.word("item_shape", axis) for axis in range(variant.item_rank))
        ItemLoop(context, b, charges, arguments, globals_, tuple(items), sizes, shape, threads).write()
    else:
        scratch_bytes = GroupLoop(context, b, charges, arguments, globals_, sizes, threads).write()
    b.place("stopped")
    b.ret("i32", "0")
    listed = ", ".join(f"{type} {value}" for type, value in _PARAMETERS)
    module.define(ENTRY, b.finish(f"define i32 @{ENTRY}({listed}) nounwind"))
    local = [*program.local_arrays, *(array for f in program.functions for array in f.local_arrays)]
    return LlvmCode(
        str(module),
        scratch_bytes,
        group_bytes=sum(_array_bytes(context, a) for a in program.group_arrays),
        local_bytes=sum(_array_bytes(context, a) for a in local),
        reports=context.sites.reports(),
    )


def _sizes(b: Builder, context: Context, threads: tuple[int, int, int]) -> dict[IdKey, str]:
    """The sizes of the dispatch, as i32 values. Those of an item kernel are all along x."""
    program, sizes = context.program, dict[IdKey, str]()
    along = (element_count(threads), 1, 1) if program.items else threads
    for axis in range(3):
        one = bool(program.items) and axis > 0
        groups = "1" if one else b.load("i32", b.element("%launch", str(2 + axis), 4), ", align 4")
        sizes["groups", axis], sizes["threads", axis] = groups, str(along[axis])
        sizes["global_threads", axis] = "1" if one else b.op(f"mul i32 {groups}, {along[axis]}")
    lanes = program.subgroup_threads or SUBGROUP_THREADS
    sizes["subgroups", 0], sizes["subgroup_threads", 0] = str(-(-element_count(threads) // lanes)), str(lanes)
    return sizes


def _refuse_if_long(writer: Statements, threads: int) -> None:
    """Returns 1 where an iteration of a loop would take too long without a poll."""
    b, too_much = writer.b, writer.charges.write(writer, threads)
    if too_much:
        b.branch_if(too_much, "refused", "begins", UNLIKELY)
        b.place("refused")
        b.ret("i32", "1")
        b.place("begins")


def _array_bytes(context: Context, array: ir.LocalArray) -> int:
    return array.type.size * element_count(context.shape(array))


class _ParameterBlock:
    """Reads the values of a launch where the function starts, once for all of its threads."""

    def __init__(self, b: Builder, layout: Layout) -> None:
        self._b = b
        self._layout = layout

    def _field(self, field: Field, position: int) -> str:
        address = self._b.element("%parameters", str(field.offset + position * field.type.size), 1)
        return self._b.load(field.type.llvm, address, ", align 4")

    def word(self, name: str, position: int = 0) -> str:
        return self._field(self._layout[name], position)

    def strides(self, name: str, count: int) -> tuple[str, ...]:
        return tuple(self._b.op(f"sext i32 {self.word(name, axis)} to i64") for axis in range(count))

    def scalar(self, parameter: ir.ScalarParameter) -> str:
        """A scalar parameter in its type of computation."""
        b, type = self._b, parameter.type.compute
        value = self.word(parameter.name)
        if type is boolean:
            return b.op(f"icmp ne i32 {value}, 0")
        return b.op(f"trunc i32 {value} to {type.llvm}") if type.size < 4 else value

    def array(self, parameter: ir.GlobalParameter, base: str, contiguous: bool) -> Array:
        """A buffer with its shape and strides."""
        b, ndim = self._b, parameter.ndim
        lengths = tuple(self.word(f"{parameter.name}_shape", axis) for axis in range(ndim))
        if not contiguous:
            return Array(base, lengths, self.strides(f"{parameter.name}_strides", ndim), ACCESS_GROUP)
        strides = ["1"] * ndim
        for axis in range(ndim - 2, -1, -1):
            length = b.op(f"zext i32 {lengths[axis + 1]} to i64")
            strides[axis] = length if strides[axis + 1] == "1" else b.op(f"mul i64 {length}, {strides[axis + 1]}")
        return Array(base, lengths, tuple(strides), ACCESS_GROUP)
