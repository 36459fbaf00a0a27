"""What the parts of the GLSL emitter share while they make one shader."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Layout, Variant
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.dsl.passes.proven_indices import nothing_static, proven_indices
from krnlpy.features import FLOAT_ATOMICS, FLOAT_PRESERVE, Feature, Features
from krnlpy.scalar import ScalarType, boolean, f64, i32, i64, u64

from .fragments import Library, library_names
from .names import Names
from .reports import Reporter
from .subgroups import Subgroups

SPLIT_BYTES = 24
"""Of the first group of a part, and the count of all groups, each three numbers of 32 bits."""

THREAD_ID = "gl_LocalInvocationID"
GROUP_SIZE = "group_size"
"""What holds the threads of a group: a variable, for the reason that Specs are (see ``Context.spec_names``)."""

_IDS = {"global_id": "gl_GlobalInvocationID", "group_id": "gl_WorkGroupID", "groups": "gl_NumWorkGroups"}
_SPLIT_IDS = {"global_id": "whole_global_id", "group_id": "whole_group_id", "groups": "whole_groups"}
_FLAT_IDS = {"global_id": "whole_global_id", "thread_id": "flat_thread_id"}

ALWAYS = "gl_NumWorkGroups.x > 0u"
"""A condition that holds, which no compiler knows."""
NO_THREAD = "gl_LocalInvocationIndex >= gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z"
"""True in lanes of a group's last subgroup to which no thread belongs."""


@dataclass(frozen=True)
class GlslOptions:
    """What a device offers, and how code is to be made for it.

    Attributes:
        storage8: buffers of 8-bit elements can be read and written; without it bytes are packed in 32-bit words.
        storage16: the same for 16-bit elements.
        debug: report the first index out of range or failed assert.
        max_parameter_bytes: a larger parameter block is in a storage buffer instead of push constants.
        float_atomics: those of ``FLOAT_ATOMICS`` that can be used.
        float_preserve: those of ``FLOAT_PRESERVE`` that can be requested.
        subgroups: which operations of subgroups the device has; others go through group memory.
        subgroup_threads: threads of a subgroup.
        split: the kernel's groups are dispatched in parts, since they are more than the device has along an axis. The
            parameter block then ends with which group is the part's first, and how many there are of all parts
            (``SPLIT_BYTES``).
        watch: the number of passes after which the driver ends a thread's loops, which is then reported; 0: it never
            does.
        flat: the device has all threads of a group along x, and the ids that the kernel reads are computed.
        forgets: the driver gives 0 to threads that have left a loop for what they last read in it.
        strays: the driver crashes where no thread of a subgroup runs a loop within a loop.
        broken_subgroup_barriers: the driver loses threads at a barrier of a subgroup that other threads do not reach.
        idle_lanes: the driver runs loops on for lanes to which no thread belongs, and groups have such.
        threads: of a group, where they are known.
    """

    storage8: bool
    storage16: bool
    debug: bool
    max_parameter_bytes: int
    float_atomics: Features = frozenset()
    float_preserve: Features = frozenset()
    subgroups: Features = frozenset(Feature)
    subgroup_threads: int = 32
    split: bool = False
    watch: int = 0
    flat: bool = False
    broken_subgroup_barriers: bool = False
    forgets: bool = False
    strays: bool = False
    idle_lanes: bool = False
    threads: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, features: Features, max_parameter_bytes: int, debug: bool, subgroup_threads: int = 32) -> GlslOptions:
        """The options for a device."""
        return cls(
            storage8=Feature.STORAGE8 in features,
            storage16=Feature.STORAGE16 in features,
            debug=debug,
            max_parameter_bytes=max_parameter_bytes,
            float_atomics=features & FLOAT_ATOMICS,
            float_preserve=features & FLOAT_PRESERVE,
            subgroups=features,
            subgroup_threads=subgroup_threads,
        )


