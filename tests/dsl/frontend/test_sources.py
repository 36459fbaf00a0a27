"""Where kernels are written, and what they see from there: files, cells, prompts, doctests, other modules."""

from __future__ import annotations

import doctest
import importlib
import itertools
import linecache
import py_compile
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    GlobalMut,
    Item,
    ItemMut,
    KernelNameError,
    KernelSyntaxError,
    KernelTypeError,
    LaunchError,
    bf16,
    config,
    f32,
    f64,
    func,
    i32,
    kernel,
)
from krnlpy.kernels.kernel import Kernel
from tests.support import process
from tests.support.typed import untyped

_numbers = itertools.count(1)
IMPORTS = "from krnlpy import GlobalMut, Item, ItemMut, f32, func, i32, kernel\n"


def cell(text: str, scope: dict[str, Any], name: str = "<ipython-input-{}-0123456789ab>") -> None:
    """Runs a cell as IPython does, and Python 3.13's prompt: its lines are in linecache, under a name of its own."""
    name = name.format(next(_numbers))
    text = textwrap.dedent(text)
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), scope)


def result(kernel: Kernel, *arguments: Any) -> float:
    y = Buffer.zeros(1, f32)
    kernel(*arguments, y)
    return float(y.numpy()[0])


# -------------------------------------------------------------------------------------------------- cells, prompts


@pytest.mark.parametrize("name", ["<ipython-input-{}-0123456789ab>", "/tmp/ipykernel_7/{}.py", "<python-input-{}>"])
def test_cells(name: str) -> None:
    scope: dict[str, Any] = {}
    cell(IMPORTS + "N = 3", scope, name)
    cell("@func\ndef twice(x):\n    return 2 * x\n", scope, name)
    cell("\n\n@kernel\ndef fill(y: ItemMut[f32]):\n    y = twice(N + 0.5)\n", scope, name)
    assert result(scope["fill"]) == 7
    cell("@kernel\ndef fill(y: ItemMut[f32]):\n    y = 1.0\n", scope, name)
    assert result(scope["fill"]) == 1


def test_an_error_in_a_cell_shows_its_line() -> None:
    scope: dict[str, Any] = {}
    cell(IMPORTS, scope)
    cell("@kernel\ndef fill(y: ItemMut[f32]):\n    y = missing\n", scope)
    with pytest.raises(KernelNameError) as raised:
        result(scope["fill"])
    head, line, caret = str(raised.value).splitlines()
    assert head.startswith("<ipython-input-") and head.endswith(":3: the name missing is not defined")
    assert line.endswith("    y = missing") and caret.endswith(" ^^^^^^^")


@pytest.mark.parametrize("name", ["<stdin>", "<string>"])
def test_without_source(name: str) -> None:
    """The prompt of Python before 3.13, and python -c."""
    text = IMPORTS + "@kernel\ndef fill(y: ItemMut[f32]):\n    y = 1.0\n"
    with pytest.raises(
        KernelSyntaxError, match=rf"the source of fill cannot be read, since {name} is not a file; define"
    ):
        exec(compile(text, name, "exec"), {})


