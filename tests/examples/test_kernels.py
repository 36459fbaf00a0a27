"""The examples of kernels: each checks itself, on every device; each command line as a user calls it."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from krnlpy import Device
from tests.support import process
from tests.support.process import ROOT
from tests.support.typed import present

# A size for devices, none a multiple of a group or a block, and a smaller one for the interpreter.
SIZES = {
    "saxpy": (10_007, 1_003),
    "matmul": (130, 17),
    "reduction": (100_003, 20_001),
    "scan": (100_003, 5_001),
    "histogram": (100_003, 1_501),
    "mandelbrot": (67, 18),
    "nbody": (333, 40),
    "game_of_life": (67, 20),
    "black_scholes": (100_003, 5_001),
    "spmv": (1_001, 101),
    "bitonic_sort": (5_003, 1_101),
    "convolution": (67, 20),
}


def test_every_example_is_tested() -> None:
    names = {path.stem for path in (ROOT / "examples" / "kernels").glob("[!_]*.py")}
    assert names == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_results(device: Device, name: str) -> None:
    """The examples' own checks, which tell tolerances and reasons; also where all of the work is an edge."""
    example = importlib.import_module(f"examples.kernels.{name}").example
    size = SIZES[name][device.info.kind == "interpreter"]
    for tried in (1, 2, size):
        for work in example(device, tried):
            work.launch()
            work.check()
            assert work.amount >= 0


@pytest.mark.parametrize("name", SIZES)
def test_command_line(name: str, tmp_path: Path) -> None:
    picture = tmp_path / "new" / "picture.png"
    options = ["--picture", str(picture)] if name == "mandelbrot" else []
    printed = process.output(f"examples/kernels/{name}.py", "--device", "host", "--size", SIZES[name][0], *options)
    for line in printed.splitlines():
        assert re.fullmatch(r"[\w -]+: host, size [\d,]+, [\d.e+-]+ ms, [\d.e+-]+ (G|M)\w+/s", line), line
    assert printed
    if name == "mandelbrot":
        from PIL import Image

        with Image.open(picture) as image:
            assert image.size == (67, 67)
            colours = image.getcolors()
        # The middle of the set is black, and there is more than it.
        assert colours is not None and (0, 0, 0) in {colour for _, colour in colours} and len(colours) > 10


def test_as_a_module() -> None:
    printed = process.output("-m", "examples.kernels.saxpy", "--device", "host", "--size", "1000")
    assert printed.startswith("saxpy: host, size 1,000, ")


@pytest.mark.parametrize("name", SIZES)
def test_help(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"examples.kernels.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as done:
        module.main(module.example, size=1)
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert "--device" in text and "--size" in text
    assert present(module.__doc__).split()[0] in text


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--device", "no such thing"], 1, "error: "),
        (["--device", "99"], 1, "error: "),
        (["--size", "0"], 2, "0 is not above 0"),
        (["--size", "many"], 2, "many"),
    ],
)
def test_errors_are_one_line(arguments: list[str], status: int, message: str) -> None:
    done = process.run("examples/kernels/saxpy.py", *arguments)
    assert done.returncode == status
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
