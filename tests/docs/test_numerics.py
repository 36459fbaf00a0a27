"""docs/numerics.md says of the functions' precision what the conformance tests assert, and names what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from krnlpy import dsl

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")


def bounds(*path: str) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("bounds", ROOT.joinpath("tests", *path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table: dict[str, Any] = module.BOUNDS
    return table


def test_the_table_of_errors_is_the_asserted_one() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert {name: (float(single), float(double)) for name, single, double in rows} == bounds(
        "conformance", "ulp_bounds.py"
    )
    assert len(rows) == len(bounds("conformance", "ulp_bounds.py"))


def test_the_table_of_special_functions_is_the_asserted_one() -> None:
    rows = re.findall(r"^\| `([\w*]+)` \| ([\d.]+) \| ([\d.]+) \| (.+) \|$", TEXT, re.MULTILINE)
    asserted = bounds("autograph", "special", "bounds.py")
    assert {name: (float(single), float(double), of) for name, single, double, of in rows} == asserted
    assert len(rows) == len(asserted)


def test_every_fast_function_is_named() -> None:
    fast = {name for name in vars(dsl)["__all__"] if name.startswith("fast_")}
    assert fast == set(re.findall(r"fast_[a-z0-9]+", TEXT)) - {"fast_sqrt", "fast_div"}
