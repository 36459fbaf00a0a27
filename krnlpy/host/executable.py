"""A kernel built for the host: its machine code, and how its work is shared out."""

from __future__ import annotations

import struct
import threading
from dataclasses import replace

import numpy as np

from krnlpy.backend.protocol import BuildRequest, check_subgroups
from krnlpy.device_info import DeviceInfo
from krnlpy.dsl.ir.layout import layout_of
from krnlpy.dsl.llvm import emit as llvm
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.dsl.passes.cooperative_expansion import expanded
from krnlpy.dsl.passes.cost_model import estimated_work
from krnlpy.dsl.passes.loop_bounds import has_written_loops
from krnlpy.errors import LimitExceeded

from .compiler import Compiler, MachineCode

_LEAST_WORK = 1 << 19
"""Nodes of the IR that are worth another thread: they take some 8 us. To hand them over takes 1 us while it looks for
work; the caller takes 2 us to wake it, and does the work itself until it is awake."""
_UNINTERRUPTED_WORK = 1 << 21
"""Nodes that are done before Python gets to handle a signal: some 30 us."""
CHUNKS = 4
"""Chunks for each thread, so that one that was held up does not hold up all."""
_MAX_LOCAL_BYTES = 128 << 10
"""Of a thread's local arrays, which may lie on a stack."""


class HostExecutable:
    """A program built for the host. Raises LimitExceeded when it does not fit."""

    request: BuildRequest

    def __init__(
        self,
        compiler: Compiler,
        info: DeviceInfo,
        request: BuildRequest,
    ) -> None:
        program, variant, specs, threads, debug = request
        if any(t < 1 for t in threads) or np.prod(threads, dtype=object) > info.max_threads:
            raise LimitExceeded(
                f"{program.name}: groups of {threads} threads; the host runs 1 to {info.max_threads} in all"
            )
        check_subgroups(program, threads, info)
        program = expanded(program, program.subgroup_threads or info.subgroup_threads)
        self._compiler, self._lock = compiler, threading.RLock()
        self._given = program, variant, specs, threads
        self._options = llvm.LlvmOptions(debug, compiler.instructions)
        code = llvm.emit(*self._given, self._options)
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
        self._codes: list[MachineCode] = []
        self.function = self._load(code)
        self.reports = code.reports
        self.name = program.name
        self.accesses = buffer_accesses(program)
        self.threads = threads
        self.scratch_bytes = code.scratch_bytes
        self.is_plain = code.reports is None and not code.scratch_bytes
        self.is_items = bool(program.items)
        self.items = struct.Struct("<I")
        self.items_offset = layout_of(program, variant)["items"].offset if self.is_items else 0
        self.buffers = struct.Struct(f"={len(program.buffers)}Q")
        weight = estimated_work(program.body)
        if not self.is_items:
            weight *= threads[0] * threads[1] * threads[2]
        self._least_chunk = max(1, _LEAST_WORK // max(1, weight))
        # Items or groups that one thread may do before Python gets to handle a signal.
        self.uninterrupted = 0 if has_written_loops(program) else max(1, _UNINTERRUPTED_WORK // max(1, weight))

    def _load(self, code: llvm.LlvmCode) -> int:
        loaded = self._compiler.load(code.text, llvm.ENTRY, name=self._given[0].name)
        self._codes.append(loaded)  # those of before may be running
        (address,) = loaded.addresses
        return address

    def ask_more(self, refused: int) -> None:
        """Builds the kernel again so that it can be stopped in loops one level further inside, for the function that
        refused; see :mod:`krnlpy.dsl.llvm`."""
        with self._lock:
            if self.function == refused:
                self._options = replace(self._options, polling_levels=self._options.polling_levels + 1)
                self.function = self._load(llvm.emit(*self._given, self._options))

    def needs_wait(self, groups: object, parameters: bytes) -> bool:
        return self.reports is not None

    def chunk(self, count: int, workers: int) -> int:
        """How many items or groups of ``count`` a worker takes at a time."""
        if workers <= 1 or count <= self._least_chunk:
            return count
        chunk = max(self._least_chunk, -(-count // (CHUNKS * workers)))
        # 64 items, of a byte or more each, fill whole cache lines.
        return -(-chunk // 64) * 64 if self.is_items else chunk
