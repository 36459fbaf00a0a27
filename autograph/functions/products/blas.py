"""NumPy's BLAS on one thread, while threads of ours share a product.

OpenBLAS's own threads spin for some 25 ms after each product. On a machine that is busy with anything else, kernels of
the same step say, that takes ten times the CPU time of the product.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_FUNCTIONS = "get_parallel", "get_num_threads", "set_num_threads"
_PTHREADS = 1  # what OpenBLAS says of its threads: those of OpenMP are counted otherwise


class _Threads:
    """The number of threads that a library uses, which is one number for the whole process.

    It is 1 while any of ours is within :meth:`single`. After that it is what it was. A handler of a signal may come in
    between at any place, and may raise.
    """

    def __init__(self, get: Callable[[], int], set_to: Callable[[int], object]) -> None:
        self._get, self._set = get, set_to
        self._before: int | None = None  # None where the number is the user's
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """Nobody is within: in a forked child, none of the other threads is there any more."""
        self._users: list[object] = []
        self._lock = threading.RLock()
        self._leave(None)

    def single(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Calls a function meanwhile."""
        user = object()
        try:
            with self._lock:
                if self._before is None:
                    self._before = self._get()
                self._users.append(user)
                self._set(1)
            function(*arguments)
        finally:
            self._leave(user)

    def _leave(self, user: object) -> None:
        with self._lock:
            if user in self._users:
                self._users.remove(user)
            if not self._users and self._before is not None:
                self._set(self._before)
                self._before = None


def single(function: Callable[..., object], *arguments: Any) -> None:
    """Calls a function while NumPy's BLAS uses one thread. Other products of the process do so too."""
    threads = _threads()
    if threads is None:
        function(*arguments)
    else:
        threads.single(function, arguments)


class Gemm(NamedTuple):
    """The address of BLAS's product of matrices for a type, and the type of its whole numbers."""

    address: int
    integer: str


def gemm(dtype: np.dtype[Any]) -> Gemm | None:
    """NumPy's own, if it is OpenBLAS's on threads of its own."""
    found = _found()
    if found is None or dtype.char not in "fd":
        return None
    library, prefix, suffix = found
    function = getattr(library, f"{prefix}cblas_{'s' if dtype.char == 'f' else 'd'}gemm{suffix}", None)
    address = None if function is None else ctypes.cast(function, ctypes.c_void_p).value
    return None if address is None else Gemm(address, "i8" if "64" in suffix else "i4")


@cache
def _threads() -> _Threads | None:
    found = _found()
    if found is None:
        return None
    library, prefix, suffix = found
    _, get, set_to = (getattr(library, f"{prefix}openblas_{name}{suffix}") for name in _FUNCTIONS)
    return _Threads(get, set_to)


@cache
def _found() -> tuple[Any, str, str] | None:
    """OpenBLAS's library, and what stands before and after the names of its functions."""
    for library in _libraries():
        for prefix, suffix in product(("scipy_", ""), ("64_", "_64", "")):
            names = [f"{prefix}openblas_{name}{suffix}" for name in _FUNCTIONS]
            if all(hasattr(library, name) for name in names):
                return (library, prefix, suffix) if getattr(library, names[0])() == _PTHREADS else None
    return None


def _libraries() -> Iterator[Any]:
    """Where NumPy's BLAS may be: in what its extension module was linked with; on Windows in a file beside it."""
    extension = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__file__", None)
    files = Path(np.__file__).parent.with_name("numpy.libs").glob("*openblas*")
    for path in (extension, *map(str, files)):
        if path is not None:
            with suppress(OSError):
                yield ctypes.PyDLL(path)  # which keeps Python's lock: these calls take 0.1 us
