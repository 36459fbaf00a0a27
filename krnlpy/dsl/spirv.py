"""From GLSL to a SPIR-V module for a device: found in the cache, or compiled, finished and checked.

glslang leaves drivers free to contract ``a * b + c`` into a fused operation, which rounds once instead of twice.
Each float operation is therefore decorated NoContraction, so that a kernel gives the same numbers on every device
(fused multiply-add is only what the kernel asks for with ``fma``).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator

from krnlpy import config
from krnlpy.errors import CompileError

from .cache import Cache
from .glslang import find_compiler

_MAGIC = 0x07230203
_SPIRV_1_5 = 0x00010500
_HEADER_WORDS = 5

# Numbers of the SPIR-V specification, sections 3.32 and 3.20.
_ENTRY_POINT = 15
_DECORATE = 71
_NO_CONTRACTION = 42
_GLCOMPUTE = 5
_FIRST_TYPE, _LAST_TYPE = 19, 39
_FNEGATE, _FADD, _FSUB, _FMUL, _FDIV, _FREM, _FMOD, _DOT = 127, 129, 131, 133, 136, 140, 141, 148
_MATRIX_PRODUCTS = range(142, 148)
_ARITHMETIC = frozenset((_FNEGATE, _FADD, _FSUB, _FMUL, _FDIV, _FREM, _FMOD, _DOT, *_MATRIX_PRODUCTS))

_POST_PROCESSING = "NoContraction 1"
_LINE = re.compile(r"^#line .*\n?", re.MULTILINE)


def compile_shader(source: str, name: str) -> bytes:
    """The SPIR-V 1.5 module of a GLSL compute shader; found in ``config.cache_dir`` if compiled before.

    Args:
        source: GLSL as :func:`krnlpy.dsl.glsl.emit` makes it.
        name: the kernel's, for messages.

    Raises:
        CompileError: glslang refuses the source, or there is no glslang.
    """
    compiler = find_compiler()
    # #line leaves no trace in the module, so a kernel that only moved in its file is found again.
    parts = (compiler.identity, "vulkan1.2", _POST_PROCESSING, _LINE.sub("", source))
    key = "spirv " + hashlib.sha256("\0".join(parts).encode()).hexdigest()
    cache = Cache(config.cache_dir / "spirv" if config.cache_dir is not None else None)
    module = cache.get(key)
    if module is None:
        module = forbid_contraction(compiler.compile(source, name), name)
        cache.put(key, module)
    return module


def forbid_contraction(module: bytes, name: str) -> bytes:
    """A module with each float operation decorated NoContraction.

    Raises:
        CompileError: it is not a well-formed SPIR-V 1.5 module of one compute shader.
    """
    words = _words(module, name)
    results, decorated, annotations_end, entry_points = [], set(), 0, 0
    for place, opcode, count in _instructions(words, name):
        if opcode in _ARITHMETIC and count > 2:
            results.append(words[place + 2])
        elif opcode == _DECORATE and words[place + 2] == _NO_CONTRACTION:
            decorated.add(words[place + 1])
        elif opcode == _ENTRY_POINT:
            entry_points += words[place + 1] == _GLCOMPUTE
        elif _FIRST_TYPE <= opcode <= _LAST_TYPE and not annotations_end:
            annotations_end = place  # annotations stand right before the types
    if entry_points != 1 or not annotations_end:
        raise CompileError(f"the SPIR-V of {name} has {entry_points} compute entry points, expected 1")
    added: list[int] = []
    for result in results:
        if result not in decorated:
            added += (3 << 16 | _DECORATE, result, _NO_CONTRACTION)
    cut = 4 * annotations_end
    return module[:cut] + struct.pack(f"<{len(added)}I", *added) + module[cut:]


def _words(module: bytes, name: str) -> tuple[int, ...]:
    if len(module) % 4 or len(module) < 4 * _HEADER_WORDS:
        raise CompileError(f"the SPIR-V of {name} is {len(module)} bytes long, which no module is")
    words = struct.unpack(f"<{len(module) // 4}I", module)
    if words[0] != _MAGIC or words[1] != _SPIRV_1_5:
        raise CompileError(f"the SPIR-V of {name} starts with {words[0]:#x} {words[1]:#x}, which is not SPIR-V 1.5")
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