class Context:
    """A shader while it is made: its names, and what its code needs so far."""

    def __init__(self, program: ir.Program, variant: Variant, options: GlslOptions, layout: Layout) -> None:
        self.program = program
        self.variant = variant
        self.options = options
        self.names = Names()
        self.names.reserve("launch", "item", "kernel_body", "Launch", *Reporter.NAMES, *library_names())
        self.names.reserve(GROUP_SIZE, *_SPLIT_IDS.values(), *_FLAT_IDS.values())
        # What tells a thread where it is: of the whole launch, whatever part of it is dispatched.
        self.ids = {"thread_id": THREAD_ID, "threads": GROUP_SIZE, **(_SPLIT_IDS if options.split else _IDS)}
        self.ids |= _FLAT_IDS if options.flat else {}
        self.retries = False
        # Whatever reaches memory stands behind a condition: a branch, which no subgroup without threads takes.
        self.strays = options.strays and nests_loops(program)
        self.forgets = self.strays or (options.forgets and leaves_loops(program))
        # A barrier() of GLSL orders group memory. Ordering buffers, too, makes GPUs wait for all that is on its way.
        self.orders_buffers = any(read and written for read, written in buffer_accesses(program))
        self.tries_again = f"word != seen && !({NO_THREAD})" if options.idle_lanes else "word != seen"
        self.library = Library()
        self.reporter = Reporter(self.need, self.type)
        self.subgroups = Subgroups(self)
        self.features: set[Feature] = set()
        self.float_bits: set[int] = set()
        self.reads_group_size = False
        self.extensions = {"GL_GOOGLE_cpp_style_line_directive"}
        self._fields = fields = list(layout.fields)
        # Element type and length of the arrays in the parameter block.
        self.block_arrays = {(f.type.glsl, f.count) for f in fields if f.count}
        members = Names()
        self.members = [members.unique(field.name) for field in fields]
        self.split_members = members.unique("first_group"), members.unique("all_groups")
        # Scalars come first in the block, then the items' fields, then the buffers'; names may repeat across these.
        count = len(program.scalars)
        self._scalars = {f.name: f"launch.{m}" for f, m in zip(fields[:count], self.members, strict=False)}
        rest = list(zip(fields[count:], self.members[count:], strict=True))
        header = (1 + (variant.item_rank > 0)) if program.items else 0
        self._items = {f.name: f"launch.{m}" for f, m in rest[:header]}
        self._buffers = {f.name: f"launch.{m}" for f, m in rest[header:]}
        # Code reads variables, because glslang turns expressions of constants into constants that SPIR-V does not have.
        self.spec_names = {spec: self.names.unique(spec.name) for spec in program.specs}
        self.spec_constants = {spec: self.names.unique(f"{spec.name}_constant") for spec in program.specs}
        self.function_names = {f: self.names.unique(f.name) for f in program.functions}
        self._proven = {} if options.debug else proven_indices(program, options.threads, nothing_static)

    def checked_axes(self, access: ir.Load | ir.Store | ir.Atomic) -> tuple[bool, ...]:
        """For each axis, whether an access looks whether its index is in range."""
        if self.options.debug:
            return (True,) * len(access.index)
        if self.is_promised(access):
            return (False,) * len(access.index)
        return tuple(not proven for proven in self._proven.get(access, (False,) * len(access.index)))

    def is_promised(self, access: ir.Load | ir.Store | ir.Atomic) -> bool:
        """Whether the kernel promises that an index is in range, and nothing looks whether it is."""
        return not self.options.debug and (self.program.unchecked or not access.checked)

    def scalar_field(self, parameter: ir.ScalarParameter) -> str:
        """A scalar parameter as it lies in the parameter block."""
        return self._scalars[parameter.name]

    def kept_fields(self) -> tuple[list[str], list[str]]:
        """Where the driver would forget what is loaded in loops: the declarations of variables for the fields of a
        block in a buffer, which from now on stand for them, and the statements that load these once."""
        if not self.forgets:
            return [], []
        declarations, loads = [], []
        tables = [table for table in (self._scalars, self._items, self._buffers) for _ in table]
        for field, table in zip(self._fields, tables, strict=True):
            text, name, length = table[field.name], self.names.unique(f"{field.name}_kept"), field.count
            while length and (field.type.glsl, length) in self.block_arrays:
                length += 1  # as for local arrays: the block's have a layout
            declarations.append(f"{self.type(field.type)} {name}{f'[{length}]' if length else ''};")
            loads += [f"{name}{at} = {text}{at};" for at in ([f"[{k}]" for k in range(field.count)] or [""])]
            table[field.name] = name
        return declarations, loads

    def items_field(self, name: str) -> str:
        """``items`` or ``item_shape`` of the parameter block."""
        return self._items[name]

    def buffer_field(self, parameter: ir.BufferParameter, name: str) -> str:
        """``offset``, ``shape`` or ``strides`` of a buffer in the parameter block."""
        return self._buffers[f"{parameter.name}_{name}"]

    def type(self, type: ScalarType) -> str:
        """The GLSL type of values of a type, which the shader then needs."""
        if type in (u64, i64):
            self.features.add(Feature.INT64)
            self.extensions.add("GL_EXT_shader_explicit_arithmetic_types_int64")
        elif type is f64:
            self.features.add(Feature.FLOAT64)
        if type.is_float:
            self.float_bits.add(64 if type is f64 else 32)
        return type.glsl

    def need(self, fragment: str, type: ScalarType | None = None) -> None:
        """Includes a support fragment, for values of a type."""
        self.library.need(fragment, None if type is None else self.type(type))

    def literal(self, value: int | float | bool, type: ScalarType) -> str:
        """A constant as GLSL that means exactly it. A negative one starts with a minus sign."""
        self.type(type)
        if type is boolean:
            return "true" if value else "false"
        if type.is_integer:
            return _integer(int(value), type)
        return _float(float(value), type)

    def zero(self, type: ScalarType) -> str:
        return self.literal(0, type.compute)


