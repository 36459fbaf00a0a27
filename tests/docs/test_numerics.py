"""docs/numerics.md says of the functions' precision what the conformance tests assert, and names what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from krnlpy import dsl

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")


def bounds() -> dict[str, tuple[float, float]]:
    path = ROOT / "tests" / "conformance" / "ulp_bounds.py"
    spec = importlib.util.spec_from_file_location("ulp_bounds", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table: dict[str, tuple[float, float]] = module.BOUNDS
    return table


def test_the_table_of_errors_is_the_asserted_one() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert {name: (float(single), float(double)) for name, single, double in rows} == bounds()
    assert len(rows) == len(bounds())


def test_every_fast_function_is_named() -> None:
    fast = {name for name in vars(dsl)["__all__"] if name.startswith("fast_")}
    assert fast == set(re.findall(r"fast_[a-z0-9]+", TEXT)) - {"fast_sqrt", "fast_div"}
