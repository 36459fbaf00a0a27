"""Kernels made of text: what they see, what errors show, and which kernel of several is meant."""

from __future__ import annotations

import inspect
import linecache
from pathlib import Path

import pytest

from krnlpy import (
    Buffer,
    Device,
    KernelIndexError,
    KernelNameError,
    KernelSyntaxError,
    KernelTypeError,
    LaunchError,
    f32,
    func,
    kernel_from_source,
)
from krnlpy.tuning.autotune import TunedKernel

IMPORTS = "from krnlpy import ItemMut, autotune, f32, func, kernel\n"
SCALE = IMPORTS + "@kernel\ndef scale(x: ItemMut[f32]):\n    x *= FACTOR\n"


def test_what_the_text_sees(device: Device) -> None:
    @func
    def halved(x: f32) -> f32:
        return x / 2

    namespace = {"FACTOR": 3.0, "halved": halved}
    made = kernel_from_source(
        """
        from krnlpy import ItemMut, f32, func, kernel

        OFFSET = 1.0

        class Scales:
            @func
            def times(x):
                return FACTOR * x

        @func
        def shifted(x):
            return halved(x) + OFFSET

        @kernel
        def scale(x: ItemMut[f32]):
            x = Scales.times(shifted(x))
        """,
        namespace,
    )
    x = Buffer.full(2, 4.0, f32, device)
    namespace["FACTOR"] = 100.0
    made(x)
    assert x.numpy().tolist() == [9.0, 9.0]
    assert set(namespace) == {"FACTOR", "halved"}
    assert made.name == "scale"
    assert "x = Scales.times(shifted(x))" in inspect.getsource(made.signature.function)


def test_many_texts_of_one_name() -> None:
    made = [kernel_from_source(SCALE, {"FACTOR": float(i)}) for i in range(3)]
    other = kernel_from_source(SCALE.replace("*=", "-="), {"FACTOR": 1.0})
    x = Buffer.ones(1, f32)
    other(x)
    assert x.numpy()[0] == 0
    for i, one in enumerate(made):
        x.fill(5.0)
        one(x)
        assert x.numpy()[0] == 5.0 * i
    files = {one.signature.function.__code__.co_filename for one in (*made, other)}
    assert len(files) == 2, "one for each text"
    linecache.checkcache()
    made[0].inspect("glsl", debug=True)


def test_which_kernel(tmp_path: Path) -> None:
    text = SCALE + "@autotune([{'threads': 64}])\n@kernel\ndef tuned(x: ItemMut[f32]):\n    x += 1.0\n"
    text += "from tests.support.kernels import double\n"
    assert isinstance(kernel_from_source(text, {}, name="tuned"), TunedKernel)
    assert kernel_from_source(text, {"FACTOR": 1.0}, name="scale").name == "scale"
    with pytest.raises(LaunchError, match=r"say which kernel by name=...: <kernel source>.* has scale, tuned"):
        kernel_from_source(text)
    with pytest.raises(LaunchError, match=r"generated.py has no kernel double; it has scale, tuned"):
        kernel_from_source(text, name="double", file="generated.py")
    with pytest.raises(LaunchError, match=r"has no kernel; decorate a function with @kernel"):
        kernel_from_source("from tests.support.kernels import double")
    with pytest.raises(
        LaunchError, match="takes the text of a kernel, and its name and file as texts; got int, str, str"
    ):
        kernel_from_source(3)
    file = tmp_path / "own.py"
    file.write_text("# a file of the user's own\n")
    again = kernel_from_source(SCALE, name="scale", file=str(file))
    assert again.signature.function.__code__.co_filename == f"{file} (2)"
    assert linecache.getline(str(file), 1) == "# a file of the user's own\n"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "x = (",
            KernelSyntaxError,
            "made.py:1: the text is not Python: '(' was never closed\n    x = (\n        ^",
        ),
        (
            "\n@kernel\ndef f(): pass",
            KernelNameError,
            "made.py (2):2: name 'kernel' is not defined; the text sees what it imports, and the namespace:"
            " kernel_from_source(text, globals())\n    @kernel",
        ),
        (
            IMPORTS + "@kernel\ndef f(x):\n    pass",
            KernelTypeError,
            "made.py (3):3: parameter x has no annotation; write for example x: f32 or x: Item[f32]\n    def f(x):\n"
            "          ^",
        ),
        (
            IMPORTS + "@func\ndef g(x):\n    return x + nothing\n@kernel\ndef f(x: ItemMut[f32]):\n    x = g(x)",
            KernelNameError,
            "made.py (4):4: the name nothing is not defined\n        return x + nothing\n                   ^^^^^^^",
        ),
    ],
    ids=["syntax", "names", "parameters", "body"],
)
def test_errors_show_the_text(
    text: str, error: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        kernel_from_source(text, file="made.py")(Buffer.ones(1, f32))
    found = str(raised.value).splitlines()
    assert found[1:] == said.splitlines()[1:]
    assert found[0].partition(": ")[2] == said.splitlines()[0].partition(": ")[2]
    assert found[0].startswith("made.py")


def test_what_fails_when_it_runs_shows_the_text() -> None:
    text = "from krnlpy import *\n@kernel\ndef f(x: GlobalMut[f32], i: i32):\n    x[i] = 1.0\n"
    with pytest.raises(
        KernelIndexError, match=r"made for the interpreter:4: index 7 is out of range.*\n        x\[i\] = 1"
    ):
        made = kernel_from_source(text, file="made for the interpreter")
        made.with_groups(1)(Buffer.zeros(3, f32, Device.interpreter()), 7)


def test_other_exceptions_are_the_texts_own() -> None:
    with pytest.raises(ZeroDivisionError):
        kernel_from_source("1 / 0")
    with pytest.raises(NameError, match="inner"):
        kernel_from_source("call()", {"call": lambda: inner})  # noqa: F821