def _integer(value: int, type: ScalarType) -> str:
    if type is u64:
        return f"{value}ul"
    if type is i64:
        return f"{value}l" if value != type.min else "int64_t(0x8000000000000000ul)"
    if type.kind == "uint":
        return f"{value}u"
    return f"{value}" if value != i32.min else "int(0x80000000u)"


def _float(value: float, type: ScalarType) -> str:
    if type is f64:
        if math.isfinite(value) and (value == 0.0 or abs(value) >= 2.0**-1022):
            return f"{value!r}lf"
        low, high = np.array([value]).view(np.uint32)
        return f"packDouble2x32(uvec2({low:#010x}u, {high:#010x}u))"
    single = np.float32(value)
    if np.isfinite(single) and (single == 0.0 or abs(single) >= np.float32(2.0**-126)):
        text = str(single)
        if np.float32(float(text)) != single:  # glslang reads a double first, which may round the other way
            text = repr(float(single))
        return text if "." in text or "e" in text else f"{text}.0"
    return f"uintBitsToFloat({single.view(np.uint32):#010x}u)"


def leaves_loops(program: ir.Program) -> bool:
    """Whether threads leave loops in the middle of a pass: where they leave at its start, no driver forgets."""
    bodies = (program.body, *(function.body for function in program.functions))
    loops = [node for body in bodies for node in ir.walk(body) if isinstance(node, ir.For | ir.While)]
    return any(isinstance(node, ir.Break | ir.Return) for loop in loops for node in ir.walk(loop))


def nests_loops(program: ir.Program) -> bool:
    """Whether there may be a loop within a loop. Items are a loop, and so is what tries again while other threads are
    quicker."""
    in_functions = any(_loops(function.body) for function in program.functions)
    loops = [loop for body in (program.body, *(f.body for f in program.functions)) for loop in _loops(body)]
    if program.items:
        return bool(loops)
    return any(
        len(_loops((loop,))) > 1 or (in_functions and any(isinstance(node, ir.Invoke) for node in ir.walk(loop)))
        for loop in loops
    )


def _loops(block: ir.Block) -> list[ir.Stmt]:
    """The loops of a block, and what may be one."""
    return [
        node
        for node in ir.walk(block)
        if isinstance(node, ir.For | ir.While | ir.Atomic) or (isinstance(node, ir.Store) and node.place.type.size < 4)
    ]
