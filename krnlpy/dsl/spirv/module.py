"""From GLSL to a SPIR-V module for a device: found in the cache, or compiled, finished and checked.

What glslang leaves open is decided here, so that a kernel means the same on every device:

- Each float operation is decorated NoContraction: ``a * b + c`` may not become one operation that rounds once.
- Each storage buffer is decorated Aliased unless it is ``restrict``: SPIR-V assumes that buffers don't overlap
  where GLSL assumes that they may, and one buffer may be bound to two parameters. glslang puts Restrict on members
  of blocks, where SPIR-V does not have it (glslang issue 703); it goes to the variable.
- An execution mode of floats with several widths becomes one mode for each: glslang keeps only the last of several
  statements of one mode.
- Group memory is handed on by barriers: see :mod:`.availability`.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from krnlpy.cache import shipped
from krnlpy.cache.store import Cache
from krnlpy.errors import CompileError
from krnlpy.log import logger

from .availability import handed_on_by_barriers
from .glslang import compiler_identity, find_compiler

_MAGIC = 0x07230203
_SPIRV_1_5 = 0x00010500
_HEADER_WORDS = 5

# Numbers of the SPIR-V specification, sections 3.7, 3.20 and 3.32.
_ENTRY_POINT, _EXECUTION_MODE, _TYPE_POINTER, _VARIABLE, _DECORATE, _MEMBER_DECORATE = 15, 16, 32, 59, 71, 72
_FIRST_TYPE, _LAST_TYPE = 19, 39
_FNEGATE, _FADD, _FSUB, _FMUL, _FDIV, _FREM, _FMOD, _DOT = 127, 129, 131, 133, 136, 140, 141, 148
_MATRIX_PRODUCTS = range(142, 148)
# Not combined either: f32 to i32 and back would otherwise become nothing, without the rounding.
_CONVERT_F_TO_U, _CONVERT_F_TO_S, _CONVERT_S_TO_F, _CONVERT_U_TO_F = 109, 110, 111, 112
_CONVERSIONS = (_CONVERT_F_TO_U, _CONVERT_F_TO_S, _CONVERT_S_TO_F, _CONVERT_U_TO_F)
_ARITHMETIC = frozenset((*_CONVERSIONS, _FNEGATE, _FADD, _FSUB, _FMUL, _FDIV, _FREM, _FMOD, _DOT, *_MATRIX_PRODUCTS))
_RESTRICT, _ALIASED, _NO_CONTRACTION = 19, 20, 42
_STORAGE_BUFFER = 12
_GLCOMPUTE = 5
_SIGNED_ZERO_INF_NAN_PRESERVE = 4461

_FINISHING = "NoContraction Aliased 2 barriers"
_LINE = re.compile(r"^#line .*\n?", re.MULTILINE)


def compile_shader(source: str, name: str) -> bytes:
    """The SPIR-V 1.5 module of a GLSL compute shader: shipped by a package, found in the cache, or compiled.

    Args:
        source: GLSL as :func:`krnlpy.dsl.glsl.emit.emit` makes it.
        name: the kernel's, for messages.

    Raises:
        CompileError: glslang refuses the source, or there is no glslang.
    """
    return shipped.find(content_hash(source)) or compile_unless_cached(source, name)


def compile_unless_cached(source: str, name: str) -> bytes:
    """Like :func:`compile_shader`, for a shader that no package ships."""
    # The compiler's version is in the key, but it is not loaded for it: a kernel that is found needs no compiler.
    key = f"spirv {content_hash(source)} {compiler_identity()}"
    cache = Cache.of("spirv")
    module = cache.get(key)
    if module is not None:
        logger.debug("found the SPIR-V of %s in the cache", name)
        return module
    begin = perf_counter()
    module = finish(find_compiler().compile(source, name), name)
    logger.info("compiled %s to SPIR-V in %.1f ms; it was not in the cache", name, 1e3 * (perf_counter() - begin))
    cache.put(key, module)
    return module


def content_hash(source: str) -> str:
    """The key of a shader in caches. Its GLSL holds all that a kernel's meaning depends on: the kernel and what it
    calls, what they capture, types, and the device's capabilities, but not its place in a file."""
    # #line does not change the module, so a kernel that only moved in its file is found again.
    parts = ("vulkan1.2", _FINISHING, _LINE.sub("", source))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass
