"""An example that needs what is not installed says so before it works."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.support import process

ROOT = Path(__file__).resolve().parents[2]
OURS = {"autograph", "examples", "krnlpy", "ml_dtypes", "numpy", "rich"}  # and what they bring
NEEDS = [("kernels/mandelbrot", "PIL"), ("scikit_learn", "sklearn")]
OPTIONAL = [("zero_copy", "torch")]
PICTURES = ("networks/_command", "matplotlib")  # where pictures are asked for, and before anything works


def imported(path: Path) -> set[str]:
    """The packages that a program imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


def test_which_need_more() -> None:
    examples = ROOT / "examples"
    found = {
        (path.relative_to(examples).with_suffix("").as_posix(), name)
        for path in examples.rglob("*.py")
        for name in imported(path) - OURS - sys.stdlib_module_names
    }
    assert found == {*NEEDS, *OPTIONAL, PICTURES}


@pytest.mark.parametrize(("example", "module"), [*NEEDS, *OPTIONAL])
def test_without_it(example: str, module: str, tmp_path: Path) -> None:
    program = (
        f"import runpy, sys; sys.modules[{module!r}] = None; sys.argv = [{example!r}];"
        f" runpy.run_path({str(ROOT / 'examples' / f'{example}.py')!r}, run_name='__main__')"
    )
    done = process.run("-c", program, cwd=tmp_path)
    if (example, module) in OPTIONAL:
        assert (done.returncode, done.stderr) == (0, "") and "PyTorch is not installed" in done.stdout
        return
    name = {"PIL": "pillow", "sklearn": "scikit-learn"}.get(module, module)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {name} not installed; `pip install {name}`\n"
