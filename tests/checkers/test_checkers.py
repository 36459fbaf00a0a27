"""Kernels under type checkers: what mypy --strict says of a user's module, and what the stub of krnlpy.dsl says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import krnlpy
from krnlpy import Global, GlobalMut, Kernel, Out, dsl, f32
from krnlpy.dsl.types.composites import Matrix, Vector
from krnlpy.errors import DtypeError

from . import user_kernels

mypy = pytest.importorskip("mypy.api")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of the modules beside; of the packages themselves `make check` asks."""
    cache = tmp_path_factory.mktemp("mypy")
    modules = [str(HERE / f"{name}.py") for name in ("user_kernels", "user_tensors", "wrong_kernels")]
    options = ["--strict", "--follow-imports=silent", "--config-file=", "--ignore-missing-imports"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT))
        out, err, _ = mypy.run([*options, f"--cache-dir={cache}", "--no-pretty", *modules])
    assert not err
    return str(out)


def test_a_users_kernels_pass(said: str) -> None:
    assert [line for line in said.splitlines() if "user_kernels.py" in line] == []


def test_a_users_tensors_pass(said: str) -> None:
    """What is wrong in that module is ignored there, and an ignored line without an error would be one."""
    assert [line for line in said.splitlines() if "user_tensors.py" in line] == []


def test_wrong_kernels_are_found(said: str) -> None:
    found = re.findall(r"wrong_kernels\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    lines = (HERE / "wrong_kernels.py").read_text().splitlines()
    marked = [
        (str(number), code)
        for number, line in enumerate(lines, 1)
        for code in line.partition("# expect: ")[2].split(", ")
        if "# expect: " in line
    ]
    assert sorted(found) == sorted(marked)
    assert "try using Literal[2] instead?" in said, "mypy itself says what to write"


def test_the_users_kernels_run() -> None:
    results = user_kernels.run()
    np.testing.assert_array_equal(results["product"], np.full((8, 8), 8))
    for kernel in vars(user_kernels).values():
        if isinstance(kernel, Kernel):
            assert kernel.inspect("glsl", debug=True)


def test_the_stub_names_what_there_is() -> None:
    tree = ast.parse(Path(dsl.__file__).with_suffix(".pyi").read_text())
    functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    imported = {a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname}
    assert (functions | imported) - {"Array"} == set(vars(dsl)["__all__"]), (
        "krnlpy/dsl/__init__.pyi is for type checkers"
    )


def test_literals_stand_for_numbers_in_annotations() -> None:
    from typing import Literal

    assert Global[f32, Literal[2]] == Global[f32, 2]
    assert GlobalMut[f32, Literal[8]].ndim == 8 and Out[f32, Literal[1]] == Out[f32]  # type: ignore[comparison-overlap]
    assert Vector[f32, Literal[3]] == dsl.vec3 and Matrix[f32, Literal[2], Literal[2]] == dsl.mat2
    for wrong in (Literal[9], Literal["2"], Literal[1, 2], Literal[True]):
        with pytest.raises(DtypeError, match="number of dimensions must be 1 to 8"):
            Global[f32, wrong]


def test_type_of_a_value() -> None:
    @krnlpy.kernel
    def types(x: krnlpy.Item[krnlpy.bf16], n: krnlpy.u8, y: krnlpy.ItemMut[f32], z: krnlpy.ItemMut[krnlpy.u32]) -> None:
        third = type(y)(1) / 3
        y = type(x)(third)
        z = type(n)(300) + type(z)(1)

    text = types.inspect("ir")
    assert "y[] = round_bf16(third)" in text and "z[] = 44u32 + 1u32" in text
