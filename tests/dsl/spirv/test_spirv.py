"""compile_shader: the cache in front of glslang, no contraction of float operations, damaged modules."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from krnlpy import config
from krnlpy.dsl.spirv import glslang
from krnlpy.dsl.spirv import module as spirv
from krnlpy.errors import CompileError
from tests.support.spirv_validator import Validator, constants_of_variables

SHADER = """#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) buffer Y { float y[]; };
void main() {
#line 17 "kernel.py"
    float a = y[0] * y[1];
#line 18 "kernel.py"
    y[2] = -(a + y[2] - y[3]) / y[4];
}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    return tmp_path


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    compiler = glslang.find_compiler()

    class Counting:
        def compile(self, source: str, name: str) -> bytes:
            names.append(name)
            return compiler.compile(source, name)

    monkeypatch.setattr(spirv, "find_compiler", Counting)
    return names


def decorations(module: bytes, decoration: int) -> list[int]:
    words = spirv._words(module, "test")
    instructions = spirv._instructions(words, "test")
    return [words[place + 1] for place, op, _ in instructions if op == 71 and words[place + 2] == decoration]


def test_each_float_operation_is_decorated_once(cache: Path) -> None:
    module = spirv.compile_shader(SHADER, "kernel")
    found = decorations(module, 42)
    assert len(found) == 5  # mul, add, sub, neg, div
    assert len(set(found)) == 5
    again = spirv.finish(module, "kernel")
    assert again == module


def test_buffers_may_overlap_unless_restrict(cache: Path) -> None:
    module = spirv.compile_shader(SHADER, "kernel")
    assert len(decorations(module, 20)) == 1
    assert decorations(module, 19) == []
    module = spirv.compile_shader(SHADER.replace("buffer Y", "restrict buffer Y"), "kernel")
    assert decorations(module, 20) == []
    assert len(decorations(module, 19)) == 1
    words = spirv._words(module, "test")
    members = [words[p + 3] for p, op, _ in spirv._instructions(words, "test") if op == 72]
    assert 19 not in members, "SPIR-V has Restrict only on variables"
    assert spirv.finish(module, "kernel") == module


def test_a_mode_of_two_widths_becomes_two(cache: Path) -> None:
    mode = "spirv_execution_mode(capabilities = [4466], 4461, 32, 64);"
    lines = SHADER.split("\n", 2)
    source = "\n".join([*lines[:2], "#extension GL_EXT_spirv_intrinsics : require", mode, lines[2]])
    module = spirv.compile_shader(source, "kernel")
    words = spirv._words(module, "test")
    found = [words[p + 2 : p + n] for p, op, n in spirv._instructions(words, "test") if op == 16]
    assert [modes for modes in found if modes[0] == 4461] == [(4461, 32), (4461, 64)]
    assert spirv.finish(module, "kernel") == module


def test_validator_sees_constants_of_variables() -> None:
    """What glslang makes of this is no SPIR-V, and spirv-val does not tell."""
    compiler = glslang.find_compiler()
    wrong = SHADER.replace("y[2] = ", "y[true && int(gl_WorkGroupSize.x) != 0 ? 1 : 2] = ")
    assert "is computed of" in constants_of_variables(compiler.compile(wrong, "x"))
    assert constants_of_variables(compiler.compile(SHADER, "x")) == ""


def test_second_time_comes_from_the_cache(cache: Path, compilations: list[str]) -> None:
    module = spirv.compile_shader(SHADER, "kernel")
    assert spirv.compile_shader(SHADER, "kernel") == module
    assert spirv.compile_shader(SHADER.replace("#line 17", "#line 29"), "kernel") == module, "lines don't matter"
    assert compilations == ["kernel"]
    spirv.compile_shader(SHADER.replace("y[4]", "y[5]"), "other")
    assert compilations == ["kernel", "other"]


def test_another_compiler_compiles_anew(cache: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spirv.compile_shader(SHADER, "kernel")
    monkeypatch.setattr(spirv, "compiler_identity", lambda: "glslang 99")
    spirv.compile_shader(SHADER, "kernel")
    assert compilations == ["kernel"] * 2


def test_what_is_cached_needs_no_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = spirv.compile_shader(SHADER, "kernel")
    monkeypatch.setattr(spirv, "find_compiler", None)
    assert spirv.compile_shader(SHADER, "kernel") == module


def test_damaged_entry_is_compiled_anew(cache: Path, compilations: list[str]) -> None:
    module = spirv.compile_shader(SHADER, "kernel")
    (path,) = (cache / "spirv").iterdir()
    path.write_bytes(path.read_bytes()[:-4])
    assert spirv.compile_shader(SHADER, "kernel") == module
    assert len(compilations) == 2
    assert spirv.compile_shader(SHADER, "kernel") == module
    assert len(compilations) == 2


def test_no_cache(monkeypatch: pytest.MonkeyPatch, compilations: list[str]) -> None:
    monkeypatch.setattr(config, "cache_dir", None)
    assert spirv.compile_shader(SHADER, "kernel") == spirv.compile_shader(SHADER, "kernel")
    assert len(compilations) == 2


def test_errors_are_not_cached(cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(CompileError, match=r"kernel\.py:18"):
            spirv.compile_shader(SHADER.replace("y[4]", "z"), "kernel")
    assert not (cache / "spirv").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: b"", "0 bytes"),
        (lambda m: m[:-1], "not the length of a module"),
        (lambda m: b"\0" + m[1:], "not SPIR-V 1.5"),
        (lambda m: m[:4] + struct.pack("<I", 0x00010300) + m[8:], "not SPIR-V 1.5"),
        (lambda m: m[:-4] + struct.pack("<I", 5 << 16 | 56), "breaks off"),
        (lambda m: m + b"\0\0\0\0", "breaks off"),
        (lambda m: m[:20], "0 compute entry points"),
    ],
)
def test_what_is_no_module_is_refused(damage: object, message: str) -> None:
    module = glslang.compile_glsl(SHADER, "kernel")
    with pytest.raises(CompileError, match=message):
        spirv.finish(damage(module), "kernel")


def test_a_module_that_is_not_valid_fails_the_test_that_made_it(cache: Path) -> None:
    validate = Validator()
    if not validate.available:
        pytest.skip("no spirv-val")
    module = spirv.compile_shader(SHADER, "kernel")
    validate(module, "kernel")
    validate(module, "kernel")
    assert len(validate.valid) == 1
    store = 62  # OpStore, here of a pointer that is none
    words = list(spirv._words(module, "kernel"))
    place = next(p for p, opcode, _ in spirv._instructions(tuple(words), "kernel") if opcode == store)
    words[place + 1] = words[place + 2]
    with pytest.raises(AssertionError, match=r"spirv-val --target-env vulkan1\.2: the module of kernel: .*OpStore"):
        validate(struct.pack(f"<{len(words)}I", *words), "kernel")
    assert len(validate.valid) == 1
