"""The pages on parity name a test for each row, and each test that they name exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.autograph.functions import test_ported_conv2, test_unfold

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("parity*.md"))}
PAGES.pop("parity_pytorch.md")  # whose rows are those of tests/parity/networks.py
PAGE = "\n\n".join(PAGES.values())
NAMES = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
ROWS = [
    line
    for before, line in zip(["", *PAGE.splitlines()], PAGE.splitlines(), strict=False)
    if line.startswith("|") and before.startswith("|") and not line.startswith("|---")
]


@cache
def defined_in(file: str) -> frozenset[str]:
    """The functions of a file that pytest runs; the file is not imported."""
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMES}))
def test_named_tests_exist(file: str) -> None:
    assert (ROOT / file).is_file()
    assert {name for of, name in NAMES if of == file} - defined_in(file) == set()


def test_each_row_has_a_test_or_a_reason() -> None:
    assert len(ROWS) > 100
    assert [row for row in ROWS if not re.search("`tests/|not yet|left out", row)] == []


def test_each_defect_of_the_seed_has_a_row() -> None:
    numbers = re.findall(
        r"^\| (\d+): .*`tests/autograph/test_seed_defects\.py::test_(\d+)_", PAGES["parity_autograph.md"], re.M
    )
    assert numbers == [(str(n), str(n)) for n in range(1, 13)]


def test_ported_tests_say_how_much_of_them_runs() -> None:
    """Of a grid that is thinned, which part of it; the numbers are those that the test files count."""
    part = PAGES["parity_autograph.md"].partition("## The crate's tests")[2]
    assert not re.search(r"\| ported\b", part)
    grid, cases = test_unfold.GRID, test_unfold.CASES
    quick = [
        combination for combination in grid if isinstance(combination, tuple) and not hasattr(combination, "marks")
    ]
    assert f"of the {len(grid)} combinations of 7 filters, 7 options and 2 types, {len(quick)} for each change" in part
    assert f"all {len(cases)} cases, Vulkan devices every 8th: {len(cases[::8])} of {len(cases)}" in part
    assert f"{len(cases[::16])} of {len(cases)} cases, other devices {len(cases[::50])}" in part
    assert f"{len(test_ported_conv2.CASES[::3])} of {len(test_ported_conv2.CASES)} for each filter" in part


def test_nothing_else_looks_like_a_test() -> None:
    """A name that is misspelt beyond recognition would not be checked."""
    assert PAGE.count("tests/") == len(NAMES) + 1, "a page names its own test once, without a function"
