"""onnx's own node tests as a judge of operators: those whose operators are known, and what became of them.

``python -m tests.autograph.files.onnx_nodes`` prints counts, and which were refused or wrong.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from autograph import Tensor, load_onnx
from autograph.errors import OnnxError
from autograph.files.onnx.load import OPERATORS
from krnlpy import Device, scalar_type

DTYPES = {
    scalar_type(name).dtype.name
    for name in ("bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32", "f64")
}


@cache
def cases() -> list[Any]:
    """The tests all of whose operators are known, and whose inputs are tensors."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            found: list[Any] = [*collect_testcases()]
    return [
        case
        for case in found
        if not case.name.endswith("_expanded")
        and "_expanded_" not in case.name
        and {node.op_type for node in case.model.graph.node} <= OPERATORS.keys()
        and not any(node.domain for node in case.model.graph.node)
        and all(np.asarray(x).dtype.name in DTYPES for x in _arrays(case))
    ]


def _arrays(case: Any) -> Iterator[Any]:
    """All inputs and results."""
    return (x for data in case.data_sets for arrays in data for x in arrays if x is not None)


def judge(case: Any, device: Device, folder: Path) -> str:
    """ "passed", or why not."""
    path = folder / "model.onnx"
    path.write_bytes(case.model.SerializeToString())
    try:
        model = load_onnx(path, device)
        for inputs, outputs in case.data_sets:
            given = [Tensor.from_numpy(np.asarray(x), device) for x in inputs if x is not None]
            found = model(*given)
            found = found if isinstance(found, tuple) else (found,)
            for y, expected in zip(found, outputs, strict=True):
                array = np.asarray(expected)
                if y.shape != array.shape or (device.is_host and y.numpy().dtype != array.dtype):
                    return f"wrong: {y.dtype} {y.shape} instead of {array.dtype} {array.shape}"
                a, b = (np.asarray(v, np.float64) for v in (y.numpy(), array))
                if not np.allclose(a, b, max(case.rtol, 1e-3), max(case.atol, 1e-7), equal_nan=True):
                    return f"wrong: off by {np.nanmax(np.abs(a - b), initial=0)}"
    except OnnxError as error:
        return f"refused: {str(error).splitlines()[0]}"
    except Exception as error:
        return f"raised: {type(error).__name__}: {error}"
    return "passed"


def report(device: Device, *parts: str) -> tuple[Counter[str], dict[str, str]]:
    """How many tests passed, were refused or were wrong, and what became of those that did not pass.

    Args:
        device: where they run.
        *parts: of the names of those that run; all without.
    """
    counts: Counter[str] = Counter()
    others = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            if parts and not any(part in case.name for part in parts):
                continue
            verdict = judge(case, device, Path(folder))
            counts[verdict.partition(":")[0]] += 1
            if verdict != "passed":
                others[case.name] = verdict
    return counts, others


if __name__ == "__main__":
    found, others = report(Device.host(), *sys.argv[1:])
    for name, verdict in sorted(others.items(), key=lambda item: item[1]):
        print(f"{name}: {verdict[:220]}")
    print(dict(found), f"{len(OPERATORS)} operators")
