"""LLVM IR to machine code for this CPU, cached on disk."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import itertools
import os
import platform
import threading
from collections import deque
from time import perf_counter
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from krnlpy.cache.store import Cache
from krnlpy.dsl.llvm.builder import Instructions
from krnlpy.dsl.llvm.math import LIBM_SYMBOLS
from krnlpy.dsl.llvm.polls import CLOCK_SYMBOL, PYTHON_SYMBOLS
from krnlpy.errors import CompileError
from krnlpy.log import logger

from .effort import CODE_MODEL, IS_CLOSE, Efforts, bound_by_table
from .interrupts import uninterrupted
from .threads.module import SYMBOLS

_MEMORY_SYMBOLS = ("memset", "memcpy", "memmove")


class MachineCode:
    """Loaded functions; they stay loaded at least as long as this object lives."""

    def __init__(self, addresses: tuple[int, ...], number: int, released: deque[int]) -> None:
        self.addresses = addresses
        self._number = number
        self._released = released

    def __del__(self) -> None:
        # The code goes when the next is loaded: here, Ctrl-C could leave llvmlite's lock locked.
        self._released.append(self._number)


class Compiler:
    """Compiles for the CPU that it runs on. May be called from several threads."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.cpu: str = llvm.get_host_cpu_name()
        self.features = _features(llvm.get_host_cpu_features())
        self._efforts = Efforts(self.cpu, self.features)
        self._triple: str = self._efforts.full.machine.triple
        self._numbers = itertools.count()
        self._engines: dict[int, Any] = {}  # of what is loaded, each its own: nothing of it stays when it goes
        self._released: deque[int] = deque()
        for name, address in _library_symbols().items():
            llvm.add_symbol(name, address)
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self._lock = threading.RLock()

    @property
    def instructions(self) -> Instructions:
        """What the CPU has instructions for; elsewhere LLVM would call functions of libraries."""
        features = self.features.split(",")
        half = "+f16c" in features or platform.machine().lower() in ("arm64", "aarch64")
        return Instructions(half, scaling="+avx512f" in features)

    @property
    def vector_bytes(self) -> int:
        """The longest vectors that LLVM uses."""
        features = self.features.split(",")
        return 64 if "-prefer-256-bit" in features else 32 if "+avx" in features else 16

    def load(self, text: str, *symbols: str, name: str = "a kernel") -> MachineCode:
        """Compiles a module, or finds it in the cache, and loads some of its functions. ``name``: for logs.

        Raises:
            CompileError: LLVM refuses the module.
        """
        version = f"{llvmlite.__version__} {llvm.llvm_version_info}"
        parts = version, self._triple, self.cpu, self.features, CODE_MODEL, bound_by_table(text)
        hashed = hashlib.sha256("\0".join(parts).encode())
        key = f"host {hashed.hexdigest()}"

        def load() -> MachineCode:
            while self._released:
                del self._engines[self._released.popleft()]
            cache = Cache.of("host")
            code = cache.get(key)
            if code is None:
                begin = perf_counter()
                code = self.compile(text)
                milliseconds = 1e3 * (perf_counter() - begin)
                logger.info("compiled %s for the host in %.1f ms; it was not in the cache", name, milliseconds)
                cache.put(key, code)
            else:
                logger.debug("found the machine code of %s in the cache", name)
            return self._link(code, symbols)

        with self._lock:  # llvmlite hands objects over to LLVM in several steps
            code: MachineCode = uninterrupted(load)
        return code

    def optimize(self, text: str) -> Any:
        """The module after LLVM's optimiser."""
        try:
            context = llvm.create_context()  # the global one keeps all metadata
            module = llvm.parse_assembly(bound_by_table(text), context)
        except RuntimeError as error:
            raise CompileError(f"LLVM refuses the generated code: {error}") from error
        module.triple = self._triple
        effort = self._efforts.of(text)
        module.data_layout = str(effort.machine.target_data)
        with self._lock:
            effort.optimize(module)
        return module

    def assembly(self, text: str) -> str:
        """The machine code of a module, in the CPU's assembly language."""
        code: str = self._efforts.of(text).machine.emit_assembly(self.optimize(text))
        return code

    def compile(self, text: str) -> bytes:
        """The object file of a module."""
        code: bytes = self._efforts.of(text).machine.emit_object(self.optimize(text))
        return code

    def _link(self, code: bytes, symbols: tuple[str, ...]) -> MachineCode:
        # The machine, which the engine takes over, only says what system the code is for.
        machine = llvm.Target.from_default_triple().create_target_machine(codemodel=CODE_MODEL, jit=True)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine, use_lmm=True if IS_CLOSE else None)
        try:
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            engine.finalize_object()
        except RuntimeError as error:
            raise CompileError(f"LLVM cannot load the generated code: {error}") from error
        number = next(self._numbers)
        self._engines[number] = engine
        return MachineCode(tuple(map(engine.get_function_address, symbols)), number, self._released)


def _library_symbols() -> dict[str, int]:
    """The addresses of the C functions that generated code may call."""
    system = platform.system()
    if system == "Linux":
        libraries = [ctypes.CDLL("libm.so.6" if platform.libc_ver()[0] == "glibc" else None), ctypes.CDLL(None)]
    elif system == "Windows":
        libraries = [ctypes.CDLL("ucrtbase"), ctypes.CDLL("vcruntime140")]
    else:
        libraries = [ctypes.CDLL(None)]
    libraries.append(ctypes.pythonapi)
    found = {}
    for name in (*LIBM_SYMBOLS, *_MEMORY_SYMBOLS, *PYTHON_SYMBOLS, *SYMBOLS, CLOCK_SYMBOL):
        exported = f"_{CLOCK_SYMBOL[:8]}64{CLOCK_SYMBOL[8:]}" if system == "Windows" and name == CLOCK_SYMBOL else name
        function = next((getattr(lib, exported) for lib in libraries if hasattr(lib, exported)), None)
        if function is not None:
            address = ctypes.cast(function, ctypes.c_void_p).value
            assert address is not None
            found[name] = address
    return found


def _features(found: Any) -> str:
    """The CPU's instructions, in LLVM's words. Vectors of 512 bits are used where they do not slow the clock down:
    by CPUs with AVX512-FP16 (Sapphire Rapids and later), for which LLVM prefers 256 all the same. Kernels of erf, exp
    and tanh take three quarters of the time with them."""
    listed: str = found.flatten()
    return f"{listed},-prefer-256-bit" if found.get("avx512fp16") else listed
