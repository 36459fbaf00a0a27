"""A user's program under pdb: breakpoints in kernels, and what the prompt shows there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, ItemMut, KernelSyntaxError, f32, kernel
from tests.support import process

PROGRAM = """\
import numpy as np
from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, f32, func, kernel
from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id

@func
def twice(v: f32):
    doubled = v + v
    return doubled

@kernel
def scale(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    t = alpha * x
    breakpoint()
    u = twice(t)
    y = u / 3.0 + 1.0

@kernel(threads=4)
def tiles(a: Global[f32, 2], b: GlobalMut[f32]):
    tile = group_array(f32, (2, 2))
    mine = local_array(f32, 3)
    i = thread_id()
    mine[2] = 0.5
    tile[i // 2, i % 2] = a[i // 2, i % 2]
    barrier()
    total = mine[2]
    for k in range(4):
        total += tile[k // 2, k % 2]
    b[i] = total

device = Device(0)
a = np.arange(3, dtype=np.float32)
x = Buffer.from_numpy(a).to_device(device)
y = Buffer.from_numpy(a).to_device(device)
scale(3.0, x, y)
b = Buffer.empty(4, f32, device)
tiles.with_groups(1)(Buffer.from_numpy(np.eye(2, dtype=np.float32), device), b)
print("result", y.numpy(), b.numpy(), a)
"""


ONE_MORE = 1 if sys.version_info >= (3, 13) else 0
"""From Python 3.13 on, pdb stops at the line of breakpoint() itself: a step more."""


def run(tmp_path: Path, commands: str, *options: str, **environment: Any) -> list[str]:
    """What a program prints, with commands for the debugger, on a machine without any driver."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    variables = {"VK_DRIVER_FILES": "none", "KRNLPY_INTERPRET": "1", **environment}
    done = process.run(*options, program, input=commands.replace("; ", "\n") + "\n", **variables)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_a_program_for_a_gpu_runs_unchanged(tmp_path: Path) -> None:
    # The array that was uploaded stays as it was: memory of Device(0) is the device's own.
    lines = run(tmp_path, "", PYTHONBREAKPOINT="0")
    assert lines == ["result [1. 3. 5.] [2.5 2.5 2.5 2.5] [0. 1. 2.]"]


def test_a_breakpoint_in_a_kernel(tmp_path: Path) -> None:
    lines = run(
        tmp_path, ONE_MORE * "n; " + "l; p t; p alpha; c; p 'now', x, y, t; p global_id(), item_id(), threads(); c; c"
    )
    lines = lines[2 * ONE_MORE :]
    assert lines[0].endswith("program.py(14)scale()")
    assert lines[1] == "-> u = twice(t)"
    assert " 14  ->\t    u = twice(t)" in lines  # the kernel's source
    assert "(Pdb) 0.0" in lines and "(Pdb) 3.0" in lines
    shown = "('now', array(1., dtype=float32), array(1., dtype=float32), 3.0)"
    assert f"(Pdb) {shown}" in lines
    assert "(Pdb) (1, 1, 256)" in lines
    assert lines[-1] == "(Pdb) result [1. 3. 5.] [2.5 2.5 2.5 2.5] [0. 1. 2.]"


def test_stepping(tmp_path: Path) -> None:
    # Into the function and out of it, past the division, which is a call in generated code, and into the next thread.
    lines = run(tmp_path, ONE_MORE * "n; " + "s; s; p v; s; p doubled; s; s; n; n; n; n; n; p global_id(); c; c; c")
    places = [line.split("program.py")[1] for line in lines if "program.py(" in line][ONE_MORE:]
    assert places[:6] == [
        "(14)scale()",
        "(6)twice_f32()",
        "(7)twice_f32()",
        "(8)twice_f32()",
        "(8)twice_f32()->0.0",
        "(15)scale()",
    ]
    assert "(Pdb) 0.0" in lines
    assert places[6] == "(15)scale()->None"
    assert places[7:10] == ["(11)scale()", "(11)scale()", "(12)scale()"]
    assert "(Pdb) 1" in lines
    assert not any("krnlpy" in line for line in lines)


def test_breakpoints_of_pdb(tmp_path: Path) -> None:
    commands = "b program.py:28; c; p total, i; p tile; p tile[1, 1]; p mine; p b.shape, a[0]; clear 1; c; q"
    lines = run(tmp_path, commands, "-m", "pdb", PYTHONBREAKPOINT="0")
    assert "-> b[i] = total" in lines
    text = "\n".join(lines)
    assert "(Pdb) (2.5, 0)" in text
    assert "(Pdb) array([[1., 0.],\n       [0., 1.]], dtype=float32)" in text
    assert "(Pdb) np.float32(1.0)" in text
    assert "(Pdb) array([0. , 0. , 0.5], dtype=float32)" in text
    assert "(Pdb) ((4,), array([1., 0.], dtype=float32))" in text


def test_the_users_own_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    @kernel
    def stops(x: ItemMut[f32]) -> None:
        t = x + 1.0
        breakpoint()
        x = t

    seen = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: seen.append(dict(sys._getframe(1).f_locals)["t"]))
    stops(Buffer.from_numpy(np.arange(2, dtype=np.float32), Device.interpreter()))
    assert seen == [1.0, 2.0]


def test_another_debugger(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import sys\n\ndef stop(): print('stopped', sys._getframe(1).f_locals['t'])\n")
    lines = run(tmp_path, "", PYTHONBREAKPOINT="mine.stop")
    assert lines[:3] == ["stopped 0.0", "stopped 3.0", "stopped 6.0"]


def test_a_breakpoint_on_another_target() -> None:
    @kernel
    def stops(x: ItemMut[f32]) -> None:
        breakpoint()
        x = 1.0

    with pytest.raises(KernelSyntaxError, match=r"breakpoint\(\) works in the interpreter only.*KRNLPY_INTERPRET=1"):
        stops(Buffer.ones(1, f32, Device.host()))