def test_only_what_was_compiled_is_there(module: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    compiled = tmp_path / "only_compiled.pyc"
    source = tmp_path / "source" / "only_compiled.py"
    source.parent.mkdir()
    source.write_text(IMPORTS + "@func\ndef helper(x):\n    return x\n")
    py_compile.compile(str(source), cfile=str(compiled))
    source.unlink()
    user = module(
        "user_of_compiled",
        """
        from only_compiled import helper

        @kernel
        def fill(y: ItemMut[f32]):
            y = helper(1.0)
        """,
    )
    with pytest.raises(KernelSyntaxError, match=r"only_compiled.py is not there, only what Python made of it \(a .pyc"):
        result(user.fill)


PROGRAM = (
    IMPORTS
    + """
from krnlpy import Buffer
@func
def twice(x):
    return 2 * x
@kernel
def fill(y: ItemMut[f32]):
    y = twice(1.5)
y = Buffer.zeros(1, f32)
fill(y)
print(y.numpy()[0])
"""
)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python keeps the text from 3.13 on")
def test_python_c() -> None:
    assert process.output("-c", PROGRAM) == "3.0\n"
    # Another function of the same name in the same line of another text is another function.
    other = PROGRAM.replace("2 * x", "4 * x")
    done = process.run("-c", PROGRAM + f"exec({other!r}, {{}})\n")
    assert "the source of fill cannot be read, since <string> is not a file" in done.stderr


def test_standard_input() -> None:
    done = process.run("-", input=PROGRAM)
    assert "the source of fill cannot be read, since <stdin> is not a file" in done.stderr
    assert "make it by kernel_from_source(text, globals())" in done.stderr
    text = f"from krnlpy import *\nkernel_from_source({PROGRAM!r})\n"
    assert process.output("-", input=text) == "3.0\n"


def test_a_function_without_source() -> None:
    scope: dict[str, Any] = {}
    exec(IMPORTS + "@func\ndef helper(x):\n    return x\n", scope)
    helper = scope["helper"]

    @kernel
    def fill(y: ItemMut[f32]) -> None:
        y = helper(1.0)

    with pytest.raises(KernelSyntaxError, match="the source of helper cannot be read"):
        result(fill)


def test_doctests() -> None:
    text = """
    >>> from krnlpy import Buffer, ItemMut, f32, kernel
    >>> @kernel
    ... def fill(y: ItemMut[f32]):
    ...     y = 4.0
    >>> y = Buffer.zeros(2, f32)
    >>> fill(y)
    >>> y.numpy().tolist()
    [4.0, 4.0]
    """
    test = doctest.DocTestParser().get_doctest(text, {}, "of_a_kernel", None, None)
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert (runner.failures, said) == (0, [])


# ------------------------------------------------------------------------------------------------------------ files


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """Writes a module and imports it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def make(name: str, text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(IMPORTS + textwrap.dedent(text))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield make
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_other_modules(module: Callable[[str, str], ModuleType]) -> None:
    """A function sees the names of its own module, whoever calls it."""
    module(
        "library_of_functions",
        """
        SCALE = 10.0

        @func
        def scaled(x):
            return inner(x) * SCALE

        @func
        def inner(x):
            return x + 1

        @kernel
        def whole(y: ItemMut[f32]):
            y = scaled(SCALE)
        """,
    )
    user = module(
        "user_of_library",
        """
        import library_of_functions as lib
        from library_of_functions import scaled, whole

        SCALE = 0.5
        inner = None

        @kernel
        def both(y: ItemMut[f32]):
            y = scaled(SCALE) + lib.scaled(1.0) * lib.SCALE
        """,
    )
    assert result(user.both) == 15 + 200
    assert result(user.whole) == 110


def test_the_file_was_changed(module: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    text = "@func\ndef helper(x):\n    return x\n\n@kernel\ndef fill(y: ItemMut[f32]):\n    y = helper(1.0)\n"
    user = module("changed_later", text)
    (tmp_path / "changed_later.py").write_text("# nothing is left\n")
    with pytest.raises(KernelSyntaxError, match="helper is no longer here: the file was changed"):
        result(user.fill)
    other = module("broken_later", text)
    (tmp_path / "broken_later.py").write_text("def (:\n")
    with pytest.raises(KernelSyntaxError, match="is not Python now"):
        result(other.fill)


# --------------------------------------------------------------------------------------------------------- captures

T = TypeVar("T", f32, bf16)
LIMIT = 4


def test_a_captured_number_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = 3.0

    @func
    def scaled(x):
        return x * factor + LIMIT

    @kernel
    def fill(x: Item[T], y: ItemMut[T]) -> None:
        y = scaled(x) + factor

    def run(kernel: Kernel, type: Any) -> float:
        x, y = Buffer.ones(1, type), Buffer.zeros(1, type)
        kernel(x, y)
        return float(y.numpy()[0])

    assert run(fill, f32) == 10
    factor = 5.0
    monkeypatch.setitem(globals(), "LIMIT", 40)
    assert run(fill, f32) == 10, "compiled"
    assert run(fill, bf16) == 10, "compiled only now, and of the same values"
    assert run(kernel(untyped(fill).__wrapped__), f32) == 50, "another kernel of the same function"


def test_debug_mode_tells_of_what_changed(
    module: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        import numpy as np
        import constants

        TABLE = np.array([1.0, 2.0], np.float32)
        PAIR = (1, 2.5)

        def make(factor):
            @func
            def scaled(x):
                return x * factor

            @kernel
            def fill(i: i32, y: ItemMut[f32]):
                y = scaled(constants.N) + TABLE[i] + PAIR[1]

            def change(value):
                nonlocal factor, scaled
                if value is None:
                    scaled = func(scaled.function)
                else:
                    factor = value
            return fill, change
        """
    constants = module("constants", "N = 2\n")
    user = module("user_of_constants", text)
    fill, change = user.make(3.0)
    assert result(fill, 0) == 6 + 1 + 2.5
    constants.N = 5
    assert result(fill, 0) == 9.5, "compiled in, and it stays"
    monkeypatch.setattr(config, "debug", True)
    with pytest.raises(LaunchError, match=r"fill: constants.N was 2 when the kernel was compiled, and is 5 now"):
        result(fill, 0)
    constants.N = 2.0
    with pytest.raises(LaunchError, match=r"constants.N was 2 when the kernel was compiled, and is 2.0 now"):
        result(fill, 0)
    constants.N = 2
    assert result(fill, 1) == 10.5
    change(4.0)
    with pytest.raises(LaunchError, match=r"factor was 3.0 when the kernel was compiled, and is 4.0 now"):
        result(fill, 0)
    change(3.0)
    user.TABLE[1] = 7
    with pytest.raises(LaunchError, match=r"TABLE was array\(\[1., 2.\].* and is array\(\[1., 7.\]"):
        result(fill, 0)
    user.TABLE[1] = 2
    user.PAIR = (1, 2.5)
    assert result(fill, 1) == 10.5
    change(None)
    with pytest.raises(LaunchError, match=r"scaled was <func scaled> when the kernel .* is another <func scaled> now"):
        result(fill, 0)
    del user.TABLE
    monkeypatch.setattr(config, "debug", False)
    assert result(fill, 1) == 10.5


def test_before_the_first_call_nothing_is_captured(module: Callable[[str, str], ModuleType]) -> None:
    """Hence a kernel may stand before the functions that it calls."""
    user = module(
        "names_follow",
        """
        @kernel
        def fill(y: ItemMut[f32]):
            y = later(N)

        @func
        def later(x):
            return x + 0.5

        N = 1.0
        """,
    )
    vars(user)["N"] = 2.0
    assert result(user.fill) == 2.5
    vars(user)["N"] = 3.0
    assert result(user.fill) == 2.5


def test_each_closure_has_its_own_values() -> None:
    def power(n: int) -> Kernel:
        @kernel
        def raised(x: Item[f32], y: ItemMut[f32]) -> None:
            y = x**n

        return raised

    x = Buffer.from_numpy(np.array([3], np.float32))
    assert [result(power(n), x) for n in (1, 2, 3)] == [3, 9, 27]


def test_what_can_be_captured() -> None:
    import math

    size, flags, one = (2, 3), {"on": True}, np.uint8(200)
    tenth, tenths = np.sqrt(0.01), (np.float64(0.1), 2)  # a float of NumPy's is one of Python's: it takes any type

    @kernel
    def fill(y: GlobalMut[i32]) -> None:
        a, b = size
        y[0] = a * b + len(size)
        y[1] = i32(one + one)
        y[2] = i32(math.pi * 100)

    y = Buffer.zeros(3, i32)
    fill.with_groups(1)(y)
    assert y.numpy().tolist() == [8, 144, 314]

    @kernel
    def tens(y: ItemMut[f32], z: ItemMut[f64]) -> None:
        y = y * tenth + tenths[0]
        z = z * tenth + tenths[0]

    y, z = Buffer.ones(1, f32), Buffer.ones(1, f64)
    tens(y, z)
    assert (y.numpy()[0], z.numpy()[0]) == (np.float32(0.1) * 2, 0.1 * 2)

    @kernel
    def dictionary(y: ItemMut[f32]) -> None:
        y = flags["on"]

    with pytest.raises(KernelTypeError, match="cannot be indexed"):
        result(dictionary)