class _Findings:
    """What is known of a module after one pass over it."""

    entry_points: int = 0
    annotations_end: int = 0
    results: list[int] = field(default_factory=list)
    decorated: set[tuple[int, int]] = field(default_factory=set)
    restrict_structs: set[int] = field(default_factory=set)
    replacements: list[tuple[int, list[int]]] = field(default_factory=list)
    pointed_to: dict[int, int] = field(default_factory=dict)
    buffers: list[tuple[int, int]] = field(default_factory=list)


def finish(module: bytes, name: str) -> bytes:
    """A module with the decorations that glslang does not write.

    Raises:
        CompileError: it is not a well-formed SPIR-V 1.5 module of one compute shader.
    """
    words = _words(module, name)
    words = handed_on_by_barriers(words, _instructions(words, name))
    found = _find(words, name)
    if found.entry_points != 1 or not found.annotations_end:
        raise CompileError(f"the SPIR-V of {name} has {found.entry_points} compute entry points, expected 1")
    decorations = [(result, _NO_CONTRACTION) for result in found.results]
    for variable, pointer in found.buffers:
        restrict = found.pointed_to.get(pointer) in found.restrict_structs
        if (variable, _RESTRICT) not in found.decorated:
            decorations.append((variable, _RESTRICT if restrict else _ALIASED))
    annotations = list(words[: found.annotations_end])
    for place, replacement in reversed(found.replacements):
        annotations[place : place + (annotations[place] >> 16)] = replacement
    for decoration in decorations:
        if decoration not in found.decorated:
            annotations += (3 << 16 | _DECORATE, *decoration)
    annotations += words[found.annotations_end :]
    return struct.pack(f"<{len(annotations)}I", *annotations)


def _find(words: tuple[int, ...], name: str) -> _Findings:
    found = _Findings()
    for place, opcode, count in _instructions(words, name):
        operands = words[place + 1 : place + count]
        if opcode in _ARITHMETIC and count > 2:
            found.results.append(operands[1])
        elif opcode == _DECORATE and count > 2:
            found.decorated.add((operands[0], operands[1]))
        elif opcode == _MEMBER_DECORATE and count > 3 and operands[2] == _RESTRICT:
            found.restrict_structs.add(operands[0])
            found.replacements.append((place, []))
        elif opcode == _EXECUTION_MODE and count > 4 and operands[1] == _SIGNED_ZERO_INF_NAN_PRESERVE:
            each = [(4 << 16 | _EXECUTION_MODE, *operands[:2], width) for width in operands[2:]]
            found.replacements.append((place, [word for mode in each for word in mode]))
        elif opcode == _ENTRY_POINT and count > 1:
            found.entry_points += operands[0] == _GLCOMPUTE
        elif opcode == _TYPE_POINTER and count == 4:
            found.pointed_to[operands[0]] = operands[2]
        elif opcode == _VARIABLE and count > 3 and operands[2] == _STORAGE_BUFFER:
            found.buffers.append((operands[1], operands[0]))
        if _FIRST_TYPE <= opcode <= _LAST_TYPE and not found.annotations_end:
            found.annotations_end = place  # annotations stand right before the types
    return found


def _words(module: bytes, name: str) -> tuple[int, ...]:
    if len(module) % 4 or len(module) < 4 * _HEADER_WORDS:
        raise CompileError(f"the SPIR-V of {name} is {len(module)} bytes long, which is not the length of a module")
    words = struct.unpack(f"<{len(module) // 4}I", module)
    if words[0] != _MAGIC or words[1] != _SPIRV_1_5:
        start = f"{words[0]:#x} {words[1]:#x}"
        raise CompileError(f"the SPIR-V of {name} starts with {start}, which is not SPIR-V 1.5")
    return words


def _instructions(words: tuple[int, ...], name: str) -> Iterator[tuple[int, int, int]]:
    """Place, opcode and count of words of each instruction."""
    place = _HEADER_WORDS
    while place < len(words):
        count, opcode = words[place] >> 16, words[place] & 0xFFFF
        if not count or place + count > len(words):
            raise CompileError(f"the SPIR-V of {name} breaks off in word {place}")
        yield place, opcode, count
        place += count
