"""Buffers and arrays in GLSL: their declarations, and the functions that load and store an element.

An element is reached through a function of its own (``load_x(i, j)``, ``store_x(i, j, value)``) that checks the
index, finds the address and converts between what lies in memory and what kernels compute with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from krnlpy.dsl import ir
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, boolean

from .atomics import AtomicFunction, places_of_atomic_words, value_to_word, word_to_value, word_type
from .context import ALWAYS, Context
from .cooperative import arrays_of_halves
from .tables import Tables

# What the functions that reach elements call their own variables.
_ACCESSOR_NAMES = re.compile(r"[ijkl]|i\d+|at|value|site|bits|word|seen|old|before|expected|changed|slot")

# Types whose elements lie in buffers just as kernels compute with them.
_PLAIN_SIZES = (4, 8)

_Axes = tuple[bool, ...]
"""For each axis, whether the index is checked."""

_UNROLLED = 128
"""Elements of a local array that may be in registers: more are not, and would take drivers seconds to compile."""


class Places:
    """The buffers and arrays of a shader.

    Args:
        constant: writes a length of an array.
    """

    def __init__(self, context: Context, constant: Callable[[ir.Expr], str]) -> None:
        self._context = context
        self._constant = constant
        program = context.program
        arrays = [*program.group_arrays, *program.local_arrays]
        arrays += [array for function in program.functions for array in function.local_arrays]
        arrays += program.constant_arrays
        self.tables = Tables(program)
        self._tables_name = context.names.unique("tables") if program.constant_arrays else ""
        self._worded = places_of_atomic_words(program, context.options.float_atomics)
        self._halves = arrays_of_halves(program)
        self.blocks = self._blocks()
        self._names: dict[ir.Place, str] = {}
        for block in self.blocks:
            self._names |= dict.fromkeys(block, self._name(_block_name(block)))
        self._names |= {array: self._name(array.name) for array in arrays}
        self._addresses = {item: context.names.unique(f"at_{item.name}") for item in program.items}
        self._functions: dict[tuple[str, ir.Place, _Axes], tuple[str, str]] = {}
        self.reads: set[ir.Place] = set()
        self.writes: set[ir.Place] = set()

    def _name(self, wanted: str) -> str:
        return self._context.names.unique(f"{wanted}_" if _ACCESSOR_NAMES.fullmatch(wanted) else wanted)

    def _blocks(self) -> list[list[ir.BufferParameter]]:
        """The buffers that share a binding: parts of one memory that are declared alike. Devices have few bindings."""
        blocks: dict[Any, list[ir.BufferParameter]] = {}
        for buffer in self._context.program.buffers:
            key = (buffer.part_of, buffer.type, buffer in self._worded) if buffer.part_of else buffer
            blocks.setdefault(key, []).append(buffer)
        return list(blocks.values())

    # ------------------------------------------------------------------------------------------------- accesses

    def load(self, access: ir.Load, index: Sequence[str]) -> str:
        """The value of an element, as a primary expression; ``index`` holds uints."""
        place = access.place
        self.reads.add(place)
        if isinstance(place, ir.ItemParameter):
            if self._context.forgets:
                return f"{self._function('load', place, ())}({self._addresses[place]})"
            return self._read(place, self._addresses[place])
        function = self._function("load", place, self._context.checked_axes(access))
        return f"{function}({', '.join([*index, *self._site(access)])})"

    def store(self, access: ir.Store, index: Sequence[str], value: str) -> str:
        """The statement that sets an element."""
        place = access.place
        self.writes.add(place)
        if isinstance(place, ir.ItemParameter):
            write = self._write(place, self._addresses[place], value)
            return f"if ({ALWAYS}) {{ {write} }}" if self._context.strays else write
        arguments = [*index, value, *self._site(access)]
        return f"{self._function('store', place, self._context.checked_axes(access))}({', '.join(arguments)});"

    def atomic(self, access: ir.Atomic, index: Sequence[str], operands: Sequence[str]) -> str:
        """The call that changes an element and gives its old value."""
        place, op = access.place, access.op
        if op != "store" or place.type.size < 4:  # a word is read for its other elements
            self.reads.add(place)
        if op != "load":
            self.writes.add(place)
        axes = self._context.checked_axes(access)
        key = f"atomic_{op}", place, axes
        if key not in self._functions:
            name = self._accessor(*key)
            self._functions[key] = (name, self._atomic_function(name, place, op, axes))
        return f"{self._functions[key][0]}({', '.join([*index, *operands, *self._site(access)])})"

    def whole(self, place: ir.Place, is_written: bool) -> tuple[str, str, tuple[str, ...]]:
        """An array or contiguous buffer as a whole: its name, where it starts, in elements, and its lengths."""
        (self.writes if is_written else self.reads).add(place)
        axes = range(place.ndim if isinstance(place, ir.GlobalParameter) else len(_array(place).shape))
        start = self._context.buffer_field(place, "offset") if isinstance(place, ir.GlobalParameter) else "0u"
        return self._names[place], start, tuple(self._extent(place, axis) for axis in axes)

    def _site(self, access: ir.Load | ir.Store | ir.Atomic) -> list[str]:
        if not self._context.options.debug or not access.index:
            return []
        return [self._context.reporter.access(access.place, len(access.index), access.location)]

    def _accessor(self, verb: str, place: ir.Place, axes: _Axes) -> str:
        """A name for the function that reaches the elements of a place, and looks at its index along some axes."""
        checked = "_".join(str(axis) for axis, is_checked in enumerate(axes) if is_checked)
        how = "" if all(axes) else f"_check_{checked}" if checked else "_inside"
        return self._context.names.unique(f"{verb}_{place.name}{how}")

    def _function(self, verb: str, place: ir.Place, axes: _Axes) -> str:
        if (verb, place, axes) not in self._functions:
            name = self._accessor(verb, place, axes)
            make = self._load_function if verb == "load" else self._store_function
            self._functions[verb, place, axes] = (name, make(name, place, axes))
        return self._functions[verb, place, axes][0]

    @property
    def functions(self) -> str:
        """The functions that the code written so far calls."""
        return "\n".join(text for _, text in self._functions.values())

    def _load_function(self, name: str, place: ir.Place, axes: _Axes) -> str:
        if isinstance(place, ir.ItemParameter):
            return self._item_function(name, place)
        index = self._index_names(place)
        if isinstance(place, ir.ConstantArray):
            at, element = self.tables.element(self._context, place, self._tables_name, self._linear(place, index))
            read = [f"uint at = {at};", f"value = {element};"]
        elif isinstance(place, ir.LocalArray):
            element = f"{self._names[place]}[{self._linear(place, index)}]"
            read = [f"value = {self._value_of(place, element)};"]
        else:
            read = [f"uint at = {self._linear(place, index)};", f"value = {self._read(place, 'at')};"]
        body = [
            f"{self._value_type(place.type)} value = {self._context.zero(place.type)};",
            *self._where_in_range(place, index, axes, read, gives=True),
            "return value;",
        ]
        return _function(f"{self._value_type(place.type)} {name}({self._signature(index)})", body)

    def _item_function(self, name: str, item: ir.ItemParameter) -> str:
        type = self._value_type(item.type)
        zero = self._context.zero(item.type)
        body = [f"{type} value = {zero};", f"if ({ALWAYS}) value = {self._read(item, 'at')};", "return value;"]
        return _function(f"{type} {name}(uint at)", body)

    def _store_function(self, name: str, place: ir.Place, axes: _Axes) -> str:
        index = self._index_names(place)
        signature = f"void {name}({self._signature([*index], f'{self._value_type(place.type)} value')})"
        if isinstance(place, ir.LocalArray):
            value = self._kept(place, "value")
            write = [f"{self._names[place]}[{self._linear(place, index)}] = {value};"]
        else:
            write = [f"uint at = {self._linear(place, index)};", self._write(place, "at", "value")]
        return _function(signature, self._where_in_range(place, index, axes, write))

    def _atomic_function(self, name: str, place: ir.Place, op: ir.AtomicOp, axes: _Axes) -> str:
        index, type = self._index_names(place), place.type
        element, shift = f"{self._names[place]}[at]", None
        if isinstance(place, ir.GlobalParameter) and type.size < 4:
            element, shift = self._packed(type, self._names[place], "at")
        function = AtomicFunction(self._context, place, op, element, shift, place in self._worded)
        value = self._value_type(type)
        change = [f"uint at = {self._linear(place, index)};", *function.lines("before")]
        body = [
            f"{value} before = {self._context.zero(type)};",
            *self._where_in_range(place, index, axes, change, gives=True),
            "return before;",
        ]
        operands = [f"{value} {operand}" for operand in function.operands]
        return _function(f"{value} {name}({self._signature(index, *operands)})", body)

    def _where_in_range(
        self, place: ir.Place, index: list[str], axes: _Axes, lines: list[str], gives: bool = False
    ) -> list[str]:
        """Statements that happen only where an index is in range. A function has one exit: the compilers of drivers
        that put functions in place of their calls may take twice as long for each other one (SwiftShader does).

        Args:
            gives: they give a value, which the driver must not forget.
        """
        always = self._context.strays or (gives and self._context.forgets)
        check = self._in_range(place, index, axes) or (ALWAYS if always else "")
        return [f"if ({check}) {{", *(f"    {line}" for line in lines), "}"] if check else lines

    def _signature(self, index: list[str], *value: str) -> str:
        site = ["uint site"] if self._context.options.debug and index else []
        return ", ".join([*(f"uint {i}" for i in index), *value, *site])

    @staticmethod
    def _index_names(place: ir.Place) -> list[str]:
        rank = place.ndim if isinstance(place, ir.GlobalParameter) else len(_array(place).shape)
        return ["i", "j", "k", "l"][:rank] if rank <= 4 else [f"i{axis}" for axis in range(rank)]

    def _extent(self, place: ir.Place, axis: int) -> str:
        if isinstance(place, ir.GlobalParameter):
            return f"{self._context.buffer_field(place, 'shape')}[{axis}]"
        length = _array(place).shape[axis]
        if isinstance(length, ir.Const):
            return f"{length.value}u"
        return f"uint({self._constant(length)})"

    def _in_range(self, place: ir.Place, index: list[str], axes: _Axes) -> str:
        extents = [self._extent(place, axis) for axis in range(len(index))]
        if self._context.options.debug:
            sites = [f"site + {axis}u" if axis else "site" for axis in range(len(index))]
            checks = zip(index, extents, sites, strict=True)
            return " && ".join(f"in_range({i}, {n}, {site})" for i, n, site in checks)
        return " && ".join(f"{i} < {n}" for i, n, is_checked in zip(index, extents, axes, strict=True) if is_checked)

    def _linear(self, place: ir.Place, index: list[str]) -> str:
        """Where an element is: its number in the array, or its place in the buffer's memory."""
        if isinstance(place, ir.GlobalParameter):
            offset = self._context.buffer_field(place, "offset")
            binding = self._context.program.buffers.index(place)
            if not self._context.variant.contiguous[binding] and index:
                strides = self._context.buffer_field(place, "strides")
                # Modulo 2^32, a negative stride works as a uint.
                terms = [f"{i} * uint({strides}[{axis}])" for axis, i in enumerate(index)]
                return " + ".join([offset, *terms])
            return f"{offset} + {self._row_major(place, index)}" if index else offset
        return self._row_major(place, index)

    def _row_major(self, place: ir.Place, index: list[str]) -> str:
        text = index[0]
        for axis in range(1, len(index)):
            text = f"({text})" if axis > 1 else text
            text = f"{text} * {self._extent(place, axis)} + {index[axis]}"
        return text

    # ------------------------------------------------------------------------- what lies in memory, and values

    def _value_type(self, type: ScalarType) -> str:
        return self._context.type(type.compute)

    def _is_native(self, place: ir.Place) -> bool:
        options, type = self._context.options, place.type
        if place in self._worded:
            return False
        return type.size in _PLAIN_SIZES or (options.storage8 if type.size == 1 else options.storage16)

    def _element_type(self, place: ir.Place) -> str:
        """The type of a buffer's elements in GLSL."""
        type = place.type
        if place in self._worded:
            return word_type(self._context, type)
        if type.size in _PLAIN_SIZES:
            return self._context.type(type)
        if not self._is_native(place):
            return "uint"
        bits = type.bits
        self._context.features.add(Feature.STORAGE8 if bits == 8 else Feature.STORAGE16)
        self._context.extensions.add(f"GL_EXT_shader_{bits}bit_storage")
        return f"{'int' if type.kind == 'int' else 'uint'}{bits}_t"

    def _read(self, place: ir.Place, at: str) -> str:
        """The value of a buffer's element at an address."""
        type, name = place.type, self._names[place]
        if type.size in _PLAIN_SIZES:
            element = f"{name}[{at}]"
            return word_to_value(type, element) if place in self._worded else element
        signed = type.kind == "int"
        if self._is_native(place):
            bits = f"{'int' if signed else 'uint'}({name}[{at}])"
        else:
            word, shift = self._packed(type, name, at)
            bits = f"bitfieldExtract({f'int({word})' if signed else word}, {shift}, {type.bits})"
        if type is boolean:  # whoever else writes the memory may take any byte but 0 for true
            return f"({bits} != 0u)"
        if not type.is_float:
            return bits
        self._context.need(type.name)
        return f"{type.name}_to_f32({bits})"

    def _write(self, place: ir.Place, at: str, value: str) -> str:
        """The statement that sets a buffer's element at an address."""
        type, name = place.type, self._names[place]
        if type.size in _PLAIN_SIZES:
            return f"{name}[{at}] = {value_to_word(type, value) if place in self._worded else value};"
        if type.is_float:
            self._context.need(type.name)
            value = f"f32_to_{type.name}({value})"
        elif type is boolean:
            value = f"uint({value})"
        if self._is_native(place):
            return f"{name}[{at}] = {self._element_type(place)}({value});"
        self.reads.add(place)
        value = f"uint({value})" if type.kind == "int" else value
        return f"{self._insert_function(place)}({at}, {value});"

    @staticmethod
    def _packed(type: ScalarType, name: str, at: str) -> tuple[str, str]:
        """The word that holds a packed element, and the element's place in it."""
        if type.size == 1:
            return f"{name}[{at} >> 2]", f"int({at} & 3u) * 8"
        return f"{name}[{at} >> 1]", f"int({at} & 1u) * 16"

    def _insert_function(self, place: ir.Place) -> str:
        """Sets a packed element; its word may hold elements that other threads set at the same time."""
        key: tuple[str, ir.Place, _Axes] = ("insert", place, ())
        if key not in self._functions:
            name = self._context.names.unique(f"insert_{place.name}")
            self._context.retries = True
            word, shift = self._packed(place.type, self._names[place], "at")
            text = (
                f"void {name}(uint at, uint bits) {{\n"
                f"    uint word = {word}, seen;\n"
                "    do {\n"
                "        seen = word;\n"
                f"        uint changed = bitfieldInsert(seen, bits, {shift}, {place.type.bits});\n"
                f"        word = atomicCompSwap({word}, seen, changed);\n"
                f"    }} while ({self._context.tries_again});\n"
                "}\n"
            )
            self._functions[key] = (name, text)
        return self._functions[key][0]

    def _value_of(self, array: ir.LocalArray, element: str) -> str:
        """The value of an element of an array."""
        if array in self._halves:
            self._context.need("f16")
            return f"f16_to_f32(packFloat2x16(f16vec2({element}, 0.0hf)))"
        return word_to_value(array.type, element) if array in self._worded else element

    def _kept(self, array: ir.LocalArray, value: str) -> str:
        """A value as an array keeps it."""
        if array.type.compute is not array.type:
            self._context.need(array.type.name)
            if array in self._halves:
                return f"unpackFloat2x16(f32_to_f16({value})).x"
            value = f"round_{array.type.name}({value})"
        return value_to_word(array.type, value) if array in self._worded else value

    # --------------------------------------------------------------------------------------------- declarations

    def item_addresses(self) -> list[str]:
        """Statements that find where the elements of the current item are."""
        used = [item for item in self._context.program.items if item in self.reads | self.writes]
        rank = self._context.variant.item_rank
        if not rank or not used:
            offsets = ((item, self._context.buffer_field(item, "offset")) for item in used)
            return [f"uint {self._addresses[item]} = {offset} + item;" for item, offset in offsets]
        shape = self._context.items_field("item_shape")
        coordinates = [self._context.names.unique(f"item_{axis}") for axis in range(rank)]
        lines, rest = [], "item"
        for axis in range(rank - 1, 0, -1):
            lines.append(f"uint {coordinates[axis]} = {rest} % {shape}[{axis}];")
            quotient = self._context.names.unique("item_rest") if axis > 1 else coordinates[0]
            lines.append(f"uint {quotient} = {rest} / {shape}[{axis}];")
            rest = quotient
        if rank == 1:
            coordinates[0] = "item"
        for item in used:
            strides = self._context.buffer_field(item, "strides")
            terms = [f"{c} * uint({strides}[{axis}])" for axis, c in enumerate(coordinates)]
            offset = self._context.buffer_field(item, "offset")
            lines.append(f"uint {self._addresses[item]} = {' + '.join([offset, *terms])};")
        return lines

    def buffers(self) -> list[str]:
        """The declarations of the buffers; call it when all code is written."""
        program = self._context.program
        # Where nothing is written, or one buffer is all there is, it does not matter whether buffers overlap.
        may_alias = len(self.blocks) > 1 and any(b in self.writes for b in program.buffers)
        lines = []
        for binding, parts in enumerate(self.blocks):
            read, written = any(b in self.reads for b in parts), any(b in self.writes for b in parts)
            qualifiers = [] if may_alias else ["restrict"]
            if not written:
                qualifiers.append("readonly")
            elif not read:
                qualifiers.append("writeonly")
            elif program.has_barriers or program.has_fences:
                qualifiers.append("coherent")  # what a thread wrote, others read after a barrier or fence
            block = self._context.names.unique(f"Buffer{binding}")
            declared = f"{self._element_type(parts[0])} {self._names[parts[0]]}[];"
            head = f"layout(std430, binding = {binding}) {' '.join([*qualifiers, 'buffer'])}"
            lines.append(f"{head} {block} {{ {declared} }};")
        return lines

    def arrays(self) -> list[str]:
        """The declarations of group arrays and local arrays. Those of functions are never in use twice at once."""
        program = self._context.program
        local = [*program.local_arrays, *(a for f in program.functions for a in f.local_arrays)]
        shared = [f"shared {self._declared(array)}" for array in program.group_arrays]
        return [*shared, *(self._declared(array) for array in local)]

    def table_buffer(self, binding: int) -> str:
        """The declaration of the buffer with the tables."""
        block = self._context.names.unique("Tables")
        return (
            f"layout(std430, binding = {binding}) restrict readonly buffer {block} {{ uint {self._tables_name}[]; }};"
        )

    def _declared(self, array: ir.LocalArray) -> str:
        length = self._length(array)
        worded = array in self._worded
        element = word_type(self._context, array.type) if worded else self._context.type(array.type.compute)
        if array in self._halves:
            self._context.extensions.add("GL_EXT_shader_explicit_arithmetic_types_float16")
            element = "float16_t"
        # GLSL has no arrays without elements.
        if not length.isdigit():
            return f"{element} {self._names[array]}[{length} > 0 ? {length} : 1];"
        count = max(int(length), 1)
        # glslang gives equal arrays one type; those of the parameter block have a layout, which others must not have.
        while (element, count) in self._context.block_arrays:
            count += 1
        return f"{element} {self._names[array]}[{count}];"

    def _length(self, array: ir.LocalArray) -> str:
        if all(isinstance(n, ir.Const) for n in array.shape):
            return str(math.prod(n.value for n in array.shape if isinstance(n, ir.Const)))
        first, *rest = array.shape
        return self._constant(reduce(_product, rest, first))

    def _count(self, array: ir.LocalArray) -> str:
        """The length as a uint."""
        length = self._length(array)
        return f"{length}u" if length.isdigit() else f"uint({length})"

    def clear_local(self, array: ir.LocalArray) -> list[str]:
        """Statements that set a local array to zeros."""
        length = self._length(array)
        element = f"{self._names[array]}[slot]"
        loop = f"for (int slot = 0; slot < {length}; ++slot) {element} = {self._context.zero(array.type)};"
        if length.isdigit() and int(length) > _UNROLLED:
            return [loop]
        # One index that varies puts an array out of a GPU's registers, into its main memory.
        self._context.extensions.add("GL_EXT_control_flow_attributes")
        if length.isdigit():
            return [f"[[unroll]] {loop}"]
        return [f"if ({length} <= {_UNROLLED}) {{", f"    [[unroll]] {loop}", f"}} else {loop}"]

    def clear_group(self, group_threads: str) -> list[str]:
        """Statements that set all group arrays to zeros, all threads together."""
        arrays = self._context.program.group_arrays
        lines = []
        for array in arrays:
            zero = "0.0hf" if array in self._halves else self._context.zero(array.type)
            zero = value_to_word(array.type, zero) if array in self._worded else zero
            lines.append(
                f"for (uint slot = gl_LocalInvocationIndex; slot < {self._count(array)}; "
                f"slot += {group_threads}) {self._names[array]}[slot] = {zero};"
            )
        return [*lines, "barrier();"] if arrays else []


def _block_name(block: Sequence[ir.BufferParameter]) -> str:
    first = block[0]
    return first.name if len(block) == 1 else re.sub(r"\W", "_", f"{first.part_of}_{first.type}")


def _function(signature: str, body: list[str]) -> str:
    return "\n".join([f"{signature} {{", *(f"    {line}" for line in body), "}"]) + "\n"


def _product(a: ir.Expr, b: ir.Expr) -> ir.Expr:
    return ir.Binary("mul", a, b, type=a.type, location=a.location)


def _array(place: ir.Place) -> ir.LocalArray:
    assert isinstance(place, ir.LocalArray)
    return place
