"""``krnlpy compile``: what a package ships, whether it is up to date, and that it serves without a compiler."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import krnlpy
from krnlpy.cache import shipped
from tests.support import process

KERNELS = """
from typing import TypeVar
from krnlpy import Global, Item, ItemMut, bf16, f32, f64, func, kernel

T = TypeVar("T", f32, bf16)
U = TypeVar("U")

@func
def twice(x):
    return 2.0 * x

@kernel
def double(x: Item[T], y: ItemMut[T]):
    y = twice(x)

@kernel
def single(x: Item[f32], y: ItemMut[f32]):
    y = x + 1.0

@kernel
def unknown(x: ItemMut[U]):
    x = x + x
"""
WORKLOAD = """
import numpy as np
from krnlpy import Buffer, f32
from .inner.kernels import double, single, unknown

def workload(device):
    x = Buffer.from_numpy(np.ones((4, 4), np.float32), device)
    double(x, Buffer.empty((4, 4), f32, device))
    double(x[::2, ::2], Buffer.empty((2, 2), f32, device))
    x.copy(), x.cast(np.float16)
    assert not x.numpy().any(), "nothing is executed"
"""
USE = """
import sys
import numpy as np
import krnlpy
from krnlpy import Buffer, CompilerUnavailable, Device, config, f32
from krnlpy.dsl.spirv import glslang; from krnlpy.cache import shipped
glslang._candidates = lambda: iter(())
config.cache_dir = None
from shipping.inner.kernels import double, single
for index in range(len(krnlpy.devices())):
    x = Buffer.from_numpy(np.arange(16, dtype=np.float32).reshape(4, 4), Device(index))
    for source in (x, x[::2, ::2]):
        y = Buffer.empty(source.shape, f32, Device(index))
        double(source, y)
        assert (y.numpy() == 2 * source.numpy()).all()
    try:
        single(x, x)
    except CompilerUnavailable as error:
        print(index, "pip install" in str(error))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "shipping"
    (folder / "inner").mkdir(parents=True)
    for path, text in {"__init__": "", "__main__": "1 / 0", "inner/__init__": "", "inner/kernels": KERNELS}.items():
        (folder / f"{path}.py").write_text(text)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command, or a program, where the package can be imported."""

    def run(*arguments: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
        what = ["-m", "krnlpy.cli", "compile", *arguments] if program is None else ["-c", program]
        return process.run(*what, PYTHONPATH=os.pathsep.join([str(tmp_path), str(process.ROOT)]))

    return run


def names(package: Path) -> list[str]:
    return [group.name for group in shipped.read(package / shipped.FILE, "shipping")]


def test_all_types_without_a_workload(package: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run("shipping")
    assert done.returncode == 0, done.stderr
    assert f"{package / shipped.FILE}: " in done.stdout and "of 3 kernels" in done.stdout
    assert "not in it: shipping.inner.kernels.unknown" in done.stdout
    assert names(package) == ["double_bf16", "double_f32", "single"]
    (double, _, _) = shipped.read(package / shipped.FILE, "shipping")
    assert len(double.contents) == 4, "with and without 16-bit storage, float controls"


def test_what_the_workload_uses(package: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (package / "krnlpy_workload.py").write_text(WORKLOAD)
    done = run("shipping")
    assert done.returncode == 0, done.stderr
    assert names(package) == ["double_f32"], "and none of krnlpy's"
    assert "kernels.single, shipping.inner.kernels.unknown" in done.stdout
    used = run(program=USE)
    assert used.returncode == 0, used.stderr
    assert used.stdout == "".join(f"{i} True\n" for i in range(len(krnlpy.devices())))


def test_check(package: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run("shipping", "--check")
    assert done.returncode == 1 and shipped.FILE in done.stderr, "there is none"
    assert run("shipping").returncode == 0
    before = (package / shipped.FILE).read_bytes()
    done = run("shipping", "--check")
    assert (done.returncode, done.stderr) == (0, "") and "up to date" in done.stdout

    kernels = package / "inner" / "kernels.py"
    kernels.write_text("# a comment\n" + KERNELS)
    assert run("shipping", "--check").returncode == 0
    kernels.write_text(KERNELS.replace("return 2.0 *", "return 3.0 *").replace("def single", "def renamed"))
    done = run("shipping", "--check")
    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == ["new: renamed", "changed: double_bf16, double_f32", "gone: single"]
    assert "`krnlpy compile shipping` makes it anew" in done.stderr
    assert (package / shipped.FILE).read_bytes() == before, "it only looks"

    (package / shipped.FILE).write_bytes(before[:-1])
    done = run("shipping", "--check")
    assert done.returncode == 1 and "damaged" in done.stderr


def test_output(package: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert run("shipping", "--output", str(tmp_path / "file")).returncode == 0
    assert not (package / shipped.FILE).exists()
    assert run("shipping", "--output", str(tmp_path / "file"), "--check").returncode == 0
    done = run("shipping", "--output", str(tmp_path / "no" / "folder"))
    assert done.returncode == 2 and "No such file" in done.stderr


def test_packages_that_cannot_be_used(
    package: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "single.py").write_text("")
    for name, says in (("nowhere", "cannot be imported"), ("single", "a package:"), ("shipping.inner", "a package:")):
        done = run(name)
        assert done.returncode == 2 and says in done.stderr, name
    (package / "inner" / "kernels.py").write_text(KERNELS.replace("y = x + 1.0", "y = z"))
    done = run("shipping")
    assert done.returncode == 1 and "kernels.py" in done.stderr and "y = z" in done.stderr
    (package / "inner" / "kernels.py").write_text("1 / 0")
    done = run("shipping")
    assert done.returncode == 2 and "ZeroDivisionError" in done.stderr


def test_modules_that_cannot_be_imported_are_left_out(
    package: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Those that need what is not installed, or end the process when they do."""
    assert run("shipping").returncode == 0
    shipped_before = (package / shipped.FILE).read_bytes()
    (package / "plots.py").write_text("import a_package_that_is_not_there")
    (package / "tool.py").write_text("import sys\nsys.exit('run me otherwise')")
    (package / "extra").mkdir()
    (package / "extra" / "__init__.py").write_text("1 / 0")
    (package / "extra" / "more.py").write_text(KERNELS)
    for options in ([], ["--check"]):
        done = run("shipping", *options)
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines() == [
            "left out: shipping.extra cannot be imported: ZeroDivisionError: division by zero",
            "left out: shipping.plots cannot be imported: ModuleNotFoundError: No module named"
            " 'a_package_that_is_not_there'",
            "left out: shipping.tool cannot be imported: SystemExit: run me otherwise",
        ]
        assert (package / shipped.FILE).read_bytes() == shipped_before

    # What the workload needs is not left out.
    (package / "krnlpy_workload.py").write_text("from . import plots")
    done = run("shipping")
    assert done.returncode == 2 and "krnlpy_workload cannot be imported: ModuleNotFoundError" in done.stderr


def test_nothing_to_ship(package: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (package / "inner" / "kernels.py").write_text("import a_package_that_is_not_there")
    done = run("shipping")
    assert done.returncode == 2 and not (package / shipped.FILE).exists()
    assert "left out: shipping.inner.kernels" in done.stderr and "shipping has no kernel to ship" in done.stderr


def test_what_the_repository_ships_can_be_read() -> None:
    """Whether it is up to date, `make check` says."""
    root = Path(krnlpy.__file__).parents[1]
    for name in ("krnlpy", "autograph"):
        path = root / name / shipped.FILE
        assert sum(len(group.contents) for group in shipped.read(path, name)) > 100
        assert path.stat().st_size < 3 << 20  # a fifth of autograph's are updates of many parameters at once


def test_used_devices_are_not_asked(package: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """What is shipped does not depend on the machine that made it."""
    program = textwrap.dedent("""
        import sys
        import krnlpy.cli.command
        sys.exit(krnlpy.cli.command.main(["compile", "shipping"]) or "krnlpy.vulkan" in sys.modules)
    """)
    done = run(program=program)
    assert done.returncode == 0, done.stderr
