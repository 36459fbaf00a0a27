"""How the values of a launch are laid out: one block of bytes that every target reads alike.

The block holds, in order: 64-bit scalars, the other scalars (narrow integers and booleans widened to 32 bits, f16 and
bf16 as f32), then for item kernels ``items`` and, where they are strided, ``item_shape``, then for each buffer its
``offset`` (in elements, from the start of the buffer's memory), for globals ``shape``, and ``strides`` (in elements)
where the variant does not know them. Arrays are tightly packed (std430); everything is 4-byte aligned, 64-bit scalars
are 8-byte aligned; the block's size is a multiple of 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from krnlpy.scalar import ScalarType, boolean, f32, i32, u32

from .nodes import GlobalParameter, ItemParameter
from .program import Program


@dataclass(frozen=True)
class Variant:
    """What is known of the buffers of a launch when its code is generated.

    Attributes:
        item_rank: 0 where all items are contiguous (row-major, same order), so that one index serves all; else the
            number of axes of the items after axes that can be merged were merged.
        contiguous: for each buffer parameter in order, whether it is row-major contiguous. An item of a kernel with
            ``item_rank`` 0 is contiguous by definition; with ``item_rank`` > 0 all items count as strided.
    """

    item_rank: int
    contiguous: tuple[bool, ...]


@dataclass(frozen=True)
class Field:
    """A value of the block. ``count`` is 0 for a single value, else the length of an array."""

    name: str
    type: ScalarType
    count: int
    offset: int


_CODES = {"u32": "I", "i32": "i", "f32": "f", "u64": "Q", "i64": "q", "f64": "d"}


def scalar_field_type(type: ScalarType) -> ScalarType:
    """The type in which a scalar parameter travels."""
    if type is boolean or (type.kind == "uint" and type.size < 4):
        return u32
    if type.kind == "int" and type.size < 4:
        return i32
    return f32 if type.is_float and type.size < 4 else type


@dataclass(frozen=True)
class Layout:
    """The fields of the parameter block of a program's variant."""

    fields: tuple[Field, ...]

    @cached_property
    def size(self) -> int:
        """Bytes, a multiple of 8."""
        end = max((f.offset + f.type.size * max(f.count, 1) for f in self.fields), default=0)
        return (end + 7) // 8 * 8

    @cached_property
    def format(self) -> struct.Struct:
        """Packs all values, in the order of the fields with arrays flattened, into the block."""
        codes = "".join(f"{max(f.count, 1)}{_CODES[f.type.name]}" for f in self.fields)
        used = struct.calcsize("<" + codes)
        return struct.Struct("<" + codes + f"{self.size - used}x")

    def __getitem__(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    def __contains__(self, name: object) -> bool:
        return any(f.name == name for f in self.fields)


def layout_of(program: Program, variant: Variant) -> Layout:
    """The layout of the parameter block. Fields are named ``NAME`` (scalars), ``items``, ``item_shape``,
    ``NAME_offset``, ``NAME_shape``, ``NAME_strides``."""
    entries: list[tuple[str, ScalarType, int]] = []
    scalars = [(p.name, scalar_field_type(p.type)) for p in program.scalars]
    entries += [(name, type, 0) for name, type in scalars if type.size == 8]
    entries += [(name, type, 0) for name, type in scalars if type.size == 4]
    if program.items:
        entries.append(("items", u32, 0))
        if variant.item_rank:
            entries.append(("item_shape", u32, variant.item_rank))
    for parameter, contiguous in zip(program.buffers, variant.contiguous, strict=True):
        entries.append((f"{parameter.name}_offset", u32, 0))
        if isinstance(parameter, ItemParameter):
            if variant.item_rank:
                entries.append((f"{parameter.name}_strides", i32, variant.item_rank))
        elif isinstance(parameter, GlobalParameter) and parameter.ndim:
            entries.append((f"{parameter.name}_shape", u32, parameter.ndim))
            if not contiguous:
                entries.append((f"{parameter.name}_strides", i32, parameter.ndim))
    fields = []
    offset = 0
    for name, type, count in entries:
        fields.append(Field(name, type, count, offset))
        offset += type.size * max(count, 1)
    return Layout(tuple(fields))
