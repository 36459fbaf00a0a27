"""Threads that share the ranges of a launch."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .compiler import Compiler
from .threads.commands import COPY, FILL
from .threads.layout import ENDED, MOST_HELPERS, POOL_BYTES, STARTED
from .threads.module import END, REPLAY, RUN, SHARE, text

_POINTER, _BYTES, _COUNT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
# They raise what a signal handler raises while they run.
_RUN = ctypes.PYFUNCTYPE(ctypes.c_int32, _POINTER, _BYTES, _BYTES, _POINTER, _BYTES, _COUNT)
_SHARE = ctypes.PYFUNCTYPE(
    *(ctypes.c_int32, _POINTER, _BYTES, _BYTES, _POINTER, _BYTES, _COUNT, _COUNT, _COUNT, _COUNT, _POINTER)
)
_REPLAY = ctypes.PYFUNCTYPE(ctypes.c_int32, _POINTER, _COUNT, _POINTER, _COUNT, _POINTER)
_END = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


_kept: list[Any] = []
"""The code of pools, which stays loaded to the end of the process: helpers end in it."""
_ending: list[Any] = []
"""The memory of helpers that were told to end."""


class _Crew:
    """Helpers, and the memory by which they are told what to do."""

    def __init__(self, end: Callable[[int], None]) -> None:
        memory = np.zeros(POOL_BYTES + 64, np.uint8)
        self.address: int = memory.ctypes.data + -memory.ctypes.data % 64
        self.words = memory[self.address - memory.ctypes.data :][:POOL_BYTES].view(np.uint64)
        self.dismiss = weakref.finalize(self, _dismiss, end, self.address, self.words)


def _dismiss(end: Callable[[int], None], address: int, words: Any) -> None:
    """Tells the helpers of a crew to end. Their memory stays until they have."""
    end(address)
    _ending.append(words)
    _ending[:] = [w for w in _ending if w[ENDED // 8] != w[STARTED // 8]]


class ThreadPool:
    """Persistent helpers that spin a while and then sleep; a launch's own thread works too.

    Any number of threads may run launches at once; one of them has the helpers. After a fork, the child starts helpers
    of its own.

    Attributes:
        copy: the addresses of functions for launches that move bytes; see :mod:`krnlpy.host.threads.commands`.
        fill: see there.
    """

    def __init__(self, compiler: Compiler) -> None:
        code = compiler.load(text(), RUN, SHARE, REPLAY, END, COPY, FILL, name="the pool of threads")
        _kept.append((compiler, code))
        run, share, replay, end, self.copy, self.fill = code.addresses
        self.run: Callable[..., int] = _RUN(run)
        """``run(function, parameters, buffers, scratch, launch, count)``: in this thread alone; as :meth:`share`."""
        self._share, self._replay, self._end = _SHARE(share), _REPLAY(replay), _END(end)
        self._crew = _Crew(self._end)
        pool = weakref.ref(self)

        def after_fork() -> None:
            if (alive := pool()) is not None:
                alive.forget()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=after_fork)

    def forget(self) -> None:
        """Forgets all helpers: in a forked child there are none."""
        self._crew.dismiss.detach()
        self._crew = _Crew(self._end)

    def share(
        self,
        function: int,
        parameters: bytes,
        buffers: bytes,
        scratch: int | None,
        launch: bytes,
        count: int,
        chunk: int,
        stride: int,
        workers: int,
    ) -> int:
        """Calls machine code for ranges that make up 0..count. Returns 0, or another number if it refused.

        Args:
            function: the address of what :mod:`krnlpy.dsl.llvm.emit` describes, which takes the next four.
            scratch: of all workers, ``stride`` bytes each.
            chunk: the length of the ranges but the last.
            workers: the most threads that may work on it, the caller among them.

        Raises:
            BaseException: what the handler of a signal raises meanwhile. The launch has stopped then.
        """
        crew = self._crew  # stays until the end, whatever others do
        helpers = min(workers - 1, MOST_HELPERS)
        status: int = self._share(
            function, parameters, buffers, scratch, launch, count, chunk, stride, helpers, crew.address
        )
        return status

    def replay(self, commands: int, many: int, scratch: int | None, workers: int) -> None:
        """Runs launches one after the other: so many, of :data:`krnlpy.host.threads.commands.COMMAND` at an address.
        None refuses. ``workers`` and what is raised: as for :meth:`share`."""
        crew = self._crew
        self._replay(commands, many, scratch, min(workers - 1, MOST_HELPERS), crew.address)

    def close(self) -> None:
        """Ends the helpers, those at work after it; a later launch starts new ones."""
        crew, self._crew = self._crew, _Crew(self._end)
        crew.dismiss()
