"""Kernels that are long where people's are: sums, chains of elif, of and and or, of functions that call each other."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from krnlpy import Buffer, Device, f32
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def module(tmp_path: Path, text: str) -> ModuleType:
    """A user's module."""
    file = tmp_path / "long.py"
    file.write_text("from krnlpy import *\nfrom krnlpy.dsl import *\n" + text)
    spec = importlib.util.spec_from_file_location("long", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def run(device: Device, tmp_path: Path, body: str, x: list[float], functions: str = "") -> list[float]:
    """The results of ``body``, which gives y a value for each x."""
    body = textwrap.indent(body, "    ")
    long = module(tmp_path, f"{functions}\n@kernel\ndef long(x: Item[f32], y: ItemMut[f32]):\n{body}\n")
    y = Buffer.zeros(len(x), f32, device)
    long.long(Buffer.from_numpy(np.array(x, np.float32), device), y)
    return [float(v) for v in y.numpy()]


def test_a_sum_of_1500_terms(device: Device, tmp_path: Path) -> None:
    body = "y = " + " + ".join(f"x * {i % 8}.0" if i % 3 else f"{i % 4}.0" for i in range(1500))
    want = [sum(x * (i % 8) if i % 3 else i % 4 for i in range(1500)) for x in (0, 1, 2)]
    assert run(device, tmp_path, body, [0, 1, 2]) == want  # whole numbers below 2**24: exact


def test_1500_elif(device: Device, tmp_path: Path) -> None:
    arms = "\n".join(f"{'el' if i else ''}if k == {i}:\n    y = {i}.5\n    value = {i}.0" for i in range(1500))
    body = f"k = i32(x)\n{arms}\nelse:\n    value = 7.0\ny += value"  # value has a value on every way
    assert run(device, tmp_path, body, [0, 15, 16, 17, 1499, 1500, -1]) == [0.5, 30.5, 32.5, 34.5, 2998.5, 7, 7]


def test_chains_of_and_and_or(device: Device, tmp_path: Path) -> None:
    text = "\n".join(
        [
            "calls = 0.0",
            "all_differ = " + " and ".join(f"x != {i}.0" for i in range(200)),
            "any_equal = " + " or ".join(f"x == {i}.0" for i in range(200)),
            # What stands behind what decides is not evaluated.
            "far = " + " and ".join(f"x >= {i}.0" for i in range(100)) + " and (calls := calls + 1.0) > 0.0",
            "while " + " and ".join(f"calls < {100 - i}.0" for i in range(97)) + ":",
            "    calls += 10.0",
            "y = (100.0 if all_differ else 0.0) + (200.0 if any_equal else 0.0) + calls + (0.5 if far else 0.0)",
        ]
    )
    assert run(device, tmp_path, text, [0, 199, 200, 0.5]) == [210, 211.5, 111.5, 110]


def test_60_functions_that_call_each_other(device: Device, tmp_path: Path) -> None:
    functions = "@func\ndef g0(x):\n    return x\n" + "".join(
        f"@func\ndef g{i}(x):\n    return g{i - 1}(x + 1.0) * 0.5 + g{i - 1}(x + 1.0) * 0.5\n" if i < 8 else
        f"@func\ndef g{i}(x, by=1.0):\n    y = g{i - 1}(x)\n    return y + by\n" for i in range(1, 60)
    )  # fmt: skip
    assert run(device, tmp_path, "y = g59(x)", [0, 5], functions) == [59, 64]


def test_long_chains_in_functions_and_loops(device: Device, tmp_path: Path) -> None:
    """Each arm may return, break, continue; or be decided while compiling, so that the rest is not looked at."""

    def arms(count: int, body: str) -> str:
        return "\n".join(f"{'el' if i else ''}if k == {i}:\n    {body.replace('N', str(i))}" for i in range(count))

    returns = textwrap.indent(arms(50, "return N.5"), "    ")
    leaves = textwrap.indent(arms(40, "total += N.0\n    continue"), "    ")
    static = "\n".join(f"{'el' if i else ''}if MODE == {i}:\n    y += {i}.0" for i in range(40))
    functions = f"MODE = 30\n@func\ndef table(k: i32):\n{returns}\n    else:\n        return -1.0\n"
    body = (
        f"total = 0.0\nfor k in range(100):\n{leaves}\n    elif k == 60:\n        break\n"
        "    else:\n        total += 1000.0\n"
        f"k = i32(x)\ny = table(k) + total\n{static}\nelif undefined:\n    y = undefined\n"
    )
    want = [k + 0.5 if 0 <= k < 50 else -1.0 for k in (0, 31, 49, 50)]
    sums = sum(range(40)) + 20 * 1000 + 30
    assert run(device, tmp_path, body, [0, 31, 49, 50], functions) == [v + sums for v in want]


def test_a_variable_needs_a_value_on_every_way_of_a_long_chain(tmp_path: Path) -> None:
    arms = "\n".join(f"{'el' if i else ''}if x == {i}.0:\n    value = {i}.0" for i in range(40))
    for body in (f"{arms}\ny = value", f"{arms.replace('value = 33.0', 'pass')}\nelse:\n    value = 1.0\ny = value"):
        with pytest.raises(Exception, match="value may not have a value here"):
            run(Device.interpreter(), tmp_path, body, [1])
    with pytest.raises(KernelTypeError, match="may end without a value"):
        text = textwrap.indent(arms.replace("value =", "return"), "    ")
        run(Device.interpreter(), tmp_path, "y = f(x)", [1], f"@func\ndef f(x):\n{text}\n")


@pytest.mark.parametrize(
    "expression",
    ["-" * 1000 + "x", " ** ".join(["x"] * 400), "v" + ".xy" * 500 + ".x", "abs(" * 190 + "x" + " + 1.0)" * 190],
    ids=["signs", "powers", "attributes", "calls"],
)
def test_what_is_too_deep_is_refused(tmp_path: Path, expression: str) -> None:
    """Nothing shows Python's own limit."""
    with pytest.raises(KernelSyntaxError, match="nested too deeply"):
        run(Device.interpreter(), tmp_path, f"v = vec2(x, x)\ny = {expression}", [1])
