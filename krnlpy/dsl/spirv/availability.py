"""In modules of Vulkan's memory model, group memory is handed on by barriers, not by each access.

glslang makes every store to group memory available and every load from it visible at once (those of cooperative
matrices too), which makes GPUs wait at each, and keeps them from joining neighbours. A barrier that makes available
what was stored before it, and visible what is loaded after it, does the same for all accesses together. Buffers keep
theirs: a buffer that is ``coherent`` is read and written between barriers.
"""

from __future__ import annotations

from collections.abc import Iterable

# Numbers of the SPIR-V specification, sections 3.4, 3.7, 3.25, 3.26 and 3.52.
_MEMORY_MODEL, _TYPE_POINTER, _CONSTANT, _FUNCTION, _VARIABLE, _LOAD, _STORE = 14, 32, 43, 54, 59, 61, 62
_ACCESS_CHAINS = (65, 66)
_CONTROL_BARRIER, _MEMORY_BARRIER, _LOAD_MATRIX, _STORE_MATRIX = 224, 225, 4457, 4458
_VULKAN, _WORKGROUP = 3, 4
_POINTERS = {_LOAD: 3, _STORE: 1, _LOAD_MATRIX: 3, _STORE_MATRIX: 1}
"""The word of an access that is its pointer."""
_OPERANDS = {_LOAD: 4, _STORE: 3, _LOAD_MATRIX: 6, _STORE_MATRIX: 5}
"""The word where the memory operands of an access begin."""
_SEMANTICS = {_CONTROL_BARRIER: 3, _MEMORY_BARRIER: 2}
_ALIGNED, _MAKE_POINTER_BOTH = 2, 8 | 16
_ACQUIRE_RELEASE, _WORKGROUP_MEMORY, _MAKE_BOTH = 0x8, 0x100, 0x2000 | 0x4000


def handed_on_by_barriers(words: tuple[int, ...], instructions: Iterable[tuple[int, int, int]]) -> tuple[int, ...]:
    """The words of a module whose barriers do what each access to group memory did; the same where nothing is to do.

    Args:
        instructions: place, opcode and count of words of each.
    """
    listed = [(opcode, list(words[place : place + count])) for place, opcode, count in instructions]
    if not any(opcode == _MEMORY_MODEL and word[2] == _VULKAN for opcode, word in listed):
        return words
    pointers = {word[1] for opcode, word in listed if opcode == _TYPE_POINTER and word[2] == _WORKGROUP}
    shared = {word[2] for opcode, word in listed if opcode in (_VARIABLE, *_ACCESS_CHAINS) and word[1] in pointers}
    constants = {word[2]: (word[1], word[3]) for opcode, word in listed if opcode == _CONSTANT and len(word) == 4}
    bound, made = words[3], dict[int, int]()
    for opcode, word in listed:
        if opcode in _POINTERS and word[_POINTERS[opcode]] in shared:
            _make_plain(opcode, word)
        elif opcode in _SEMANTICS:
            place = _SEMANTICS[opcode]
            _, value = constants.get(word[place], (0, 0))
            if value & _ACQUIRE_RELEASE and value & _WORKGROUP_MEMORY:
                word[place] = made.setdefault(word[place], bound + len(made))
    result = [*words[:3], bound + len(made), *words[4:5]]
    before = [
        part
        for old, new in made.items()
        for part in (4 << 16 | _CONSTANT, constants[old][0], new, constants[old][1] | _MAKE_BOTH)
    ]
    for opcode, word in listed:
        if opcode == _FUNCTION:
            result += before
            before = []
        result += word
    return tuple(result)


def _make_plain(opcode: int, word: list[int]) -> None:
    """Takes availability and visibility, and the scope of each, out of the memory operands of an access."""
    start = _OPERANDS[opcode]
    if len(word) > start and word[start] & _MAKE_POINTER_BOTH:
        aligned = word[start + 1 : start + 2] if word[start] & _ALIGNED else []
        word[start:] = [word[start] & ~_MAKE_POINTER_BOTH, *aligned]
        word[0] = len(word) << 16 | opcode
