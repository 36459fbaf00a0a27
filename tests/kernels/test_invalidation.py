"""When a kernel that was compiled before is found again, and when it must be compiled anew.

The list of cases is that of Triton's ``test_cache.py`` and more. A module is written, its kernel launched, the module
changed, and its kernel launched by a new import, as by the next process: what was compiled is in the cache by then.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from krnlpy import Device, config, hooks
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device

MODULE = '''
from math import pi
from typing import TypeVar
import numpy as np
from krnlpy import Buffer, Global, Item, ItemMut, Spec, bf16, f16, f32, func, i32, kernel
from krnlpy.dsl import copysign, sqrt, unroll

SCALE = 3.0
UNUSED = 1.0
LENGTHS = (2, 5)

@func
def inner(x):
    return x + 1.0

@func
def other(x):
    return x + 1.5

@func
def helper(x):
    return inner(x) * SCALE

alias = inner

@func
def with_default(x, factor=2.0):
    return x * factor

def make(captured):
    @func
    def nested(x):
        return x - captured

    @kernel
    def compute(x: Item[f32], table: Global[f32], y: ItemMut[f32], n: i32, SIZE: Spec[i32] = 1):
        """Says something."""
        value = helper(x) + alias(x) + nested(x) + with_default(x)
        for i in unroll(range(len(LENGTHS))):
            value += table[n] * LENGTHS[i]
        y = value + abs(x) + f32(SIZE)

    return compute

compute = make(0.25)
ELEMENT = f32

def run(device):
    x = Buffer.from_numpy(np.array([2.0], ELEMENT.dtype), device)
    table = Buffer.from_numpy(np.array([1.0, 10.0], np.float32), device)
    y = Buffer.zeros(1, f32, device)
    compute(x, table, y, 1)
    return float(y.numpy()[0])
'''
# (2 + 1) * 3 + (2 + 1) + (2 - 0.25) + 2 * 2 + 10 * 2 + 10 * 5 + 2 + 1
VALUE = 90.75

Edits = tuple[tuple[str, str], ...]

SAME: dict[str, Edits] = {
    "nothing": (),
    "a comment": (("y = value", "# as it is\n        y = value"),),
    "the docstring": (("Says something.", "Says something else."),),
    "spaces": (("return x + 1.0", "return  ( x+1.0 )"),),
    "the place in the file": (("SCALE = 3.0", "\n\n\nSCALE = 3.0"),),
    "a constant that is not used": (("UNUSED = 1.0", "UNUSED = 2.0"),),
    "a function that is not called": (("return x + 1.5", "return x + 2.5"),),
    "where a constant comes from": (("SCALE = 3.0", "BASE = 1.5\nSCALE = 2 * BASE"),),
    "how a module is imported": (("import numpy as np", "import numpy as np\nimport krnlpy.dsl as dsl"),),
    "the decorator with its defaults": (("    @kernel\n", "    @kernel(unchecked=False)\n"),),
    "another caller": (("y = Buffer.zeros(1, f32, device)", "y = Buffer.full(1, 7.0, f32, device)"),),
}

CHANGED: dict[str, tuple[Edits, float]] = {
    "the body": ((("y = value +", "y = value -"),), VALUE - 4),
    "a function that is called": ((("* SCALE", "/ SCALE"),), VALUE - 8),
    "a function that a called one calls": ((("return x + 1.0", "return x + 2.0"),), VALUE + 4),
    "a captured constant": ((("SCALE = 3.0", "SCALE = 4.0"),), VALUE + 3),
    "a constant of an enclosing function": ((("make(0.25)", "make(0.5)"),), VALUE - 0.25),
    "a captured tuple": ((("(2, 5)", "(2, 6)"),), VALUE + 10),
    "the length of a captured tuple": ((("(2, 5)", "(2, 5, 1)"),), VALUE + 10),
    "an alias": ((("alias = inner", "alias = other"),), VALUE + 0.5),
    "a nested function": ((("return x - captured", "return x + captured"),), VALUE + 0.5),
    "a default": ((("factor=2.0", "factor=3.0"),), VALUE + 2),
    "a builtin that is shadowed": ((("alias = inner", "alias = inner\nabs = other"),), VALUE + 1.5),
    "a global that is shadowed by a closure": (
        (("def make(captured):\n", "def make(captured):\n    alias = other\n"),),
        VALUE + 0.5,
    ),
    "the type of an element": ((("x: Item[f32]", "x: Item[f16]"), ("ELEMENT = f32", "ELEMENT = f16")), VALUE),
    "a type variable's choice": (
        (
            ("x: Item[f32]", "x: Item[TypeVar('T', f32, bf16)]"),
            ("ELEMENT = f32", "ELEMENT = bf16"),
        ),
        VALUE,
    ),
    "the type of a number": ((("n: i32", "n: u32"), ("func, i32,", "func, i32, u32,")), VALUE),
    "a promise of the decorator": ((("    @kernel\n", "    @kernel(unchecked=True)\n"),), VALUE),
    "an operation": ((("abs(x)", "sqrt(x * x)"),), VALUE),
}

_numbers = itertools.count()


@pytest.fixture
def compilations(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[hooks.Compilation]]:
    """The kernels that were compiled and not found in the cache, which is empty at first."""
    if device.info.backend == "interpreter":
        pytest.skip("it compiles nothing")
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    compiled: list[hooks.Compilation] = []
    with hooks.on_compile(lambda event: None if event.from_cache else compiled.append(event)):
        yield compiled


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., ModuleType]:
    """Imports the module, with edits, from a file of its own or of the same name as before."""

    def write(*edits: tuple[str, str], file: str | None = None) -> ModuleType:
        text = MODULE
        for old, new in edits:
            assert text.count(old) >= 1, f"{old!r} is not in the module"
            text = text.replace(old, new)
        path = tmp_path / (file or f"kernels{next(_numbers)}.py")
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return write


@pytest.mark.parametrize("what", SAME)
def test_found_again(
    what: str, device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    assert write().run(device) == VALUE
    assert len(compilations) == 1
    assert write(*SAME[what]).run(device) == VALUE
    assert len(compilations) == 1


@pytest.mark.parametrize("what", CHANGED)
def test_compiled_anew(
    what: str, device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    edits, value = CHANGED[what]
    assert write().run(device) == VALUE
    assert write(*edits).run(device) == value
    assert len(compilations) == 2
    assert write().run(device) == VALUE, "what was first is still there"
    assert len(compilations) == 2


def test_zeros_of_either_sign(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    """Python takes them for equal, kernels must not."""
    values = []
    for zero in ("0.0", "-0.0"):
        module = write(("UNUSED = 1.0", f"ZERO = {zero}"), ("y = value +", "y = copysign(1.0, ZERO) + value +"))
        values.append(module.run(device))
    assert values == [VALUE + 1, VALUE - 1]
    assert len(compilations) == 2


def test_globals_of_the_same_source(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    """The same text in two modules means what each module's names mean."""
    first, second = write(), write()
    vars(second)["SCALE"] = 5.0
    assert (first.run(device), second.run(device)) == (VALUE, VALUE + 6)
    assert len(compilations) == 2


