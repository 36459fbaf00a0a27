"""A kernel built for the host: its machine code, and how its work is shared out."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping

import numpy as np

from krnlpy.backend import DeviceInfo, check_subgroups
from krnlpy.dsl import ir, llvm
from krnlpy.dsl.accesses import buffer_accesses
from krnlpy.dsl.cooperative_expansion import expanded
from krnlpy.dsl.layout import Variant, layout_of
from krnlpy.dsl.work import estimated_work
from krnlpy.errors import LimitExceeded

from .compiler import Compiler

_FUNCTION = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
)

_LEAST_WORK = 1 << 21
"""Nodes of the IR worth handing to another thread: some 30 us, what waking it costs."""
_CHUNKS = 4
"""Chunks for each thread, so that one that was held up does not hold up all."""
_MAX_LOCAL_BYTES = 128 << 10
"""Of a thread's local arrays, which may lie on a stack."""


class HostExecutable:
    """A program built for the host. Raises LimitExceeded when it does not fit."""

    def __init__(
        self,
        compiler: Compiler,
        info: DeviceInfo,
        program: ir.Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> None:
        if any(t < 1 for t in threads) or np.prod(threads, dtype=object) > info.max_threads:
            raise LimitExceeded(
                f"{program.name}: groups of {threads} threads; the host runs 1 to {info.max_threads} in all"
            )
        check_subgroups(program, threads, info)
        program = expanded(program, program.subgroup_threads or info.subgroup_threads)
        code = llvm.emit(program, variant, specs, threads, llvm.LlvmOptions(debug, compiler.converts_half))
        if code.group_bytes > info.max_group_memory:
            raise LimitExceeded(
                f"{program.name}: its group arrays take {code.group_bytes} bytes; "
                f"the host grants {info.max_group_memory}"
            )
        if code.local_bytes > _MAX_LOCAL_BYTES:
            raise LimitExceeded(
                f"{program.name}: its local arrays take {code.local_bytes} bytes a thread; "
                f"the host grants {_MAX_LOCAL_BYTES}"
            )
        self._code = compiler.load(code.text, llvm.ENTRY, program.name)
        self.reports = code.reports
        self.name = program.name
        self.accesses = buffer_accesses(program)
        self.function = _FUNCTION(self._code.address)
        self.threads = threads
        self.scratch_bytes = code.scratch_bytes
        self.is_items = bool(program.items)
        self.items = struct.Struct("<I")
        self.items_offset = layout_of(program, variant)["items"].offset if self.is_items else 0
        self.buffers = struct.Struct(f"={len(program.buffers)}Q")
        self.launch = llvm.LAUNCH
        weight = estimated_work(program.body)
        if not self.is_items:
            weight *= threads[0] * threads[1] * threads[2]
        self._least_chunk = max(1, _LEAST_WORK // max(1, weight))

    def tells(self, groups: object, parameters: bytes) -> bool:
        return self.reports is not None

    def chunk(self, count: int, workers: int) -> int:
        """How many items or groups of ``count`` a worker takes at a time."""
        if workers <= 1 or count <= self._least_chunk:
            return count
        chunk = max(self._least_chunk, -(-count // (_CHUNKS * workers)))
        # 64 items, of a byte or more each, fill whole cache lines.
        return -(-chunk // 64) * 64 if self.is_items else chunk