def test_closures_of_one_function(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    module = write()
    values = []
    for captured in (0.25, 0.5, 0.25):
        vars(module)["compute"] = module.make(captured)
        values.append(module.run(device))
    assert values == [VALUE, VALUE - 0.25, VALUE]
    assert len(compilations) == 2, "the third is the first"


def test_captured_when_first_compiled(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    """As the decorator documents; another process, or a new kernel, sees the new value."""
    module = write()
    assert module.run(device) == VALUE
    vars(module)["SCALE"] = 4.0
    assert module.run(device) == VALUE
    vars(module)["compute"] = module.make(0.25)
    assert module.run(device) == VALUE + 3
    assert len(compilations) == 2


def test_file_written_anew(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    """A module that is changed under the same name, within the resolution of the file system's clock."""
    assert write(file="kernels.py").run(device) == VALUE
    assert write(("SCALE = 3.0", "SCALE = 4.0"), file="kernels.py").run(device) == VALUE + 3


def test_debug_mode(
    device: Device,
    compilations: list[hooks.Compilation],
    write: Callable[..., ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = write()
    for debug in (False, True, False):
        monkeypatch.setattr(config, "debug", debug)
        assert module.run(device) == VALUE
        assert write().run(device) == VALUE
    assert len(compilations) == 2


def test_specializations(
    device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]
) -> None:
    """Vulkan is given a specialization's values when a pipeline is made; for the host they are part of the code."""
    module = write()
    for size in (1, 2):
        vars(module)["compute"] = module.make(0.25).specialize(SIZE=size)
        assert module.run(device) == VALUE - 1 + size
    assert len(compilations) == (2 if device.is_host else 1)


def test_group_sizes(device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]) -> None:
    module = write()
    for threads in (64, 128):
        vars(module)["compute"] = module.make(0.25).with_threads(threads)
        assert module.run(device) == VALUE
    assert len(compilations) == 1 or device.is_host


def test_layouts(device: Device, compilations: list[hooks.Compilation], write: Callable[..., ModuleType]) -> None:
    """Code for contiguous buffers is another than for strided ones."""
    module = write()
    strided = ("np.array([1.0, 10.0], np.float32), device)", "np.array([1.0, 0.0, 10.0], np.float32), device)[::2]")
    assert module.run(device) == VALUE
    assert write(strided).run(device) == VALUE
    assert len(compilations) == 2
